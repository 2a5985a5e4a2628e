// Several segments into one.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>

#include "quipu/index/postings/segment.h"

namespace quipu::index {

// What `length_of` says of a row for PostingKind::kCounts; not called for others.
struct MergeRows {
  std::function<bool(std::uint32_t row)> keep;
  std::function<std::uint32_t(std::uint32_t row)> length_of;
};

// Lists of one kind with the postings of all rows that `keep` accepts. The segments' rows are
// distinct. Cost: linear in their postings, and a sort of those lists whose rows interleave.
// Threads: any.
[[nodiscard]] std::shared_ptr<const Segment> merge_segments(
    std::span<const std::shared_ptr<const Segment>> segments, const MergeRows& rows);

}  // namespace quipu::index
