// How Qdrant's API speaks: the envelope of its answers and the shape of its errors.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "quipu/api/call.h"
#include "quipu/api/route.h"
#include "quipu/base/json.h"
#include "quipu/result.h"

namespace quipu::api::qdrant {

extern const Dialect kDialect;

// The version of Qdrant's API that is spoken, which clients compare with their own.
inline constexpr std::string_view kApiVersion = "1.20.0";

// {"status": {"error": "..."}, "time": seconds}, with Qdrant's status for it; "result" is left out.
[[nodiscard]] Response error_response(const Call& call, const Error& error,
                                      const std::vector<FieldError>& errors);

// What people are told of an error, in Qdrant's words; what tells of our insides goes to the log.
[[nodiscard]] std::string public_message(const Call& call, const Error& error);
// Since the request came.
[[nodiscard]] double seconds_since_start(const Call& call);

// Answers {"result": ..., "status": "ok", "time": seconds}. `result` is a JSON text.
void reply_result(const CallPtr& call, std::string_view result);

// The same, or the error.
void reply(const CallPtr& call, const Result<std::string>& result);

[[nodiscard]] Error bad_request(std::string message);
// "WHAT is not built: ..." (501).
[[nodiscard]] Error not_built(std::string message);
[[nodiscard]] Error point_not_found(const PointId& id);

// An object of any members: for rows that take a body which their handlers read.
void describe_any(JsonWriter& out, Components& components);

}  // namespace quipu::api::qdrant
