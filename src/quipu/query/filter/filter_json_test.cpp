#include "quipu/query/filter/filter_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <vector>

#include "quipu/base/limits.h"
#include "quipu/base/test_support.h"
#include "quipu/query/filter/filter_check.h"
#include "quipu/query/filter/testing/random_filter.h"

namespace quipu::query {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

Result<Filter> parse(std::string_view json) {
  const Result<JsonDocument> document = JsonDocument::parse(json);
  EXPECT_EQ(why_not(document), "") << json;
  return parse_filter(document.value().root(), "filter");
}

std::string written_filter(const Filter& filter) {
  std::string json;
  JsonWriter out(json);
  write_filter(filter, out);
  return json;
}

Filter must(FieldCondition field) { return {.must = {{std::move(field)}}}; }

// JSON, the filter that it says, and how that is written.
struct Form {
  const char* json;
  Filter filter;
  const char* canonical;  // null: as `json`
};

void check_form(const Form& form) {
  const Result<Filter> read = parse(form.json);
  ASSERT_EQ(why_not(read), "") << form.json;
  EXPECT_EQ(read.value(), form.filter) << form.json;
  const char* const canonical = form.canonical == nullptr ? form.json : form.canonical;
  EXPECT_EQ(written_filter(form.filter), canonical);
  EXPECT_EQ(why_not(check_filter(form.filter, "filter")), "") << form.json;
}

TEST(FilterJson, ReadsAndWritesClauses) {
  const FilterCondition red{FieldCondition{"color", MatchValue{"red"}}};
  const FilterCondition big{FieldCondition{"size", MatchValue{std::int64_t{5}}}};
  const Form forms[] = {
      {"{}", {}, nullptr},
      {R"({"must":null,"should":[],"must_not":null,"min_should":null})", {}, "{}"},
      {R"({"must":[{"key":"color","match":{"value":"red"}}]})", {.must = {red}}, nullptr},
      {R"({"must":{"key":"color","match":{"value":"red"}}})",
       {.must = {red}},
       R"({"must":[{"key":"color","match":{"value":"red"}}]})"},
      {R"({"must_not":{"key":"size","match":{"value":5}},"should":{}})",
       {.should = {{Filter{}}}, .must_not = {big}},
       R"({"should":[{}],"must_not":[{"key":"size","match":{"value":5}}]})"},
      {R"({"min_should":{"conditions":[{"key":"color","match":{"value":"red"}},)"
       R"({"key":"size","match":{"value":5}}],"min_count":2}})",
       {.min_should = MinShould{.conditions = {red, big}, .min_count = 2}},
       nullptr},
      {R"({"min_should":{"conditions":[],"min_count":1}})", {.min_should = MinShould{}}, nullptr},
      {R"({"must":[{"should":[{"key":"color","match":{"value":"red"}}]},{}]})",
       {.must = {{Filter{.should = {red}}}, {Filter{}}}},
       nullptr},
  };
  for (const Form& form : forms) check_form(form);
}

TEST(FilterJson, ReadsAndWritesConditions) {
  const PointId uuid = PointId::uuid(0x550e8400e29b41d4, 0xa716446655440000);
  const Form forms[] = {
      {R"({"must":[{"is_empty":{"key":"reports"}}]})",
       {.must = {{IsEmptyCondition{"reports"}}}},
       nullptr},
      {R"({"must":[{"is_null":{"key":"reports[]"}}]})",
       {.must = {{IsNullCondition{"reports[]"}}}},
       nullptr},
      {R"({"must":[{"key":"reports","is_empty":true}]})", must({"reports", IsEmpty{true}}),
       nullptr},
      {R"({"must":[{"key":"reports","is_null":false,"match":null}]})",
       must({"reports", IsNull{false}}), R"({"must":[{"key":"reports","is_null":false}]})"},
      {R"({"must":[{"has_id":[1,3,18446744073709551615]}]})",
       {.must = {{HasIdCondition{
            {PointId::number(1), PointId::number(3), PointId::number(UINT64_MAX)}}}}},
       nullptr},
      {R"({"must":[{"has_id":["550e8400-E29B-41d4-a716-446655440000",)"
       R"("550e8400e29b41d4a716446655440000","urn:uuid:550e8400-e29b-41d4-a716-446655440000",)"
       R"("{550e8400-e29b-41d4-a716-446655440000}"]}]})",
       {.must = {{HasIdCondition{{uuid, uuid, uuid, uuid}}}}},
       R"({"must":[{"has_id":["550e8400-e29b-41d4-a716-446655440000",)"
       R"("550e8400-e29b-41d4-a716-446655440000","550e8400-e29b-41d4-a716-446655440000",)"
       R"("550e8400-e29b-41d4-a716-446655440000"]}]})"},
      {R"({"must":[{"has_id":[]}]})", {.must = {{HasIdCondition{}}}}, nullptr},
      {R"({"must":[{"has_vector":"image"},{"has_vector":""}]})",
       {.must = {{HasVectorCondition{"image"}}, {HasVectorCondition{""}}}},
       nullptr},
      {R"({"must":[{"slice":{"total":4,"index":3}}]})",
       {.must = {{SliceCondition{.total = 4, .index = 3}}}},
       nullptr},
      {R"({"must":[{"nested":{"key":"diet","filter":{"must":[{"key":"food","match":)"
       R"({"value":"meat"}}]}}}]})",
       {.must = {{NestedCondition{.key = "diet", .filter = must({"food", MatchValue{"meat"}})}}}},
       nullptr},
  };
  for (const Form& form : forms) check_form(form);
}

TEST(FilterJson, ReadsAndWritesMatches) {
  const Form forms[] = {
      {R"({"must":[{"key":"k","match":{"value":true}}]})", must({"k", MatchValue{true}}), nullptr},
      {R"({"must":[{"key":"k","match":{"value":-9223372036854775808}}]})",
       must({"k", MatchValue{std::numeric_limits<std::int64_t>::min()}}), nullptr},
      {R"({"must":[{"key":"k","match":{"any":["a","b"]}}]})",
       must({"k", MatchAny{std::vector<std::string>{"a", "b"}}}), nullptr},
      {R"({"must":[{"key":"k","match":{"any":[]}}]})",
       must({"k", MatchAny{std::vector<std::string>{}}}), nullptr},
      {R"({"must":[{"key":"k","match":{"except":[2,1,2],"any":null}}]})",
       must({"k", MatchExcept{std::vector<std::int64_t>{2, 1, 2}}}),
       R"({"must":[{"key":"k","match":{"except":[2,1,2]}}]})"},
      {R"({"must":[{"key":"k","match":{"text":"good cheap"}}]})",
       must({"k", MatchText{TextMatchMode::kAll, "good cheap"}}), nullptr},
      {R"({"must":[{"key":"k","match":{"text_any":"good cheap"}}]})",
       must({"k", MatchText{TextMatchMode::kAny, "good cheap"}}), nullptr},
      {R"({"must":[{"key":"k","match":{"phrase":"brown fox"}}]})",
       must({"k", MatchText{TextMatchMode::kPhrase, "brown fox"}}), nullptr},
      {R"({"must":[{"key":"k","match":{"prefix":"br"}}]})", must({"k", MatchPrefix{"br"}}),
       nullptr},
      {R"({"must":[{"key":"k","match":{"substring":"\"\n\u00e9"}}]})",
       must({"k", MatchSubstring{"\"\n\u00e9"}}),
       "{\"must\":[{\"key\":\"k\",\"match\":{\"substring\":\"\\\"\\n\u00e9\"}}]}"},
  };
  for (const Form& form : forms) check_form(form);
}

