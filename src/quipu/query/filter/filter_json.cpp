#include "quipu/query/filter/filter_json.h"

#include <algorithm>
#include <array>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "quipu/base/format.h"
#include "quipu/base/nearest.h"
#include "quipu/base/quote.h"
#include "quipu/query/filter/filter_check.h"

namespace quipu::query {
namespace {

using MemberNames = std::span<const std::string_view>;

constexpr std::string_view kClauses[] = {"must", "should", "must_not", "min_should"};
constexpr std::string_view kPredicates[] = {"match",      "range",       "geo_bounding_box",
                                            "geo_radius", "geo_polygon", "values_count",
                                            "is_empty",   "is_null"};
constexpr std::string_view kFieldMembers[] = {
    "key",         "match",        "range",    "geo_bounding_box", "geo_radius",
    "geo_polygon", "values_count", "is_empty", "is_null"};
constexpr std::string_view kStandalone[] = {"is_empty",   "is_null", "has_id",
                                            "has_vector", "slice",   "nested"};
// What any condition may have: for a misspelt name where it is not clear which kind is meant.
constexpr std::string_view kAnyMember[] = {
    "key",          "match",    "range",   "geo_bounding_box", "geo_radius", "geo_polygon",
    "values_count", "is_empty", "is_null", "has_id",           "has_vector", "slice",
    "nested",       "must",     "should",  "must_not",         "min_should"};
constexpr std::string_view kMatches[] = {"value",    "any",    "except", "text",
                                         "text_any", "phrase", "prefix", "substring"};
constexpr std::string_view kBounds[] = {"lt", "gt", "lte", "gte"};

Error unexpected(std::string_view what, JsonView got, const Place& at) {
  return at.error(format("expected {}, got {}", what, describe_json(got)));
}

// The member of that name; one that is null counts as absent.
std::optional<JsonView> given_member(JsonView object, std::string_view name) {
  const std::optional<JsonView> found = object.find(name);
  if (!found.has_value() || found->is_null()) return std::nullopt;
  return found;
}

std::vector<std::string_view> given_members(JsonView object, MemberNames names) {
  std::vector<std::string_view> found;
  for (const std::string_view name : names) {
    if (given_member(object, name).has_value()) found.push_back(name);
  }
  return found;
}

Status check_is_object(JsonView json, std::string_view what, const Place& at) {
  if (!json.is_object()) return unexpected(what, json, at);
  return ok_status();
}

// Refuses members that are not in `known`; `near` are the names that a misspelt one may have meant.
Status check_known_members(JsonView object, MemberNames known, MemberNames near, const Place& at) {
  std::optional<std::string_view> unknown;
  object.for_each_member([&](std::string_view name, JsonView) {
    if (std::find(known.begin(), known.end(), name) == known.end()) unknown = name;
    return !unknown.has_value();
  });
  if (!unknown.has_value()) return ok_status();
  return at.error(format("has the unknown member {}{} (allowed: {})", in_quotes(*unknown),
                         did_you_mean(*unknown, near), name_list(known)));
}

Result<JsonView> required_member(JsonView object, std::string_view name, const Place& at) {
  const std::optional<JsonView> found = given_member(object, name);
  if (!found.has_value()) return Place(at, name).error("is missing");
  return *found;
}

// ---------------------------------------------------------------- leaves

Result<std::string> string_at(JsonView json, const Place& at) {
  const std::optional<std::string_view> text = json.as_string();
  if (!text.has_value()) return unexpected("a string", json, at);
  return std::string(*text);
}

Result<double> number_at(JsonView json, const Place& at) {
  const std::optional<double> number = json.as_double();
  if (!number.has_value()) return unexpected("a number", json, at);
  return *number;
}

Result<bool> flag_at(JsonView json, const Place& at) {
  const std::optional<bool> flag = json.as_bool();
  if (!flag.has_value()) return unexpected("true or false", json, at);
  return *flag;
}

Result<std::uint64_t> count_at(JsonView json, std::uint64_t max, const Place& at) {
  const std::optional<std::uint64_t> count = json.as_uint64();
  if (count.has_value() && *count <= max) return *count;
  return unexpected(format("an integer of 0 to {}", max), json, at);
}

Result<std::string> read_key(JsonView object, const Place& at) {
  QUIPU_TRY(const JsonView key, required_member(object, "key", at));
  return string_at(key, Place(at, "key"));
}

// Calls read(element, place) for each element; stops at its first error.
template <typename Read>
Status visit_elements(JsonView array, std::string_view what, const Place& at, Read read) {
  if (!array.is_array()) return unexpected(what, array, at);
  std::size_t index = 0;
  Status status = ok_status();
  array.for_each_element([&](JsonView element) {
    status = read(element, Place(at, index++));
    return status.ok();
  });
  return status;
}

// Also the forms of a UUID that Qdrant reads: without hyphens, in braces, after "urn:uuid:".
Result<PointId> point_id_at(JsonView json, const Place& at) {
  if (const auto number = json.as_uint64()) return PointId::number(*number);
  constexpr std::string_view kWanted = "an integer of 0 to 18446744073709551615 or a UUID";
  if (!json.is_string()) return unexpected(kWanted, json, at);
  std::string_view text = *json.as_string();
  constexpr std::string_view kUrn = "urn:uuid:";
  if (text.starts_with(kUrn)) text.remove_prefix(kUrn.size());
  if (text.size() == 38 && text.front() == '{' && text.back() == '}') text = text.substr(1, 36);
  std::string uuid(text);
  if (uuid.size() == 32) {
    for (const std::size_t hyphen : {8U, 13U, 18U, 23U}) uuid.insert(hyphen, 1, '-');
  }
  // A number in quotes is no id.
  const bool may_be_uuid = uuid.size() == 36;
  const Result<PointId> id = PointId::parse(uuid);
  if (!may_be_uuid || !id.ok()) return unexpected(kWanted, json, at);
  return id.value();
}

// ---------------------------------------------------------------- predicates

Result<FieldPredicate> read_match_value(JsonView json, const Place& at) {
  if (const auto text = json.as_string()) return FieldPredicate(MatchValue{std::string(*text)});
  if (const auto flag = json.as_bool()) return FieldPredicate(MatchValue{*flag});
  if (const auto integer = json.as_int64()) return FieldPredicate(MatchValue{*integer});
  return unexpected("a string, a boolean or an integer of 64 bits (for other numbers use range)",
                    json, at);
}

Result<MatchList> read_match_list(JsonView json, const Place& at) {
  constexpr std::string_view kWhat = "a list of strings or a list of integers";
  std::vector<std::string> strings;
  std::vector<std::int64_t> integers;
  QUIPU_TRY_OK(visit_elements(json, kWhat, at, [&](JsonView element, const Place& place) -> Status {
    const auto text = element.as_string();
    const auto integer = element.as_int64();
    if (text.has_value() && integers.empty()) {
      strings.emplace_back(*text);
    } else if (integer.has_value() && strings.empty()) {
      integers.push_back(*integer);
    } else if (!integers.empty()) {
      return unexpected("an integer of 64 bits, as the elements before", element, place);
    } else if (!strings.empty()) {
      return unexpected("a string, as the elements before", element, place);
    } else {
      return unexpected("a string or an integer of 64 bits", element, place);
    }
    return ok_status();
  }));
  if (!integers.empty()) return MatchList(std::move(integers));
  return MatchList(std::move(strings));
}

Result<FieldPredicate> read_match(JsonView json, const Place& at) {
  QUIPU_TRY_OK(check_is_object(json, "an object such as {\"value\": ...}", at));
  QUIPU_TRY_OK(check_known_members(json, kMatches, kMatches, at));
  const std::vector<std::string_view> found = given_members(json, kMatches);
  if (found.size() != 1) {
    return at.error(format("has {}; it needs exactly one of {}",
                           found.empty() ? "none" : name_list(found), name_list(kMatches)));
  }
  const std::string_view name = found.front();
  const JsonView operand = *given_member(json, name);
  const Place place(at, name);
  if (name == "value") return read_match_value(operand, place);
  if (name == "any" || name == "except") {
    QUIPU_TRY(MatchList list, read_match_list(operand, place));
    if (name == "any") return FieldPredicate(MatchAny{std::move(list)});
    return FieldPredicate(MatchExcept{std::move(list)});
  }
  QUIPU_TRY(std::string text, string_at(operand, place));
  if (name == "prefix") return FieldPredicate(MatchPrefix{std::move(text)});
  if (name == "substring") return FieldPredicate(MatchSubstring{std::move(text)});
  const TextMatchMode mode = name == "text"       ? TextMatchMode::kAll
                             : name == "text_any" ? TextMatchMode::kAny
                                                  : TextMatchMode::kPhrase;
  return FieldPredicate(MatchText{mode, std::move(text)});
}

// Reads the four bounds, each by read(json, place).
template <typename Range, typename Read>
Result<Range> read_bounds(JsonView json, const Place& at, Read read) {
  Range range;
  const std::array bounds = {&range.lt, &range.gt, &range.lte, &range.gte};
  for (std::size_t i = 0; i < bounds.size(); ++i) {
    const std::optional<JsonView> bound = given_member(json, kBounds[i]);
    if (!bound.has_value()) continue;
    QUIPU_TRY(*bounds[i], read(*bound, Place(at, kBounds[i])));
  }
  return range;
}

Result<FieldPredicate> read_range(JsonView json, const Place& at) {
  QUIPU_TRY_OK(check_is_object(json, "an object such as {\"gte\": ...}", at));
  QUIPU_TRY_OK(check_known_members(json, kBounds, kBounds, at));
  const bool datetimes = std::any_of(std::begin(kBounds), std::end(kBounds), [&](auto name) {
    const std::optional<JsonView> bound = given_member(json, name);
    return bound.has_value() && bound->is_string();
  });
  if (!datetimes) {
    const auto number = [](JsonView bound, const Place& place) -> Result<double> {
      if (bound.is_number()) return number_at(bound, place);
      return unexpected("a number or a datetime such as \"2024-05-01T10:30:15Z\"", bound, place);
    };
    QUIPU_TRY(const NumberRange range, (read_bounds<NumberRange>(json, at, number)));
    return FieldPredicate(range);
  }
  const auto datetime = [](JsonView bound, const Place& place) -> Result<std::string> {
    if (bound.is_string()) return string_at(bound, place);
    return unexpected("a datetime, as another bound of this range", bound, place);
  };
  QUIPU_TRY(DatetimeRange range, (read_bounds<DatetimeRange>(json, at, datetime)));
  return FieldPredicate(std::move(range));
}

Result<FieldPredicate> read_values_count(JsonView json, const Place& at) {
  QUIPU_TRY_OK(check_is_object(json, "an object such as {\"gte\": ...}", at));
  QUIPU_TRY_OK(check_known_members(json, kBounds, kBounds, at));
  const auto count = [](JsonView bound, const Place& place) {
    return count_at(bound, std::numeric_limits<std::uint64_t>::max(), place);
  };
  QUIPU_TRY(const ValuesCount range, (read_bounds<ValuesCount>(json, at, count)));
  return FieldPredicate(range);
}

Result<GeoPoint> read_geo_point(JsonView json, const Place& at) {
  constexpr std::string_view kMembers[] = {"lon", "lat"};
  QUIPU_TRY_OK(check_is_object(json, "an object {\"lon\": ..., \"lat\": ...}", at));
  QUIPU_TRY_OK(check_known_members(json, kMembers, kMembers, at));
  GeoPoint point;
  QUIPU_TRY(const JsonView lon, required_member(json, "lon", at));
  QUIPU_TRY(point.lon, number_at(lon, Place(at, "lon")));
  QUIPU_TRY(const JsonView lat, required_member(json, "lat", at));
  QUIPU_TRY(point.lat, number_at(lat, Place(at, "lat")));
  return point;
}

Result<GeoPoint> read_point_member(JsonView json, std::string_view name, const Place& at) {
  QUIPU_TRY(const JsonView point, required_member(json, name, at));
  return read_geo_point(point, Place(at, name));
}

Result<FieldPredicate> read_box(JsonView json, const Place& at) {
  constexpr std::string_view kMembers[] = {"top_left", "bottom_right"};
  QUIPU_TRY_OK(check_is_object(json, "an object with top_left and bottom_right", at));
  QUIPU_TRY_OK(check_known_members(json, kMembers, kMembers, at));
  GeoBoundingBox box;
  QUIPU_TRY(box.top_left, read_point_member(json, "top_left", at));
  QUIPU_TRY(box.bottom_right, read_point_member(json, "bottom_right", at));
  return FieldPredicate(box);
}

Result<FieldPredicate> read_circle(JsonView json, const Place& at) {
  constexpr std::string_view kMembers[] = {"center", "radius"};
  QUIPU_TRY_OK(check_is_object(json, "an object with center and radius", at));
  QUIPU_TRY_OK(check_known_members(json, kMembers, kMembers, at));
  GeoRadius circle;
  QUIPU_TRY(circle.center, read_point_member(json, "center", at));
  QUIPU_TRY(const JsonView radius, required_member(json, "radius", at));
  QUIPU_TRY(circle.radius_m, number_at(radius, Place(at, "radius")));
  return FieldPredicate(circle);
}

Result<std::vector<GeoPoint>> read_ring(JsonView json, const Place& at) {
  constexpr std::string_view kMembers[] = {"points"};
  QUIPU_TRY_OK(check_is_object(json, "an object {\"points\": [...]}", at));
  QUIPU_TRY_OK(check_known_members(json, kMembers, kMembers, at));
  QUIPU_TRY(const JsonView points, required_member(json, "points", at));
  std::vector<GeoPoint> ring;
  const auto read = [&ring](JsonView element, const Place& place) -> Status {
    QUIPU_TRY(const GeoPoint point, read_geo_point(element, place));
    ring.push_back(point);
    return ok_status();
  };
  QUIPU_TRY_OK(visit_elements(points, "a list of points", Place(at, "points"), read));
  return ring;
}

Result<FieldPredicate> read_polygon(JsonView json, const Place& at) {
  constexpr std::string_view kMembers[] = {"exterior", "interiors"};
  QUIPU_TRY_OK(check_is_object(json, "an object with exterior", at));
  QUIPU_TRY_OK(check_known_members(json, kMembers, kMembers, at));
  GeoPolygon polygon;
  QUIPU_TRY(const JsonView exterior, required_member(json, "exterior", at));
  QUIPU_TRY(polygon.exterior, read_ring(exterior, Place(at, "exterior")));
  if (const std::optional<JsonView> interiors = given_member(json, "interiors")) {
    const auto read = [&polygon](JsonView element, const Place& place) -> Status {
      QUIPU_TRY(std::vector<GeoPoint> ring, read_ring(element, place));
      polygon.interiors.push_back(std::move(ring));
      return ok_status();
    };
    QUIPU_TRY_OK(visit_elements(*interiors, "a list of rings", Place(at, "interiors"), read));
  }
  return FieldPredicate(std::move(polygon));
}

Result<FieldPredicate> read_predicate(std::string_view name, JsonView json, const Place& at) {
  if (name == "match") return read_match(json, at);
  if (name == "range") return read_range(json, at);
  if (name == "geo_bounding_box") return read_box(json, at);
  if (name == "geo_radius") return read_circle(json, at);
  if (name == "geo_polygon") return read_polygon(json, at);
  if (name == "values_count") return read_values_count(json, at);
  QUIPU_TRY(const bool flag, flag_at(json, at));
  if (name == "is_empty") return FieldPredicate(IsEmpty{flag});
  return FieldPredicate(IsNull{flag});
}

// ---------------------------------------------------------------- conditions

Result<FilterCondition> read_field(JsonView json, const Place& at) {
  QUIPU_TRY_OK(check_known_members(json, kFieldMembers, kFieldMembers, at));
  FieldCondition field;
  QUIPU_TRY(field.key, read_key(json, at));
  const std::vector<std::string_view> found = given_members(json, kPredicates);
  if (found.size() != 1) {
    return at.error(format("the condition on key {} has {}; it needs exactly one of {}",
                           in_quotes(field.key), found.empty() ? "none" : name_list(found),
                           name_list(kPredicates)));
  }
  const std::string_view name = found.front();
  QUIPU_TRY(field.predicate, read_predicate(name, *given_member(json, name), Place(at, name)));
  return FilterCondition{std::move(field)};
}

Result<std::string> read_key_object(JsonView json, const Place& at) {
  constexpr std::string_view kMembers[] = {"key"};
  QUIPU_TRY_OK(check_is_object(json, "an object {\"key\": ...} (or put \"key\" beside it)", at));
  QUIPU_TRY_OK(check_known_members(json, kMembers, kMembers, at));
  return read_key(json, at);
}

Result<FilterCondition> read_has_id(JsonView json, const Place& at) {
  HasIdCondition condition;
  const auto read = [&condition](JsonView element, const Place& place) -> Status {
    QUIPU_TRY(const PointId id, point_id_at(element, place));
    condition.ids.push_back(id);
    return ok_status();
  };
  QUIPU_TRY_OK(visit_elements(json, "a list of point ids", at, read));
  return FilterCondition{std::move(condition)};
}

Result<FilterCondition> read_slice(JsonView json, const Place& at) {
  constexpr std::string_view kMembers[] = {"total", "index"};
  constexpr std::uint64_t kMax = std::numeric_limits<std::uint32_t>::max();
  QUIPU_TRY_OK(check_is_object(json, "an object with total and index", at));
  QUIPU_TRY_OK(check_known_members(json, kMembers, kMembers, at));
  QUIPU_TRY(const JsonView total, required_member(json, "total", at));
  QUIPU_TRY(const JsonView index, required_member(json, "index", at));
  SliceCondition slice;
  QUIPU_TRY(const std::uint64_t total_count, count_at(total, kMax, Place(at, "total")));
  QUIPU_TRY(const std::uint64_t slice_index, count_at(index, kMax, Place(at, "index")));
  slice.total = static_cast<std::uint32_t>(total_count);
  slice.index = static_cast<std::uint32_t>(slice_index);
  return FilterCondition{slice};
}

// Conditions and the filters inside them. Recursion is bounded by check_depth, which comes first.
class FilterReader {
 public:
  Result<Filter> filter(JsonView json, MemberNames near, const Place& at, std::size_t depth) {
    QUIPU_TRY_OK(check_depth(depth, at));
    QUIPU_TRY_OK(check_is_object(json, "an object with must, should or must_not", at));
    QUIPU_TRY_OK(check_known_members(json, kClauses, near, at));
    Filter filter;
    QUIPU_TRY(filter.must, clause(json, "must", at, depth));
    QUIPU_TRY(filter.should, clause(json, "should", at, depth));
    QUIPU_TRY(filter.must_not, clause(json, "must_not", at, depth));
    if (const std::optional<JsonView> given = given_member(json, "min_should")) {
      QUIPU_TRY(filter.min_should, min_should(*given, Place(at, "min_should"), depth));
    }
    return filter;
  }

