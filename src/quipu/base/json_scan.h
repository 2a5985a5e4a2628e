// A plain RFC 8259 checker: the slow twin of the fast parser. It says where a text that the parser
// refused is wrong, and tests compare the two's verdicts.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace quipu::detail {

struct JsonProblem {
  std::size_t offset = 0;  // of the first byte that cannot be right; text.size() for a missing one
  std::string_view what;
};

// Empty when `text` is one valid JSON value with at most `depth_max` nested arrays and objects, its
// strings valid UTF-8 without lone surrogates, its integers within 64 bits and its other numbers
// within a double. Says nothing about duplicate members.
[[nodiscard]] std::optional<JsonProblem> find_json_problem(std::string_view text,
                                                           std::size_t depth_max);

// "line 3, column 7": both from 1, columns in bytes.
[[nodiscard]] std::string describe_json_place(std::string_view text, std::size_t offset);

// Bytes of the UTF-8 character that `text` begins with, 1 to 4, or 0 when it begins with none.
// `text` is not empty.
[[nodiscard]] std::size_t utf8_character_size(std::string_view text) noexcept;

}  // namespace quipu::detail
