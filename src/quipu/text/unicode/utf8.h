// UTF-8: checking, and the decoding of what was checked.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace quipu::text {

// The offset of the first byte that begins no well-formed sequence (Unicode, table 3-7: no
// surrogates, no over-long forms, nothing beyond U+10FFFF), or npos when all of `bytes` is well
// formed. About a byte for each half nanosecond of ASCII.
[[nodiscard]] std::size_t find_invalid_utf8(std::string_view bytes) noexcept;

// Appends the UTF-8 of a scalar value.
void append_utf8(std::string& out, char32_t c);
// Writes it instead; `out` has room for 4 bytes. Returns how many were written.
std::size_t write_utf8(char* out, char32_t c) noexcept;

struct DecodedChar {
  char32_t value;
  std::uint32_t size;  // bytes, 1..4
};
// `p` points at the first byte of a character in text that find_invalid_utf8() passed.
[[nodiscard]] inline DecodedChar decode_utf8(const char* p) noexcept {
  const auto byte = [p](int i) { return static_cast<char32_t>(static_cast<unsigned char>(p[i])); };
  const char32_t first = byte(0);
  if (first < 0x80) return {first, 1};
  if (first < 0xE0) return {((first & 0x1F) << 6) | (byte(1) & 0x3F), 2};
  if (first < 0xF0) {
    return {((first & 0x0F) << 12) | ((byte(1) & 0x3F) << 6) | (byte(2) & 0x3F), 3};
  }
  return {((first & 0x07) << 18) | ((byte(1) & 0x3F) << 12) | ((byte(2) & 0x3F) << 6) |
              (byte(3) & 0x3F),
          4};
}
[[nodiscard]] inline std::uint32_t utf8_size(char32_t c) noexcept {
  return c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
}
// Whether `byte` continues a character, so that a cut before it would split one.
[[nodiscard]] inline bool is_utf8_continuation(char byte) noexcept {
  return (static_cast<unsigned char>(byte) & 0xC0) == 0x80;
}

}  // namespace quipu::text
