// Goal: windows give the words that ICU gives when it sees all of the text.
#include "quipu/text/analysis/dictionary_breaker.h"

#include <gtest/gtest.h>
#include <unicode/ubrk.h>

#include <functional>
#include <string>
#include <vector>

#include "quipu/base/test_support.h"
#include "quipu/text/analysis/lossy_utf8.h"

namespace quipu::text::analysis {
namespace {

std::vector<std::size_t> ends(std::string_view run) {
  std::vector<std::size_t> out;
  for_each_dictionary_word(run, [&](std::size_t end) {
    out.push_back(end);
    return true;
  });
  return out;
}

std::vector<std::size_t> ends_by_icu(std::string_view run) {
  UErrorCode status = U_ZERO_ERROR;
  UText* const text =
      utext_openUTF8(nullptr, run.data(), static_cast<std::int64_t>(run.size()), &status);
  UBreakIterator* const iterator = ubrk_open(UBRK_WORD, "", nullptr, 0, &status);
  ubrk_setUText(iterator, text, &status);
  EXPECT_TRUE(U_SUCCESS(status)) << u_errorName(status);
  std::vector<std::size_t> out;
  for (std::int32_t at = ubrk_next(iterator); at != UBRK_DONE; at = ubrk_next(iterator)) {
    out.push_back(static_cast<std::size_t>(at));
  }
  ubrk_close(iterator);
  utext_close(text);
  return out;
}

TEST(DictionaryBreaker, WindowsDoNotShow) {
  const std::vector<std::vector<std::string>> languages = {
      {"今天是星期一", "我们去北京大学学习中文", "数据库", "记忆引擎", "𠮷野家"},
      {"本日の日付は", "東京タワーに行きました", "カタカナ", "データベース",
       "ありがとうございます"},
      {"มาทำงานกันเถอะ", "ภาษาไทยไม่มีช่องว่าง", "ฐานข้อมูล"}};
  Rng rng(test_seed());
  for (const std::vector<std::string>& pieces : languages) {
    for (int round = 0; round < 4; ++round) {
      std::string run;
      while (count_chars(run.data(), run.size()) < 9000) run += pieces[rng.below(pieces.size())];
      const std::vector<std::size_t> found = ends(run);
      ASSERT_EQ(found, ends_by_icu(run));
      ASSERT_GT(found.size(), 1000U);
    }
  }
}

TEST(DictionaryBreaker, EdgesOfWindows) {
  EXPECT_EQ(ends(""), std::vector<std::size_t>());
  EXPECT_EQ(ends("本"), std::vector<std::size_t>{3});
  for (const std::size_t count : {1983U, 1984U, 1985U, 2047U, 2048U, 2049U, 4096U}) {
    std::string run;
    for (std::size_t i = 0; i < count; ++i) run += "本";
    const std::vector<std::size_t> found = ends(run);
    ASSERT_FALSE(found.empty());
    EXPECT_EQ(found.back(), run.size());
    EXPECT_TRUE(std::is_sorted(found.begin(), found.end()));
  }
  // One word longer than a window: it is cut, and all of it is seen.
  const std::string word(5000, 'x');
  EXPECT_EQ(ends(word).back(), word.size());
  EXPECT_EQ(ends("本\xFF\xE2\x82本").back(), 9U);
}

TEST(DictionaryBreaker, StopsWhenAsked) {
  int count = 0;
  for_each_dictionary_word("今天是星期一", [&](std::size_t) { return ++count < 2; });
  EXPECT_EQ(count, 2);
  EXPECT_EQ(why_not(check_dictionaries()), "");
}

}  // namespace
}  // namespace quipu::text::analysis
