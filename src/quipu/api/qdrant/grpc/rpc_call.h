// What the handlers of Qdrant's gRPC methods have in common.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "quipu/api/call.h"
#include "quipu/api/qdrant/dialect.h"
#include "quipu/api/qdrant/request.h"
#include "quipu/api/rpc_message.h"
#include "quipu/api/status_map.h"
#include "quipu/base/json.h"
#include "quipu/result.h"

namespace quipu::api::qdrant::rpc {

// Errors as gRPC's statuses, in Qdrant's words.
extern const Dialect kRpcDialect;

// Answers with the member that all answers of points and collections have.
template <typename Answer>
void reply_timed(const CallPtr& call, Answer& answer) {
  answer.set_time(seconds_since_start(*call));
  reply_message(call, answer);
}

// The terms that a message states. Errors: kInvalidArgument for a timeout of 0.
template <typename Request>
[[nodiscard]] Result<Terms> terms_of(const Call& call, const Request& request) {
  Terms terms{.wait = false, .timeout = call.time_left()};
  if constexpr (requires { request.wait(); }) terms.wait = request.wait();
  if (request.has_timeout()) {
    QUIPU_TRY(terms.timeout, shorten(call, request.timeout()));
  }
  return terms;
}

// ---------------------------------------------------------------- by way of the REST handlers

// A request of Qdrant's REST API: its row is found by method and pattern, whatever the pattern
// calls its parameters.
struct RestRequest {
  Method method = Method::kGet;
  std::string_view pattern = {};
  std::vector<std::string> parameters = {};
  std::vector<std::pair<std::string, std::string>> query = {};
  std::string body = {};
};
// Gets the member "result" of the answer; answers the call.
using RestDone = std::function<void(const CallPtr& call, JsonView result)>;
// Has the row's handler do the work, on this thread. Errors answer the call, also kUnimplemented
// for a row that is not built.
void call_rest(const CallPtr& call, RestRequest request, RestDone done);

}  // namespace quipu::api::qdrant::rpc
