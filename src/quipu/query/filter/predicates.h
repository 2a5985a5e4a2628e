// Predicates of a FieldCondition, prepared for many values.
//
// Threads: immutable.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "quipu/base/json.h"
#include "quipu/filter.h"
#include "quipu/query/filter/geo.h"
#include "quipu/query/filter/text_matcher.h"

namespace quipu::query {

// Each says whether one value satisfies it; an array is one value here, that satisfies nothing but
// the lists' complement.

struct IsString {
  std::string wanted;
  bool operator()(JsonView value) const;
};
struct IsInteger {
  std::int64_t wanted;
  bool operator()(JsonView value) const;
};
struct IsBool {
  bool wanted;
  bool operator()(JsonView value) const;
};
// Ascending and distinct. With `except`: a value that is not among them, null excepted.
struct StringList {
  std::vector<std::string> values;
  bool except;
  bool operator()(JsonView value) const;
};
struct IntegerList {
  std::vector<std::int64_t> values;
  bool except;
  bool operator()(JsonView value) const;
};
struct HasWords {
  std::unique_ptr<const TextQuery> query;
  bool operator()(JsonView value) const;
};
struct HasPrefix {
  std::string prefix;
  bool operator()(JsonView value) const;
};
struct HasSubstring {
  std::string substring;
  bool operator()(JsonView value) const;
};
// Without a bound on a side, that one is infinite.
struct NumberBounds {
  double above;
  double at_least;
  double below;
  double at_most;
  bool operator()(JsonView value) const;
};
struct TimeBounds {
  std::int64_t above_us;
  std::int64_t at_least_us;
  std::int64_t below_us;
  std::int64_t at_most_us;
  bool operator()(JsonView value) const;
};
template <typename Area>
struct InArea {
  Area area;
  bool operator()(JsonView value) const;
};

using ValuePredicate = std::variant<IsString, IsInteger, IsBool, StringList, IntegerList, HasWords,
                                    HasPrefix, HasSubstring, NumberBounds, TimeBounds,
                                    InArea<BoxArea>, InArea<CircleArea>, InArea<PolygonArea>>;

[[nodiscard]] ValuePredicate prepare(const MatchValue& match);
[[nodiscard]] ValuePredicate prepare_list(const MatchList& list, bool except);
[[nodiscard]] ValuePredicate prepare(const NumberRange& range);
// The bounds were checked: they are datetimes.
[[nodiscard]] ValuePredicate prepare(const DatetimeRange& range);

// Whether the value satisfies it, or one of its elements does if it is an array.
[[nodiscard]] bool satisfies(JsonView value, const ValuePredicate& predicate);

// What the whole field is judged by.
[[nodiscard]] bool count_within(std::uint64_t count, const ValuesCount& bounds) noexcept;
[[nodiscard]] std::uint64_t count_of(JsonView value) noexcept;
[[nodiscard]] bool is_empty_value(JsonView value) noexcept;
[[nodiscard]] bool is_null_value(JsonView value);
// The place that a value is: an object with numbers "lon" and "lat".
[[nodiscard]] std::optional<GeoPoint> geo_point_of(JsonView value);

}  // namespace quipu::query
