// quipu_tokenize_tool TOKENIZER_JSON [parts|time]
//
// Encodes texts from standard input to standard output, for tests/tokenizer_differential.py: in,
// each is a 32-bit size and its bytes; out, a 32-bit count of tokens and (id, begin, end) for each,
// or 0xFFFFFFFF when the text was refused. Numbers are little-endian. With `parts` it goes the
// slower way that does not fuse BERT's parts. With `time` it writes nothing but, at the end, the
// tokens and the nanoseconds of the encoding alone, each of 64 bits.
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>

#include "quipu/base/file_system.h"
#include "quipu/text/tokenizer/tokenizer.h"

namespace {

constexpr std::uint64_t kFileBytesMax = 1U << 30;

bool read_exactly(void* into, std::size_t size) { return std::fread(into, 1, size, stdin) == size; }

void put(std::string& out, std::uint32_t number) {
  char bytes[4];
  std::memcpy(bytes, &number, 4);
  out.append(bytes, 4);
}

int complain(const quipu::Error& error) {
  std::fputs((error.message + "\n").c_str(), stderr);
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fputs("usage: quipu_tokenize_tool TOKENIZER_JSON [parts|time]\n", stderr);
    return 2;
  }
  const std::string mode = argc > 2 ? argv[2] : "";
  const auto json = quipu::read_file(quipu::posix_file_system(), argv[1], kFileBytesMax);
  if (!json.ok()) return complain(json.error());
  const auto tokenizer = quipu::text::Tokenizer::from_json(json.value());
  if (!tokenizer.ok()) return complain(tokenizer.error());

  quipu::text::Encoding encoding;
  std::string text;
  std::string out;
  std::uint64_t tokens = 0;
  std::uint64_t nanoseconds = 0;
  for (std::uint32_t size = 0; read_exactly(&size, 4);) {
    text.resize(size);
    if (!read_exactly(text.data(), size)) return 3;
    const auto start = std::chrono::steady_clock::now();
    const quipu::Status status = mode == "parts"
                                     ? tokenizer.value()->encode_by_parts(text, {}, encoding)
                                     : tokenizer.value()->encode(text, {}, encoding);
    const auto spent = std::chrono::steady_clock::now() - start;
    nanoseconds += static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::nanoseconds>(spent).count());
    tokens += encoding.ids.size();
    if (mode == "time") continue;
    out.clear();
    put(out, status.ok() ? encoding.token_count : 0xFFFFFFFF);
    for (std::size_t i = 0; status.ok() && i < encoding.ids.size(); ++i) {
      put(out, encoding.ids[i]);
      put(out, encoding.spans[i].begin);
      put(out, encoding.spans[i].end);
    }
    std::fwrite(out.data(), 1, out.size(), stdout);
  }
  if (mode == "time") {
    std::fwrite(&tokens, 8, 1, stdout);
    std::fwrite(&nanoseconds, 8, 1, stdout);
  }
  return 0;
}
