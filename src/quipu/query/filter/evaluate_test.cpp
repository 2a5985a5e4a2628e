#include "quipu/query/filter/evaluate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "quipu/base/limits.h"
#include "quipu/base/test_support.h"
#include "quipu/query/filter/filter_json.h"

namespace quipu::query {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pointee;

JsonDocument document_of(std::string_view json) {
  Result<JsonDocument> document = JsonDocument::parse(json);
  EXPECT_EQ(why_not(document), "") << json;
  return std::move(document).value();
}

CompiledFilter compiled(std::string_view json, const CompileOptions& options = {}) {
  const JsonDocument document = document_of(json);
  Result<Filter> filter = parse_filter(document.root(), "filter");
  EXPECT_EQ(why_not(filter), "") << json;
  Result<CompiledFilter> result = CompiledFilter::compile(std::move(filter).value(), options);
  EXPECT_EQ(why_not(result), "") << json;
  return std::move(result).value();
}

bool holds(std::string_view filter, std::string_view payload) {
  const JsonDocument document = document_of(payload);
  return compiled(filter).matches({.id = PointId::number(1), .payload = document.root()});
}

// A filter with one field condition.
bool field_holds(const std::string& condition, std::string_view payload) {
  return holds("{\"must\":[{" + condition + "}]}", payload);
}

// The ids, from 1, of the payloads that the filter holds for.
std::vector<std::uint64_t> matching(std::string_view filter,
                                    const std::vector<const char*>& payloads) {
  const CompiledFilter ready = compiled(filter);
  std::vector<std::uint64_t> ids;
  for (std::size_t i = 0; i < payloads.size(); ++i) {
    const JsonDocument document = document_of(payloads[i]);
    if (ready.matches({.id = PointId::number(i + 1), .payload = document.root()})) {
      ids.push_back(i + 1);
    }
  }
  return ids;
}

// ---------------------------------------------------------------- Qdrant's documentation

TEST(Evaluate, ClausesOfTheDocumentation) {
  const std::vector<const char*> points{
      R"({"city": "London", "color": "green"})", R"({"city": "London", "color": "red"})",
      R"({"city": "London", "color": "blue"})",  R"({"city": "Berlin", "color": "red"})",
      R"({"city": "Moscow", "color": "green"})", R"({"city": "Moscow", "color": "blue"})"};
  const std::string london = R"({"key": "city", "match": {"value": "London"}})";
  const std::string red = R"({"key": "color", "match": {"value": "red"}})";
  const std::string both = london + "," + red;
  EXPECT_THAT(matching("{\"must\":[" + both + "]}", points), ElementsAre(2));
  EXPECT_THAT(matching("{\"should\":[" + both + "]}", points), ElementsAre(1, 2, 3, 4));
  EXPECT_THAT(matching("{\"must_not\":[" + both + "]}", points), ElementsAre(5, 6));
  EXPECT_THAT(matching("{\"must\":[" + london + "],\"must_not\":[" + red + "]}", points),
              ElementsAre(1, 3));
  EXPECT_THAT(matching("{\"must\":" + london + ",\"must_not\":" + red + "}", points),
              ElementsAre(1, 3));
  EXPECT_THAT(matching("{\"must_not\":[{\"must\":[" + both + "]}]}", points),
              ElementsAre(1, 3, 4, 5, 6));
  for (const auto& [count, expected] : std::vector<std::pair<int, std::vector<std::uint64_t>>>{
           {1, {1, 2, 3, 4}}, {2, {2}}, {3, {}}}) {
    EXPECT_EQ(matching("{\"min_should\":{\"conditions\":[" + both +
                           "],\"min_count\":" + std::to_string(count) + "}}",
                       points),
              expected);
  }
  EXPECT_THAT(matching("{}", points), ElementsAre(1, 2, 3, 4, 5, 6));
  EXPECT_THAT(matching(R"({"should":[],"must":null,"must_not":[]})", points),
              ElementsAre(1, 2, 3, 4, 5, 6));
  EXPECT_THAT(matching(R"({"min_should":{"conditions":[],"min_count":1}})", points),
              testing::IsEmpty());
  EXPECT_THAT(matching(R"({"must":[{"has_id":[1,3,5,7]}]})", points), ElementsAre(1, 3, 5));
  EXPECT_THAT(matching(R"({"must":[{"has_id":[]}]})", points), testing::IsEmpty());
}

TEST(Evaluate, NestedOfTheDocumentation) {
  const std::vector<const char*> points{
      R"({"dinosaur": "t-rex", "diet": [{"food": "leaves", "likes": false},
                                        {"food": "meat", "likes": true}]})",
      R"({"dinosaur": "diplodocus", "diet": [{"food": "leaves", "likes": true},
                                             {"food": "meat", "likes": false}]})"};
  const std::string inner = R"({"key": "food", "match": {"value": "meat"}},
                               {"key": "likes", "match": {"value": true}})";
  EXPECT_THAT(matching(R"({"must": [{"key": "diet[].food", "match": {"value": "meat"}},
                                    {"key": "diet[].likes", "match": {"value": true}}]})",
                       points),
              ElementsAre(1, 2));
  const std::string plain = R"({"nested": {"key": "diet", "filter": {"must": [)" + inner + "]}}}";
  const std::string brackets =
      R"({"nested": {"key": "diet[]", "filter": {"must": [)" + inner + "]}}}";
  EXPECT_THAT(matching("{\"must\":[" + plain + "]}", points), ElementsAre(1));
  EXPECT_THAT(matching("{\"must\":[" + brackets + "]}", points), ElementsAre(1));
  EXPECT_THAT(matching("{\"must_not\":" + plain + "}", points), ElementsAre(2));
  // An id has no meaning inside an element; beside the nested condition it has.
  EXPECT_THAT(matching(R"({"must": [{"nested": {"key": "diet", "filter": {"must": [)" + inner +
                           R"(, {"has_id": [1]}]}}}]})",
                       points),
              testing::IsEmpty());
  EXPECT_THAT(matching("{\"must\":[" + plain + ", {\"has_id\":[1]}]}", points), ElementsAre(1));
}

