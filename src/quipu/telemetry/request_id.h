// The name of a request in logs, errors and answers.
#pragma once

#include <string>
#include <string_view>

namespace quipu::telemetry {

inline constexpr std::size_t kRequestIdBytesMax = 128;

// Whether a caller's own id may be kept: 1 to 128 of [A-Za-z0-9._:-]. Anything else could forge log
// lines or header fields.
[[nodiscard]] bool valid_request_id(std::string_view id) noexcept;

// 16 hexadecimal digits, different for each call in this process and unlikely to repeat between
// processes. Not a secret. Threads: any.
[[nodiscard]] std::string make_request_id();

}  // namespace quipu::telemetry
