// The tokens <0x00> to <0xFF>, by which models with "byte_fallback" write what they have no token
// for.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "quipu/text/tokenizer/vocabulary.h"

namespace quipu::text {

[[nodiscard]] inline std::array<std::optional<std::uint32_t>, 256> find_byte_tokens(
    const Vocabulary& vocabulary) {
  static constexpr char kDigits[] = "0123456789ABCDEF";
  std::array<std::optional<std::uint32_t>, 256> out;
  for (std::size_t byte = 0; byte < out.size(); ++byte) {
    const char name[] = {'<', '0', 'x', kDigits[byte >> 4], kDigits[byte & 15], '>'};
    out[byte] = vocabulary.find({name, sizeof(name)});
  }
  return out;
}

}  // namespace quipu::text