TEST(Evaluate, NestedLooksAtObjectsInArraysOnly) {
  constexpr std::string_view kEmptyFilter = R"({"must":{"nested":{"key":"a","filter":{}}}})";
  EXPECT_TRUE(holds(kEmptyFilter, R"({"a":[{}]})"));
  EXPECT_FALSE(holds(kEmptyFilter, R"({"a":{}})"));
  EXPECT_FALSE(holds(kEmptyFilter, R"({"a":[]})"));
  EXPECT_FALSE(holds(kEmptyFilter, R"({"a":[1,"x",null,[{}]]})"));
  EXPECT_FALSE(holds(kEmptyFilter, R"({})"));
  // must_not inside holds by an element, not by the absence of elements.
  constexpr std::string_view kNot =
      R"({"must":{"nested":{"key":"a","filter":{"must_not":{"key":"b","match":{"value":1}}}}}})";
  EXPECT_TRUE(holds(kNot, R"({"a":[{"b":1},{"b":2}]})"));
  EXPECT_FALSE(holds(kNot, R"({"a":[{"b":1}]})"));
  EXPECT_FALSE(holds(kNot, R"({})"));
  constexpr std::string_view kTwice =
      R"({"must":{"nested":{"key":"a[].b","filter":{"must":{"nested":{"key":"c","filter":
         {"must":[{"key":"d","match":{"value":1}},{"key":"e","match":{"value":2}}]}}}}}}})";
  EXPECT_TRUE(holds(kTwice, R"({"a":[{"b":[{"c":[{"d":1,"e":2}]}]}]})"));
  EXPECT_FALSE(holds(kTwice, R"({"a":[{"b":[{"c":[{"d":1},{"e":2}]}]}]})"));
}

// ---------------------------------------------------------------- predicates, case by case

struct Case {
  const char* condition;  // beside the key "k"
  const char* value;      // of k
  bool expected;
};

void check_cases(const std::vector<Case>& cases) {
  for (const Case& c : cases) {
    const std::string condition = std::string(R"("key":"k",)") + c.condition;
    const std::string payload = std::string(R"({"before":0,"k":)") + c.value + "}";
    EXPECT_EQ(field_holds(condition, payload), c.expected) << c.condition << " on " << c.value;
  }
}