  // A condition that no filter is around counts as one of the outermost filter's.
  Result<FilterCondition> alone(JsonView json, const Place& at) { return one(json, at, 1); }

 private:
  using Conditions = std::vector<FilterCondition>;

  Result<Conditions> clause(JsonView json, std::string_view name, const Place& filter,
                            std::size_t depth) {
    const std::optional<JsonView> given = given_member(json, name);
    if (!given.has_value()) return Conditions();
    const Place at(filter, name);
    if (!given->is_object()) return list(*given, "a condition or a list of them", at, depth);
    Conditions conditions;
    QUIPU_TRY(FilterCondition condition, one(*given, at, depth));
    conditions.push_back(std::move(condition));
    return conditions;
  }

  Result<Conditions> list(JsonView json, std::string_view what, const Place& at,
                          std::size_t depth) {
    Conditions conditions;
    const auto read = [&](JsonView element, const Place& place) -> Status {
      QUIPU_TRY(FilterCondition condition, one(element, place, depth));
      conditions.push_back(std::move(condition));
      return ok_status();
    };
    QUIPU_TRY_OK(visit_elements(json, what, at, read));
    return conditions;
  }

  Result<std::optional<MinShould>> min_should(JsonView json, const Place& at, std::size_t depth) {
    constexpr std::string_view kMembers[] = {"conditions", "min_count"};
    QUIPU_TRY_OK(check_is_object(json, "an object with conditions and min_count", at));
    QUIPU_TRY_OK(check_known_members(json, kMembers, kMembers, at));
    MinShould result;
    QUIPU_TRY(const JsonView conditions, required_member(json, "conditions", at));
    QUIPU_TRY(const JsonView count, required_member(json, "min_count", at));
    QUIPU_TRY(result.min_count,
              count_at(count, std::numeric_limits<std::uint64_t>::max(), Place(at, "min_count")));
    QUIPU_TRY_OK(check_min_should(result, at));
    QUIPU_TRY(result.conditions,
              list(conditions, "a list of conditions", Place(at, "conditions"), depth));
    return std::optional<MinShould>(std::move(result));
  }

