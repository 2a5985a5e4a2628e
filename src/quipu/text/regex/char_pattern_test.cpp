// Goal: patterns mean what they mean to the reference tokenizers, and what is not understood is
// refused by name. tests/tokenizer_differential.py compares whole tokenizers; these are the
// corners.
#include "quipu/text/regex/char_pattern.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "quipu/text/regex/char_set.h"
#include "quipu/text/unicode/utf8.h"

namespace quipu::text {
namespace {

using ::testing::HasSubstr;

// The matches in `text`, with a bar between them; "?" when the pattern is refused.
std::string matches_of(std::string_view pattern, std::string_view text) {
  const auto compiled = CharPattern::compile(pattern);
  if (!compiled.ok()) return "?" + compiled.error().message;
  AlignedText chars;
  decode_aligned(text, 0, chars);
  PatternMatcher matcher;
  std::vector<CharPattern::Match> matches;
  EXPECT_TRUE(compiled.value()->find_all(chars, matcher, matches).ok());
  std::string out;
  for (const CharPattern::Match& match : matches) {
    if (!out.empty()) out += '|';
    if (match.begin == match.end) out += "@" + std::to_string(match.begin);
    for (std::size_t i = match.begin; i < match.end; ++i) append_utf8(out, chars[i].value);
  }
  return out;
}

TEST(CharPattern, MatchesAsTheReferenceDoes) {
  const struct {
    const char* pattern;
    const char* text;
    const char* matches;
  } cases[] = {
      {"a+", "aabba", "aa|a"},
      {"a*", "baac", "@0|aa|@4"},  // None right behind a match.
      {"b?", "abcb", "@0|b|b"},
      {"^", "ab\ncd\n", "@0|@3"},
      {"$", "ab\ncd\n", "@2|@5|@6"},
      {"\\Z", "ab\n", "@2|@3"},
      {"\\z", "ab\n", "@3"},
      {"\\A", "ab\n", "@0"},
      {".", "a\nb", "a|b"},
      {"(?m:.)", "a\n", "a|\n"},
      {"\\h+", "agA0", "a|A0"},
      {"\\v", "a\vb\f", "\v"},
      {"a{,2}", "aaab", "aa|a|@4"},
      {"a{2}?b", "aabb", "aab|b"},
      {"a{1,2}+", "aaaaab", "aaaaa"},
      {"a++b|a", "aab", "aab"},
      {"(?>a+)b", "aab", "aab"},
      {"a{", "xa{", "a{"},
      {"(?<=a)b", "abb", "b"},
      {"(?<!a)b", "abb", "b"},
      {"(?<name>a)b", "ab", "ab"},
      {"[^(\\s|[.,!?])]+", "ab.c (d)|e", "ab|c|d|e"},
      {"[a-z&&[^b]]+", "abcab", "a|ca"},
      {"[[:alpha:]]+", "ab1\xC3\xA9", "ab|\xC3\xA9"},
      {"[[:^alpha:]]+", "ab1", "1"},
      {"\\p{^L}+", "ab12", "12"},
      {"\\P{L}+", "ab12", "12"},
      {"[]a]+", "b]a", "]a"},
      {"[a-]+", "b-a", "-a"},
      {"[\\w-]+", "a-b c", "a-b|c"},
      {"\\bx", "ax x", "x"},
      {"\\Bx", "ax x", "x"},
      {"\\u00e9", "\xC3\xA9", "\xC3\xA9"},
      {"\\x{1F600}", "a\xF0\x9F\x98\x80", "\xF0\x9F\x98\x80"},
      {"(?i:'s|'t)", "a'\xC5\xBF b'S", "'\xC5\xBF|'S"},  // U+017F is a small s.
      {"(?i)k", "\xE2\x84\xAA", "\xE2\x84\xAA"},         // U+212A is a k.
      {"(?i)a(?-i:b)", "Ab AB", "Ab"},
      {"\\s", "a\xE1\xA0\x8E\xC2\xA0", "\xC2\xA0"},  // U+180E is no space, U+00A0 is one.
      {"[^\\s\\S]", "a", ""},
  };
  for (const auto& one : cases) {
    EXPECT_EQ(matches_of(one.pattern, one.text), one.matches) << one.pattern;
  }
}

TEST(CharPattern, CutsTextAsTheKnownModelsDo) {
  const std::string gpt2 =
      "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";
  EXPECT_EQ(matches_of(gpt2, "I've  2 caf\xC3\xA9s!\n "), "I|'ve| | 2| caf\xC3\xA9s|!|\n ");
  const std::string llama3 =
      "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}|"
      " ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
  EXPECT_EQ(matches_of(llama3, "THEY'LL 12345 (x)\n\n  y"), "THEY|'LL| |123|45| (|x|)\n\n| | y");
}

TEST(CharPattern, RefusesByNameWhatItDoesNotUnderstand) {
  const struct {
    const char* pattern;
    const char* named;
  } cases[] = {
      {"(a)\\1", "\\1"},    {"\\Ka", "\\K"},
      {"\\X", "\\X"},       {"\\p{Klingon}", "Klingon"},
      {"\\pL", "\\p"},      {"[[:punct:]]", "punct"},
      {"(?i:ss)", "ss"},    {"(?i:\xC3\xA9)", "ASCII"},
      {"a(?i)b", "option"}, {"(?x:a)", "group"},
      {"a{2000}", "1000"},  {"\\xe9", "\\x"},
      {"(a", "end"},        {"a)", "unmatched"},
      {"*a", "repeat"},     {"[a", "end"},
      {"[z-a]", "range"},   {"a\\", "backslash"},
      {"[a-\\d]", "range"}, {"(?<=a+)b", "library"},
      {"\xff", "UTF-8"},    {"\\x{110000}", "Unicode"},
  };
  for (const auto& one : cases) {
    const auto compiled = CharPattern::compile(one.pattern);
    ASSERT_FALSE(compiled.ok()) << one.pattern;
    EXPECT_THAT(compiled.error().message, HasSubstr(one.named)) << one.pattern;
  }
  EXPECT_FALSE(CharPattern::compile(std::string(20'000, 'a')).ok());
  std::string deep(100, '(');
  EXPECT_FALSE(CharPattern::compile(deep + "a" + std::string(100, ')')).ok());
  // A character more than there are kinds.
  std::string many;
  for (char32_t c = 0x4E00; c < 0x4E00 + 300; ++c) append_utf8(many, c);
  EXPECT_FALSE(CharPattern::compile(many).ok());
  EXPECT_FALSE(CharPattern::literal("\xff").ok());
}

TEST(CharPattern, GivesUpOnPatternsThatExplode) {
  // Two kinds may end it, so that the library cannot look for one of them first.
  const auto compiled = CharPattern::compile("(?:a+)+[bc]|c");
  ASSERT_TRUE(compiled.ok());
  AlignedText chars(5'000, AlignedChar{'a', 0, 1});
  PatternMatcher matcher;
  std::vector<CharPattern::Match> matches;
  const Status status = compiled.value()->find_all(chars, matcher, matches);
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code, ErrorCode::kResourceExhausted);
  EXPECT_EQ(status.error().reason, "regex_limit");
}

TEST(CharPattern, LiteralsAreLeftmostAndDoNotOverlap) {
  const auto compiled = CharPattern::literal("aa");
  ASSERT_TRUE(compiled.ok());
  AlignedText chars;
  decode_aligned("aaabaa", 0, chars);
  PatternMatcher matcher;
  std::vector<CharPattern::Match> matches;
  ASSERT_TRUE(compiled.value()->find_all(chars, matcher, matches).ok());
  const std::vector<CharPattern::Match> wanted = {{0, 2}, {4, 6}};
  EXPECT_EQ(matches, wanted);
}

TEST(CharSet, OperationsAgreeWithMembership) {
  const CharSet a({{10, 20}, {15, 30}, {40, 40}, {31, 31}});
  const CharSet b({{0, 12}, {25, 45}, {CharSet::kLast, CharSet::kLast}});
  const CharSet both = a.intersected(b);
  const CharSet either = a.united(b);
  const CharSet not_a = a.complement();
  for (char32_t c = 0; c < 64; ++c) {
    EXPECT_EQ(a.contains(c), (c >= 10 && c <= 31) || c == 40) << static_cast<std::uint32_t>(c);
    EXPECT_EQ(both.contains(c), a.contains(c) && b.contains(c)) << static_cast<std::uint32_t>(c);
    EXPECT_EQ(either.contains(c), a.contains(c) || b.contains(c)) << static_cast<std::uint32_t>(c);
    EXPECT_EQ(not_a.contains(c), !a.contains(c)) << static_cast<std::uint32_t>(c);
  }
  EXPECT_EQ(a.complement().complement(), a);
  EXPECT_TRUE(CharSet::all().complement().empty());
  EXPECT_EQ(find_property("no such thing"), nullptr);
  ASSERT_NE(find_property("Upper_case Letter"), nullptr);
  EXPECT_EQ(*find_property("Upper_case Letter"), *find_property("Lu"));
}

}  // namespace
}  // namespace quipu::text
