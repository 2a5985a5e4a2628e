// Question: how many tokens a second does each model give on short texts, and does a word of a
// megabyte cost more for each byte than one of a kilobyte?
// The ratio to the Python package: tests/tokenizer_differential.py --speed, which measures both in
// turns on the same texts.
#include <benchmark/benchmark.h>

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "quipu/base/file_system.h"
#include "quipu/text/tokenizer/tokenizer.h"

namespace quipu::text {
namespace {

// Made by tests/tokenizer_files.py; $QUIPU_TOKENIZERS names their folder.
constexpr const char* kFiles[] = {"gpt2", "llama3", "llama2", "xlmr", "wordlevel"};
constexpr std::uint64_t kTokenizerFileBytesMax = 64U << 20;

const std::vector<std::string>& short_texts() {
  static const std::vector<std::string> texts = {
      "how do I find a file by name", "the quick brown fox jumps over the lazy dog",
      "Remember that the meeting with Anna is on Tuesday at 3 pm, not on Monday.",
      "My favourite colour is blue, and I don't like coffee after lunch."};
  return texts;
}

void encode_short(benchmark::State& state, const Tokenizer* tokenizer) {
  Encoding encoding;
  std::int64_t tokens = 0;
  for (auto _ : state) {
    for (const std::string& text : short_texts()) {
      if (!tokenizer->encode(text, {}, encoding).ok()) state.SkipWithError("refused");
      tokens += static_cast<std::int64_t>(encoding.ids.size());
    }
  }
  state.SetItemsProcessed(tokens);
}

void encode_word(benchmark::State& state, const Tokenizer* tokenizer) {
  std::string word;
  for (std::uint32_t i = 0; word.size() < static_cast<std::size_t>(state.range(0)); ++i) {
    word += static_cast<char>('a' + (i * 2'654'435'761U >> 20) % 26);
  }
  Encoding encoding;
  for (auto _ : state) {
    if (!tokenizer->encode(word, {}, encoding).ok()) state.SkipWithError("refused");
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(word.size()));
}

const int kRegistered = [] {
  const char* const folder = std::getenv("QUIPU_TOKENIZERS");
  if (folder == nullptr) return 0;
  for (const char* const name : kFiles) {
    const auto json = read_file(posix_file_system(), std::string(folder) + "/" + name + ".json",
                                kTokenizerFileBytesMax);
    if (!json.ok()) continue;
    auto tokenizer = Tokenizer::from_json(json.value());
    if (!tokenizer.ok()) continue;
    const Tokenizer* const kept = std::move(tokenizer).value().release();  // For all of the run.
    benchmark::RegisterBenchmark((std::string("short/") + name).c_str(), encode_short, kept);
    benchmark::RegisterBenchmark((std::string("word/") + name).c_str(), encode_word, kept)
        ->Arg(1 << 10)
        ->Arg(1 << 20);
  }
  return 1;
}();

}  // namespace
}  // namespace quipu::text
