// Extended grapheme clusters (Unicode Standard Annex #29): what readers take for one character.
#pragma once

#include <cstddef>
#include <span>

#include "quipu/text/unicode/aligned_text.h"

namespace quipu::text {

// How many characters the first cluster of `text`, which is not empty, has. Without rule GB9c
// (conjuncts of Indic scripts), whose shortest cluster has nine bytes: a charsmap, which is what
// this is for, only takes clusters of up to five as a whole. Threads: any.
[[nodiscard]] std::size_t grapheme_size(std::span<const AlignedChar> text) noexcept;

// The number of a character's script for UnicodeScripts, 0 for characters that go with any.
// Threads: any.
[[nodiscard]] unsigned script_of(char32_t c) noexcept;

}  // namespace quipu::text
