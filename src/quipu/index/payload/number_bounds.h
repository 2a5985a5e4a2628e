// Where in a sorted run the values within bounds lie.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>

#include "quipu/filter.h"
#include "quipu/index/payload/payload_query.h"
#include "quipu/index/payload/sorted_run.h"

namespace quipu::index {

class NumberBounds {
 public:
  explicit NumberBounds(const NumberRange& range)
      : above_(range.gt.value_or(-kFar)),
        at_least_(range.gte.value_or(-kFar)),
        below_(range.lt.value_or(kFar)),
        at_most_(range.lte.value_or(kFar)) {}

  // Integers are compared as doubles, which keeps their order, if not strictly.
  template <typename T>
  [[nodiscard]] typename SortedRun<T>::Range of(const SortedRun<T>& run) const {
    return run.range(
        [this](const T& value) {
          const auto number = static_cast<double>(value);
          return !(number > above_ && number >= at_least_);
        },
        [this](const T& value) {
          const auto number = static_cast<double>(value);
          return !(number < below_ && number <= at_most_);
        });
  }

 private:
  static constexpr double kFar = std::numeric_limits<double>::infinity();
  double above_;
  double at_least_;
  double below_;
  double at_most_;
};

[[nodiscard]] inline SortedRun<std::int64_t>::Range times_between(
    const SortedRun<std::int64_t>& run, const TimeQuery& query) {
  return run.range([&query](std::int64_t time_us) { return time_us < query.from_us; },
                   [&query](std::int64_t time_us) { return time_us > query.to_us; });
}

// Calls `visit` with stretches of the run that together hold every point of the region.
template <typename Visit>
void for_each_candidate(const SortedRun<GeoPoint>& run, const GeoRegion& region,
                        const Visit& visit) {
  if (run.size() == 0) return;
  const auto visit_cells = [&](const CellRange& cells) {
    const auto range =
        run.range([&cells](const GeoPoint& point) { return cell_of(point) < cells.first; },
                  [&cells](const GeoPoint& point) { return cell_of(point) > cells.last; });
    if (range.size() > 0) visit(range);
  };
  for (const GeoRect& rect : region.bounds()) {
    for (const CellRange& cells : cells_of(rect)) visit_cells(cells);
  }
  visit_cells({kOffMapCell, kOffMapCell});
}

}  // namespace quipu::index