TEST(Evaluate, MatchValue) {
  check_cases({
      {R"("match":{"value":"red"})", R"("red")", true},
      {R"("match":{"value":"red"})", R"("Red")", false},
      {R"("match":{"value":"red"})", R"("redder")", false},
      {R"("match":{"value":"red"})", R"(["blue","red"])", true},
      {R"("match":{"value":"red"})", R"([["red"]])", false},  // one level only
      {R"("match":{"value":"red"})", R"({"k":"red"})", false},
      {R"("match":{"value":"red"})", "[]", false},
      {R"("match":{"value":""})", R"("")", true},
      {R"("match":{"value":""})", "null", false},
      {R"("match":{"value":1})", "1", true},
      {R"("match":{"value":1})", "1.0", false},
      {R"("match":{"value":1})", "1e0", false},
      {R"("match":{"value":1})", R"("1")", false},
      {R"("match":{"value":1})", "true", false},
      {R"("match":{"value":0})", "false", false},
      {R"("match":{"value":-9223372036854775808})", "[3,-9223372036854775808]", true},
      {R"("match":{"value":-1})", "18446744073709551615", false},
      {R"("match":{"value":true})", "true", true},
      {R"("match":{"value":true})", "1", false},
      {R"("match":{"value":false})", "[true,false]", true},
      {R"("match":{"value":false})", "null", false},
  });
  EXPECT_FALSE(field_holds(R"("key":"k","match":{"value":"red"})", "{}"));
}

TEST(Evaluate, MatchAnyAndExcept) {
  check_cases({
      {R"("match":{"any":["a","c"]})", R"("a")", true},
      {R"("match":{"any":["a","c"]})", R"("b")", false},
      {R"("match":{"any":["a","c"]})", R"(["b","c"])", true},
      {R"("match":{"any":["a","c"]})", "1", false},
      {R"("match":{"any":["a","c"]})", R"([["a"]])", false},
      {R"("match":{"any":[3,1,3]})", "3", true},
      {R"("match":{"any":[3,1,3]})", "3.0", false},
      {R"("match":{"any":[3,1,3]})", R"("3")", false},
      {R"("match":{"any":[3,1,3]})", "[2,1]", true},
      {R"("match":{"any":[1,0]})", "true", false},
      {R"("match":{"any":[]})", R"("a")", false},
      {R"("match":{"any":[]})", "1", false},
      {R"("match":{"except":["a","c"]})", R"("a")", false},
      {R"("match":{"except":["a","c"]})", R"("b")", true},
      {R"("match":{"except":["a","c"]})", R"(["a","b"])", true},
      {R"("match":{"except":["a","c"]})", R"(["a","c"])", false},
      {R"("match":{"except":["a","c"]})", "1", true},
      {R"("match":{"except":["a","c"]})", "false", true},
      {R"("match":{"except":["a","c"]})", "null", false},
      {R"("match":{"except":["a","c"]})", "[null]", false},
      {R"("match":{"except":["a","c"]})", "[]", false},
      {R"("match":{"except":["a","c"]})", R"([["a"]])", true},
      {R"("match":{"except":["a","c"]})", R"({"x":"a"})", true},
      {R"("match":{"except":[1,2]})", "1", false},
      {R"("match":{"except":[1,2]})", "1.0", true},
      {R"("match":{"except":[1,2]})", R"("1")", true},
      {R"("match":{"except":[1,2]})", "18446744073709551615", true},
      {R"("match":{"except":[1,2]})", "[2,1]", false},
      {R"("match":{"except":[]})", R"("a")", true},
      {R"("match":{"except":[]})", "null", false},
  });
  EXPECT_FALSE(field_holds(R"("key":"k","match":{"except":["a"]})", "{}"));
}

TEST(Evaluate, MatchOfTexts) {
  check_cases({
      {R"("match":{"text":"good cheap"})", R"("cheap and good")", true},
      {R"("match":{"text":"good cheap"})", R"(["good","cheap"])", false},  // each value by itself
      {R"("match":{"text":"GOOD"})", R"(["bad","good!"])", true},
      {R"("match":{"text":"good"})", R"("goodness")", false},
      {R"("match":{"text":"5"})", "5", false},
      {R"("match":{"text":""})", R"("")", false},
      {R"("match":{"text_any":"good cheap"})", R"("so cheap")", true},
      {R"("match":{"text_any":"good cheap"})", "null", false},
      {R"("match":{"phrase":"brown fox"})", R"("Quick brown fox")", true},
      {R"("match":{"phrase":"brown fox"})", R"("brown quick fox")", false},
      {R"("match":{"prefix":"br"})", R"("brown")", true},
      {R"("match":{"prefix":"br"})", R"("Brown")", false},
      {R"("match":{"prefix":"brown!"})", R"("brown")", false},
      {R"("match":{"prefix":""})", R"("")", true},
      {R"("match":{"prefix":""})", "[1,{}]", false},
      {R"("match":{"substring":"row"})", R"(["x","brown"])", true},
      {R"("match":{"substring":"worn"})", R"("brown")", false},
      {R"("match":{"substring":""})", "7", false},
  });
}

