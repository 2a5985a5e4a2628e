// Random filters and payloads that fit each other, for tests. Not for the product.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "quipu/base/json.h"
#include "quipu/base/rng.h"
#include "quipu/filter.h"

namespace quipu::query::testing_support {

// Draws from few names, values and places, so that filters and payloads meet.
class RandomFilters {
 public:
  explicit RandomFilters(Rng& rng) : rng_(rng) {}

  Filter filter(std::size_t depth_left = 3) {
    Filter filter;
    if (chance(60)) filter.must = conditions(depth_left, 2);
    if (chance(30)) filter.should = conditions(depth_left, 3);
    if (chance(25)) filter.must_not = conditions(depth_left, 2);
    if (chance(20)) {
      filter.min_should =
          MinShould{.conditions = conditions(depth_left, 4), .min_count = 1 + below(3)};
    }
    return filter;
  }

  // A JSON object.
  std::string payload() {
    std::string json;
    JsonWriter out(json);
    object(out, 3);
    return json;
  }

  PointId id() {
    if (chance(50)) return PointId::number(below(6));
    return PointId::uuid(below(2), below(3));
  }

  std::string vector_name() { return pick({"", "image", "text"}); }

  FilterCondition condition(std::size_t depth_left) {
    const std::size_t kinds = depth_left > 0 ? 16 : 13;
    switch (below(kinds)) {
      case 0: return {IsEmptyCondition{key()}};
      case 1: return {IsNullCondition{key()}};
      case 2: return {HasIdCondition{ids()}};
      case 3: return {HasVectorCondition{vector_name()}};
      case 4: {
        const auto total = static_cast<std::uint32_t>(1 + below(4));
        return {SliceCondition{.total = total, .index = static_cast<std::uint32_t>(below(total))}};
      }
      case 13:
      case 14: return {NestedCondition{.key = key(), .filter = filter(depth_left - 1)}};
      case 15: return {filter(depth_left - 1)};
      default: return {FieldCondition{.key = key(), .predicate = predicate()}};
    }
  }

  FieldPredicate predicate() {
    switch (below(16)) {
      case 0:
      case 1: return MatchValue{value()};
      case 2: return MatchAny{list()};
      case 3: return MatchExcept{list()};
      case 4: return MatchText{TextMatchMode::kAll, phrase()};
      case 5: return MatchText{TextMatchMode::kAny, phrase()};
      case 6: return MatchText{TextMatchMode::kPhrase, phrase()};
      case 7: return MatchPrefix{pick({"", "r", "re", "RE", "2"})};
      case 8: return MatchSubstring{pick({"", "e", "ed b", "x"})};
      case 9: return number_range();
      case 10: return datetime_range();
      case 11: return box();
      case 12: return GeoRadius{.center = point(), .radius_m = rng_.uniform() * 2e7};
      case 13: return polygon();
      case 14: return values_count();
      default:
        if (chance(50)) return IsEmpty{chance(50)};
        return IsNull{chance(50)};
    }
  }

  // A payload key that filters ask for.
  std::string key() {
    std::string path;
    for (std::size_t steps = 1 + below(2) * below(3); steps > 0; --steps) {
      if (!path.empty()) path += '.';
      const std::string drawn = name();
      path += drawn.find(' ') == std::string::npos && chance(90) ? drawn : '"' + drawn + '"';
      while (chance(25)) path += chance(70) ? "[]" : chance(50) ? "[0]" : "[2]";
    }
    return path;
  }

 private:
  std::size_t below(std::size_t bound) { return static_cast<std::size_t>(rng_.below(bound)); }
  bool chance(std::size_t percent) { return below(100) < percent; }
  std::string pick(std::initializer_list<const char*> choices) {
    return choices.begin()[below(choices.size())];
  }

  std::vector<FilterCondition> conditions(std::size_t depth_left, std::size_t count_max) {
    std::vector<FilterCondition> drawn;
    for (std::size_t count = below(count_max + 1); count > 0; --count) {
      drawn.push_back(condition(depth_left));
    }
    return drawn;
  }