  Result<FilterCondition> one(JsonView json, const Place& at, std::size_t depth) {
    QUIPU_TRY_OK(check_is_object(json, "a condition (an object)", at));
    QUIPU_TRY_OK(count_condition(budget_, at));
    QUIPU_TRY(FilterCondition condition, unchecked(json, at, depth));
    QUIPU_TRY_OK(check_condition(condition, at, budget_));
    return condition;
  }

  Result<FilterCondition> unchecked(JsonView json, const Place& at, std::size_t depth) {
    if (json.find("key").has_value()) return read_field(json, at);
    const std::vector<std::string_view> found = given_members(json, kStandalone);
    if (found.empty()) {
      // A predicate alone lacks its key: more likely than a filter with a strange member.
      if (!given_members(json, kPredicates).empty()) return Place(at, "key").error("is missing");
      QUIPU_TRY(Filter inner, filter(json, kAnyMember, at, depth + 1));
      return FilterCondition{std::move(inner)};
    }
    const std::string_view name = found.front();
    if (found.size() > 1) {
      return at.error(format("has {}; a condition is of one kind", name_list(found)));
    }
    const MemberNames only(&found.front(), 1);
    QUIPU_TRY_OK(check_known_members(json, only, only, at));
    return standalone(name, *given_member(json, name), Place(at, name), depth);
  }

