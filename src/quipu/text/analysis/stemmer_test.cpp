// Goal: stems are Snowball's, whatever was stemmed before on this thread.
#include "quipu/text/analysis/stemmer.h"

#include <gtest/gtest.h>
#include <libstemmer.h>

#include <algorithm>
#include <string>
#include <vector>

#include "quipu/base/test_support.h"

namespace quipu::text::analysis {
namespace {

std::string by_snowball(std::string_view language, const std::string& word) {
  sb_stemmer* const stemmer = sb_stemmer_new(std::string(language).c_str(), nullptr);
  const sb_symbol* const stem = sb_stemmer_stem(
      stemmer, reinterpret_cast<const sb_symbol*>(word.data()), static_cast<int>(word.size()));
  const std::string out(reinterpret_cast<const char*>(stem),
                        static_cast<std::size_t>(sb_stemmer_length(stemmer)));
  sb_stemmer_delete(stemmer);
  return out;
}

std::string stem(const Stemmer& stemmer, const std::string& word) {
  std::string buffer = word;
  buffer.resize(2 * word.size() + 8);
  buffer.resize(stemmer.stem(buffer.data(), word.size()));
  return buffer;
}

// Words that a stemmer does something to, many more than it remembers, some of them often.
std::string random_word(Rng& rng) {
  static const std::vector<std::string> kPieces = {
      "run", "ning", "s",  "ies", "ly", "ation", "al", "häus", "er",   "en",  "tion", "é",
      "и",   "ость", "ов", "ção", "ık", "lar",   "'s", "x",    "heit", "ing", "ss",   "y"};
  std::string out;
  for (std::uint64_t count = 1 + rng.below(rng.below(8) == 0 ? 12 : 3); count > 0; --count) {
    out += kPieces[rng.below(kPieces.size())];
  }
  return out;
}

TEST(Stemmer, EqualsSnowballWhateverItRemembers) {
  Rng rng(test_seed());
  for (const std::string_view language : {"english", "german", "russian", "turkish", "finnish"}) {
    const std::optional<Stemmer> stemmer = Stemmer::find(language);
    ASSERT_TRUE(stemmer.has_value());
    for (int round = 0; round < 20'000; ++round) {
      const std::string word = random_word(rng);
      ASSERT_EQ(stem(*stemmer, word), by_snowball(language, word)) << language << " " << word;
    }
  }
}

TEST(Stemmer, LengthsAtTheLimits) {
  const std::optional<Stemmer> english = Stemmer::find("english");
  for (const std::size_t size : {1U, 2U, 30U, 31U, 32U, 33U, 511U, 512U}) {
    std::string word(size, 'a');
    if (size > 4) word.replace(size - 3, 3, "ing");
    const std::string once = stem(*english, word);
    EXPECT_EQ(once, by_snowball("english", word));
    EXPECT_EQ(stem(*english, word), once);
  }
  const std::string word = std::string(510, 'a') + "ing";
  EXPECT_EQ(stem(*english, word), word);
  EXPECT_EQ(stem(*english, ""), "");
}

TEST(Stemmer, KnowsItsLanguages) {
  const std::vector<std::string_view> languages = Stemmer::languages();
  EXPECT_TRUE(std::is_sorted(languages.begin(), languages.end()));
  // All that Qdrant's clients can name.
  for (const char* const name :
       {"arabic", "armenian", "danish", "dutch", "english", "finnish", "french", "german", "greek",
        "hungarian", "italian", "norwegian", "portuguese", "romanian", "russian", "spanish",
        "swedish", "tamil", "turkish"}) {
    EXPECT_TRUE(Stemmer::find(name).has_value()) << name;
  }
  EXPECT_FALSE(Stemmer::find("en").has_value());
  EXPECT_FALSE(Stemmer::find("").has_value());
}

}  // namespace
}  // namespace quipu::text::analysis
