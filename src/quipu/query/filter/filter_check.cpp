#include "quipu/query/filter/filter_check.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

#include "quipu/base/datetime.h"
#include "quipu/base/format.h"
#include "quipu/base/limits.h"
#include "quipu/base/quote.h"
#include "quipu/query/filter/payload_path.h"
#include "quipu/text/unicode/utf8.h"

namespace quipu::query {
namespace {

constexpr std::string_view kFilterTooLarge = "filter_too_large";

Status check_string(std::string_view text, const Place& at) {
  if (text.size() > limits::kFilterStringBytesMax) {
    return at.error(
        format("has {} bytes, the limit is {}", text.size(), limits::kFilterStringBytesMax),
        kFilterTooLarge);
  }
  const std::size_t bad = text::find_invalid_utf8(text);
  if (bad != std::string_view::npos) return at.error(format("is no UTF-8 at byte {}", bad));
  return ok_status();
}

Status check_key(std::string_view key, const Place& condition) {
  const Place at(condition, "key");
  QUIPU_TRY_OK(check_string(key, at));
  const Result<PayloadPath> path = PayloadPath::parse(key);
  if (!path.ok()) return at.error(path.error().message);
  return ok_status();
}

Status count_values(FilterBudget& budget, std::size_t count, const Place& at) {
  budget.values += count;
  if (budget.values <= limits::kFilterValuesMax) return ok_status();
  return at.error(format("brings the listed values of the filter to {}, the limit is {}",
                         budget.values, limits::kFilterValuesMax),
                  kFilterTooLarge);
}

Status check_list(const MatchList& list, const Place& at, FilterBudget& budget) {
  if (const auto* const integers = std::get_if<std::vector<std::int64_t>>(&list)) {
    return count_values(budget, integers->size(), at);
  }
  const auto& strings = std::get<std::vector<std::string>>(list);
  QUIPU_TRY_OK(count_values(budget, strings.size(), at));
  for (std::size_t i = 0; i < strings.size(); ++i) {
    QUIPU_TRY_OK(check_string(strings[i], Place(at, i)));
  }
  return ok_status();
}

Status check_bound(const std::optional<double>& bound, const Place& at) {
  if (!bound.has_value() || std::isfinite(*bound)) return ok_status();
  return at.error(format("{} is no finite number", *bound));
}

Status check_datetime(const std::optional<std::string>& bound, const Place& at) {
  if (!bound.has_value()) return ok_status();
  const Result<std::int64_t> read = parse_datetime(*bound);
  if (!read.ok()) return at.error(read.error().message);
  return ok_status();
}

Status check_point(GeoPoint point, const Place& at) {
  if (!(point.lon >= -180 && point.lon <= 180)) {
    return Place(at, "lon").error(format("{} is not within -180 to 180", point.lon));
  }
  if (!(point.lat >= -90 && point.lat <= 90)) {
    return Place(at, "lat").error(format("{} is not within -90 to 90", point.lat));
  }
  return ok_status();
}

Status check_ring(const std::vector<GeoPoint>& ring, const Place& line, FilterBudget& budget) {
  const Place at(line, "points");
  QUIPU_TRY_OK(count_values(budget, ring.size(), at));
  if (ring.size() < 4) {
    return at.error(format("a ring has at least 4 points, this one has {}", ring.size()));
  }
  for (std::size_t i = 0; i < ring.size(); ++i) QUIPU_TRY_OK(check_point(ring[i], Place(at, i)));
  // As exact as Qdrant: a difference in the last bit still closes the ring.
  constexpr double kSame = std::numeric_limits<double>::epsilon();
  const GeoPoint first = ring.front();
  const GeoPoint last = ring.back();
  if (std::fabs(first.lon - last.lon) > kSame || std::fabs(first.lat - last.lat) > kSame) {
    return at.error(format("the last point ({}, {}) must be the first ({}, {})", last.lon, last.lat,
                           first.lon, first.lat));
  }
  return ok_status();
}

// One overload for each predicate; `at` is the place of the field condition.
struct PredicateCheck {
  const Place& at;
  FilterBudget& budget;