  Result<FilterCondition> standalone(std::string_view name, JsonView json, const Place& at,
                                     std::size_t depth) {
    if (name == "has_id") return read_has_id(json, at);
    if (name == "slice") return read_slice(json, at);
    if (name == "nested") return nested(json, at, depth);
    if (name == "has_vector") {
      QUIPU_TRY(std::string vector, string_at(json, at));
      return FilterCondition{HasVectorCondition{std::move(vector)}};
    }
    QUIPU_TRY(std::string key, read_key_object(json, at));
    if (name == "is_empty") return FilterCondition{IsEmptyCondition{std::move(key)}};
    return FilterCondition{IsNullCondition{std::move(key)}};
  }

  Result<FilterCondition> nested(JsonView json, const Place& at, std::size_t depth) {
    constexpr std::string_view kMembers[] = {"key", "filter"};
    QUIPU_TRY_OK(check_is_object(json, "an object with key and filter", at));
    QUIPU_TRY_OK(check_known_members(json, kMembers, kMembers, at));
    NestedCondition condition;
    QUIPU_TRY(condition.key, read_key(json, at));
    QUIPU_TRY(const JsonView inner, required_member(json, "filter", at));
    QUIPU_TRY(condition.filter, filter(inner, kClauses, Place(at, "filter"), depth + kNestedDepth));
    return FilterCondition{std::move(condition)};
  }

