// Goal: configurations are read strictly, from our own form and Qdrant's, and written back the
// same.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "quipu/base/test_support.h"
#include "quipu/text/analysis/analyzer.h"

namespace quipu::text {
namespace {

Result<AnalyzerConfig> parse(std::string_view json,
                             std::initializer_list<std::string_view> others = {}) {
  QUIPU_TRY(const JsonDocument document, JsonDocument::parse(json));
  return parse_analyzer(document.root(), "analyzer", others);
}
AnalyzerConfig parsed(std::string_view json) {
  const Result<AnalyzerConfig> config = parse(json);
  EXPECT_EQ(why_not(config), "") << json;
  return config.ok() ? config.value() : AnalyzerConfig();
}
std::string written(const AnalyzerConfig& config) {
  std::string out;
  JsonWriter writer(out);
  write_analyzer(writer, config);
  return out;
}

TEST(AnalyzerConfig, NothingGivenIsTheDefault) {
  EXPECT_EQ(parsed("{}"), AnalyzerConfig());
  EXPECT_EQ(parsed(R"({"tokenizer": null, "lowercase": null, "stopwords": null, "stemmer": null,
                       "min_token_len": null, "language": "none"})"),
            AnalyzerConfig());
  EXPECT_EQ(parsed(R"({"stemmer": "", "stopwords": {}, "min_token_len": 0})"), AnalyzerConfig());
  EXPECT_EQ(written({}),
            R"({"tokenizer":"word","lowercase":true,"ascii_folding":false,"min_token_len":1,)"
            R"("max_token_len":64})");
}

TEST(AnalyzerConfig, ReadsTheParametersOfQdrantsTextIndex) {
  const Result<AnalyzerConfig> config = parse(
      R"({"type": "text", "tokenizer": "prefix", "min_token_len": 2, "max_token_len": 20,
          "lowercase": false, "ascii_folding": true, "phrase_matching": true, "on_disk": true,
          "stopwords": {"languages": ["spanish", "en", "english"], "custom": ["foo", "bar", "foo"]},
          "stemmer": {"type": "snowball", "language": "de"}})",
      {"type", "phrase_matching", "on_disk"});
  ASSERT_EQ(why_not(config), "");
  const AnalyzerConfig expected{.tokenizer = WordTokenizer::kPrefix,
                                .lowercase = false,
                                .ascii_folding = true,
                                .stemmer = "german",
                                .stop_word_languages = {"english", "spanish"},
                                .stop_words = {"bar", "foo"},
                                .min_token_len = 2,
                                .max_token_len = 20};
  EXPECT_EQ(config.value(), expected);
  EXPECT_EQ(parsed(R"({"stopwords": "english"})").stop_word_languages,
            std::vector<std::string>{"english"});
  EXPECT_EQ(parsed(R"({"stemmer": "english"})"),
            parsed(R"({"stemmer": {"type": "snowball", "language": "english"}})"));
}

TEST(AnalyzerConfig, ALanguageStandsForItsStemmerAndStopWords) {
  const Result<AnalyzerConfig> english = analyzer_for_language("english");
  ASSERT_EQ(why_not(english), "");
  EXPECT_EQ(english.value().stemmer, "english");
  EXPECT_EQ(english.value().stop_word_languages, std::vector<std::string>{"english"});
  EXPECT_EQ(parsed(R"({"language": "en"})"), english.value());
  EXPECT_EQ(parsed(R"({"language": "en", "stemmer": {"type": "none"}})").stemmer, "");
  EXPECT_EQ(parsed(R"({"language": "en", "stopwords": {}})").stop_word_languages.size(), 0U);
  EXPECT_EQ(parsed(R"({"language": "en", "stopwords": {"custom": ["x"]}})"),
            (AnalyzerConfig{.stemmer = "english", .stop_words = {"x"}}));
  EXPECT_EQ(parsed(R"({"language": "turkish"})"), (AnalyzerConfig{.stemmer = "turkish"}));
  for (const std::string_view name : stemmer_languages()) {
    EXPECT_EQ(why_not(Analyzer::create(AnalyzerConfig{.stemmer = std::string(name)})), "");
  }
  for (const std::string_view name : stop_word_languages()) {
    EXPECT_EQ(why_not(analyzer_for_language(name)), "");
  }
  for (const char* const name :
       {"danish", "dutch", "english", "finnish", "french", "german", "hungarian", "indonesian",
        "italian", "norwegian", "portuguese", "romanian", "russian", "spanish", "swedish"}) {
    const Result<AnalyzerConfig> config = analyzer_for_language(name);
    ASSERT_EQ(why_not(config), "");
    EXPECT_EQ(config.value().stemmer, name);
    EXPECT_EQ(config.value().stop_word_languages, std::vector<std::string>{name});
  }
}

