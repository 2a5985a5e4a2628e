// Question: how many terms a second does an analyzer give, and how much of it is stemming?
#include <benchmark/benchmark.h>

#include <cstdint>
#include <memory>
#include <set>
#include <span>
#include <string>

#include "quipu/base/file_system.h"
#include "quipu/text/analysis/analyzer.h"

namespace quipu::text {
namespace {

// English prose that every Debian system has: its licences, 300 kB with 2,100 distinct words.
constexpr char kProse[] = "/usr/share/common-licenses";
constexpr std::size_t kTextBytes = 1U << 20;

std::string read_prose() {
  const auto names = posix_file_system().list(kProse);
  if (!names.ok()) return "";
  const std::set<std::string> sorted(names.value().begin(), names.value().end());
  std::string text;
  for (const std::string& name : sorted) {
    const auto file = posix_file_system().open_random_access(std::string(kProse) + "/" + name);
    if (!file.ok()) continue;
    const std::size_t before = text.size();
    text.resize(before + file.value()->size());
    const auto read =
        file.value()->read(0, std::as_writable_bytes(std::span(text).subspan(before)));
    if (!read.ok()) return "";
  }
  return text;
}

// Words that no memory of earlier ones helps with.
std::string distinct_words() {
  std::string text;
  for (std::uint32_t i = 0; text.size() < kTextBytes; ++i) {
    for (std::uint32_t n = i * 2'654'435'761U; n > 0; n /= 26) {
      text += static_cast<char>('a' + n % 26);
    }
    text += i % 2 == 0 ? "ing " : "ations ";
  }
  return text;
}

std::string repeated(const std::string& unit) {
  std::string text;
  while (!unit.empty() && text.size() < kTextBytes) text += unit;
  return text;
}

struct Counter : TermSink {
  std::uint64_t terms = 0;
  std::uint64_t bytes = 0;
  bool add(const Term& term) override {
    ++terms;
    bytes += term.text.size();
    return true;
  }
};

void analyze(benchmark::State& state, const AnalyzerConfig& config, const std::string& unit) {
  const std::string text = repeated(unit);
  const auto analyzer = Analyzer::create(config);
  if (text.empty() || !analyzer.ok()) {
    state.SkipWithError(text.empty() ? "no prose on this system" : "no analyzer");
    return;
  }
  Counter counter;
  for (auto _ : state) analyzer.value()->analyze(text, counter);
  benchmark::DoNotOptimize(counter.bytes);
  state.SetItemsProcessed(static_cast<std::int64_t>(counter.terms));
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(text.size()));
}

bool register_all() {
  const std::string prose = read_prose();
  const auto add = [](const char* name, const AnalyzerConfig& config, const std::string& unit) {
    benchmark::RegisterBenchmark(name,
                                 [=](benchmark::State& state) { analyze(state, config, unit); });
  };
  add("english/word", {}, prose);
  add("english/word_ascii", {.ascii_folding = true}, prose);
  add("english/whitespace", {.tokenizer = WordTokenizer::kWhitespace}, prose);
  add("english/prefix", {.tokenizer = WordTokenizer::kPrefix, .max_token_len = 10}, prose);
  add("english/multilingual", {.tokenizer = WordTokenizer::kMultilingual}, prose);
  add("english/stop_words", {.stop_word_languages = {"english"}}, prose);
  add("english/stemmed", {.stemmer = "english"}, prose);
  add("english/stop_words_stemmed", {.stemmer = "english", .stop_word_languages = {"english"}},
      prose);
  add("distinct/stemmed", {.stemmer = "english"}, distinct_words());
  const std::string german =
      "Über die Straße läuft ein großer Hund – er möchte „schöne“ Häuser sehen, die früher dort "
      "standen. ";
  add("german/word", {}, german);
  add("german/ascii", {.ascii_folding = true}, german);
  add("russian/word", {}, "Съешь же ещё этих мягких французских булок, да выпей чаю. ");
  add("decomposed/word", {}, "e\u0301cole re\u0301sume\u0301 nai\u0308ve fac\u0327ade ");
  add("chinese/word", {}, "我们去北京大学学习中文，今天是星期一。");
  add("chinese/multilingual", {.tokenizer = WordTokenizer::kMultilingual},
      "我们去北京大学学习中文，今天是星期一。");
  return true;
}

[[maybe_unused]] const bool kRegistered = register_all();

}  // namespace
}  // namespace quipu::text