  FilterBudget budget_;
};

// ---------------------------------------------------------------- writing

void write_bound(std::string_view name, const std::optional<double>& bound, JsonWriter& out) {
  if (bound.has_value()) out.key(name).value(*bound);
}
void write_bound(std::string_view name, const std::optional<std::uint64_t>& bound,
                 JsonWriter& out) {
  if (bound.has_value()) out.key(name).value(*bound);
}
void write_bound(std::string_view name, const std::optional<std::string>& bound, JsonWriter& out) {
  if (bound.has_value()) out.key(name).value(std::string_view(*bound));
}

template <typename Range>
void write_range(std::string_view name, const Range& range, JsonWriter& out) {
  out.key(name).begin_object();
  write_bound("lt", range.lt, out);
  write_bound("gt", range.gt, out);
  write_bound("lte", range.lte, out);
  write_bound("gte", range.gte, out);
  out.end_object();
}

void write_list(const MatchList& list, JsonWriter& out) {
  out.begin_array();
  std::visit(
      [&out](const auto& values) {
        for (const auto& value : values) out.value(value);
      },
      list);
  out.end_array();
}

void write_point(GeoPoint point, JsonWriter& out) {
  out.begin_object().key("lon").value(point.lon).key("lat").value(point.lat).end_object();
}

void write_ring(const std::vector<GeoPoint>& ring, JsonWriter& out) {
  out.begin_object().key("points").begin_array();
  for (const GeoPoint point : ring) write_point(point, out);
  out.end_array().end_object();
}

// Writes the member that holds the predicate.
struct PredicateWriter {
  JsonWriter& out;

