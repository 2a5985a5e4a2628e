// How an index keeps its segments few and its closed rows known. A list of segments is merged by
// size, as in every log-structured store; one policy for words, sparse vectors and payloads.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "quipu/assert.h"

namespace quipu::index {

// Segments of like size are merged when there are this many: each row is then rewritten once for
// every factor of it that the index grows by, and a search meets fewer than this many of each size.
inline constexpr std::size_t kSegmentFanIn = 8;
// Up to so many rows the writer merges at once; a merge of more is background work.
inline constexpr std::size_t kWriterMergeRowsMax = 512;
// A merge is due where closed rows are more than this share of all, and this many.
inline constexpr std::size_t kClosedPercentMax = 12;
inline constexpr std::size_t kClosedMin = 1024;
// Closed rows that each moment copies rather than have all of them merged again.
inline constexpr std::size_t kClosedRestMax = 512;

// Rows that are closed and not freed yet, sorted: most of them shared by many moments, the rest a
// moment's own.
struct ClosedRows {
  std::shared_ptr<const std::vector<std::uint32_t>> most =
      std::make_shared<std::vector<std::uint32_t>>();
  std::vector<std::uint32_t> rest;
  [[nodiscard]] std::size_t size() const { return most->size() + rest.size(); }
};
void add_closed(ClosedRows& closed, std::span<const std::uint32_t> rows);
// `gone` is sorted.
void drop_closed(ClosedRows& closed, const std::vector<std::uint32_t>& gone);

// The size class of a segment of so many rows: factors of 8, as kSegmentFanIn.
[[nodiscard]] constexpr std::size_t size_tier(std::size_t rows) noexcept {
  return static_cast<std::size_t>(std::bit_width(rows)) / 3;
}

template <typename Segment>
using SegmentList = std::vector<std::shared_ptr<const Segment>>;

template <typename Segment>
[[nodiscard]] std::size_t row_count(const SegmentList<Segment>& segments) {
  std::size_t rows = 0;
  for (const auto& segment : segments) rows += segment->rows().size();
  return rows;
}

template <typename Segment>
[[nodiscard]] bool is_listed(const SegmentList<Segment>& list,
                             const std::shared_ptr<const Segment>& segment) {
  return std::find(list.begin(), list.end(), segment) != list.end();
}

// The list with `merged` in the place of `old`, or without it when it has no rows.
template <typename Segment>
[[nodiscard]] std::shared_ptr<const SegmentList<Segment>> with_merged(
    const SegmentList<Segment>& list, const SegmentList<Segment>& old,
    const std::shared_ptr<const Segment>& merged) {
  auto next = std::make_shared<SegmentList<Segment>>();
  bool placed = merged->rows().empty();
  for (const auto& segment : list) {
    if (!is_listed(old, segment)) {
      next->push_back(segment);
    } else if (!std::exchange(placed, true)) {
      next->push_back(merged);
    }
  }
  QUIPU_ASSERT(placed);
  return next;
}

}  // namespace quipu::index
