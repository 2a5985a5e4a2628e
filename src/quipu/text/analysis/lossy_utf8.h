// Decoding of bytes that may not be UTF-8.
#pragma once

#include <cstddef>
#include <cstdint>

#include "quipu/text/unicode/utf8.h"

namespace quipu::text::analysis {

inline constexpr char32_t kReplacementChar = 0xFFFD;
inline constexpr char kReplacementUtf8[] = "\xEF\xBF\xBD";

// The character at `p`, which is before `end`. Bytes that begin none are U+FFFD, as many at a time
// as could have begun one (Unicode, section 3.9, "maximal subparts"), so that all decoders that
// follow the recommendation agree.
[[nodiscard]] inline DecodedChar decode_lossy(const char* p, const char* end) noexcept {
  const auto byte = [p](std::ptrdiff_t i) { return static_cast<unsigned char>(p[i]); };
  const unsigned first = byte(0);
  if (first < 0x80) return {first, 1};
  if (first < 0xC2 || first > 0xF4) return {kReplacementChar, 1};
  const std::ptrdiff_t size = first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
  // The second byte's range depends on the first: no over-long forms, surrogates, or values beyond
  // U+10FFFF.
  const unsigned low = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80;
  const unsigned high = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF;
  if (end - p < 2 || byte(1) < low || byte(1) > high) return {kReplacementChar, 1};
  for (std::ptrdiff_t i = 2; i < size; ++i) {
    if (end - p <= i || !is_utf8_continuation(p[i])) {
      return {kReplacementChar, static_cast<std::uint32_t>(i)};
    }
  }
  return decode_utf8(p);
}

// The code points of well-formed UTF-8.
[[nodiscard]] inline std::size_t count_chars(const char* p, std::size_t size) noexcept {
  std::size_t count = 0;
  for (std::size_t i = 0; i < size; ++i) count += is_utf8_continuation(p[i]) ? 0 : 1;
  return count;
}

}  // namespace quipu::text::analysis
