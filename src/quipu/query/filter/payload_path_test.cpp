#include "quipu/query/filter/payload_path.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "quipu/base/limits.h"
#include "quipu/base/test_support.h"

namespace quipu::query {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// What `path` reaches in `payload`, as JSON texts.
std::vector<std::string> reached(std::string_view path, std::string_view payload) {
  const Result<PayloadPath> parsed = PayloadPath::parse(path);
  EXPECT_EQ(why_not(parsed), "") << path;
  const Result<JsonDocument> document = JsonDocument::parse(payload);
  EXPECT_EQ(why_not(document), "") << payload;
  std::vector<std::string> values;
  const bool ended = parsed.value().visit(document.value().root(), [&](JsonView value) {
    values.push_back(value.to_string());
    return true;
  });
  EXPECT_TRUE(ended);
  return values;
}

TEST(PayloadPath, ReachesWhatQdrantReaches) {
  constexpr std::string_view kCountry =
      R"({"country": {"name": "Germany", "cities": [
            {"name": "Berlin", "population": 3.7, "sightseeing": ["Gate", "Reichstag"]},
            {"name": "Munich", "population": 1.5, "sightseeing": ["Marienplatz"]}]},
          "dotted.name": {"x": 1}, "": 7, "n": null, "deep": [[1, 2], [3], 4], "größe": 5})";
  EXPECT_THAT(reached("country.name", kCountry), ElementsAre("\"Germany\""));
  EXPECT_THAT(reached("country.cities[].population", kCountry), ElementsAre("3.7", "1.5"));
  EXPECT_THAT(reached("country.cities[0].population", kCountry), ElementsAre("3.7"));
  EXPECT_THAT(reached("country.cities[1].sightseeing[0]", kCountry),
              ElementsAre("\"Marienplatz\""));
  EXPECT_THAT(reached("country.cities[].sightseeing[]", kCountry),
              ElementsAre("\"Gate\"", "\"Reichstag\"", "\"Marienplatz\""));
  EXPECT_THAT(reached("country.cities[].sightseeing", kCountry),
              ElementsAre("[\"Gate\",\"Reichstag\"]", "[\"Marienplatz\"]"));
  EXPECT_THAT(reached("\"dotted.name\".x", kCountry), ElementsAre("1"));
  EXPECT_THAT(reached("\"dotted.name\".\"x\"", kCountry), ElementsAre("1"));
  EXPECT_THAT(reached("\"\"", kCountry), ElementsAre("7"));
  EXPECT_THAT(reached("n", kCountry), ElementsAre("null"));
  EXPECT_THAT(reached("größe", kCountry), ElementsAre("5"));
  EXPECT_THAT(reached("deep[]", kCountry), ElementsAre("[1,2]", "[3]", "4"));
  EXPECT_THAT(reached("deep[][]", kCountry), ElementsAre("1", "2", "3"));
  EXPECT_THAT(reached("deep[0][1]", kCountry), ElementsAre("2"));
}

TEST(PayloadPath, ReachesNothingWhereAStepDoesNotFit) {
  constexpr std::string_view kPayload = R"({"a": [{"b": 1}], "o": {"b": 2}, "s": "text", "e": []})";
  for (const char* const path : {"missing", "a.b", "a[1]", "a[1].b", "a[18446744073709551615]",
                                 "o[]", "o[0]", "s.b", "s[]", "e[]", "e[0]", "o.b.c"}) {
    EXPECT_THAT(reached(path, kPayload), testing::IsEmpty()) << path;
  }
  EXPECT_THAT(reached("a", "[1]"), testing::IsEmpty());
  EXPECT_THAT(reached("a", "3"), testing::IsEmpty());
}

