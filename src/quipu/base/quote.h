// Text from outside, made fit for an error message.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace quipu {

// `text` in double quotes, control characters and bad UTF-8 escaped as in JSON, cut after about
// `bytes_max` bytes (at a character's start) with "..." to say so.
[[nodiscard]] std::string in_quotes(std::string_view text, std::size_t bytes_max = 64);

}  // namespace quipu
