// Goal: grapheme clusters are cut as Unicode says. Oracle: utf8proc, on random strings of
// characters that its release of Unicode knows and later ones did not change, without the Indic
// scripts whose rule is left out on purpose.
#include "quipu/text/unicode/graphemes.h"

#include <gtest/gtest.h>
#include <utf8proc.h>

#include <string>
#include <vector>

#include "quipu/base/rng.h"
#include "quipu/base/test_support.h"

namespace quipu::text {
namespace {

char32_t random_cluster_char(Rng& rng) {
  static constexpr struct {
    char32_t first;
    char32_t end;
  } kBlocks[] = {{0x20, 0x7F},       {0x00, 0x20},       {0xA0, 0x100},    {0x300, 0x370},
                 {0x590, 0x700},     {0x1100, 0x1200},   {0xAC00, 0xAC40}, {0x200B, 0x2010},
                 {0x20D0, 0x20F0},   {0x2763, 0x2765},   {0xFE00, 0xFE10}, {0x1F1E6, 0x1F200},
                 {0x1F3FB, 0x1F400}, {0x1F466, 0x1F46A}, {0xE00, 0xE40},   {0xE0020, 0xE0080}};
  const auto& block = kBlocks[rng.below(std::size(kBlocks))];
  return block.first + static_cast<char32_t>(rng.below(block.end - block.first));
}

TEST(Graphemes, AgreeWithTheOracle) {
  Rng rng(test_seed());
  for (int round = 0; round < 50'000; ++round) {
    AlignedText text;
    for (std::uint64_t i = 1 + rng.below(8); i > 0; --i) {
      char32_t c = random_cluster_char(rng);
      // Not assigned in the oracle's release: it knows nothing of them.
      if (utf8proc_category(static_cast<utf8proc_int32_t>(c)) == UTF8PROC_CATEGORY_CN) c = 'x';
      text.push_back({c, 0, 1});
    }
    utf8proc_int32_t state = 0;
    std::size_t size = 1;
    while (size < text.size() &&
           utf8proc_grapheme_break_stateful(static_cast<utf8proc_int32_t>(text[size - 1].value),
                                            static_cast<utf8proc_int32_t>(text[size].value),
                                            &state) == 0) {
      ++size;
    }
    std::string shown;
    for (const AlignedChar& c : text) shown += std::to_string(c.value) + " ";
    ASSERT_EQ(grapheme_size(text), size) << shown;
  }
}

TEST(Graphemes, KnowsTheRules) {
  const auto size_of = [](std::initializer_list<char32_t> chars) {
    AlignedText text;
    for (const char32_t c : chars) text.push_back({c, 0, 1});
    return grapheme_size(text);
  };
  EXPECT_EQ(size_of({'a', 'b'}), 1U);
  EXPECT_EQ(size_of({'\r', '\n', 'a'}), 2U);
  EXPECT_EQ(size_of({'\n', 0x301}), 1U);
  EXPECT_EQ(size_of({'e', 0x301, 0x323, 'x'}), 3U);
  EXPECT_EQ(size_of({0x600, 'a'}), 2U);                                // Prepend
  EXPECT_EQ(size_of({0x1100, 0x1161, 0x11A8, 0x1100}), 3U);            // Hangul
  EXPECT_EQ(size_of({0x1F1E9, 0x1F1EA, 0x1F1EB, 0x1F1F7}), 2U);        // Flags
  EXPECT_EQ(size_of({0x1F469, 0x200D, 0x1F467, 'a'}), 3U);             // A family
  EXPECT_EQ(size_of({0x1F469, 0x1F3FD, 0x200D, 0x2764, 0xFE0F}), 5U);  // Its modifiers
}

TEST(Graphemes, ScriptsDifferWhereTheyShould) {
  EXPECT_EQ(script_of('a'), script_of('z'));
  EXPECT_NE(script_of('a'), script_of(0x431));
  EXPECT_EQ(script_of(0x4E00), script_of(0x3042));  // Kana go with Han.
  EXPECT_NE(script_of(0x4E00), script_of(0xAC00));
}

}  // namespace
}  // namespace quipu::text
