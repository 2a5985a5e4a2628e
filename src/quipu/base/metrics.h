// Counters, gauges and histograms as the layers see them; telemetry/ implements them over the
// Prometheus client, and null_metrics() swallows them.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>

namespace quipu {

// All three: any thread, wait-free or nearly so.
class Counter {
 public:
  virtual ~Counter() = default;
  virtual void add(double amount = 1) noexcept = 0;
};
class Gauge {
 public:
  virtual ~Gauge() = default;
  virtual void set(double value) noexcept = 0;
};
class Histogram {
 public:
  virtual ~Histogram() = default;
  virtual void observe(double value) noexcept = 0;
};

using MetricLabels = std::map<std::string, std::string>;

// Names follow Prometheus's conventions: quipu_..., unit last, counters end in _total. Asking twice
// for one name and labels gives the same object, which lives as long as the registry. A family has
// at most kMetricSeriesMax label sets; more share one series labelled "other".
class MetricsRegistry {
 public:
  virtual ~MetricsRegistry() = default;
  [[nodiscard]] virtual Counter& counter(std::string_view name, std::string_view help,
                                         const MetricLabels& labels) = 0;
  [[nodiscard]] virtual Gauge& gauge(std::string_view name, std::string_view help,
                                     const MetricLabels& labels) = 0;
  // `bounds`: ascending upper bounds of the buckets.
  [[nodiscard]] virtual Histogram& histogram(std::string_view name, std::string_view help,
                                             const MetricLabels& labels,
                                             std::span<const double> bounds) = 0;
};
inline constexpr std::size_t kMetricSeriesMax = 1000;

// Forgets everything. Lives as long as the process.
[[nodiscard]] MetricsRegistry& null_metrics() noexcept;

}  // namespace quipu