  Status operator()(const MatchValue& match) const {
    const auto* const text = std::get_if<std::string>(&match.value);
    if (text == nullptr) return ok_status();
    const Place place(at, "match");
    return check_string(*text, Place(place, "value"));
  }
  Status operator()(const MatchAny& match) const {
    const Place place(at, "match");
    return check_list(match.values, Place(place, "any"), budget);
  }
  Status operator()(const MatchExcept& match) const {
    const Place place(at, "match");
    return check_list(match.values, Place(place, "except"), budget);
  }
  Status operator()(const MatchText& match) const {
    const Place place(at, "match");
    return check_string(match.query, Place(place, text_mode_name(match.mode)));
  }
  Status operator()(const MatchPrefix& match) const {
    const Place place(at, "match");
    return check_string(match.prefix, Place(place, "prefix"));
  }
  Status operator()(const MatchSubstring& match) const {
    const Place place(at, "match");
    return check_string(match.substring, Place(place, "substring"));
  }
  Status operator()(const NumberRange& range) const {
    const Place place(at, "range");
    QUIPU_TRY_OK(check_bound(range.lt, Place(place, "lt")));
    QUIPU_TRY_OK(check_bound(range.gt, Place(place, "gt")));
    QUIPU_TRY_OK(check_bound(range.lte, Place(place, "lte")));
    return check_bound(range.gte, Place(place, "gte"));
  }
  Status operator()(const DatetimeRange& range) const {
    const Place place(at, "range");
    if (range == DatetimeRange{}) return place.error("a range of datetimes has at least one bound");
    QUIPU_TRY_OK(check_datetime(range.lt, Place(place, "lt")));
    QUIPU_TRY_OK(check_datetime(range.gt, Place(place, "gt")));
    QUIPU_TRY_OK(check_datetime(range.lte, Place(place, "lte")));
    return check_datetime(range.gte, Place(place, "gte"));
  }
  Status operator()(const GeoBoundingBox& box) const {
    const Place place(at, "geo_bounding_box");
    QUIPU_TRY_OK(check_point(box.top_left, Place(place, "top_left")));
    return check_point(box.bottom_right, Place(place, "bottom_right"));
  }
  Status operator()(const GeoRadius& circle) const {
    const Place place(at, "geo_radius");
    QUIPU_TRY_OK(check_point(circle.center, Place(place, "center")));
    if (circle.radius_m >= 0 && std::isfinite(circle.radius_m)) return ok_status();
    return Place(place, "radius")
        .error(format("{} is no number of metres of at least 0", circle.radius_m));
  }
  Status operator()(const GeoPolygon& polygon) const {
    const Place place(at, "geo_polygon");
    QUIPU_TRY_OK(check_ring(polygon.exterior, Place(place, "exterior"), budget));
    const Place interiors(place, "interiors");
    for (std::size_t i = 0; i < polygon.interiors.size(); ++i) {
      QUIPU_TRY_OK(check_ring(polygon.interiors[i], Place(interiors, i), budget));
    }
    return ok_status();
  }
  Status operator()(const ValuesCount&) const { return ok_status(); }
  Status operator()(const IsEmpty&) const { return ok_status(); }
  Status operator()(const IsNull&) const { return ok_status(); }
};

struct ConditionCheck {
  const Place& at;
  FilterBudget& budget;

  Status operator()(const FieldCondition& field) const {
    QUIPU_TRY_OK(check_key(field.key, at));
    return std::visit(PredicateCheck{at, budget}, field.predicate);
  }
  Status operator()(const IsEmptyCondition& condition) const {
    return check_key(condition.key, Place(at, "is_empty"));
  }
  Status operator()(const IsNullCondition& condition) const {
    return check_key(condition.key, Place(at, "is_null"));
  }
  Status operator()(const HasIdCondition& condition) const {
    return count_values(budget, condition.ids.size(), Place(at, "has_id"));
  }
  Status operator()(const HasVectorCondition& condition) const {
    return check_string(condition.name, Place(at, "has_vector"));
  }
  Status operator()(const SliceCondition& condition) const {
    const Place place(at, "slice");
    if (condition.total == 0) return Place(place, "total").error("must be at least 1, got 0");
    if (condition.index < condition.total) return ok_status();
    return Place(place, "index")
        .error(format("must be below total, {}, got {}", condition.total, condition.index));
  }
  Status operator()(const NestedCondition& condition) const {
    return check_key(condition.key, Place(at, "nested"));
  }
  Status operator()(const Filter&) const { return ok_status(); }
};

// Recursion is bounded by check_depth.
class FilterCheck {
 public:
  Status run(const Filter& filter, const Place& at, std::size_t depth) {
    QUIPU_TRY_OK(check_depth(depth, at));
    QUIPU_TRY_OK(clause(filter.must, Place(at, "must"), depth));
    QUIPU_TRY_OK(clause(filter.should, Place(at, "should"), depth));
    QUIPU_TRY_OK(clause(filter.must_not, Place(at, "must_not"), depth));
    if (!filter.min_should.has_value()) return ok_status();
    const Place place(at, "min_should");
    QUIPU_TRY_OK(check_min_should(*filter.min_should, place));
    return clause(filter.min_should->conditions, Place(place, "conditions"), depth);
  }