TEST(Evaluate, RangesOfNumbers) {
  check_cases({
      {R"("range":{"gte":100,"lte":450})", "100", true},
      {R"("range":{"gte":100,"lte":450})", "450.0", true},
      {R"("range":{"gte":100,"lte":450})", "99.99", false},
      {R"("range":{"gt":100,"lt":450})", "100", false},
      {R"("range":{"gt":100,"lt":450})", "450", false},
      {R"("range":{"gt":100,"lt":450})", "[1,101]", true},
      {R"("range":{"gt":100,"lt":450})", "[50,500]", false},  // one value within all bounds
      {R"("range":{"gt":100,"gte":200,"lte":450,"lt":300})", "200", true},
      {R"("range":{"gt":100,"gte":200,"lte":450,"lt":300})", "300", false},
      {R"("range":{"gt":100,"gte":200,"lte":450,"lt":300})", "150", false},
      {R"("range":{"gte":0})", R"("5")", false},
      {R"("range":{"gte":0})", "true", false},
      {R"("range":{"gte":0})", "null", false},
      {R"("range":{"gte":1e19})", "18446744073709551615", true},
      {R"("range":{})", "-3.5", true},
      {R"("range":{})", "true", false},
      {R"("range":{})", R"("2024-05-01")", false},
  });
  EXPECT_FALSE(field_holds(R"("key":"k","range":{})", "{}"));
}

TEST(Evaluate, RangesOfDatetimes) {
  check_cases({
      {R"("range":{"gt":"2023-02-08T10:49:00Z","lte":"2024-01-31 10:14:31Z"})", R"("2023-06-01")",
       true},
      {R"("range":{"gt":"2023-02-08T10:49:00Z","lte":"2024-01-31 10:14:31Z"})",
       R"("2023-02-08 10:49:00")", false},
      {R"("range":{"gt":"2023-02-08T10:49:00Z","lte":"2024-01-31 10:14:31Z"})",
       R"("2024-01-31T12:14:31+02:00")", true},
      {R"("range":{"gt":"2023-02-08T10:49:00Z","lte":"2024-01-31 10:14:31Z"})",
       R"("2024-01-31T12:14:31.000001+02:00")", false},
      {R"("range":{"gte":"2023-02-08","lt":"2023-02-09"})", R"("2023-02-08")", true},
      {R"("range":{"gte":"2023-02-08","lt":"2023-02-09"})", R"("2023-02-09T00:00:00Z")", false},
      {R"("range":{"gte":"2023-02-08"})", R"(["never","2023-02-08T00:00"])", true},
      {R"("range":{"gte":"2023-02-08"})", R"("tomorrow")", false},
      {R"("range":{"gte":"1970-01-01"})", "1700000000", false},
      {R"("range":{"gte":"1970-01-01"})", "null", false},
  });
}