TEST(PayloadPath, StopsWhenToldTo) {
  const Result<JsonDocument> document = JsonDocument::parse(R"({"a": [[1, 2], [3, 4]]})");
  const Result<PayloadPath> path = PayloadPath::parse("a[][]");
  ASSERT_TRUE(document.ok() && path.ok());
  for (int wanted = 1; wanted <= 4; ++wanted) {
    int seen = 0;
    const bool ended =
        path.value().visit(document.value().root(), [&](JsonView) { return ++seen < wanted; });
    EXPECT_FALSE(ended);
    EXPECT_EQ(seen, wanted);
  }
}

TEST(PayloadPath, RefusesWhatIsNoPath) {
  const struct {
    const char* path;
    const char* why;
  } cases[] = {
      {"", "at byte 0: expected a name"},
      {".a", "at byte 0: expected a name"},
      {"a.", "at byte 2: expected a name"},
      {"a..b", "at byte 2: expected a name"},
      {"a.[0]", "at byte 2: expected a name"},
      {"[0]", "at byte 0: expected a name"},
      {"a b", "at byte 1: expected '.'"},
      {"a\"b\"", "at byte 1: expected '.'"},
      {"a$", "at byte 1: expected '.'"},
      {"\"a", "at byte 0: the quotes are not closed"},
      {"\"a\\\"", "at byte 2: a name cannot hold a backslash"},
      {"a[", "the bracket is not closed"},
      {"a[x]", "expected [] or an index"},
      {"a[-1]", "expected [] or an index"},
      {"a[ 1]", "expected [] or an index"},
      {"a[1.0]", "expected [] or an index"},
      {"a[18446744073709551616]", "expected [] or an index"},
      {"a[]b", "at byte 3: expected '.'"},
      {"a]", "at byte 1: expected '.'"},
  };
  for (const auto& c : cases) {
    const Result<PayloadPath> path = PayloadPath::parse(c.path);
    ASSERT_FALSE(path.ok()) << c.path;
    EXPECT_EQ(path.error().stable_reason(), "invalid_path");
    EXPECT_THAT(path.error().message, HasSubstr(c.why)) << c.path;
  }
}

TEST(PayloadPath, IsBounded) {
  std::string steps = "a";
  for (std::size_t i = 1; i < limits::kJsonDepthMax; ++i) steps += "[]";
  EXPECT_EQ(why_not(PayloadPath::parse(steps)), "");
  EXPECT_THAT(why_not(PayloadPath::parse(steps + "[]")), HasSubstr("more than 64 steps"));
  const std::string longest(limits::kFilterStringBytesMax, 'a');
  EXPECT_EQ(why_not(PayloadPath::parse(longest)), "");
  EXPECT_THAT(why_not(PayloadPath::parse(longest + "a")), HasSubstr("the limit is 65536"));
}

TEST(PayloadPath, HasOneSpelling) {
  const struct {
    const char* path;
    const char* canonical;
  } cases[] = {
      {"a", "a"},
      {"\"a\"", "a"},
      {"a.\"b-c_9\"[][007].\"d e\"", "a.b-c_9[][7].\"d e\""},
      {"\"\".\"x.y\"", "\"\".\"x.y\""},
      {"\"a[]\"", "\"a[]\""},
  };
  for (const auto& c : cases) {
    const Result<PayloadPath> path = PayloadPath::parse(c.path);
    ASSERT_EQ(why_not(path), "");
    EXPECT_EQ(path.value().to_string(), c.canonical);
    const Result<PayloadPath> again = PayloadPath::parse(c.canonical);
    ASSERT_EQ(why_not(again), "");
    EXPECT_EQ(again.value(), path.value());
  }
}

TEST(PayloadPath, JoinsForNestedFilters) {
  const PayloadPath outer = PayloadPath::parse("a.b").value();
  const PayloadPath inner = PayloadPath::parse("c[0].d").value();
  EXPECT_EQ(outer.of_elements().to_string(), "a.b[]");
  EXPECT_EQ(outer.of_elements().of_elements().to_string(), "a.b[]");
  EXPECT_EQ(outer.of_elements().joined(inner).to_string(), "a.b[].c[0].d");
}

}  // namespace
}  // namespace quipu::query