  std::string name() { return pick({"a", "b", "c", "d e"}); }
  std::string word() { return pick({"red", "Red", "blue", "x", "ÄB", "7"}); }
  std::string phrase() {
    std::string text;
    for (std::size_t words = below(4); words > 0; --words) text += word() + pick({" ", ", ", "-"});
    return text;
  }
  std::string datetime() {
    return pick({"2024-05-01", "2024-05-01T00:00:00Z", "2024-05-01 10:30:15",
                 "2024-05-01T12:30:15.000001+02:00", "2024-05-01T12:30:15.0000019+02",
                 "1969-12-31T23:59:59.5Z", "2024-02-29T23:59", "1970-01-01 00:00:00 UTC"});
  }
  double number() {
    return chance(50) ? static_cast<double>(below(7)) - 2 : rng_.uniform() * 8 - 2;
  }
  std::int64_t integer() {
    if (chance(5)) return chance(50) ? INT64_MIN : INT64_MAX;
    return static_cast<std::int64_t>(below(7)) - 2;
  }
  std::variant<std::string, std::int64_t, bool> value() {
    switch (below(4)) {
      case 0: return chance(50);
      case 1: return integer();
      case 2: return word();
      default: return phrase();
    }
  }
  MatchList list() {
    if (chance(50)) {
      std::vector<std::string> strings(below(4));
      for (std::string& text : strings) text = word();
      return strings;
    }
    std::vector<std::int64_t> integers(1 + below(3));  // see MatchList on the empty one
    for (std::int64_t& drawn : integers) drawn = integer();
    return integers;
  }
  NumberRange number_range() {
    NumberRange range;
    for (auto* const bound : {&range.lt, &range.gt, &range.lte, &range.gte}) {
      if (chance(35)) *bound = number();
    }
    return range;
  }
  DatetimeRange datetime_range() {
    DatetimeRange range;
    for (auto* const bound : {&range.lt, &range.gt, &range.lte}) {
      if (chance(35)) *bound = datetime();
    }
    if (range == DatetimeRange{} || chance(35)) range.gte = datetime();
    return range;
  }
  ValuesCount values_count() {
    ValuesCount range;
    for (auto* const bound : {&range.lt, &range.gt, &range.lte, &range.gte}) {
      if (chance(35)) *bound = below(4);
    }
    return range;
  }
  GeoPoint point() {
    if (chance(30)) return {.lon = 10.0 * static_cast<double>(below(5)), .lat = 20};
    return {.lon = rng_.uniform() * 360 - 180, .lat = rng_.uniform() * 180 - 90};
  }
  GeoBoundingBox box() {
    GeoBoundingBox box{.top_left = point(), .bottom_right = point()};
    const bool upside_down = box.top_left.lat < box.bottom_right.lat;
    if (upside_down && chance(90)) std::swap(box.top_left.lat, box.bottom_right.lat);
    return box;
  }
  std::vector<GeoPoint> ring() {
    std::vector<GeoPoint> points;
    if (chance(50)) {  // most drawn at random hold hardly a point
      const double west = -180 + rng_.uniform() * 180;
      const double south = -90 + rng_.uniform() * 90;
      const double east = rng_.uniform() * 180;
      const double north = rng_.uniform() * 90;
      return {{west, south},  {east, south}, {east, north},
              {0, north / 2}, {west, north}, {west, south}};
    }
    for (std::size_t count = 3 + below(4); count > 0; --count) points.push_back(point());
    points.push_back(points.front());
    return points;
  }
  GeoPolygon polygon() {
    GeoPolygon polygon{.exterior = ring(), .interiors = {}};
    while (chance(30)) polygon.interiors.push_back(ring());
    return polygon;
  }
  std::vector<PointId> ids() {
    std::vector<PointId> drawn(below(5));
    for (PointId& each : drawn) each = id();
    return drawn;
  }

  void object(JsonWriter& out, std::size_t depth_left) {
    out.begin_object();
    for (const char* const member : {"a", "b", "c", "d e"}) {
      if (chance(45)) continue;
      out.key(member);
      json_value(out, depth_left);
    }
    out.end_object();
  }
  void json_value(JsonWriter& out, std::size_t depth_left) {
    switch (below(depth_left > 0 ? 15 : 11)) {
      case 0: out.null(); return;
      case 1: out.value(chance(50)); return;
      case 2:
      case 3: out.value(integer()); return;
      case 4: out.value(number()); return;
      case 5: out.value(std::string_view(word())); return;
      case 6: out.value(std::string_view(phrase())); return;
      case 7: out.value(std::string_view(datetime())); return;
      case 8:
      case 9: geo_value(out); return;
      case 10: out.value(std::uint64_t{1} << 63); return;
      case 11:
      case 12: object(out, depth_left - 1); return;
      default:
        out.begin_array();
        for (std::size_t count = below(4); count > 0; --count) json_value(out, depth_left - 1);
        out.end_array();
    }
  }
  void geo_value(JsonWriter& out) {
    const GeoPoint drawn = point();
    out.begin_object();
    if (chance(95)) out.key("lon").value(drawn.lon);
    if (chance(95)) {
      out.key("lat").value(drawn.lat);
    } else {
      out.key("lat").value("north");
    }
    out.end_object();
  }

  Rng& rng_;
};

}  // namespace quipu::query::testing_support
