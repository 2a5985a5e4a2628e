// What the engine's functions say to arguments that they do not take.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "quipu/base/format.h"
#include "quipu/result.h"

namespace quipu::engine {

[[nodiscard]] inline Error invalid(std::string message, std::string reason) {
  return Error{ErrorCode::kInvalidArgument, std::move(message), std::move(reason)};
}

// Errors: kInvalidArgument ("out_of_range") naming the field, its value and its limits.
[[nodiscard]] inline Error out_of_range(std::string_view field, std::uint64_t value,
                                        std::uint64_t low, std::uint64_t high) {
  return invalid(format("{} is {}; it must be from {} to {}", field, value, low, high),
                 "out_of_range");
}
[[nodiscard]] inline Status check_range(std::string_view field, std::uint64_t value,
                                        std::uint64_t low, std::uint64_t high) {
  if (value >= low && value <= high) return ok_status();
  return out_of_range(field, value, low, high);
}

}  // namespace quipu::engine
