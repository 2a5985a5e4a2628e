// Values of many rows in order: what ranges are answered from. Immutable.
//
// Threads: any. A run in a mapped checkpoint may be out of order if the file is damaged; then
// answers are wrong, but every place that is computed lies inside the run.
#pragma once

#include <algorithm>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "quipu/index/payload/geo_cells.h"

namespace quipu::index {

struct Uuid {
  std::uint64_t high = 0;
  std::uint64_t low = 0;
  friend auto operator<=>(const Uuid&, const Uuid&) = default;
};

template <typename T>
struct RunOrder {
  bool operator()(const T& a, const T& b) const noexcept { return a < b; }
};
template <>
struct RunOrder<GeoPoint> {
  bool operator()(const GeoPoint& a, const GeoPoint& b) const noexcept {
    return cell_of(a) < cell_of(b);
  }
};

template <typename T>
struct RunEntry {
  T value;
  std::uint32_t row;
};

template <typename T>
[[nodiscard]] bool entry_before(const RunEntry<T>& a, const RunEntry<T>& b) noexcept {
  const RunOrder<T> before;
  if (before(a.value, b.value)) return true;
  return !before(b.value, a.value) && a.row < b.row;
}

template <typename T>
class SortedRun {
 public:
  SortedRun() = default;
  // `entries` are in the order of entry_before().
  explicit SortedRun(const std::vector<RunEntry<T>>& entries) {
    own_values_.reserve(entries.size());
    own_rows_.reserve(entries.size());
    for (const RunEntry<T>& entry : entries) {
      own_values_.push_back(entry.value);
      own_rows_.push_back(entry.row);
    }
    values_ = own_values_;
    rows_ = own_rows_;
  }
  // In memory of others. Of two lengths, the shorter one counts.
  SortedRun(std::span<const T> values, std::span<const std::uint32_t> rows)
      : values_(values.first(std::min(values.size(), rows.size()))),
        rows_(rows.first(values_.size())) {}
  SortedRun(SortedRun&& other) noexcept = default;  // a vector that moves keeps its memory
  SortedRun& operator=(SortedRun&& other) noexcept = default;

  [[nodiscard]] std::span<const T> values() const noexcept { return values_; }
  [[nodiscard]] std::span<const std::uint32_t> rows() const noexcept { return rows_; }
  [[nodiscard]] std::size_t size() const noexcept { return values_.size(); }
  [[nodiscard]] std::uint64_t bytes_used() const noexcept {
    return values_.size_bytes() + rows_.size_bytes();
  }

  struct Range {
    std::size_t begin = 0;
    std::size_t end = 0;  // not below begin
    [[nodiscard]] std::size_t size() const noexcept { return end - begin; }
  };
  // The values from the first for which `too_low` is false up to the first for which `too_high` is
  // true. Both are monotone over the order.
  template <typename TooLow, typename TooHigh>
  [[nodiscard]] Range range(const TooLow& too_low, const TooHigh& too_high) const {
    const auto begin = std::partition_point(values_.begin(), values_.end(), too_low);
    const auto end = std::partition_point(begin, values_.end(),
                                          [&](const T& value) { return !too_high(value); });
    return {static_cast<std::size_t>(begin - values_.begin()),
            static_cast<std::size_t>(end - values_.begin())};
  }
  [[nodiscard]] Range equal(const T& wanted) const {
    const RunOrder<T> before;
    return range([&](const T& value) { return before(value, wanted); },
                 [&](const T& value) { return before(wanted, value); });
  }

 private:
  std::vector<T> own_values_;
  std::vector<std::uint32_t> own_rows_;
  std::span<const T> values_;
  std::span<const std::uint32_t> rows_;
};

// One run of the entries of all runs whose rows `keep` accepts. Cost: linear, times the logarithm
// of the number of runs.
template <typename T, typename Keep>
[[nodiscard]] SortedRun<T> merge_runs(std::span<const SortedRun<T>* const> runs, const Keep& keep) {
  std::vector<RunEntry<T>> entries;
  std::vector<std::size_t> ends = {0};
  for (const SortedRun<T>* const run : runs) {
    for (std::size_t i = 0; i < run->size(); ++i) {
      if (keep(run->rows()[i])) entries.push_back({run->values()[i], run->rows()[i]});
    }
    ends.push_back(entries.size());
  }
  const auto at = [&](std::size_t end) {
    return entries.begin() + static_cast<std::ptrdiff_t>(ends[std::min(end, ends.size() - 1)]);
  };
  for (std::size_t width = 1; width + 1 < ends.size(); width *= 2) {
    for (std::size_t i = 0; i + width + 1 < ends.size(); i += 2 * width) {
      std::inplace_merge(at(i), at(i + width), at(i + 2 * width), entry_before<T>);
    }
  }
  return SortedRun<T>(entries);
}

}  // namespace quipu::index