TEST(Evaluate, GeoPredicates) {
  constexpr const char* kBerlin = R"({"lon":13.41,"lat":52.52})";
  constexpr const char* kBox = R"("geo_bounding_box":{"top_left":{"lon":13.4,"lat":52.6},)"
                               R"("bottom_right":{"lon":13.5,"lat":52.4}})";
  constexpr const char* kCircle =
      R"("geo_radius":{"center":{"lon":13.403683,"lat":52.520711},"radius":1000})";
  constexpr const char* kPolygon =
      R"("geo_polygon":{"exterior":{"points":[{"lon":13,"lat":52},{"lon":14,"lat":52},)"
      R"({"lon":14,"lat":53},{"lon":13,"lat":53},{"lon":13,"lat":52}]},"interiors":[{"points":[)"
      R"({"lon":13.6,"lat":52.5},{"lon":13.7,"lat":52.5},{"lon":13.65,"lat":52.6},)"
      R"({"lon":13.6,"lat":52.5}]}]})";
  for (const char* const condition : {kBox, kCircle, kPolygon}) {
    check_cases({
        {condition, kBerlin, true},
        {condition, R"([{"lon":0,"lat":0},{"lat":52.52,"lon":13.41,"name":"Berlin"}])", true},
        {condition, R"([{"lon":0,"lat":0}])", false},
        {condition, R"({"lon":"13.41","lat":52.52})", false},
        {condition, R"({"lon":13.41})", false},
        {condition, R"({"lat":52.52})", false},
        {condition, "[13.41,52.52]", false},
        {condition, R"("52.52,13.41")", false},
        {condition, "null", false},
        {condition, R"([[{"lon":13.41,"lat":52.52}]])", false},
    });
  }
  check_cases({
      {kCircle, R"({"lon":13.42,"lat":52.53})", false},
      {kPolygon, R"({"lon":13.65,"lat":52.55})", false},
      {kPolygon, R"({"lon":13,"lat":52})", false},
      {kPolygon, R"({"lon":13.65,"lat":52.7})", true},
      // Integers are numbers too; no place on earth is no place in a box.
      {R"("geo_bounding_box":{"top_left":{"lon":170,"lat":1},)"
       R"("bottom_right":{"lon":-170,"lat":-1}})",
       R"({"lon":175,"lat":0})", true},
      {R"("geo_radius":{"center":{"lon":0,"lat":90},"radius":1})", R"({"lon":50,"lat":90})", true},
  });
}

TEST(Evaluate, CountsEmptinessAndNulls) {
  check_cases({
      {R"("values_count":{"gt":1})", "[1,2]", true},
      {R"("values_count":{"gt":1})", "[1]", false},
      {R"("values_count":{"gte":1,"lte":1})", R"("text")", true},
      {R"("values_count":{"gte":1,"lte":1})", R"({"a":1,"b":2})", true},
      {R"("values_count":{"lt":1})", "null", true},
      {R"("values_count":{"lt":1})", "[]", true},
      {R"("values_count":{"lt":2})", "[null]", true},
      {R"("values_count":{"lt":1})", "[null]", false},
      {R"("values_count":{})", "[1,2,3]", true},
      {R"("is_empty":true)", "null", true},
      {R"("is_empty":true)", "[]", true},
      {R"("is_empty":true)", "[null]", false},
      {R"("is_empty":true)", "{}", false},
      {R"("is_empty":true)", R"("")", false},
      {R"("is_empty":false)", "0", true},
      {R"("is_empty":false)", "[]", false},
      {R"("is_null":true)", "null", true},
      {R"("is_null":true)", "[1,null]", true},
      {R"("is_null":true)", "[[null]]", false},
      {R"("is_null":true)", "[]", false},
      {R"("is_null":false)", "[]", true},
      {R"("is_null":false)", "[1,null]", false},
      {R"("is_null":false)", R"({"x":null})", true},
  });
  EXPECT_TRUE(field_holds(R"("key":"k","values_count":{"lt":1})", "{}"));
  EXPECT_FALSE(field_holds(R"("key":"k","values_count":{"gte":1})", "{}"));
  EXPECT_TRUE(field_holds(R"("key":"k","is_empty":true)", "{}"));
  EXPECT_FALSE(field_holds(R"("key":"k","is_empty":false)", "{}"));
  EXPECT_FALSE(field_holds(R"("key":"k","is_null":true)", "{}"));
  EXPECT_TRUE(field_holds(R"("key":"k","is_null":false)", "{}"));
  EXPECT_TRUE(field_holds(R"("is_empty":{"key":"k"})", R"({"k":[]})"));
  EXPECT_TRUE(field_holds(R"("is_null":{"key":"k"})", R"({"k":[1,null]})"));
  EXPECT_FALSE(field_holds(R"("is_null":{"key":"k"})", "{}"));
}