  void operator()(const MatchValue& match) const {
    out.key("match").begin_object().key("value");
    if (const auto* const text = std::get_if<std::string>(&match.value)) {
      out.value(std::string_view(*text));
    } else if (const auto* const integer = std::get_if<std::int64_t>(&match.value)) {
      out.value(*integer);
    } else {
      out.value(std::get<bool>(match.value));
    }
    out.end_object();
  }
  void operator()(const MatchAny& match) const {
    out.key("match").begin_object().key("any");
    write_list(match.values, out);
    out.end_object();
  }
  void operator()(const MatchExcept& match) const {
    out.key("match").begin_object().key("except");
    write_list(match.values, out);
    out.end_object();
  }
  void operator()(const MatchText& match) const {
    write_text(text_mode_name(match.mode), match.query);
  }
  void operator()(const MatchPrefix& match) const { write_text("prefix", match.prefix); }
  void operator()(const MatchSubstring& match) const { write_text("substring", match.substring); }
  void operator()(const NumberRange& range) const { write_range("range", range, out); }
  void operator()(const DatetimeRange& range) const { write_range("range", range, out); }
  void operator()(const GeoBoundingBox& box) const {
    out.key("geo_bounding_box").begin_object().key("top_left");
    write_point(box.top_left, out);
    out.key("bottom_right");
    write_point(box.bottom_right, out);
    out.end_object();
  }
  void operator()(const GeoRadius& circle) const {
    out.key("geo_radius").begin_object().key("center");
    write_point(circle.center, out);
    out.key("radius").value(circle.radius_m).end_object();
  }
  void operator()(const GeoPolygon& polygon) const {
    out.key("geo_polygon").begin_object().key("exterior");
    write_ring(polygon.exterior, out);
    if (!polygon.interiors.empty()) {
      out.key("interiors").begin_array();
      for (const auto& ring : polygon.interiors) write_ring(ring, out);
      out.end_array();
    }
    out.end_object();
  }
  void operator()(const ValuesCount& range) const { write_range("values_count", range, out); }
  void operator()(const IsEmpty& empty) const { out.key("is_empty").value(empty.expected); }
  void operator()(const IsNull& null) const { out.key("is_null").value(null.expected); }

