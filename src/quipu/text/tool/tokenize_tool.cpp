// quipu_tokenize_tool TOKENIZER_JSON [OPTION ...]
//
// Encodes texts from standard input to standard output, for tests/tokenizer_differential.py: in,
// each is a 32-bit size and its bytes; out, a 32-bit count of tokens and (id, begin, end, type, 1
// for template tokens) for each, or 0xFFFFFFFF when the text was refused. Numbers are
// little-endian. Options:
//   parts              the slower way, without what is fused and remembered
//   pair               every two texts belong together
//   bare               without the template's tokens
//   max=N              at most N tokens
//   side=left          left out at the beginning; side=right at the end
//   strategy=only_first, only_second or longest_first
//   time=N             writes nothing but, at the end, the tokens of one round and the nanoseconds
//   of
//                      the fastest of N rounds over all texts, each of 64 bits
#include <algorithm>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <optional>
#include <string>
#include <vector>

#include "quipu/base/file_system.h"
#include "quipu/text/tokenizer/tokenizer.h"

namespace {

using quipu::text::EncodeParams;
using quipu::text::Encoding;
using quipu::text::Tokenizer;

constexpr std::uint64_t kFileBytesMax = 1U << 30;

struct ToolOptions {
  bool parts = false;
  bool pair = false;
  std::uint32_t rounds = 0;
  EncodeParams params;
};

bool read_exactly(void* into, std::size_t size) { return std::fread(into, 1, size, stdin) == size; }

std::optional<std::string> read_text() {
  std::uint32_t size = 0;
  if (!read_exactly(&size, 4)) return std::nullopt;
  std::string text(size, '\0');
  if (!read_exactly(text.data(), size)) return std::nullopt;
  return text;
}

void put(std::string& out, std::uint32_t number) {
  char bytes[4];
  std::memcpy(bytes, &number, 4);
  out.append(bytes, 4);
}

int complain(const std::string& message) {
  std::fputs((message + "\n").c_str(), stderr);
  return 1;
}

std::optional<std::uint32_t> number_behind(const std::string& option, const char* name) {
  if (option.rfind(name, 0) != 0) return std::nullopt;
  std::uint32_t number = 0;
  std::from_chars(option.data() + std::strlen(name), option.data() + option.size(), number);
  return number;
}

bool read_option(const std::string& option, ToolOptions& out) {
  using quipu::text::TruncationSide;
  using quipu::text::TruncationStrategy;
  if (option == "parts") {
    out.parts = true;
  } else if (option == "pair") {
    out.pair = true;
  } else if (option == "bare") {
    out.params.template_tokens = false;
  } else if (const auto max = number_behind(option, "max=")) {
    out.params.tokens_max = *max;
  } else if (const auto rounds = number_behind(option, "time=")) {
    out.rounds = *rounds;
  } else if (option == "side=left" || option == "side=right") {
    out.params.side = option == "side=left" ? TruncationSide::kLeft : TruncationSide::kRight;
  } else if (option == "strategy=longest_first") {
    out.params.strategy = TruncationStrategy::kLongestFirst;
  } else if (option == "strategy=only_first") {
    out.params.strategy = TruncationStrategy::kOnlyFirst;
  } else if (option == "strategy=only_second") {
    out.params.strategy = TruncationStrategy::kOnlySecond;
  } else {
    return false;
  }
  return true;
}

void write_encoding(bool ok, const Encoding& encoding) {
  std::string out;
  put(out, ok ? static_cast<std::uint32_t>(encoding.ids.size()) : 0xFFFFFFFF);
  for (std::size_t i = 0; ok && i < encoding.ids.size(); ++i) {
    put(out, encoding.ids[i]);
    put(out, encoding.spans[i].begin);
    put(out, encoding.spans[i].end);
    put(out, encoding.type_ids[i]);
    put(out, encoding.template_mask[i]);
  }
  std::fwrite(out.data(), 1, out.size(), stdout);
}

int measure(const Tokenizer& tokenizer, const ToolOptions& options) {
  std::vector<std::string> texts;
  while (std::optional<std::string> text = read_text()) texts.push_back(std::move(*text));
  Encoding encoding;
  std::uint64_t fastest = UINT64_MAX;
  std::uint64_t tokens = 0;
  for (std::uint32_t round = 0; round < options.rounds; ++round) {
    tokens = 0;
    const std::clock_t start = std::clock();
    for (const std::string& text : texts) {
      if (!tokenizer.encode(text, options.params, encoding).ok()) return complain("refused");
      tokens += encoding.ids.size();
    }
    const double seconds = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
    fastest = std::min(fastest, static_cast<std::uint64_t>(seconds * 1e9));
  }
  std::fwrite(&tokens, 8, 1, stdout);
  std::fwrite(&fastest, 8, 1, stdout);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  ToolOptions options;
  for (int i = 2; i < argc; ++i) {
    if (!read_option(argv[i], options)) return complain("unknown option " + std::string(argv[i]));
  }
  if (argc < 2) return complain("usage: quipu_tokenize_tool TOKENIZER_JSON [OPTION ...]");
  const auto json = quipu::read_file(quipu::posix_file_system(), argv[1], kFileBytesMax);
  if (!json.ok()) return complain(json.error().message);
  const auto loaded = Tokenizer::from_json(json.value());
  if (!loaded.ok()) return complain(loaded.error().message);
  const Tokenizer& tokenizer = *loaded.value();
  if (options.rounds > 0) return measure(tokenizer, options);
  Encoding encoding;
  while (const std::optional<std::string> text = read_text()) {
    if (options.pair) {
      const std::optional<std::string> second = read_text();
      if (!second.has_value()) return complain("a text without a second");
      const bool ok = tokenizer.encode_pair(*text, *second, options.params, encoding).ok();
      write_encoding(ok, encoding);
    } else if (options.parts) {
      write_encoding(tokenizer.encode_by_parts(*text, options.params, encoding).ok(), encoding);
    } else {
      write_encoding(tokenizer.encode(*text, options.params, encoding).ok(), encoding);
    }
  }
  return 0;
}
