// Text as characters that remember which bytes of the original they came from, and the Unicode
// normalization forms over it.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace quipu::text {

struct AlignedChar {
  char32_t value = 0;
  std::uint32_t begin = 0;  // bytes of the original text
  std::uint32_t end = 0;
};
using AlignedText = std::vector<AlignedChar>;

// Decodes well-formed UTF-8; the offsets begin at `base`.
void decode_aligned(std::string_view text, std::uint32_t base, AlignedText& out);

enum class NormalForm : std::uint8_t { kNfd, kNfc, kNfkd, kNfkc };
// Puts the text into a normal form of Unicode (UAX #15). Parts of a character carry the whole
// character's bytes, a composed one those of the first that went into it.
void normalise(AlignedText& text, NormalForm form);

}  // namespace quipu::text