  void write_text(std::string_view name, std::string_view text) const {
    out.key("match").begin_object().key(name).value(text).end_object();
  }
};

// Writes the members of a condition's object.
struct ConditionWriter {
  JsonWriter& out;

  void operator()(const FieldCondition& field) const {
    out.key("key").value(std::string_view(field.key));
    std::visit(PredicateWriter{out}, field.predicate);
  }
  void operator()(const IsEmptyCondition& condition) const {
    key_object("is_empty", condition.key);
  }
  void operator()(const IsNullCondition& condition) const { key_object("is_null", condition.key); }
  void operator()(const HasIdCondition& condition) const {
    out.key("has_id").begin_array();
    for (const PointId& id : condition.ids) {
      if (id.is_uuid()) {
        out.value(std::string_view(id.to_string()));
      } else {
        out.value(id.as_number());
      }
    }
    out.end_array();
  }
  void operator()(const HasVectorCondition& condition) const {
    out.key("has_vector").value(std::string_view(condition.name));
  }
  void operator()(const SliceCondition& condition) const {
    out.key("slice").begin_object().key("total").value(condition.total);
    out.key("index").value(condition.index).end_object();
  }
  void operator()(const NestedCondition& condition) const {
    out.key("nested").begin_object().key("key").value(std::string_view(condition.key));
    out.key("filter");
    write_filter(condition.filter, out);
    out.end_object();
  }
  void operator()(const Filter& filter) const { write_clauses(filter); }

