// Errors as answers: application/problem+json (RFC 9457).
#pragma once

#include <string_view>
#include <vector>

#include "quipu/api/schema.h"
#include "quipu/api/service.h"
#include "quipu/result.h"

namespace quipu::api {

inline constexpr std::string_view kProblemContentType = "application/problem+json";

// {type, title, status, code, detail, request_id, errors?}. What may tell of our insides is logged
// with the request's id, and the answer says only that.
[[nodiscard]] Response problem_response(const Error& error, std::string_view request_id,
                                        const std::vector<FieldError>& errors = {});

// What callers may know of an error: of one that may tell of our insides, nothing but that.
struct PublicError {
  std::string_view code;    // borrowed from the error, or for ever
  std::string_view detail;  // as it
};
[[nodiscard]] PublicError public_error(const Error& error);

// Writes {"code", "detail"} of an error that belongs to one item of an answer.
void write_item_error(JsonWriter& out, const Error& error);

}  // namespace quipu::api
