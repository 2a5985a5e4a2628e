// The target of a request, taken apart.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "quipu/result.h"

namespace quipu::api {

struct Target {
  std::vector<std::string> segments;                       // of the path, decoded
  std::vector<std::pair<std::string, std::string>> query;  // decoded, in order
};

// Splits "/a/b%20c?x=1&y". A path has at most 16 segments, a query at most 32 parameters.
// Errors: kInvalidArgument ("malformed_request"): no leading "/", a bad escape, a NUL, too many
// parts, text that is not UTF-8.
[[nodiscard]] Result<Target> parse_target(std::string_view target);

// `text` with its %XX escapes undone; '+' stays. Empty when an escape is broken or means NUL.
[[nodiscard]] std::optional<std::string> percent_decode(std::string_view text);

// Whether `text` is well-formed UTF-8 (no overlong forms, no surrogates).
[[nodiscard]] bool valid_utf8(std::string_view text) noexcept;

}  // namespace quipu::api
