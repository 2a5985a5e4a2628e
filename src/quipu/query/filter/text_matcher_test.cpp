#include "quipu/query/filter/text_matcher.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "quipu/base/limits.h"
#include "quipu/base/test_support.h"

namespace quipu::query {
namespace {

using testing::HasSubstr;
using enum TextMatchMode;

bool matches(const TextMatcher& matcher, TextMatchMode mode, std::string_view query,
             std::string_view text) {
  const auto prepared = matcher.prepare(mode, query);
  EXPECT_EQ(why_not(prepared), "");
  return prepared.value()->matches(text);
}

TEST(WordMatcher, ComparesWholeWordsInLowerCase) {
  const struct {
    TextMatchMode mode;
    const char* query;
    const char* text;
    bool expected;
  } cases[] = {
      // Of Qdrant's documentation of text, text_any and phrase.
      {kAll, "good cheap", "cheap hardware", false},
      {kAll, "good cheap", "cheap and good hardware", true},
      {kAny, "good cheap", "cheap hardware", true},
      {kAny, "good cheap", "good performance", true},
      {kAny, "good cheap", "expensive", false},
      {kPhrase, "brown fox", "the quick brown fox", true},
      {kPhrase, "brown fox", "the quick fox is brown", false},
      // Whole words, whatever is between them.
      {kAll, "good", "goodness only", false},
      {kAny, "hello", "Hello, world!", true},
      {kAll, "HELLO world", "Hello,world", true},
      {kPhrase, "hello world", "Hello, -- World!", true},
      {kPhrase, "hello-world", "say: hello world", true},
      {kAll, "a_b", "b then a", true},  // '_' parts words
      {kAll, "v2", "v2.1", true},
      {kAll, "v 2", "v2", false},
      {kAll, "good good", "good", true},
      // Nothing to look for, nowhere to look.
      {kAll, "", "text", false},
      {kAll, "", "", false},
      {kAny, " ,.!", "text , . !", false},
      {kPhrase, "", "text", false},
      {kAll, "text", "", false},
      {kPhrase, "a a b", "a a a b", true},
      {kPhrase, "a b a b c", "a b a b a b c", true},
      {kPhrase, "a b a b c", "a b a b a c", false},
      {kPhrase, "a b", "a", false},
      // Other scripts.
      {kAll, "straße", "Hauptstraße STRASSE Straße", true},
      {kAll, "ÄRGER", "viel ärger", true},
      {kAll, "привет", "ПРИВЕТ, мир", true},
      {kAll, "x²", "x² + 1", true},
      {kAll, "x", "x²", false},
      {kAll, "foo", "Foo™ bar", true},
      {kAll, "हिन्दी", "यह हिन्दी है", true},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(matches(word_matcher(), c.mode, c.query, c.text), c.expected)
        << c.query << " in " << c.text;
  }
}

TEST(WordMatcher, KnowsTheFinalSigma) {
  // A capital sigma at a word's end is in lower case the final one, so it equals that one only.
  EXPECT_TRUE(matches(word_matcher(), kAll, "οδο\u03C2", "ΟΔΟΣ"));
  EXPECT_FALSE(matches(word_matcher(), kAll, "οδο\u03C3", "ΟΔΟΣ"));
  EXPECT_TRUE(matches(word_matcher(), kAll, "\u03C3οφια", "ΣΟΦΙΑ"));
  EXPECT_TRUE(matches(word_matcher(), kAll, "\u03C3", "Σ"));
}

TEST(WordMatcher, LongWordsAreCutOnlyWhereItDoesNotMatter) {
  const std::string word(300, 'w');
  EXPECT_TRUE(matches(word_matcher(), kAll, word, "x " + word + " y"));
  EXPECT_FALSE(matches(word_matcher(), kAll, word, word + "w"));
  EXPECT_FALSE(matches(word_matcher(), kAll, word + "w", word));
  EXPECT_FALSE(matches(word_matcher(), kPhrase, "ab", "abc"));
  EXPECT_FALSE(matches(word_matcher(), kPhrase, "ab", "abcd"));
}

TEST(WordMatcher, BoundsTheQuery) {
  std::string query;
  std::string text;
  for (std::size_t i = 0; i < limits::kFilterTextWordsMax; ++i) {
    query += "w" + std::to_string(i) + " ";
    text.insert(0, "W" + std::to_string(i) + ",");
  }
  EXPECT_TRUE(matches(word_matcher(), kAll, query, text));
  EXPECT_FALSE(matches(word_matcher(), kAll, query, text.substr(text.find(',') + 1)));
  for (const TextMatchMode mode : {kAll, kAny, kPhrase}) {
    const auto refused = word_matcher().prepare(mode, query + "more");
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.error().stable_reason(), "filter_too_large");
    EXPECT_THAT(refused.error().message, HasSubstr("more than 1024 words"));
  }
}

// Against sets and lists of words.
TEST(WordMatcher, AgreesWithSetsOfWords) {
  Rng rng(test_seed());
  const auto words = [&rng](std::size_t count_max) {
    std::vector<std::string> drawn(rng.below(count_max + 1));
    for (std::string& word : drawn) word = std::string(1, static_cast<char>('a' + rng.below(3)));
    return drawn;
  };
  const auto joined = [&rng](const std::vector<std::string>& parts) {
    std::string text;
    for (const std::string& part : parts) {
      text += rng.below(2) == 0 ? part : std::string(1, static_cast<char>(part[0] - 32));
      text += rng.below(2) == 0 ? " " : "--";
    }
    return text;
  };
  std::size_t held = 0;
  for (int round = 0; round < 5'000; ++round) {
    const std::vector<std::string> query = words(4);
    const std::vector<std::string> text = words(10);
    const std::set<std::string> in_text(text.begin(), text.end());
    const auto present = [&](const std::string& word) { return in_text.contains(word); };
    const bool all = !query.empty() && std::all_of(query.begin(), query.end(), present);
    const bool any = std::any_of(query.begin(), query.end(), present);
    const bool phrase = !query.empty() && std::search(text.begin(), text.end(), query.begin(),
                                                      query.end()) != text.end();
    const std::string query_text = joined(query);
    const std::string value = joined(text);
    EXPECT_EQ(matches(word_matcher(), kAll, query_text, value), all) << query_text << "|" << value;
    EXPECT_EQ(matches(word_matcher(), kAny, query_text, value), any) << query_text << "|" << value;
    EXPECT_EQ(matches(word_matcher(), kPhrase, query_text, value), phrase)
        << query_text << "|" << value;
    held += phrase ? 1 : 0;
  }
  EXPECT_GT(held, 200U);
}

TEST(SubstringMatcher, LooksForBytes) {
  EXPECT_TRUE(matches(substring_matcher(), kAll, "good", "goodness only"));
  EXPECT_TRUE(matches(substring_matcher(), kPhrase, "ness o", "goodness only"));
  EXPECT_FALSE(matches(substring_matcher(), kAll, "only good", "goodness only"));
  EXPECT_FALSE(matches(substring_matcher(), kAll, "Good", "goodness"));
  EXPECT_TRUE(matches(substring_matcher(), kAny, "bad \u00A0 good", "goodness"));
  EXPECT_FALSE(matches(substring_matcher(), kAny, "bad ugly", "goodness"));
  EXPECT_FALSE(matches(substring_matcher(), kAny, " ", "goodness"));
  EXPECT_TRUE(matches(substring_matcher(), kAll, "", "goodness"));
}

}  // namespace
}  // namespace quipu::query
