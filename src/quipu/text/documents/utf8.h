// Well-formedness of UTF-8, for everything that enters Quipu as text.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace quipu::text {

// The offset of the first byte that does not continue a well-formed sequence (Unicode 15, table
// 3-7: no over-long forms, no surrogates, nothing above U+10FFFF); empty when all is well.
[[nodiscard]] std::optional<std::size_t> first_invalid_utf8(std::string_view bytes) noexcept;

// The largest size <= `size` that does not cut a code point of the well-formed `bytes`.
[[nodiscard]] std::size_t utf8_floor(std::string_view bytes, std::size_t size) noexcept;

}  // namespace quipu::text
