// What can be asked of the index of one payload key. Predicates of filters are turned into these by
// the layer above, which knows analyzers and areas.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "quipu/filter.h"

namespace quipu::index {

// A rectangle of degrees, its edges included; west <= east, south <= north.
struct GeoRect {
  double west = -180;
  double east = 180;
  double south = -90;
  double north = 90;
};

// An area on earth. Threads: immutable.
class GeoRegion {
 public:
  virtual ~GeoRegion() = default;
  // Any two finite numbers, also such as are on no map.
  [[nodiscard]] virtual bool contains(GeoPoint point) const noexcept = 0;
  // Rectangles that together hold every point of the region that is on the map. Borrowed.
  [[nodiscard]] virtual std::span<const GeoRect> bounds() const noexcept = 0;
};

// Each holds for a point if an element that the index holds satisfies it; `except` if an element
// that is not null is none of the values.
struct StringsQuery {
  std::vector<std::string> values;
  bool except = false;
};
struct IntegersQuery {
  std::vector<std::int64_t> values;
  bool except = false;
};
struct BoolQuery {
  bool value = false;
};
// Strings that begin with `prefix` and pass `check`; a null check passes all. Cost: a call for each
// distinct string with the prefix.
struct StringsThatQuery {
  std::string prefix;
  std::function<bool(std::string_view)> check;
};
struct TimeQuery {  // inclusive, microseconds
  std::int64_t from_us = INT64_MIN;
  std::int64_t to_us = INT64_MAX;
};
struct RegionQuery {
  const GeoRegion* region = nullptr;
};
// Terms of one string; none match nothing. kPhrase: they stand at the given distances from each
// other; positions ascend.
struct WordsQuery {
  TextMatchMode mode = TextMatchMode::kAll;
  std::vector<std::pair<std::string, std::uint32_t>> terms;  // with their positions
};
// An element that is not null is there.
struct AnyElementQuery {};
struct NothingQuery {};

using PayloadQuery = std::variant<StringsQuery, IntegersQuery, BoolQuery, StringsThatQuery,
                                  NumberRange, TimeQuery, RegionQuery, WordsQuery, ValuesCount,
                                  IsEmpty, IsNull, AnyElementQuery, NothingQuery>;

// Whether it holds for a point that the index was never given: one without the field.
[[nodiscard]] bool holds_when_missing(const PayloadQuery& query) noexcept;
[[nodiscard]] bool count_within(std::uint64_t count, const ValuesCount& bounds) noexcept;

}  // namespace quipu::index
