// A worker's side of the harness: one JSON object a line in, one a line out (bench/README.md).
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "quipu/base/json.h"
#include "quipu/result.h"

namespace quipu::bench {

// Answers requests from standard input until it ends; an Error becomes {"error": message}. Returns
// the exit status.
using Answer = std::function<Result<std::string>(std::string_view op, JsonView request)>;
int serve(const Answer& answer);

// Members of a request. Errors: kInvalidArgument naming the member.
[[nodiscard]] Result<std::string> text_of(JsonView request, std::string_view name);
[[nodiscard]] Result<std::uint64_t> number_of(JsonView request, std::string_view name);

[[nodiscard]] Error unknown_op(std::string_view op);

}  // namespace quipu::bench