// Several values by "[]": emptiness is of all of them, the rest of any.
TEST(Evaluate, KeysThatReachSeveralValues) {
  constexpr std::string_view kPayload = R"({"a":[{"b":1},{"b":[]},{"b":[2,3]},{"c":0}]})";
  EXPECT_FALSE(field_holds(R"("key":"a[].b","is_empty":true)", kPayload));
  EXPECT_FALSE(field_holds(R"("is_empty":{"key":"a[].b"})", kPayload));
  EXPECT_TRUE(field_holds(R"("key":"a[].b","is_empty":false)", kPayload));
  EXPECT_TRUE(field_holds(R"("key":"a[].b","is_empty":true)", R"({"a":[{"b":null},{"b":[]}]})"));
  EXPECT_TRUE(field_holds(R"("key":"a[].d","is_empty":true)", kPayload));
  EXPECT_TRUE(field_holds(R"("key":"a[].b","is_null":true)", R"({"a":[{"b":1},{"b":null}]})"));
  EXPECT_FALSE(field_holds(R"("key":"a[].b","is_null":false)", R"({"a":[{"b":1},{"b":null}]})"));
  EXPECT_TRUE(field_holds(R"("key":"a[].b","values_count":{"gte":2})", kPayload));
  EXPECT_TRUE(field_holds(R"("key":"a[].b","values_count":{"lt":1})", kPayload));
  EXPECT_FALSE(field_holds(R"("key":"a[].b","values_count":{"gt":2})", kPayload));
  EXPECT_TRUE(field_holds(R"("key":"a[].b","match":{"value":3})", kPayload));
  EXPECT_FALSE(field_holds(R"("key":"a.b","match":{"value":1})", kPayload));
  EXPECT_TRUE(field_holds(R"("key":"a[2].b[1]","match":{"value":3})", kPayload));
  EXPECT_FALSE(field_holds(R"("key":"a[2].b[2]","match":{"value":3})", kPayload));
}

TEST(Evaluate, IdsVectorsAndSlices) {
  class Vectors : public VectorPresence {
   public:
    [[nodiscard]] bool has_vector(std::string_view name) const override { return name == "image"; }
  } const vectors;
  const JsonDocument payload = document_of(R"({"a":[{}]})");
  const Record bare{.id = PointId::uuid(1, 2), .payload = payload.root()};
  const Record full{.id = PointId::number(7), .payload = payload.root(), .vectors = &vectors};
  const CompiledFilter image = compiled(R"({"must":{"has_vector":"image"}})");
  EXPECT_TRUE(image.matches(full));
  EXPECT_FALSE(image.matches(bare));
  EXPECT_FALSE(compiled(R"({"must":{"has_vector":""}})").matches(full));
  const CompiledFilter ids =
      compiled(R"({"must":{"has_id":[9,"00000000-0000-0001-0000-000000000002",3,1]}})");
  EXPECT_TRUE(ids.matches(bare));
  EXPECT_FALSE(ids.matches(full));
  EXPECT_TRUE(compiled(R"({"must":{"slice":{"total":1,"index":0}}})").matches(full));
  EXPECT_TRUE(compiled(R"({"must":[{"slice":{"total":2,"index":0}}]})").matches(full) !=
              compiled(R"({"must":[{"slice":{"total":2,"index":1}}]})").matches(full));
  // Inside an element there is neither.
  for (const char* const inner :
       {R"({"has_vector":"image"})", R"({"has_id":[7]})", R"({"slice":{"total":1,"index":0}})"}) {
    const std::string nested = std::string(R"({"nested":{"key":"a","filter":{"must":)") + inner;
    EXPECT_FALSE(compiled("{\"must\":" + nested + "}}}}").matches(full)) << inner;
    EXPECT_TRUE(compiled("{\"must_not\":" + nested + "}}}}").matches(full)) << inner;
  }
}

TEST(Evaluate, PayloadsThatAreNoObjectHaveNoFields) {
  for (const char* const payload : {"null", "[]", "[{\"k\":1}]", "5", "\"k\""}) {
    EXPECT_FALSE(field_holds(R"("key":"k","match":{"value":1})", payload));
    EXPECT_TRUE(field_holds(R"("key":"k","is_empty":true)", payload));
  }
  EXPECT_TRUE(compiled(R"({"must":{"is_empty":{"key":"k"}}})").matches(Record{}));
}

// ---------------------------------------------------------------- compiling

