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

enum class Decomposition : std::uint8_t { kCanonical, kCompatibility };
// NFD or NFKD: replaces each character by its full decomposition and puts marks into canonical
// order. Parts of a character carry the whole character's bytes.
void decompose(AlignedText& text, Decomposition kind);
// The second half of NFC and NFKC, on text that decompose() has made. A composed character carries
// the bytes of its first part.
void compose(AlignedText& text);

}  // namespace quipu::text