 private:
  Status clause(const std::vector<FilterCondition>& conditions, const Place& at,
                std::size_t depth) {
    for (std::size_t i = 0; i < conditions.size(); ++i) {
      const Place place(at, i);
      QUIPU_TRY_OK(count_condition(budget_, place));
      QUIPU_TRY_OK(check_condition(conditions[i], place, budget_));
      if (const auto* const inner = std::get_if<Filter>(&conditions[i].is)) {
        QUIPU_TRY_OK(run(*inner, place, depth + 1));
      } else if (const auto* const nested = std::get_if<NestedCondition>(&conditions[i].is)) {
        const Place inside(place, "nested");
        QUIPU_TRY_OK(run(nested->filter, Place(inside, "filter"), depth + kNestedDepth));
      }
    }
    return ok_status();
  }

  FilterBudget budget_;
};

}  // namespace

std::string_view text_mode_name(TextMatchMode mode) noexcept {
  switch (mode) {
    case TextMatchMode::kAll: return "text";
    case TextMatchMode::kAny: return "text_any";
    case TextMatchMode::kPhrase: return "phrase";
  }
  return "text";
}

std::string Place::text() const {
  if (parent_ == nullptr) return std::string(name_);
  const std::string before = parent_->text();
  if (name_.empty()) return format("{}[{}]", before, index_);
  return before.empty() ? std::string(name_) : format("{}.{}", before, name_);
}

Error Place::error(std::string_view problem, std::string_view reason) const {
  const std::string where = text();
  return Error{.code = ErrorCode::kInvalidArgument,
               .message = where.empty() ? std::string(problem) : format("{}: {}", where, problem),
               .reason = std::string(reason)};
}

Status check_depth(std::size_t depth, const Place& at) {
  if (depth <= limits::kFilterDepthMax) return ok_status();
  return at.error(format("filters are nested deeper than the limit of {} (one inside `nested` "
                         "counts as {} levels)",
                         limits::kFilterDepthMax, kNestedDepth),
                  kFilterTooLarge);
}

Status count_condition(FilterBudget& budget, const Place& at) {
  if (++budget.conditions <= limits::kFilterConditionsMax) return ok_status();
  return at.error(
      format("the filter has more than the limit of {} conditions", limits::kFilterConditionsMax),
      kFilterTooLarge);
}

Status check_condition(const FilterCondition& condition, const Place& at, FilterBudget& budget) {
  return std::visit(ConditionCheck{at, budget}, condition.is);
}

Status check_min_should(const MinShould& min_should, const Place& at) {
  if (min_should.min_count >= 1) return ok_status();
  return Place(at, "min_count").error("must be at least 1, got 0");
}

Status check_filter(const Filter& filter, std::string_view field) {
  return FilterCheck().run(filter, Place(field), 1);
}

std::string describe_json(JsonView json) {
  switch (json.kind()) {
    case JsonKind::kArray:
    case JsonKind::kObject:
    case JsonKind::kNull: return std::string(json_kind_name(json.kind()));
    case JsonKind::kString:
      return format("{} {}", json_kind_name(json.kind()), in_quotes(*json.as_string()));
    default: return format("{} {}", json_kind_name(json.kind()), json.to_string());
  }
}

std::string name_list(std::span<const std::string_view> names) {
  std::string list;
  for (const std::string_view name : names) {
    if (!list.empty()) list += ", ";
    list += name;
  }
  return list;
}

}  // namespace quipu::query
