// Property: a configuration is refused, or is written and read back the same and analyzes any text:
// terms are UTF-8 of an allowed length, their places lie in the text and ascend, and twice gives
// the same. The input is the configuration as JSON, a zero byte, and a text; without a zero byte
// the whole is a text for the defaults.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "quipu/assert.h"
#include "quipu/base/json.h"
#include "quipu/text/analysis/analyzer.h"
#include "quipu/text/unicode/utf8.h"

namespace {

using quipu::text::Analyzer;
using quipu::text::AnalyzerConfig;

quipu::Result<AnalyzerConfig> parse(std::string_view json) {
  QUIPU_TRY(const quipu::JsonDocument document, quipu::JsonDocument::parse(json));
  return quipu::text::parse_analyzer(document.root(), "analyzer");
}

std::string written(const AnalyzerConfig& config) {
  std::string out;
  quipu::JsonWriter writer(out);
  quipu::text::write_analyzer(writer, config);
  return out;
}

// Checks each term, and folds all of them into one number.
struct Checker : quipu::text::TermSink {
  Checker(const AnalyzerConfig& given, std::string_view analyzed) : config(given), text(analyzed) {}
  bool add(const quipu::text::Term& term) override {
    QUIPU_ASSERT(quipu::text::find_invalid_utf8(term.text) == std::string_view::npos);
    std::size_t length = 0;
    for (const char c : term.text) length += quipu::text::is_utf8_continuation(c) ? 0 : 1;
    QUIPU_ASSERT(length >= config.min_token_len);
    QUIPU_ASSERT(length <= config.max_token_len);
    QUIPU_ASSERT(term.begin < term.end);
    QUIPU_ASSERT(term.end <= text.size());
    QUIPU_ASSERT(count == 0 || term.position >= position);
    QUIPU_ASSERT(count == 0 || term.position == position || term.begin >= end);
    position = term.position;
    end = term.end;
    ++count;
    for (const char c : term.text) digest = digest * 31 + static_cast<unsigned char>(c);
    digest = digest * 31 + term.position + term.begin;
    return true;
  }
  const AnalyzerConfig& config;
  std::string_view text;
  std::uint64_t count = 0;
  std::uint64_t digest = 0;
  std::uint32_t position = 0;
  std::uint32_t end = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::size_t cut = input.find('\0');
  const auto config = parse(cut == input.npos ? "{}" : input.substr(0, cut));
  if (!config.ok()) return 0;
  const auto again = parse(written(config.value()));
  QUIPU_ASSERT(again.ok());
  QUIPU_ASSERT(again.value() == config.value());
  const auto analyzer = Analyzer::create(config.value());
  QUIPU_ASSERT(analyzer.ok());
  QUIPU_ASSERT(analyzer.value()->config() == config.value());
  const std::string_view text = cut == input.npos ? input : input.substr(cut + 1);
  for (const auto use : {quipu::text::AnalyzeFor::kIndex, quipu::text::AnalyzeFor::kQuery}) {
    Checker first(config.value(), text);
    Checker second(config.value(), text);
    analyzer.value()->analyze(text, first, use);
    analyzer.value()->analyze(text, second, use);
    QUIPU_ASSERT(first.count == second.count);
    QUIPU_ASSERT(first.digest == second.digest);
  }
  return 0;
}
