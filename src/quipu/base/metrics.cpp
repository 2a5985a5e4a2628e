#include "quipu/base/metrics.h"

namespace quipu {
namespace {

class NullCounter final : public Counter {
 public:
  void add(double /*amount*/) noexcept override {}
};

class NullGauge final : public Gauge {
 public:
  void set(double /*value*/) noexcept override {}
};

class NullHistogram final : public Histogram {
 public:
  void observe(double /*value*/) noexcept override {}
};

class NullMetrics final : public MetricsRegistry {
 public:
  Counter& counter(std::string_view /*name*/, std::string_view /*help*/,
                   const MetricLabels& /*labels*/) override {
    return counter_;
  }
  Gauge& gauge(std::string_view /*name*/, std::string_view /*help*/,
               const MetricLabels& /*labels*/) override {
    return gauge_;
  }
  Histogram& histogram(std::string_view /*name*/, std::string_view /*help*/,
                       const MetricLabels& /*labels*/,
                       std::span<const double> /*bounds*/) override {
    return histogram_;
  }

 private:
  NullCounter counter_;
  NullGauge gauge_;
  NullHistogram histogram_;
};

}  // namespace

MetricsRegistry& null_metrics() noexcept {
  static NullMetrics metrics;
  return metrics;
}

}  // namespace quipu
