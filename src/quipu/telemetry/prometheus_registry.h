// The metrics of a process, kept by the Prometheus client library and rendered as its text format.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "quipu/base/metrics.h"

namespace quipu::telemetry {

// Threads: any. Metrics live as long as the registry; updating one takes no lock.
//
// A name that Prometheus does not allow, or one asked for again as another kind of metric, is a bug
// of the caller and ends the process.
class PrometheusRegistry final : public MetricsRegistry {
 public:
  PrometheusRegistry();
  ~PrometheusRegistry() override;

  [[nodiscard]] Counter& counter(std::string_view name, std::string_view help,
                                 const MetricLabels& labels) override;
  [[nodiscard]] Gauge& gauge(std::string_view name, std::string_view help,
                             const MetricLabels& labels) override;
  // The bounds of a family are those of its first histogram; later ones must be the same.
  [[nodiscard]] Histogram& histogram(std::string_view name, std::string_view help,
                                     const MetricLabels& labels,
                                     std::span<const double> bounds) override;

  // Everything in the text exposition format 0.0.4, families by name. First sets the gauges of the
  // process itself: quipu_process_resident_bytes, _cpu_seconds, _open_descriptors, _threads.
  [[nodiscard]] std::string render();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// The media type of render().
inline constexpr std::string_view kMetricsContentType = "text/plain; version=0.0.4; charset=utf-8";

}  // namespace quipu::telemetry