TEST(CompiledFilter, TakesTextMatchersByKey) {
  std::vector<std::string> asked;
  CompileOptions options;
  options.text_matcher = [&asked](std::string_view key) -> const TextMatcher* {
    asked.emplace_back(key);
    return key == "items[].title" || key == "body" ? &substring_matcher() : nullptr;
  };
  const JsonDocument payload =
      document_of(R"({"body":"goodness","head":"goodness","items":[{"title":"goodness"}]})");
  const Record record{.payload = payload.root()};
  const std::string text = R"(,"match":{"text":"good"}})";
  EXPECT_TRUE(
      compiled("{\"must\":{\"key\":\"\\\"body\\\"\"" + text + "}", options).matches(record));
  EXPECT_FALSE(compiled("{\"must\":{\"key\":\"head\"" + text + "}", options).matches(record));
  EXPECT_TRUE(compiled(R"({"must":{"nested":{"key":"items","filter":{"must":{"key":"title")" +
                           text + "}}}}",
                       options)
                  .matches(record));
  EXPECT_THAT(asked, ElementsAre("body", "head", "items[].title"));
  options.text_matcher = nullptr;
  options.unindexed_text = &substring_matcher();
  EXPECT_TRUE(compiled("{\"must\":{\"key\":\"head\"" + text + "}", options).matches(record));
}

TEST(CompiledFilter, RefusesWhatCannotBeEvaluated) {
  const Result<CompiledFilter> bad =
      CompiledFilter::compile({.must = {{IsNullCondition{"a..b"}}}}, {.field = "search.filter"});
  EXPECT_THAT(why_not(bad), HasSubstr("search.filter.must[0].is_null.key: path \"a..b\""));
  std::string words;
  for (std::size_t i = 0; i <= limits::kFilterTextWordsMax; ++i) words += "w ";
  const Filter wordy{.should = {{FieldCondition{"k", MatchText{TextMatchMode::kPhrase, words}}}}};
  const Result<CompiledFilter> refused = CompiledFilter::compile(wordy);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(refused.error().stable_reason(), "filter_too_large");
  EXPECT_EQ(refused.error().message, "filter.should[0].match.phrase: has more than 1024 words");
}

TEST(CompiledFilter, TellsPlannersWhatItNeeds) {
  const CompiledFilter filter = compiled(R"({
      "must": [{"key": "\"b\"", "match": {"value": 1}}, {"is_empty": {"key": "e"}},
               {"must": [{"key": "a", "range": {"gt": 2}}, {"has_id": [1]}],
                "must_not": {"key": "n", "match": {"value": 1}}},
               {"nested": {"key": "items", "filter": {"must": {"key": "x.y", "is_null": true}}}}],
      "should": [{"should": {"key": "c", "match": {"value": 1}}}],
      "must_not": [{"key": "b", "match": {"value": 2}}, {"has_id": [3]}],
      "min_should": {"conditions": [{"key": "d", "match": {"value": 1}}], "min_count": 1}})");
  EXPECT_THAT(filter.keys(), ElementsAre("a", "b", "c", "d", "e", "items[].x.y", "n"));
  ASSERT_EQ(filter.required_fields().size(), 3U);
  EXPECT_EQ(filter.required_fields()[0].key, "b");
  EXPECT_EQ(*filter.required_fields()[0].predicate, FieldPredicate(MatchValue{std::int64_t{1}}));
  EXPECT_EQ(filter.required_fields()[1].key, "a");
  EXPECT_EQ(*filter.required_fields()[1].predicate, FieldPredicate(NumberRange{.gt = 2}));
  EXPECT_EQ(filter.required_fields()[2].key, "c");
  EXPECT_THAT(filter.required_ids(), ElementsAre(Pointee(HasIdCondition{{PointId::number(1)}})));
  EXPECT_FALSE(filter.empty());
  EXPECT_TRUE(compiled("{}").empty());
  EXPECT_THAT(compiled("{}").keys(), testing::IsEmpty());
  EXPECT_THAT(compiled(R"({"should":[{"key":"a","is_null":true},{}]})").required_fields(),
              testing::IsEmpty());
}

TEST(CompiledFilter, CopiesShareAndOutliveTheFirst) {
  std::unique_ptr<CompiledFilter> first =
      std::make_unique<CompiledFilter>(compiled(R"({"must":{"key":"k","match":{"value":"x"}}})"));
  const CompiledFilter copy = *first;
  EXPECT_EQ(&first->filter(), &copy.filter());
  first.reset();
  const JsonDocument payload = document_of(R"({"k":"x"})");
  EXPECT_TRUE(copy.matches({.payload = payload.root()}));
}

}  // namespace
}  // namespace quipu::query
