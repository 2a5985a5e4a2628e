// What somebody who wrote a name wrongly probably meant.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace quipu {

// The number of single-character insertions, removals, replacements and swaps of neighbours that
// turn one text into the other. Cost: O(|a| * |b|); texts are cut at 64 bytes first.
[[nodiscard]] std::size_t edit_distance(std::string_view a, std::string_view b);

// The one of `known` nearest to `name`, the first of equals; empty when none is near enough to be
// worth naming (more than a third of the name, and more than 2, would have to change).
[[nodiscard]] std::string_view nearest(std::string_view name,
                                       std::span<const std::string_view> known);

// "; did you mean "x"?", or "" without a near one.
[[nodiscard]] std::string did_you_mean(std::string_view name,
                                       std::span<const std::string_view> known);

}  // namespace quipu
