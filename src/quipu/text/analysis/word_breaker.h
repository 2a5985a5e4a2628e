// Word boundaries of Unicode's default rules (UAX #29, revision 41).
#pragma once

#include <cstddef>
#include <string_view>

namespace quipu::text::analysis {

// The end of the segment that begins at `begin`, which is below text.size() and a boundary (0, or
// what this returned). Bytes that are not UTF-8 count as U+FFFD. Cost: linear in the segment and
// what follows it up to the next character that is no mark.
[[nodiscard]] std::size_t word_end(std::string_view text, std::size_t begin) noexcept;

}  // namespace quipu::text::analysis
