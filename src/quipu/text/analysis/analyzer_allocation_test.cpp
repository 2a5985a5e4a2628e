// Goal: a thread that has worked allocates nothing more, whatever the number of words.
// Method: this test program's operator new counts. (What Snowball and ICU take with malloc is not
// seen: Snowball keeps its memory, ICU takes some for each run of a script without spaces.)
#include <gtest/gtest.h>

#include <cstdlib>
#include <new>
#include <string>

#include "quipu/base/test_support.h"
#include "quipu/text/analysis/analyzer.h"

namespace {

thread_local std::uint64_t allocation_count = 0;

}  // namespace

// Not inlined: g++ takes half of an inlined pair for a mismatch.
[[gnu::noinline]] void* operator new(std::size_t size) {
  ++allocation_count;
  void* const memory = std::malloc(size);  // tidy: what an operator new is made of
  if (memory == nullptr) std::abort();
  return memory;
}
[[gnu::noinline]] void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  return operator new(size);
}
[[gnu::noinline]] void operator delete(void* memory) noexcept {
  std::free(memory);  // tidy: as above
}
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);  // tidy: as above
}

namespace quipu::text {
namespace {

struct TermCounter : TermSink {
  std::size_t terms = 0;
  bool add(const Term&) override {
    ++terms;
    return true;
  }
};

TEST(AnalyzerAllocations, NoneForAWord) {
  std::string text;
  for (int i = 0; i < 200; ++i) {
    text +=
        "The runners' houses can't e\u0301cole Straße co\u00ADop 今天是星期一 e\u0327\u0301\u0323 "
        "İx ﷺ "
        "L'avion running_ 3.14 👩‍👩‍👧 \xFF ";
    for (int mark = 0; mark < 40; ++mark) text += "\u0301";
  }
  for (const WordTokenizer tokenizer : {WordTokenizer::kWord, WordTokenizer::kWhitespace,
                                        WordTokenizer::kPrefix, WordTokenizer::kMultilingual}) {
    for (const char* const language : {"english", "turkish", "french", "romanian"}) {
      Result<AnalyzerConfig> config = analyzer_for_language(language);
      ASSERT_EQ(why_not(config), "");
      config.value().tokenizer = tokenizer;
      config.value().ascii_folding = language[0] == 'f';
      const auto analyzer = Analyzer::create(config.value());
      ASSERT_EQ(why_not(analyzer), "");
      TermCounter counter;
      analyzer.value()->analyze(text, counter);
      const std::size_t terms = counter.terms;
      const std::uint64_t before = allocation_count;
      analyzer.value()->analyze(text, counter);
      EXPECT_EQ(allocation_count - before, 0U) << language;
      EXPECT_EQ(counter.terms, 2 * terms);
      EXPECT_GT(terms, 1000U);
    }
  }
  TermList list;
  const auto analyzer = Analyzer::create({});
  analyzer.value()->analyze(text, list);
  list.clear();
  const std::uint64_t before = allocation_count;
  analyzer.value()->analyze(text, list);
  EXPECT_EQ(allocation_count - before, 0U);
}

}  // namespace
}  // namespace quipu::text
