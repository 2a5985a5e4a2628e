#include "quipu/api/qdrant/grpc/rpc_call.h"

#include <algorithm>

#include "quipu/api/route_table.h"
#include "quipu/base/format.h"

namespace quipu::api::qdrant::rpc {
namespace {

constexpr int kHttpOk = 200;

Response rpc_error(const Call& call, const Error& error, const std::vector<FieldError>&) {
  Response response;
  // As on REST, a vector's name that is not there is a mistake of the request.
  const GrpcStatus status = error.stable_reason() == "vector_not_found"
                                ? GrpcStatus::kInvalidArgument
                                : grpc_status(error);
  response.status = static_cast<int>(status);
  response.body = public_message(call, error);
  if (http_status(error).retry_after) response.headers.emplace_back("retry-after", "1");
  return response;
}

// Whether two patterns are the same but for the names of their parameters.
bool same_pattern(std::string_view a, std::string_view b) {
  const auto next = [](std::string_view& text) {
    const std::size_t end = std::min(text.find('/', 1), text.size());
    const std::string_view segment = text.substr(0, end);
    text.remove_prefix(end);
    return segment;
  };
  while (!a.empty() && !b.empty()) {
    const std::string_view x = next(a);
    const std::string_view y = next(b);
    const bool both = x.starts_with("/{") && y.starts_with("/{");
    if (!both && x != y) return false;
  }
  return a.empty() && b.empty();
}

// The rows of Qdrant's REST API, answering errors as gRPC does.
const Route* find_row(Method method, std::string_view pattern) {
  static const std::vector<Route> rows = [] {
    std::vector<Route> all;
    for (const Route& route : route_table()) {
      if (route.dialect != &kDialect) continue;
      all.push_back(route);
      all.back().dialect = &kRpcDialect;
    }
    return all;
  }();
  const auto found = std::ranges::find_if(rows, [&](const Route& row) {
    return row.method == method && same_pattern(row.pattern, pattern);
  });
  return found == rows.end() ? nullptr : &*found;
}

}  // namespace

const Dialect kRpcDialect = {.error = rpc_error};

void call_rest(const CallPtr& call, RestRequest request, RestDone done) {
  const Route* const row = find_row(request.method, request.pattern);
  if (row == nullptr || !row->built()) {
    const std::string_view what = row == nullptr ? request.pattern : row->summary;
    return call->fail(not_built(format("{}: planned, not built yet", what)));
  }
  const CallFinish finish = [call, done = std::move(done)](Call&, Response response) {
    if (response.status != kHttpOk) return call->reply(std::move(response));
    const auto parsed = JsonDocument::parse(response.body);
    if (!parsed.ok()) return call->fail({ErrorCode::kInternal, "an answer is no JSON"});
    const auto result = parsed.value().root().find("result");
    if (!result) return call->fail({ErrorCode::kInternal, "an answer has no result"});
    done(call, *result);
  };
  const auto inner = std::make_shared<Call>(CallParts{.core = &call->core(),
                                                      .route = row,
                                                      .request = {.method = "",
                                                                  .target = "",
                                                                  .headers = {},
                                                                  .body = std::move(request.body),
                                                                  .peer = call->request().peer},
                                                      .request_id = call->request_id(),
                                                      .parameters = std::move(request.parameters),
                                                      .query = std::move(request.query),
                                                      .start = call->start(),
                                                      .finish = finish,
                                                      .deadline = call->end()});
  row->handler(inner);
}

}  // namespace quipu::api::qdrant::rpc
