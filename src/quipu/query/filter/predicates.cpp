#include "quipu/query/filter/predicates.h"

#include <algorithm>
#include <functional>
#include <limits>
#include <optional>
#include <utility>

#include "quipu/assert.h"
#include "quipu/base/datetime.h"

namespace quipu::query {
namespace {

template <typename T>
std::vector<T> in_order(std::vector<T> values) {
  std::sort(values.begin(), values.end());
  values.erase(std::unique(values.begin(), values.end()), values.end());
  return values;
}

}  // namespace

std::optional<GeoPoint> geo_point_of(JsonView value) {
  const std::optional<JsonView> lon = value.find("lon");
  const std::optional<JsonView> lat = value.find("lat");
  if (!lon.has_value() || !lat.has_value()) return std::nullopt;
  const std::optional<double> lon_degrees = lon->as_double();
  const std::optional<double> lat_degrees = lat->as_double();
  if (!lon_degrees.has_value() || !lat_degrees.has_value()) return std::nullopt;
  return GeoPoint{.lon = *lon_degrees, .lat = *lat_degrees};
}

bool IsString::operator()(JsonView value) const { return value.as_string() == wanted; }
bool IsInteger::operator()(JsonView value) const { return value.as_int64() == wanted; }
bool IsBool::operator()(JsonView value) const { return value.as_bool() == wanted; }

bool StringList::operator()(JsonView value) const {
  const std::optional<std::string_view> text = value.as_string();
  if (!text.has_value()) return except && !value.is_null();
  return std::binary_search(values.begin(), values.end(), *text, std::less<>()) != except;
}

bool IntegerList::operator()(JsonView value) const {
  const std::optional<std::int64_t> integer = value.as_int64();
  if (!integer.has_value()) return except && !value.is_null();
  return std::binary_search(values.begin(), values.end(), *integer) != except;
}

bool HasWords::operator()(JsonView value) const {
  const std::optional<std::string_view> text = value.as_string();
  return text.has_value() && query->matches(*text);
}

bool HasPrefix::operator()(JsonView value) const {
  const std::optional<std::string_view> text = value.as_string();
  return text.has_value() && text->starts_with(prefix);
}

bool HasSubstring::operator()(JsonView value) const {
  const std::optional<std::string_view> text = value.as_string();
  return text.has_value() && text->find(substring) != std::string_view::npos;
}

bool NumberBounds::operator()(JsonView value) const {
  const std::optional<double> number = value.as_double();
  return number.has_value() && *number > above && *number >= at_least && *number < below &&
         *number <= at_most;
}

bool TimeBounds::operator()(JsonView value) const {
  const std::optional<std::string_view> text = value.as_string();
  if (!text.has_value()) return false;
  const std::optional<std::int64_t> time_us = try_parse_datetime(*text);
  return time_us.has_value() && *time_us > above_us && *time_us >= at_least_us &&
         *time_us < below_us && *time_us <= at_most_us;
}

template <typename Area>
bool InArea<Area>::operator()(JsonView value) const {
  const std::optional<GeoPoint> point = geo_point_of(value);
  return point.has_value() && area.contains(*point);
}

ValuePredicate prepare(const MatchValue& match) {
  if (const auto* const text = std::get_if<std::string>(&match.value)) return IsString{*text};
  if (const auto* const integer = std::get_if<std::int64_t>(&match.value)) {
    return IsInteger{*integer};
  }
  return IsBool{std::get<bool>(match.value)};
}

ValuePredicate prepare_list(const MatchList& list, bool except) {
  if (const auto* const strings = std::get_if<std::vector<std::string>>(&list)) {
    return StringList{.values = in_order(*strings), .except = except};
  }
  return IntegerList{.values = in_order(std::get<std::vector<std::int64_t>>(list)),
                     .except = except};
}

ValuePredicate prepare(const NumberRange& range) {
  constexpr double kFar = std::numeric_limits<double>::infinity();
  return NumberBounds{.above = range.gt.value_or(-kFar),
                      .at_least = range.gte.value_or(-kFar),
                      .below = range.lt.value_or(kFar),
                      .at_most = range.lte.value_or(kFar)};
}

ValuePredicate prepare(const DatetimeRange& range) {
  // No datetime that can be read is near these.
  constexpr std::int64_t kLongAgo = std::numeric_limits<std::int64_t>::min();
  constexpr std::int64_t kFarAhead = std::numeric_limits<std::int64_t>::max();
  const auto time_us = [](const std::optional<std::string>& bound, std::int64_t otherwise) {
    if (!bound.has_value()) return otherwise;
    const std::optional<std::int64_t> read = try_parse_datetime(*bound);
    QUIPU_ASSERT(read.has_value());
    return *read;
  };
  return TimeBounds{.above_us = time_us(range.gt, kLongAgo),
                    .at_least_us = time_us(range.gte, kLongAgo),
                    .below_us = time_us(range.lt, kFarAhead),
                    .at_most_us = time_us(range.lte, kFarAhead)};
}

bool satisfies(JsonView value, const ValuePredicate& predicate) {
  return std::visit(
      [value](const auto& check) {
        if (!value.is_array()) return check(value);
        struct Any {
          decltype(check)& holds;
          bool found;
        } any{check, false};
        value.for_each_element([&any](JsonView element) {
          any.found = any.holds(element);
          return !any.found;
        });
        return any.found;
      },
      predicate);
}

bool count_within(std::uint64_t count, const ValuesCount& bounds) noexcept {
  return (!bounds.lt.has_value() || count < *bounds.lt) &&
         (!bounds.gt.has_value() || count > *bounds.gt) &&
         (!bounds.lte.has_value() || count <= *bounds.lte) &&
         (!bounds.gte.has_value() || count >= *bounds.gte);
}

std::uint64_t count_of(JsonView value) noexcept {
  if (value.is_array()) return value.size();
  return value.is_null() ? 0 : 1;
}

bool is_empty_value(JsonView value) noexcept { return count_of(value) == 0; }

bool is_null_value(JsonView value) {
  if (value.is_null()) return true;
  bool found = false;
  value.for_each_element([&found](JsonView element) {
    found = element.is_null();
    return !found;
  });
  return found;
}

}  // namespace quipu::query
