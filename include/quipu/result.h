// What every fallible function of Quipu returns: a value, or an Error that says what went wrong.
//
// Quipu throws nothing. What the world can cause (a file, a socket, a request, a model) is a
// Result; what only our own bug can cause is an assertion.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "quipu/assert.h"

namespace quipu {

// Sent over the wire and stored in the log: append only, never renumber.
enum class ErrorCode : std::uint8_t {
  kInvalidArgument,
  kNotFound,
  kAlreadyExists,
  kFailedPrecondition,
  kResourceExhausted,
  kDeadlineExceeded,
  kCancelled,
  kUnavailable,
  kCorruption,
  kIo,
  kUnimplemented,
  kInternal,
};

// The code's stable name in snake_case: "invalid_argument". Valid for every enumerator.
[[nodiscard]] std::string_view error_code_name(ErrorCode code) noexcept;

struct Error {
  ErrorCode code = ErrorCode::kInternal;
  // What failed, on which object, with which values and limits; a sentence for a person.
  std::string message;
  // A stable identifier for programs, such as "dimension_mismatch" or "collection_not_found".
  // Empty means: use error_code_name(code).
  std::string reason = {};

  // `reason`, or the code's name where there is none.
  [[nodiscard]] std::string_view stable_reason() const noexcept {
    return reason.empty() ? error_code_name(code) : std::string_view(reason);
  }
};

template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : value_(std::move(value)) {}
  Result(Error error) : error_(std::make_unique<Error>(std::move(error))) {}
  [[nodiscard]] bool ok() const noexcept { return error_ == nullptr; }
  [[nodiscard]] const T& value() const& {
    QUIPU_ASSERT(ok());
    return *value_;
  }
  [[nodiscard]] T& value() & {
    QUIPU_ASSERT(ok());
    return *value_;
  }
  [[nodiscard]] T value() && {
    QUIPU_ASSERT(ok());
    return std::move(*value_);
  }
  [[nodiscard]] const Error& error() const& {
    QUIPU_ASSERT(!ok());
    return *error_;
  }
  [[nodiscard]] Error error() && {
    QUIPU_ASSERT(!ok());
    return std::move(*error_);
  }

 private:
  std::optional<T> value_;
  std::unique_ptr<Error> error_;  // Null on success, which then allocates nothing.
};

// The Result of a function that has nothing to return: `return ok_status();`.
using Status = Result<std::monostate>;
[[nodiscard]] inline Status ok_status() { return std::monostate{}; }

}  // namespace quipu

#define QUIPU_CAT_(a, b) a##b
#define QUIPU_CAT(a, b) QUIPU_CAT_(a, b)
// Declares `target` from the value of `expr`, or returns its error from this function.
#define QUIPU_TRY(target, expr) QUIPU_TRY_(QUIPU_CAT(tried_, __LINE__), target, expr)
#define QUIPU_TRY_(tried, target, expr)             \
  auto tried = (expr);                              \
  if (!tried.ok()) return std::move(tried).error(); \
  target = std::move(tried).value()
// Returns the error of `expr`, if it has one, from this function.
#define QUIPU_TRY_OK(expr) \
  if (auto tried = (expr); !tried.ok()) return std::move(tried).error()