TEST(FilterJson, ReadsAndWritesRanges) {
  const Form forms[] = {
      {R"({"must":[{"key":"k","range":{"lt":1,"gt":-2.5,"lte":1e300,"gte":0.1}}]})",
       must({"k", NumberRange{.lt = 1, .gt = -2.5, .lte = 1e300, .gte = 0.1}}),
       R"({"must":[{"key":"k","range":{"lt":1,"gt":-2.5,"lte":1e+300,"gte":0.1}}]})"},
      {R"({"must":[{"key":"k","range":{"lt":null}}]})", must({"k", NumberRange{}}),
       R"({"must":[{"key":"k","range":{}}]})"},
      {R"({"must":[{"key":"k","range":{"gt":"2023-02-08T10:49:00Z","lte":"2024-01-31 10:14"}}]})",
       must({"k", DatetimeRange{.gt = "2023-02-08T10:49:00Z", .lte = "2024-01-31 10:14"}}),
       nullptr},
      {R"({"must":[{"key":"k","values_count":{"lt":3,"gte":0}}]})",
       must({"k", ValuesCount{.lt = 3, .gte = 0}}), nullptr},
      {R"({"must":[{"key":"k","values_count":{}}]})", must({"k", ValuesCount{}}), nullptr},
      {R"({"must":[{"key":"k","geo_bounding_box":{"top_left":{"lon":13.4,"lat":52.5},)"
       R"("bottom_right":{"lon":-180,"lat":-90}}}]})",
       must({"k", GeoBoundingBox{.top_left = {.lon = 13.4, .lat = 52.5},
                                 .bottom_right = {.lon = -180, .lat = -90}}}),
       nullptr},
      {R"({"must":[{"key":"k","geo_radius":{"center":{"lon":180,"lat":90},"radius":0}}]})",
       must({"k", GeoRadius{.center = {.lon = 180, .lat = 90}, .radius_m = 0}}), nullptr},
      {R"({"must":[{"key":"k","geo_polygon":{"exterior":{"points":[{"lon":0,"lat":0},)"
       R"({"lon":9,"lat":0},{"lon":9,"lat":9},{"lon":0,"lat":0}]},"interiors":[{"points":[)"
       R"({"lon":5,"lat":1},{"lon":6,"lat":1},{"lon":6,"lat":2},{"lon":5,"lat":1}]}]}}]})",
       must({"k", GeoPolygon{.exterior = {{0, 0}, {9, 0}, {9, 9}, {0, 0}},
                             .interiors = {{{5, 1}, {6, 1}, {6, 2}, {5, 1}}}}}),
       nullptr},
  };
  for (const Form& form : forms) check_form(form);
}