TEST(AnalyzerConfig, RoundTripsThroughJson) {
  Rng rng(test_seed());
  constexpr WordTokenizer kTokenizers[] = {WordTokenizer::kWord, WordTokenizer::kWhitespace,
                                           WordTokenizer::kPrefix, WordTokenizer::kMultilingual};
  const std::vector<std::string_view> stemmers = stemmer_languages();
  const std::vector<std::string_view> lists = stop_word_languages();
  for (int round = 0; round < 2'000; ++round) {
    AnalyzerConfig config{.tokenizer = kTokenizers[rng.below(4)],
                          .lowercase = rng.below(2) == 0,
                          .ascii_folding = rng.below(2) == 0,
                          .min_token_len = static_cast<std::uint32_t>(rng.below(5))};
    config.max_token_len = std::max<std::uint32_t>(
        1, config.min_token_len + static_cast<std::uint32_t>(rng.below(200)));
    if (rng.below(2) == 0) config.stemmer = stemmers[rng.below(stemmers.size())];
    for (std::uint64_t n = rng.below(3); n > 0; --n) {
      config.stop_word_languages.emplace_back(lists[rng.below(lists.size())]);
      config.stop_words.push_back("w\"\\ü" + std::to_string(rng.below(3)));
    }
    const std::string json = written(config);
    const AnalyzerConfig again = parsed(json);
    ASSERT_EQ(written(again), json);
    const auto analyzer = Analyzer::create(config);
    ASSERT_EQ(why_not(analyzer), "") << json;
    ASSERT_EQ(analyzer.value()->config(), again) << json;
  }
}

TEST(AnalyzerConfig, SaysWhatIsWrong) {
  const auto why = [](std::string_view json) { return why_not(parse(json)); };
  const std::string start = "invalid_argument: ";
  EXPECT_EQ(why("[]"), start + "'analyzer' must be an object, and is array");
  EXPECT_EQ(why(R"({"tokenizer": "code"})"),
            start +
                "'analyzer.tokenizer' is \"code\"; it must be word, whitespace, prefix or "
                "multilingual");
  EXPECT_EQ(why(R"({"tokenizer": 3})"),
            start + "'analyzer.tokenizer' must be a string, and is integer");
  EXPECT_EQ(why(R"({"lower": true})"),
            start +
                "'analyzer' has an unknown member \"lower\"; there are: tokenizer, lowercase, "
                "ascii_folding, stemmer, stopwords, language, min_token_len, max_token_len");
  EXPECT_EQ(why(R"({"lowercase": "yes"})"),
            start + "'analyzer.lowercase' must be true or false, and is string");
  EXPECT_EQ(why(R"({"min_token_len": -1})"),
            start + "'analyzer.min_token_len' is -1; it must be a whole number from 0 to 1024");
  EXPECT_EQ(
      why(R"({"min_token_len": 65})"),
      start + "'analyzer.min_token_len' is 65; it must be at most max_token_len, which is 64");
  EXPECT_EQ(why(R"({"max_token_len": 0})"),
            start + "'analyzer.max_token_len' is 0; it must be from 1 to 1024");
  EXPECT_EQ(why(R"({"max_token_len": 257, "tokenizer": "prefix"})"),
            start +
                "'analyzer.max_token_len' is 257; it must be from 1 to 256 for the tokenizer "
                "\"prefix\"");
  EXPECT_EQ(why(R"({"stemmer": {"type": "porter"}})"),
            start + "'analyzer.stemmer.type' is \"porter\"; it must be snowball or none");
  EXPECT_EQ(why(R"({"stemmer": 1})"),
            start + "'analyzer.stemmer' must be a language or an object, and is integer");
  EXPECT_EQ(why(R"({"stemmer": {"type": "none", "language": "english"}})"),
            start + "'analyzer.stemmer' has an unknown member \"language\"; there are: type");
  EXPECT_EQ(why(R"({"stopwords": ["a"]})"),
            start + "'analyzer.stopwords' must be a language or an object, and is array");
  EXPECT_EQ(why(R"({"stopwords": {"custom": ["a", 1]}})"),
            start + "'analyzer.stopwords.custom[1]' must be a string, and is integer");
  EXPECT_EQ(why(R"({"stopwords": {"languages": "english"}})"),
            start + "'analyzer.stopwords.languages' must be an array of strings, and is string");
  EXPECT_EQ(why(R"({"stopwords": "hebrew"})"),
            start +
                "'analyzer.stopwords' is \"hebrew\"; there are: danish, dutch, english, "
                "finnish, french, german, hungarian, indonesian, italian, norwegian, "
                "portuguese, romanian, russian, spanish, swedish");
  EXPECT_NE(why(R"({"stemmer": {"type": "snowball"}})")
                .find("'analyzer.stemmer.language' is "
                      "missing; there are: arabic, "),
            std::string::npos);
  EXPECT_NE(why(R"({"language": "elvish"})").find("'analyzer.language' is \"elvish\"; there are: "),
            std::string::npos);
  EXPECT_EQ(parse(R"({"language": 7})").error().reason, "invalid_analyzer");
  EXPECT_EQ(why_not(analyzer_for_language("")).find(start + "'language' is \"\""), 0U);
}

TEST(AnalyzerConfig, BoundsTheStopWords) {
  AnalyzerConfig config;
  config.stop_words.assign(kStopWordsMax, "x");
  EXPECT_EQ(why_not(Analyzer::create(config)), "");
  config.stop_words.emplace_back("x");
  EXPECT_EQ(why_not(Analyzer::create(config)),
            "invalid_argument: 'analyzer.stopwords.custom' has 10001 words; the limit is 10000");
  config.stop_words = {std::string(kStopWordBytesMax, 'x')};
  EXPECT_EQ(why_not(Analyzer::create(config)), "");
  config.stop_words = {std::string(kStopWordBytesMax + 1, 'x')};
  EXPECT_NE(why_not(Analyzer::create(config)).find("a word of 256 bytes"), std::string::npos);
}

}  // namespace
}  // namespace quipu::text
