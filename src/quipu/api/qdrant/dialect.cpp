#include "quipu/api/qdrant/dialect.h"

#include <chrono>
#include <utility>

#include "quipu/api/status_map.h"
#include "quipu/base/format.h"
#include "quipu/base/log.h"

namespace quipu::api::qdrant {
namespace {

constexpr std::string_view kVectorNotFound = "vector_not_found";

// Where Qdrant's status for an error is not ours: what is wrong in a request is 400 there, be it
// the JSON or what it says, a vector's name too, and a time that is over is 408.
int qdrant_status(const Error& error) {
  if (error.stable_reason() == kVectorNotFound) return 400;
  const int ours = http_status(error).status;
  if (ours == 422) return 400;
  if (ours == 504) return 408;
  return ours;
}

// Programs look for Qdrant's own words in these.
std::string message_of(const Call& call, const Error& error) {
  const std::string_view reason = error.stable_reason();
  if (reason == "collection_not_found" && call.parameter_count() > 0) {
    return format("Not found: Collection `{}` doesn't exist!", call.parameter(0));
  }
  if (reason == "collection_exists" && call.parameter_count() > 0) {
    return format("Wrong input: Collection `{}` already exists!", call.parameter(0));
  }
  if (reason == kVectorNotFound) {
    return "Wrong input: Not existing vector name error: " + error.message;
  }
  switch (error.code) {
    case ErrorCode::kInvalidArgument:
    case ErrorCode::kAlreadyExists: return "Wrong input: " + error.message;
    case ErrorCode::kNotFound: return "Not found: " + error.message;
    default: return error.message;
  }
}

}  // namespace

double seconds_since_start(const Call& call) {
  const std::chrono::duration<double> took = call.core().clock.steady_now() - call.start();
  return took.count();
}

std::string public_message(const Call& call, const Error& error) {
  if (!http_status(error).internal) return message_of(call, error);
  log_error("request failed", {{"request_id", call.request_id()},
                               {"code", std::string(error.stable_reason())},
                               {"error", error.message}});
  return "Service internal error: the server's log has the details under request id " +
         call.request_id();
}

const Dialect kDialect = {.error = error_response};

Response error_response(const Call& call, const Error& error, const std::vector<FieldError>&) {
  const HttpStatus http = http_status(error);
  Response response;
  response.status = qdrant_status(error);
  const std::string message = public_message(call, error);
  JsonWriter out(response.body);
  out.begin_object().key("status").begin_object();
  out.key("error").value(std::string_view(message)).end_object();
  out.key("time").value(seconds_since_start(call)).end_object();
  if (http.retry_after) response.headers.emplace_back("Retry-After", "1");
  return response;
}

void reply_result(const CallPtr& call, std::string_view result) {
  std::string json;
  json.reserve(result.size() + 64);
  JsonWriter out(json);
  out.begin_object().key("result").raw(result).key("status").value("ok");
  out.key("time").value(seconds_since_start(*call)).end_object();
  call->reply_json(200, std::move(json));
}

void reply(const CallPtr& call, const Result<std::string>& result) {
  if (!result.ok()) return call->fail(result.error());
  reply_result(call, result.value());
}

Error bad_request(std::string message) {
  return {ErrorCode::kInvalidArgument, std::move(message), "invalid_request"};
}

Error not_built(std::string message) {
  return {ErrorCode::kUnimplemented, std::move(message), "not_built"};
}

Error point_not_found(const PointId& id) {
  return {ErrorCode::kNotFound, format("No point with id {} found", id.to_string()),
          "point_not_found"};
}

void describe_any(JsonWriter& out, Components&) {
  out.begin_object().key("type").value("object").end_object();
}

}  // namespace quipu::api::qdrant