// What is refused, and how the message begins.
struct FilterRefusal {
  const char* json;
  const char* message;
};

void check_refused(const std::string& json, const std::string& message) {
  const Result<Filter> read = parse(json);
  ASSERT_FALSE(read.ok()) << json;
  EXPECT_EQ(read.error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(read.error().stable_reason(), "invalid_filter");
  EXPECT_THAT(read.error().message, StartsWith(message)) << json;
}

// The JSON is of a predicate beside "key", the message what follows "filter.must[2].".
void check_predicate_refused(const FilterRefusal& c) {
  check_refused(std::string(R"({"must":[{},{},{"key":"k",)") + c.json + "}]}",
                std::string("filter.must[2].") + c.message);
}

TEST(FilterJson, RefusesWhatIsNoFilter) {
  const FilterRefusal cases[] = {
      {"[]", "filter: expected an object with must, should or must_not, got array"},
      {"null", "filter: expected an object with must, should or must_not, got null"},
      {R"({"mst":[]})",
       "filter: has the unknown member \"mst\"; did you mean \"must\"? (allowed: must, should, "
       "must_not, min_should)"},
      {R"({"must":[],"":1})", "filter: has the unknown member \"\" (allowed"},
      {R"({"must":5})", "filter.must: expected a condition or a list of them, got integer 5"},
      {R"({"must":[null]})", "filter.must[0]: expected a condition (an object), got null"},
      {R"({"must":[{},"x"]})",
       "filter.must[1]: expected a condition (an object), got string \"x\""},
      {R"({"should":[{"kye":"a","match":{"value":1}}]})", "filter.should[0].key: is missing"},
      {R"({"should":[{"nestd":{}}]})",
       "filter.should[0]: has the unknown member \"nestd\"; did you mean \"nested\"?"},
      {R"({"must":[{"must":[{"should":[{"key":"a"}]}]}]})",
       "filter.must[0].must[0].should[0]: the condition on key \"a\" has none; it needs exactly "
       "one of match, range, geo_bounding_box"},
      {R"({"must":[{"key":"a","range":{},"match":{"value":1}}]})",
       "filter.must[0]: the condition on key \"a\" has match, range; it needs exactly one of"},
      {R"({"must":[{"key":"a","ragne":{}}]})",
       "filter.must[0]: has the unknown member \"ragne\"; did you mean \"range\"? (allowed: key, "
       "match"},
      {R"({"must":[{"key":5,"range":{}}]})",
       "filter.must[0].key: expected a string, got integer 5"},
      {R"({"must":[{"key":null,"range":{}}]})", "filter.must[0].key: is missing"},
      {R"({"must":{"key":"a..b","range":{}}})",
       "filter.must.key: path \"a..b\" at byte 2: expected a name"},
      {R"({"must":[{"key":"","is_null":true}]})", "filter.must[0].key: path \"\" at byte 0"},
      {R"({"must":[{"key":"a","is_null":1}]})",
       "filter.must[0].is_null: expected true or false, got integer 1"},
  };
  for (const FilterRefusal& c : cases) check_refused(c.json, c.message);
}

TEST(FilterJson, RefusesBadStandaloneConditions) {
  const FilterRefusal cases[] = {
      {R"({"must":[{"is_empty":true}]})",
       "filter.must[0].is_empty: expected an object {\"key\": ...} (or put \"key\" beside it)"},
      {R"({"must":[{"is_empty":{"key":"a","x":1}}]})",
       "filter.must[0].is_empty: has the unknown member \"x\" (allowed: key)"},
      {R"({"must":[{"is_null":{}}]})", "filter.must[0].is_null.key: is missing"},
      {R"({"must":[{"is_null":{"key":"a b"}}]})", "filter.must[0].is_null.key: path \"a b\""},
      {R"({"must":[{"has_id":1}]})", "filter.must[0].has_id: expected a list of point ids"},
      {R"({"must":[{"has_id":[1,-1]}]})",
       "filter.must[0].has_id[1]: expected an integer of 0 to 18446744073709551615 or a UUID, got "
       "integer -1"},
      {R"({"must":[{"has_id":["7"]}]})", "filter.must[0].has_id[0]: expected an integer"},
      {R"({"must":[{"has_id":["550e8400-e29b-41d4-a716-44665544000g"]}]})",
       "filter.must[0].has_id[0]: expected an integer"},
      {R"({"must":[{"has_id":[1.5]}]})", "filter.must[0].has_id[0]: expected an integer"},
      {R"({"must":[{"has_id":[1],"has_vector":"x"}]})",
       "filter.must[0]: has has_id, has_vector; a condition is of one kind"},
      {R"({"must":[{"has_id":[1],"must":[]}]})",
       "filter.must[0]: has the unknown member \"must\" (allowed: has_id)"},
      {R"({"must":[{"has_vector":1}]})",
       "filter.must[0].has_vector: expected a string, got integer 1"},
      {R"({"must":[{"slice":{"total":0,"index":0}}]})",
       "filter.must[0].slice.total: must be at least 1, got 0"},
      {R"({"must":[{"slice":{"total":2,"index":2}}]})",
       "filter.must[0].slice.index: must be below total, 2, got 2"},
      {R"({"must":[{"slice":{"total":4294967296,"index":2}}]})",
       "filter.must[0].slice.total: expected an integer of 0 to 4294967295"},
      {R"({"must":[{"slice":{"total":2}}]})", "filter.must[0].slice.index: is missing"},
      {R"({"must":[{"slice":7}]})", "filter.must[0].slice: expected an object"},
  };
  for (const FilterRefusal& c : cases) check_refused(c.json, c.message);
}

TEST(FilterJson, RefusesBadNestedAndMinShould) {
  const FilterRefusal cases[] = {
      {R"({"must":[{"nested":{"key":"a"}}]})", "filter.must[0].nested.filter: is missing"},
      {R"({"must":[{"nested":{"filter":{}}}]})", "filter.must[0].nested.key: is missing"},
      {R"({"must":[{"nested":{"key":"[]","filter":{}}}]})", "filter.must[0].nested.key: path"},
      {R"({"must":[{"nested":[]}]})", "filter.must[0].nested: expected an object"},
      {R"({"must":[{"nested":{"key":"a","filter":{"must":[{"key":"b","match":{}}]}}}]})",
       "filter.must[0].nested.filter.must[0].match: has none; it needs exactly one of value, any"},
      {R"({"min_should":[]})", "filter.min_should: expected an object with conditions"},
      {R"({"min_should":{"conditions":[]}})", "filter.min_should.min_count: is missing"},
      {R"({"min_should":{"min_count":1}})", "filter.min_should.conditions: is missing"},
      {R"({"min_should":{"min_count":0,"conditions":[]}})",
       "filter.min_should.min_count: must be at least 1, got 0"},
      {R"({"min_should":{"min_count":-1,"conditions":[]}})",
       "filter.min_should.min_count: expected an integer of 0 to"},
      {R"({"min_should":{"min_count":1,"conditions":{}}})",
       "filter.min_should.conditions: expected a list of conditions, got object"},
      {R"({"min_should":{"min_count":1,"conditions":[{"key":"a"}]}})",
       "filter.min_should.conditions[0]: the condition on key"},
  };
  for (const FilterRefusal& c : cases) check_refused(c.json, c.message);
}

TEST(FilterJson, RefusesBadMatches) {
  const FilterRefusal cases[] = {
      {R"("match":"red")",
       "match: expected an object such as {\"value\": ...}, got string \"red\""},
      {R"("match":{"vale":1})", "match: has the unknown member \"vale\"; did you mean \"value\"?"},
      {R"("match":{"value":1,"any":[1]})", "match: has value, any; it needs exactly one of value"},
      {R"("match":{"value":1.5})", "match.value: expected a string, a boolean or an integer"},
      {R"("match":{"value":1.0})", "match.value: expected a string, a boolean or an integer"},
      {R"("match":{"value":9223372036854775808})", "match.value: expected a string, a boolean or"},
      {R"("match":{"value":["a"]})", "match.value: expected a string, a boolean or an integer"},
      {R"("match":{"any":"red"})", "match.any: expected a list of strings or a list of integers"},
      {R"("match":{"any":[true]})", "match.any[0]: expected a string or an integer of 64 bits"},
      {R"("match":{"any":["a",1]})", "match.any[1]: expected a string, as the elements before"},
      {R"("match":{"except":[1,2,"a"]})", "match.except[2]: expected an integer of 64 bits, as"},
      {R"("match":{"except":[1,2.5]})", "match.except[1]: expected an integer of 64 bits, as"},
      {R"("match":{"text":1})", "match.text: expected a string, got integer 1"},
      {R"("match":{"text_any":[]})", "match.text_any: expected a string, got array"},
      {R"("match":{"phrase":{}})", "match.phrase: expected a string, got object"},
      {R"("match":{"prefix":1})", "match.prefix: expected a string"},
      {R"("match":{"substring":true})", "match.substring: expected a string, got boolean true"},
  };
  for (const FilterRefusal& c : cases) check_predicate_refused(c);
}

TEST(FilterJson, RefusesBadRanges) {
  const FilterRefusal cases[] = {
      {R"("range":[])", "range: expected an object such as {\"gte\": ...}, got array"},
      {R"("range":{"gtee":1})", "range: has the unknown member \"gtee\"; did you mean \"gte\"?"},
      {R"("range":{"gte":true})",
       "range.gte: expected a number or a datetime such as \"2024-05-01T10:30:15Z\", got boolean "
       "true"},
      {R"("range":{"gte":"2024-05-01","lt":5})",
       "range.lt: expected a datetime, as another bound of this range, got integer 5"},
      {R"("range":{"gte":"2024-13-01"})",
       "range.gte: \"2024-13-01\" is no date and time: the month must be 01 to 12"},
      {R"("range":{"lt":"5"})", "range.lt: \"5\" is no date and time: a date is written as in"},
      {R"("values_count":{"lt":-1})", "values_count.lt: expected an integer of 0 to"},
      {R"("values_count":{"gte":1.5})", "values_count.gte: expected an integer of 0 to"},
      {R"("values_count":5)", "values_count: expected an object"},
      {R"("values_count":{"min":5})", "values_count: has the unknown member \"min\" (allowed: lt"},
  };
  for (const FilterRefusal& c : cases) check_predicate_refused(c);
}

TEST(FilterJson, RefusesBadCirclesAndBoxes) {
  const FilterRefusal cases[] = {
      {R"("geo_radius":{"radius":1})", "geo_radius.center: is missing"},
      {R"("geo_radius":{"center":{"lon":1,"lat":2}})", "geo_radius.radius: is missing"},
      {R"("geo_radius":{"center":{"lon":1,"lat":2},"radius":-1})",
       "geo_radius.radius: -1 is no number of metres of at least 0"},
      {R"("geo_radius":{"center":{"lon":1,"lat":2},"radius":"1km"})",
       "geo_radius.radius: expected a number, got string \"1km\""},
      {R"("geo_radius":{"center":{"lon":1,"lat":90.5},"radius":1})",
       "geo_radius.center.lat: 90.5 is not within -90 to 90"},
      {R"("geo_radius":{"center":{"lon":-180.5,"lat":0},"radius":1})",
       "geo_radius.center.lon: -180.5 is not within -180 to 180"},
      {R"("geo_radius":{"center":{"lon":1},"radius":1})", "geo_radius.center.lat: is missing"},
      {R"("geo_radius":{"center":[1,2],"radius":1})",
       "geo_radius.center: expected an object {\"lon\": ..., \"lat\": ...}, got array"},
      {R"("geo_radius":{"center":{"lon":1,"lat":2,"alt":3},"radius":1})",
       "geo_radius.center: has the unknown member \"alt\"; did you mean \"lat\"?"},
      {R"("geo_bounding_box":{"top_left":{"lon":1,"lat":2}})",
       "geo_bounding_box.bottom_right: is missing"},
      {R"("geo_bounding_box":{"bottom_right":{"lon":1,"lat":2}})",
       "geo_bounding_box.top_left: is missing"},
      {R"("geo_bounding_box":{"top_left":{"lon":1,"lat":2},"bottom_right":{"lon":"1","lat":2}})",
       "geo_bounding_box.bottom_right.lon: expected a number"},
      {R"("geo_bounding_box":{"top_left":{"lon":1,"lat":92},"bottom_right":{"lon":1,"lat":2}})",
       "geo_bounding_box.top_left.lat: 92 is not within"},
  };
  for (const FilterRefusal& c : cases) check_predicate_refused(c);
}

TEST(FilterJson, RefusesBadPolygons) {
  const FilterRefusal cases[] = {
      {R"("geo_polygon":{})", "geo_polygon.exterior: is missing"},
      {R"("geo_polygon":{"exterior":[]})", "geo_polygon.exterior: expected an object"},
      {R"("geo_polygon":{"exterior":{}})", "geo_polygon.exterior.points: is missing"},
      {R"("geo_polygon":{"exterior":{"points":5}})",
       "geo_polygon.exterior.points: expected a list of points"},
      {R"("geo_polygon":{"exterior":{"points":[{"lon":0,"lat":0}]}})",
       "geo_polygon.exterior.points: a ring has at least 4 points, this one has 1"},
      {R"("geo_polygon":{"exterior":{"points":[{"lon":0,"lat":0},{"lon":1,"lat":0},)"
       R"({"lon":1,"lat":1},{"lon":0,"lat":1}]}})",
       "geo_polygon.exterior.points: the last point (0, 1) must be the first (0, 0)"},
      {R"("geo_polygon":{"exterior":{"points":[{"lon":0,"lat":0},{"lon":1,"lat":0},)"
       R"({"lon":1,"lat":100},{"lon":0,"lat":0}]}})",
       "geo_polygon.exterior.points[2].lat: 100 is not within"},
      {R"("geo_polygon":{"exterior":{"points":[{"lon":0,"lat":0},{"lon":1,"lat":0},)"
       R"({"lon":1,"lat":1},{"lon":0,"lat":0}]},"interiors":[{"points":[]}]})",
       "geo_polygon.interiors[0].points: a ring has at least 4 points, this one has 0"},
      {R"("geo_polygon":{"exterior":{"points":[{"lon":0,"lat":0},{"lon":1,"lat":0},)"
       R"({"lon":1,"lat":1},{"lon":0,"lat":0}]},"interiors":{}})",
       "geo_polygon.interiors: expected a list of rings"},
  };
  for (const FilterRefusal& c : cases) check_predicate_refused(c);
}

// `depth` filters, one in the other.
std::string deep_json(std::size_t depth, bool nested) {
  std::string json = "{}";
  for (std::size_t level = 1; level < depth; level += nested ? kNestedDepth : 1) {
    json = nested ? R"({"must":[{"nested":{"key":"a","filter":)" + json + "}}]}"
                  : R"({"must_not":[)" + json + "]}";
  }
  return json;
}

TEST(FilterJson, BoundsTheDepth) {
  EXPECT_EQ(why_not(parse(deep_json(limits::kFilterDepthMax, false))), "");
  EXPECT_EQ(why_not(parse(deep_json(limits::kFilterDepthMax - 1, true))), "");
  for (const std::string& json : {deep_json(limits::kFilterDepthMax + 1, false),
                                  deep_json(limits::kFilterDepthMax + 1, true)}) {
    const Result<Filter> read = parse(json);
    ASSERT_FALSE(read.ok());
    EXPECT_EQ(read.error().stable_reason(), "filter_too_large");
    EXPECT_THAT(read.error().message, HasSubstr("nested deeper than the limit of 24"));
  }
  Filter by_hand;
  for (std::size_t level = 1; level < limits::kFilterDepthMax; ++level) {
    by_hand = Filter{.should = {{by_hand}}};
  }
  EXPECT_EQ(why_not(check_filter(by_hand, "filter")), "");
  EXPECT_EQ(parse(written_filter(by_hand)).value(), by_hand);
  by_hand = Filter{.should = {{by_hand}}};
  EXPECT_THAT(why_not(check_filter(by_hand, "filter")), HasSubstr("filter.should[0].should[0]"));
}

TEST(FilterJson, BoundsConditionsAndValues) {
  Filter many;
  many.must.resize(limits::kFilterConditionsMax, {HasVectorCondition{"v"}});
  EXPECT_EQ(why_not(parse(written_filter(many))), "");
  EXPECT_EQ(why_not(check_filter(many, "filter")), "");
  many.must_not = {{HasVectorCondition{"v"}}};
  for (const Result<Filter>& read : {parse(written_filter(many))}) {
    ASSERT_FALSE(read.ok());
    EXPECT_EQ(read.error().stable_reason(), "filter_too_large");
    EXPECT_THAT(read.error().message,
                HasSubstr("filter.must_not[0]: the filter has more than the limit of 4096"));
  }
  EXPECT_THAT(why_not(check_filter(many, "filter")), HasSubstr("the limit of 4096"));

  // Values of all kinds of lists count together.
  const std::vector<GeoPoint> ring{{0, 0}, {9, 0}, {9, 9}, {0, 0}};
  Filter wide;
  wide.must = {{FieldCondition{"k", MatchAny{std::vector<std::string>(40'000, "x")}}},
               {FieldCondition{"k", MatchExcept{std::vector<std::int64_t>(50'000, 7)}}},
               {FieldCondition{"k", GeoPolygon{.exterior = ring, .interiors = {ring, ring}}}},
               {HasIdCondition{std::vector<PointId>(limits::kFilterValuesMax - 90'012)}}};
  EXPECT_EQ(why_not(check_filter(wide, "filter")), "");
  EXPECT_EQ(parse(written_filter(wide)).value(), wide);
  std::get<HasIdCondition>(wide.must.back().is).ids.emplace_back();
  EXPECT_THAT(why_not(check_filter(wide, "f")),
              HasSubstr("f.must[3].has_id: brings the listed values of the filter to 100001, the "
                        "limit is 100000"));
  EXPECT_THAT(why_not(parse(written_filter(wide))), HasSubstr("to 100001, the limit is 100000"));
}

TEST(FilterJson, BoundsStrings) {
  const std::string longest(limits::kFilterStringBytesMax, 'x');
  const auto with = [](const std::string& text) {
    return std::vector<Filter>{
        must({text, IsNull{}}),
        must({"k", MatchValue{text}}),
        must({"k", MatchAny{std::vector<std::string>{"a", text}}}),
        must({"k", MatchExcept{std::vector<std::string>{text}}}),
        must({"k", MatchText{TextMatchMode::kPhrase, text}}),
        must({"k", MatchPrefix{text}}),
        must({"k", MatchSubstring{text}}),
        Filter{.should = {{IsEmptyCondition{text}}}},
        Filter{.should = {{IsNullCondition{text}}}},
        Filter{.should = {{HasVectorCondition{text}}}},
        Filter{.should = {{NestedCondition{.key = text, .filter = {}}}}},
    };
  };
  for (const Filter& filter : with(longest)) {
    EXPECT_EQ(why_not(parse(written_filter(filter))), "");
  }
  for (const Filter& filter : with(longest + "x")) {
    for (const std::string& why :
         {why_not(check_filter(filter, "filter")), why_not(parse(written_filter(filter)))}) {
      EXPECT_THAT(why, HasSubstr("has 65537 bytes, the limit is 65536"));
    }
  }
  for (const Filter& filter : with("\xff")) {
    EXPECT_THAT(why_not(check_filter(filter, "filter")), HasSubstr("is no UTF-8 at byte 0"));
  }
}

TEST(FilterJson, ChecksFiltersMadeByHand) {
  constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
  constexpr double kFar = std::numeric_limits<double>::infinity();
  const struct {
    Filter filter;
    const char* message;
  } cases[] = {
      {must({"k", NumberRange{.lt = kNan}}), "filter.must[0].range.lt: nan is no finite number"},
      {must({"k", NumberRange{.gte = kFar}}), "filter.must[0].range.gte: inf is no finite"},
      {must({"k", DatetimeRange{}}), "filter.must[0].range: a range of datetimes has at least"},
      {must({"k", DatetimeRange{.lte = "soon"}}), "filter.must[0].range.lte: \"soon\" is no date"},
      {must({"k", GeoRadius{.center = {.lon = kNan}, .radius_m = 1}}),
       "filter.must[0].geo_radius.center.lon: nan is not within"},
      {must({"k", GeoRadius{.radius_m = kFar}}), "filter.must[0].geo_radius.radius: inf is no"},
      {must({"a b", IsNull{}}), "filter.must[0].key: path \"a b\""},
      {Filter{.should = {{NestedCondition{
                  .key = "a", .filter = {.must_not = {{SliceCondition{.total = 0}}}}}}}},
       "filter.should[0].nested.filter.must_not[0].slice.total: must be at least 1"},
      {Filter{.min_should = MinShould{.conditions = {}, .min_count = 0}},
       "filter.min_should.min_count: must be at least 1"},
      {Filter{.min_should = MinShould{.conditions = {{Filter{}}, {IsNullCondition{""}}}}},
       "filter.min_should.conditions[1].is_null.key: path \"\""},
  };
  for (const auto& c : cases) {
    const Status checked = check_filter(c.filter, "filter");
    ASSERT_FALSE(checked.ok()) << c.message;
    EXPECT_THAT(checked.error().message, StartsWith(c.message));
  }
}

TEST(FilterJson, SaysWhatTheFilterIsCalled) {
  const Result<JsonDocument> document = JsonDocument::parse(R"({"must":[{"key":"a"}]})");
  const JsonView json = document.value().root();
  EXPECT_THAT(why_not(parse_filter(json, "prefetch[1].filter")),
              HasSubstr("prefetch[1].filter.must[0]: the condition"));
  EXPECT_THAT(why_not(parse_filter(json, "")), HasSubstr(": must[0]: the condition"));
}

TEST(FilterJson, WhatIsWrittenReadsBack) {
  Rng rng(test_seed());
  testing_support::RandomFilters random(rng);
  std::size_t empty = 0;
  for (int round = 0; round < 20'000; ++round) {
    const Filter filter = random.filter();
    const std::string json = written_filter(filter);
    ASSERT_EQ(why_not(check_filter(filter, "filter")), "") << json;
    const Result<Filter> read = parse(json);
    ASSERT_EQ(why_not(read), "") << json;
    ASSERT_EQ(read.value(), filter) << json;
    ASSERT_EQ(written_filter(read.value()), json);
    empty += filter == Filter{} ? 1 : 0;
  }
  EXPECT_LT(empty, 10'000U);
}

// Every way to break a member of a valid filter is an error or another valid filter, never a crash.
TEST(FilterJson, BrokenJsonIsRefusedOrRead) {
  Rng rng(test_seed());
  testing_support::RandomFilters random(rng);
  std::size_t refused = 0;
  for (int round = 0; round < 20'000; ++round) {
    std::string json = written_filter(random.filter());
    const std::size_t at = rng.below(json.size());
    constexpr std::string_view kBytes = "{}[]\",:0-etn a";
    json[at] = kBytes[rng.below(kBytes.size())];
    const Result<JsonDocument> document = JsonDocument::parse(json);
    if (!document.ok()) continue;
    const Result<Filter> read = parse_filter(document.value().root(), "filter");
    if (read.ok()) {
      EXPECT_EQ(parse(written_filter(read.value())).value(), read.value()) << json;
    } else {
      EXPECT_THAT(read.error().message, StartsWith("filter")) << json;
      ++refused;
    }
  }
  EXPECT_GT(refused, 500U);
}

}  // namespace
}  // namespace quipu::query
