#include "quipu/api/qdrant/grpc/filters.h"

#include <utility>

namespace quipu::api::qdrant::rpc {
namespace {

// Bounds of both kinds of ranges, and of counts: the same four members.
template <typename To, typename From>
void read_bounds(const From& from, To& to) {
  if (from.has_lt()) to.lt = from.lt();
  if (from.has_gt()) to.gt = from.gt();
  if (from.has_lte()) to.lte = from.lte();
  if (from.has_gte()) to.gte = from.gte();
}

GeoPoint point_of(const pb::GeoPoint& point) { return {.lon = point.lon(), .lat = point.lat()}; }

std::vector<GeoPoint> ring_of(const pb::GeoLineString& line) {
  std::vector<GeoPoint> ring;
  ring.reserve(static_cast<std::size_t>(line.points_size()));
  for (const pb::GeoPoint& point : line.points()) ring.push_back(point_of(point));
  return ring;
}

MatchList list_of(const pb::RepeatedStrings& list) {
  return std::vector<std::string>(list.strings().begin(), list.strings().end());
}
MatchList list_of(const pb::RepeatedIntegers& list) {
  return std::vector<std::int64_t>(list.integers().begin(), list.integers().end());
}

Result<FieldPredicate> read_match(const pb::Match& match, const Place& at) {
  switch (match.match_value_case()) {
    case pb::Match::kKeyword: return FieldPredicate(MatchValue{match.keyword()});
    case pb::Match::kInteger: return FieldPredicate(MatchValue{std::int64_t{match.integer()}});
    case pb::Match::kBoolean: return FieldPredicate(MatchValue{match.boolean()});
    case pb::Match::kText: return FieldPredicate(MatchText{TextMatchMode::kAll, match.text()});
    case pb::Match::kTextAny:
      return FieldPredicate(MatchText{TextMatchMode::kAny, match.text_any()});
    case pb::Match::kPhrase:
      return FieldPredicate(MatchText{TextMatchMode::kPhrase, match.phrase()});
    case pb::Match::kKeywords: return FieldPredicate(MatchAny{list_of(match.keywords())});
    case pb::Match::kIntegers: return FieldPredicate(MatchAny{list_of(match.integers())});
    case pb::Match::kExceptKeywords:
      return FieldPredicate(MatchExcept{list_of(match.except_keywords())});
    case pb::Match::kExceptIntegers:
      return FieldPredicate(MatchExcept{list_of(match.except_integers())});
    case pb::Match::kPrefix: return FieldPredicate(MatchPrefix{match.prefix()});
    case pb::Match::kSubstring: return FieldPredicate(MatchSubstring{match.substring()});
    case pb::Match::MATCH_VALUE_NOT_SET: break;
  }
  return at.error("has no value to match");
}

Result<FieldPredicate> read_times(const pb::DatetimeRange& from, const Place& at) {
  DatetimeRange range;
  if (from.has_lt()) {
    QUIPU_TRY(range.lt, time_text(from.lt(), Place(at, "lt")));
  }
  if (from.has_gt()) {
    QUIPU_TRY(range.gt, time_text(from.gt(), Place(at, "gt")));
  }
  if (from.has_lte()) {
    QUIPU_TRY(range.lte, time_text(from.lte(), Place(at, "lte")));
  }
  if (from.has_gte()) {
    QUIPU_TRY(range.gte, time_text(from.gte(), Place(at, "gte")));
  }
  return FieldPredicate(std::move(range));
}

// Those that the condition has; the language has exactly one of them in a condition.
Result<std::vector<FieldPredicate>> read_predicates(const pb::FieldCondition& field,
                                                    const Place& at) {
  std::vector<FieldPredicate> found;
  if (field.has_match()) {
    QUIPU_TRY(FieldPredicate match, read_match(field.match(), Place(at, "match")));
    found.push_back(std::move(match));
  }
  if (field.has_range()) {
    NumberRange range;
    read_bounds(field.range(), range);
    found.emplace_back(range);
  }
  if (field.has_datetime_range()) {
    QUIPU_TRY(FieldPredicate times, read_times(field.datetime_range(), Place(at, "range")));
    found.push_back(std::move(times));
  }
  if (field.has_geo_bounding_box()) {
    const pb::GeoBoundingBox& box = field.geo_bounding_box();
    found.emplace_back(GeoBoundingBox{.top_left = point_of(box.top_left()),
                                      .bottom_right = point_of(box.bottom_right())});
  }
  if (field.has_geo_radius()) {
    const pb::GeoRadius& circle = field.geo_radius();
    found.emplace_back(
        GeoRadius{.center = point_of(circle.center()), .radius_m = double{circle.radius()}});
  }
  if (field.has_geo_polygon()) {
    GeoPolygon polygon{.exterior = ring_of(field.geo_polygon().exterior()), .interiors = {}};
    for (const pb::GeoLineString& line : field.geo_polygon().interiors()) {
      polygon.interiors.push_back(ring_of(line));
    }
    found.emplace_back(std::move(polygon));
  }
  if (field.has_values_count()) {
    ValuesCount count;
    read_bounds(field.values_count(), count);
    found.emplace_back(count);
  }
  if (field.has_is_empty()) found.emplace_back(IsEmpty{field.is_empty()});
  if (field.has_is_null()) found.emplace_back(IsNull{field.is_null()});
  return found;
}

Result<FilterCondition> read_field(const pb::FieldCondition& from, const Place& at) {
  QUIPU_TRY(std::vector<FieldPredicate> found, read_predicates(from, at));
  if (found.size() != 1) {
    return at.error(
        "needs exactly one of match, range, datetime_range, geo_bounding_box, geo_radius, "
        "geo_polygon, values_count, is_empty, is_null");
  }
  return FilterCondition{FieldCondition{.key = from.key(), .predicate = std::move(found.front())}};
}

Result<Filter> read_part(const pb::Filter& from, const Place& at);

Status read_list(const google::protobuf::RepeatedPtrField<pb::Condition>& from, const Place& at,
                 std::vector<FilterCondition>& to) {
  to.reserve(static_cast<std::size_t>(from.size()));
  for (const pb::Condition& each : from) {
    QUIPU_TRY(FilterCondition condition, read_condition(each, Place(at, to.size())));
    to.push_back(std::move(condition));
  }
  return ok_status();
}

// Recursion is bounded by the depth that a message may have, 100.
Result<Filter> read_part(const pb::Filter& from, const Place& at) {
  Filter filter;
  QUIPU_TRY_OK(read_list(from.must(), Place(at, "must"), filter.must));
  QUIPU_TRY_OK(read_list(from.should(), Place(at, "should"), filter.should));
  QUIPU_TRY_OK(read_list(from.must_not(), Place(at, "must_not"), filter.must_not));
  if (from.has_min_should()) {
    MinShould& least = filter.min_should.emplace();
    least.min_count = from.min_should().min_count();
    QUIPU_TRY_OK(
        read_list(from.min_should().conditions(), Place(at, "min_should"), least.conditions));
  }
  return filter;
}

}  // namespace

Result<FilterCondition> read_condition(const pb::Condition& from, const Place& at) {
  switch (from.condition_one_of_case()) {
    case pb::Condition::kField: return read_field(from.field(), at);
    case pb::Condition::kIsEmpty: return FilterCondition{IsEmptyCondition{from.is_empty().key()}};
    case pb::Condition::kIsNull: return FilterCondition{IsNullCondition{from.is_null().key()}};
    case pb::Condition::kHasId: {
      QUIPU_TRY(std::vector<PointId> ids, read_ids(from.has_id().has_id(), Place(at, "has_id")));
      return FilterCondition{HasIdCondition{std::move(ids)}};
    }
    case pb::Condition::kHasVector:
      return FilterCondition{HasVectorCondition{from.has_vector().has_vector()}};
    case pb::Condition::kSlice:
      return FilterCondition{
          SliceCondition{.total = from.slice().total(), .index = from.slice().index()}};
    case pb::Condition::kNested: {
      const Place nested_at(at, "nested");
      QUIPU_TRY(Filter filter, read_part(from.nested().filter(), Place(nested_at, "filter")));
      return FilterCondition{
          NestedCondition{.key = from.nested().key(), .filter = std::move(filter)}};
    }
    case pb::Condition::kFilter: {
      QUIPU_TRY(Filter filter, read_part(from.filter(), at));
      return FilterCondition{std::move(filter)};
    }
    case pb::Condition::CONDITION_ONE_OF_NOT_SET: break;
  }
  return at.error(
      "is no condition: it has none of field, is_empty, is_null, has_id, has_vector, "
      "slice, nested, filter");
}

Result<Filter> read_filter(const pb::Filter& from, const Place& at) {
  QUIPU_TRY(Filter filter, read_part(from, at));
  QUIPU_TRY_OK(query::check_filter(filter, at.text()));
  return filter;
}

}  // namespace quipu::api::qdrant::rpc
