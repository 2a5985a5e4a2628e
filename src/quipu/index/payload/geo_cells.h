// The map as a line: places in the order of a curve that fills the plane (Morton: A computer
// oriented geodetic data base, 1966), so that a rectangle is a few stretches of a sorted list.
#pragma once

#include <cstdint>
#include <vector>

#include "quipu/filter.h"
#include "quipu/index/payload/payload_query.h"

namespace quipu::index {

// 31 bits of longitude and of latitude, interleaved.
inline constexpr std::uint32_t kCellAxisBits = 31;
// Of places that are on no map (a latitude of 91): after all others.
inline constexpr std::uint64_t kOffMapCell = std::uint64_t{1} << (2 * kCellAxisBits);

[[nodiscard]] std::uint64_t cell_of(GeoPoint point) noexcept;

// Cells from `first` up to `last`, included.
struct CellRange {
  std::uint64_t first = 0;
  std::uint64_t last = 0;
};
// Ascending, disjoint ranges that together hold the cell of every place in the rectangle, and not
// much more: at most kCellRangesMax of them.
inline constexpr std::size_t kCellRangesMax = 100;
[[nodiscard]] std::vector<CellRange> cells_of(const GeoRect& rect);

}  // namespace quipu::index
