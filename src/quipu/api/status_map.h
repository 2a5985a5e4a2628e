// The one table that turns error codes into HTTP and gRPC statuses. No handler picks a status for
// an error.
#pragma once

#include <cstdint>
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

// gRPC's statuses, by its numbers.
enum class GrpcStatus : std::uint8_t {
  kOk = 0,
  kCancelled = 1,
  kUnknown = 2,
  kInvalidArgument = 3,
  kDeadlineExceeded = 4,
  kNotFound = 5,
  kAlreadyExists = 6,
  kPermissionDenied = 7,
  kResourceExhausted = 8,
  kFailedPrecondition = 9,
  kAborted = 10,
  kOutOfRange = 11,
  kUnimplemented = 12,
  kInternal = 13,
  kUnavailable = 14,
  kDataLoss = 15,
  kUnauthenticated = 16,
};
[[nodiscard]] GrpcStatus grpc_status(const Error& error) noexcept;
// "NOT_FOUND"; "UNKNOWN" for a number that gRPC does not have.
[[nodiscard]] std::string_view grpc_status_name(GrpcStatus status) noexcept;

// The reason phrase of any status that Quipu sends; "Unknown" for others.
[[nodiscard]] std::string_view http_reason(int status) noexcept;

// Every status that an error can become, ascending; for the OpenAPI document.
[[nodiscard]] std::span<const int> error_statuses() noexcept;

}  // namespace quipu::api
