#include "quipu/telemetry/prometheus_registry.h"

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <map>
#include <vector>

#include "quipu/assert.h"
#include "quipu/base/thread_annotations.h"
#include "quipu/telemetry/process_status.h"

namespace quipu::telemetry {
namespace {

bool valid_name(std::string_view name, bool colon_allowed) {
  const auto letter = [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
           (colon_allowed && c == ':');
  };
  return !name.empty() && letter(name.front()) &&
         std::ranges::all_of(name, [&](char c) { return letter(c) || (c >= '0' && c <= '9'); });
}

// The series that takes whatever comes after kMetricSeriesMax label sets.
MetricLabels overflow_labels(const MetricLabels& labels) {
  MetricLabels other;
  for (const auto& [name, value] : labels) other.emplace(name, "other");
  return other;
}

void check_names(std::string_view name, const MetricLabels& labels) {
  QUIPU_ASSERT(valid_name(name, true));
  for (const auto& [label, value] : labels) {
    QUIPU_ASSERT(valid_name(label, false));
    QUIPU_ASSERT(!label.starts_with("__"));
  }
}

}  // namespace

// Not of the unnamed namespace, whose types g++ lets no other type have as members.
namespace registry_parts {

class PrometheusCounter final : public Counter {
 public:
  explicit PrometheusCounter(prometheus::Counter& target) : target_(target) {}
  void add(double amount) noexcept override { target_.Increment(amount); }

 private:
  prometheus::Counter& target_;
};

class PrometheusGauge final : public Gauge {
 public:
  explicit PrometheusGauge(prometheus::Gauge& target) : target_(target) {}
  void set(double value) noexcept override { target_.Set(value); }

 private:
  prometheus::Gauge& target_;
};

class PrometheusHistogram final : public Histogram {
 public:
  explicit PrometheusHistogram(prometheus::Histogram& target) : target_(target) {}
  void observe(double value) noexcept override { target_.Observe(value); }

 private:
  prometheus::Histogram& target_;
};

// The families of one kind. Target is the library's type, Wrapper ours.
template <typename Target, typename Wrapper>
struct Families {
  struct Family {
    prometheus::Family<Target>* family = nullptr;
    std::vector<double> bounds;  // histograms only
    std::map<MetricLabels, std::unique_ptr<Wrapper>> series;
  };
  std::map<std::string, Family, std::less<>> by_name;

  template <typename Builder>
  Family& family(prometheus::Registry& registry, Builder builder, std::string_view name,
                 std::string_view help, std::span<const double> bounds) {
    const auto found = by_name.find(name);
    if (found != by_name.end()) {
      QUIPU_ASSERT(std::ranges::equal(found->second.bounds, bounds));
      return found->second;
    }
    Family& made = by_name[std::string(name)];
    made.bounds.assign(bounds.begin(), bounds.end());
    made.family = &builder.Name(std::string(name)).Help(std::string(help)).Register(registry);
    return made;
  }

  template <typename... Args>
  Wrapper& series(Family& family, const MetricLabels& labels, const Args&... args) {
    auto found = family.series.find(labels);
    if (found != family.series.end()) return *found->second;
    MetricLabels kept = labels;
    // One place is held back for the series that collects the rest.
    if (!labels.empty() && family.series.size() + 1 >= kMetricSeriesMax) {
      kept = overflow_labels(labels);
      found = family.series.find(kept);
      if (found != family.series.end()) return *found->second;
    }
    auto wrapper = std::make_unique<Wrapper>(family.family->Add(kept, args...));
    return *family.series.emplace(std::move(kept), std::move(wrapper)).first->second;
  }
};

}  // namespace registry_parts

struct PrometheusRegistry::State {
  Mutex mutex;
  prometheus::Registry registry;
  registry_parts::Families<prometheus::Counter, registry_parts::PrometheusCounter>
      counters GUARDED_BY(mutex);
  registry_parts::Families<prometheus::Gauge, registry_parts::PrometheusGauge> gauges GUARDED_BY(
      mutex);
  registry_parts::Families<prometheus::Histogram, registry_parts::PrometheusHistogram>
      histograms GUARDED_BY(mutex);
};

PrometheusRegistry::PrometheusRegistry() : state_(std::make_unique<State>()) {}
PrometheusRegistry::~PrometheusRegistry() = default;

Counter& PrometheusRegistry::counter(std::string_view name, std::string_view help,
                                     const MetricLabels& labels) {
  check_names(name, labels);
  MutexLock lock(state_->mutex);
  QUIPU_ASSERT(!state_->gauges.by_name.contains(name));
  QUIPU_ASSERT(!state_->histograms.by_name.contains(name));
  auto& family =
      state_->counters.family(state_->registry, prometheus::BuildCounter(), name, help, {});
  return state_->counters.series(family, labels);
}

Gauge& PrometheusRegistry::gauge(std::string_view name, std::string_view help,
                                 const MetricLabels& labels) {
  check_names(name, labels);
  MutexLock lock(state_->mutex);
  QUIPU_ASSERT(!state_->counters.by_name.contains(name));
  QUIPU_ASSERT(!state_->histograms.by_name.contains(name));
  auto& family = state_->gauges.family(state_->registry, prometheus::BuildGauge(), name, help, {});
  return state_->gauges.series(family, labels);
}

Histogram& PrometheusRegistry::histogram(std::string_view name, std::string_view help,
                                         const MetricLabels& labels,
                                         std::span<const double> bounds) {
  check_names(name, labels);
  QUIPU_ASSERT(std::ranges::is_sorted(bounds));
  MutexLock lock(state_->mutex);
  QUIPU_ASSERT(!state_->counters.by_name.contains(name));
  QUIPU_ASSERT(!state_->gauges.by_name.contains(name));
  auto& family =
      state_->histograms.family(state_->registry, prometheus::BuildHistogram(), name, help, bounds);
  return state_->histograms.series(family, labels, family.bounds);
}

std::string PrometheusRegistry::render() {
  const ProcessStatus process = process_status();
  gauge("quipu_process_resident_bytes", "Physical memory that the process holds.", {})
      .set(static_cast<double>(process.resident_bytes));
  gauge("quipu_process_cpu_seconds", "CPU time that the process has used, all threads.", {})
      .set(process.cpu_seconds);
  gauge("quipu_process_threads", "Threads of the process.", {})
      .set(static_cast<double>(process.threads));
  gauge("quipu_process_open_descriptors", "File descriptors that the process holds.", {})
      .set(static_cast<double>(process.open_descriptors));
  std::vector<prometheus::MetricFamily> families = state_->registry.Collect();
  std::ranges::sort(families, {}, &prometheus::MetricFamily::name);
  return prometheus::TextSerializer().Serialize(families);
}

}  // namespace quipu::telemetry
