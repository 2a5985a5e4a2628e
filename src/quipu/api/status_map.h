// The one table that turns error codes into HTTP statuses. No handler picks a status for an error.
#pragma once

#include <span>
#include <string_view>

#include "quipu/result.h"

namespace quipu::api {

struct HttpStatus {
  int status;
  std::string_view title;    // the status in words, for people
  bool internal = false;     // the message may tell of our insides: log it, send a general one
  bool retry_after = false;  // the caller should come again: Retry-After is sent
};

[[nodiscard]] HttpStatus http_status(const Error& error) noexcept;

// The reason phrase of any status that Quipu sends; "Unknown" for others.
[[nodiscard]] std::string_view http_reason(int status) noexcept;

// Every status that an error can become, ascending; for the OpenAPI document.
[[nodiscard]] std::span<const int> error_statuses() noexcept;

}  // namespace quipu::api