  void key_object(std::string_view name, std::string_view key) const {
    out.key(name).begin_object().key("key").value(key).end_object();
  }
  void write_list(std::string_view name, const std::vector<FilterCondition>& conditions) const {
    out.key(name).begin_array();
    for (const FilterCondition& condition : conditions) {
      out.begin_object();
      std::visit(*this, condition.is);
      out.end_object();
    }
    out.end_array();
  }
  void write_clauses(const Filter& filter) const {
    if (!filter.must.empty()) write_list("must", filter.must);
    if (!filter.should.empty()) write_list("should", filter.should);
    if (!filter.must_not.empty()) write_list("must_not", filter.must_not);
    if (!filter.min_should.has_value()) return;
    out.key("min_should").begin_object();
    write_list("conditions", filter.min_should->conditions);
    out.key("min_count").value(filter.min_should->min_count).end_object();
  }
};

}  // namespace

Result<Filter> parse_filter(JsonView json, std::string_view field) {
  return FilterReader().filter(json, kClauses, Place(field), 1);
}

void write_filter(const Filter& filter, JsonWriter& out) {
  out.begin_object();
  ConditionWriter{out}.write_clauses(filter);
  out.end_object();
}

Result<FilterCondition> parse_condition(JsonView json, std::string_view field) {
  return FilterReader().alone(json, Place(field));
}

void write_condition(const FilterCondition& condition, JsonWriter& out) {
  out.begin_object();
  std::visit(ConditionWriter{out}, condition.is);
  out.end_object();
}

}  // namespace quipu::query
