#include "quipu/index/payload/geo_cells.h"

#include <algorithm>
#include <bit>

namespace quipu::index {
namespace {

constexpr std::uint32_t kAxisCells = 1U << kCellAxisBits;

// Monotone: so a place inside a rectangle is between the rectangle's edges here, too.
std::uint32_t on_axis(double degrees, double half) noexcept {
  const double share = (degrees + half) / (2 * half) * kAxisCells;
  if (!(share > 0)) return 0;
  return share >= kAxisCells ? kAxisCells - 1 : static_cast<std::uint32_t>(share);
}

// Bit i of `x` becomes bit 2i.
std::uint64_t spread(std::uint64_t x) noexcept {
  x = (x | x << 16U) & 0x0000ffff0000ffffULL;
  x = (x | x << 8U) & 0x00ff00ff00ff00ffULL;
  x = (x | x << 4U) & 0x0f0f0f0f0f0f0f0fULL;
  x = (x | x << 2U) & 0x3333333333333333ULL;
  return (x | x << 1U) & 0x5555555555555555ULL;
}

std::uint64_t interleaved(std::uint32_t lon, std::uint32_t lat) noexcept {
  return spread(lon) << 1U | spread(lat);
}

bool on_map(GeoPoint point) noexcept {
  return point.lon >= -180 && point.lon <= 180 && point.lat >= -90 && point.lat <= 90;
}

}  // namespace

std::uint64_t cell_of(GeoPoint point) noexcept {
  if (!on_map(point)) return kOffMapCell;
  return interleaved(on_axis(point.lon, 180), on_axis(point.lat, 90));
}

std::vector<CellRange> cells_of(const GeoRect& rect) {
  const std::uint32_t west = on_axis(rect.west, 180);
  const std::uint32_t east = std::max(west, on_axis(rect.east, 180));
  const std::uint32_t south = on_axis(rect.south, 90);
  const std::uint32_t north = std::max(south, on_axis(rect.north, 90));
  // Squares whose side is a power of two, aligned to it, are stretches of the curve; of this side,
  // at most 9 + 1 are side by side.
  const std::uint32_t longer = std::max(east - west, north - south);
  const auto bits = static_cast<std::uint32_t>(std::bit_width(longer / 9));
  std::vector<std::uint64_t> squares;
  for (std::uint32_t x = west >> bits; x <= east >> bits; ++x) {
    for (std::uint32_t y = south >> bits; y <= north >> bits; ++y) {
      squares.push_back(interleaved(x, y));
    }
  }
  std::sort(squares.begin(), squares.end());
  std::vector<CellRange> ranges;
  for (const std::uint64_t square : squares) {
    const std::uint64_t first = square << (2 * bits);
    const std::uint64_t last = first + (std::uint64_t{1} << (2 * bits)) - 1;
    if (!ranges.empty() && ranges.back().last + 1 == first) {
      ranges.back().last = last;
    } else {
      ranges.push_back({first, last});
    }
  }
  return ranges;
}

}  // namespace quipu::index
