// Goal: a charsmap replaces what the reference's normalizer replaces, places included, and bytes
// that are no charsmap are refused or harmless. The expectations are the Python package's own.
#include "quipu/text/tokenizer/charsmap.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "quipu/base/rng.h"
#include "quipu/base/test_support.h"
#include "quipu/text/unicode/utf8.h"

namespace quipu::text {
namespace {

// tools/charsmap.py: U+FB01 to "fi", "e" and U+0301 to U+00E9, U+2122 to "TM", U+200B to nothing,
// U+00A0 to a space, CR LF to LF, "A" to "a", U+3314 to two kana.
constexpr char kSmallMap[] =
    "AAQAAAAwAAANfAAArAACAIEdAAAAAACAjFwCAJQFAAAQAACAgCACAKINAAAGAACAixkAAIScAgAJAACACgAAgKAFAADM"
    "AAIAgQ0AAAMAAIAOAACACgUAAAwAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAQXkBAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
    "AAAAAAAAAAAAAGXUAgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
    "woQBAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
    "AAAAAAAAAAAAAAAAAAAA7zQBAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAADimAEA45gBAAAA"
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAABmaQDDqQBU"
    "TQAAIAAKAGEA44Kt44OtAA==";

struct MappedText {
  std::string text;
  std::vector<std::pair<std::uint32_t, std::uint32_t>> spans;
};

MappedText normalized(const Charsmap& map, std::string_view text) {
  AlignedText chars;
  std::vector<CharChange> changes;
  decode_aligned(text, 0, chars);
  map.normalize(0, chars, changes);
  MappedText out;
  for (const AlignedChar& c : chars) {
    append_utf8(out.text, c.value);
    out.spans.emplace_back(c.begin, c.end);
  }
  return out;
}

TEST(Charsmap, ReplacesClustersAndCharacters) {
  const Result<Charsmap> map = Charsmap::read(kSmallMap);
  ASSERT_TRUE(map.ok()) << map.error().message;
  const auto text_of = [&](std::string_view text) { return normalized(map.value(), text).text; };
  EXPECT_EQ(text_of("\uFB01ne"), "fine");
  EXPECT_EQ(text_of("cafe\u0301"), "caf\u00E9");
  EXPECT_EQ(text_of("x\u2122"), "xTM");
  EXPECT_EQ(text_of("a\r\nb"), "a\nb");
  EXPECT_EQ(text_of("\u33141"), "\u30AD\u30ED1");
  EXPECT_EQ(text_of("plain text"), "plain text");
  EXPECT_EQ(text_of(""), "");
  // The shortest key that begins a cluster stands for all of it.
  EXPECT_EQ(text_of("e\u0301\u0301"), "\u00E9");
  // A cluster that begins otherwise is left, its characters by themselves have no replacement.
  EXPECT_EQ(text_of("\u0600e\u0301"), "\u0600e\u0301");
}

TEST(Charsmap, KeepsTheBytesOfPlaces) {
  const Result<Charsmap> map = Charsmap::read(kSmallMap);
  ASSERT_TRUE(map.ok());
  using Spans = std::vector<std::pair<std::uint32_t, std::uint32_t>>;
  EXPECT_EQ(normalized(map.value(), "x\u2122").spans, (Spans{{0, 1}, {1, 4}, {1, 4}}));
  EXPECT_EQ(normalized(map.value(), "a\u200Bb").spans, (Spans{{0, 1}, {4, 5}}));
  // What goes at the very beginning takes no place with it, as in the reference.
  EXPECT_EQ(normalized(map.value(), "\u200Bab").spans, (Spans{{0, 3}, {3, 4}}));
}

TEST(Charsmap, RefusesWhatIsNone) {
  for (const char* bad :
       {"", "A", "AAAA", "!!!!", "AAAAAAAA", "/////w==", "BAAAAAAAAAD/", "====", "AA=A"}) {
    EXPECT_FALSE(Charsmap::read(bad).ok()) << bad;
  }
}

// Bytes of the trie and the replacements at random: no place outside is looked at.
TEST(Charsmap, DamageIsHarmless) {
  Rng rng(test_seed());
  static constexpr char kDigits[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  int read = 0;
  for (int round = 0; round < 2'000; ++round) {
    std::string base64 = kSmallMap;
    for (int i = 0; i < 20; ++i) base64[8 + rng.below(base64.size() - 16)] = kDigits[rng.below(64)];
    const Result<Charsmap> map = Charsmap::read(base64);
    if (!map.ok()) continue;
    ++read;
    normalized(map.value(), "\uFB01 cafe\u0301 x\u2122 A\u00A0\u200B\r\n\u3314 plain");
  }
  EXPECT_GT(read, 100);
}

}  // namespace
}  // namespace quipu::text
