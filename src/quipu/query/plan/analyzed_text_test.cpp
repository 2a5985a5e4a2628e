#include "quipu/query/plan/analyzed_text.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "quipu/base/json.h"
#include "quipu/base/limits.h"
#include "quipu/base/test_support.h"
#include "quipu/query/plan/field_values.h"

namespace quipu::query {
namespace {

std::unique_ptr<text::Analyzer> analyzer(const text::AnalyzerConfig& config) {
  auto made = text::Analyzer::create(config);
  EXPECT_EQ(why_not(made), "");
  return std::move(made).value();
}

bool matches_analyzed(const text::Analyzer& with, TextMatchMode mode, std::string_view query,
                      std::string_view text) {
  const AnalyzedTextMatcher matcher(with);
  const auto prepared = matcher.prepare(mode, query);
  EXPECT_EQ(why_not(prepared), "");
  return prepared.value()->matches(text);
}

TEST(AnalyzedText, MatchesTheAnalyzersTerms) {
  text::AnalyzerConfig config;
  config.stemmer = "english";
  config.stop_words = {"the", "of"};
  const auto english = analyzer(config);
  const std::string text = "The quick foxes of the forest were running; foxes run";
  EXPECT_TRUE(matches_analyzed(*english, TextMatchMode::kAll, "forest FOX", text));
  EXPECT_FALSE(matches_analyzed(*english, TextMatchMode::kAll, "forest wolf", text));
  EXPECT_TRUE(matches_analyzed(*english, TextMatchMode::kAny, "forest wolf", text));
  EXPECT_FALSE(matches_analyzed(*english, TextMatchMode::kAny, "wolf bear", text));
  EXPECT_TRUE(matches_analyzed(*english, TextMatchMode::kPhrase, "foxes run", text));
  EXPECT_FALSE(matches_analyzed(*english, TextMatchMode::kPhrase, "run foxes quick", text));
  // A stop word leaves its place open, in the text and in the query.
  EXPECT_TRUE(matches_analyzed(*english, TextMatchMode::kPhrase, "foxes of the forest", text));
  EXPECT_FALSE(matches_analyzed(*english, TextMatchMode::kPhrase, "foxes forest", text));
  EXPECT_TRUE(matches_analyzed(*english, TextMatchMode::kPhrase, "the quick foxes", text));
  // Nothing but stop words is no query.
  for (const TextMatchMode mode :
       {TextMatchMode::kAll, TextMatchMode::kAny, TextMatchMode::kPhrase}) {
    EXPECT_FALSE(matches_analyzed(*english, mode, "the of", text));
    EXPECT_FALSE(matches_analyzed(*english, mode, "", text));
  }
}

TEST(AnalyzedText, PhrasesMayRepeatWords) {
  const auto plain = analyzer({});
  EXPECT_TRUE(matches_analyzed(*plain, TextMatchMode::kPhrase, "a b a c", "x a b a b a c"));
  EXPECT_FALSE(matches_analyzed(*plain, TextMatchMode::kPhrase, "a b a c", "x a b a b c a"));
  EXPECT_TRUE(matches_analyzed(*plain, TextMatchMode::kAll, "a a a", "a"));
  EXPECT_FALSE(matches_analyzed(*plain, TextMatchMode::kAll, "a b", "a a"));
}

TEST(AnalyzedText, PrefixesAreIndexedAndWholeWordsAsked) {
  text::AnalyzerConfig config;
  config.tokenizer = text::WordTokenizer::kPrefix;
  config.min_token_len = 2;
  config.max_token_len = 6;
  const auto prefixes = analyzer(config);
  EXPECT_TRUE(matches_analyzed(*prefixes, TextMatchMode::kAll, "mem", "a memory"));
  EXPECT_FALSE(matches_analyzed(*prefixes, TextMatchMode::kAll, "mey", "a memory"));
  EXPECT_TRUE(matches_analyzed(*prefixes, TextMatchMode::kPhrase, "lon mem", "a long memory"));
  EXPECT_FALSE(matches_analyzed(*prefixes, TextMatchMode::kPhrase, "mem lon", "a long memory"));
}

TEST(AnalyzedText, BoundsAQuerysWords) {
  const auto plain = analyzer({});
  std::string query;
  for (std::size_t i = 0; i < limits::kFilterTextWordsMax; ++i) query += std::to_string(i) + " ";
  EXPECT_EQ(why_not(query_terms(*plain, TextMatchMode::kAll, query)), "");
  const auto refused = query_terms(*plain, TextMatchMode::kAll, query + "more");
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().reason, "filter_too_large");
  EXPECT_NE(refused.error().message.find("1024"), std::string::npos);
  EXPECT_FALSE(AnalyzedTextMatcher(*plain).prepare(TextMatchMode::kAny, query + "more").ok());
}

const index::PayloadValues* read(FieldReader& reader, const JsonDocument& document) {
  return reader.read(document.root());
}
JsonDocument parsed(std::string_view json) {
  auto document = JsonDocument::parse(json);
  EXPECT_EQ(why_not(document), "");
  return std::move(document).value();
}
FieldReader reader(std::string_view key, index::PayloadKind kind,
                   const text::Analyzer* with = nullptr) {
  auto path = PayloadPath::parse(key);
  EXPECT_EQ(why_not(path), "");
  return {std::move(path).value(), kind, with};
}

TEST(FieldReader, TakesWhatTheKindHolds) {
  const JsonDocument document =
      parsed(R"({"a":["x",1,2.5,true,null,{"lon":1,"lat":2},{"lon":1},["y"],18446744073709551615,)"
             R"("2024-05-01","00000000-0000-0001-0000-000000000002"]})");
  using index::PayloadKind;
  FieldReader keywords = reader("a", PayloadKind::kKeyword);
  const index::PayloadValues* values = read(keywords, document);
  ASSERT_NE(values, nullptr);
  EXPECT_EQ(values->counts, (std::vector<std::uint32_t>{11}));
  EXPECT_EQ(values->strings.size(), 3U);
  EXPECT_TRUE(values->any_null);
  EXPECT_TRUE(values->others);
  EXPECT_FALSE(values->unheld);
  FieldReader numbers = reader("a", PayloadKind::kInteger);
  values = read(numbers, document);
  EXPECT_EQ(values->integers, (std::vector<std::int64_t>{1}));
  EXPECT_EQ(values->floats, (std::vector<double>{2.5, 18446744073709551615.0}));
  FieldReader times = reader("a", PayloadKind::kDatetime);
  EXPECT_EQ(read(times, document)->integers, (std::vector<std::int64_t>{1'714'521'600'000'000}));
  FieldReader places = reader("a", PayloadKind::kGeo);
  EXPECT_EQ(read(places, document)->points, (std::vector<GeoPoint>{{.lon = 1, .lat = 2}}));
  FieldReader flags = reader("a", PayloadKind::kBool);
  EXPECT_TRUE(read(flags, document)->any_true);
  EXPECT_FALSE(read(flags, document)->any_false);
}

TEST(FieldReader, CountsEachValueThatIsReached) {
  const JsonDocument document =
      parsed(R"({"a":[{"b":[1,2]},{"b":null},{},{"b":[]},{"b":"x"}],"n":null,"e":[]})");
  FieldReader inner = reader("a[].b", index::PayloadKind::kInteger);
  const index::PayloadValues* values = read(inner, document);
  ASSERT_NE(values, nullptr);
  EXPECT_EQ(values->counts, (std::vector<std::uint32_t>{2, 0, 0, 1}));
  EXPECT_EQ(values->integers, (std::vector<std::int64_t>{1, 2}));
  EXPECT_TRUE(values->any_null);
  EXPECT_TRUE(values->others);
  FieldReader null = reader("n", index::PayloadKind::kInteger);
  EXPECT_EQ(read(null, document)->counts, (std::vector<std::uint32_t>{0}));
  FieldReader empty = reader("e", index::PayloadKind::kInteger);
  EXPECT_FALSE(read(empty, document)->any_null);
  FieldReader missing = reader("a.b", index::PayloadKind::kInteger);
  EXPECT_EQ(read(missing, document), nullptr);
}

TEST(FieldReader, KeepsStringsApart) {
  const auto plain = analyzer({});
  FieldReader texts = reader("a", index::PayloadKind::kText, plain.get());
  const JsonDocument two = parsed(R"({"a":["red fox","blue",7]})");
  const index::PayloadValues* values = read(texts, two);
  ASSERT_EQ(values->texts.size(), 2U);
  ASSERT_EQ(values->texts[0].size(), 2U);
  EXPECT_EQ(values->texts[0][1].term, "fox");
  EXPECT_EQ(values->texts[0][1].position, 1U);
  EXPECT_EQ(values->texts[1][0].term, "blue");
  EXPECT_TRUE(values->others);
  // What was read before leaves nothing behind.
  const JsonDocument one = parsed(R"({"a":"green"})");
  values = read(texts, one);
  ASSERT_EQ(values->texts.size(), 1U);
  EXPECT_EQ(values->texts[0][0].term, "green");
  EXPECT_FALSE(values->others);
}

}  // namespace
}  // namespace quipu::query
