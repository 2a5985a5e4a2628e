#include "quipu/api/problem.h"

#include <string>

#include "quipu/api/status_map.h"
#include "quipu/base/json.h"
#include "quipu/base/log.h"

namespace quipu::api {
namespace {

constexpr std::string_view kHidden =
    "an internal error; the server's log has the details under this request_id";

std::string_view public_detail(const Error& error) {
  return http_status(error).internal ? kHidden : std::string_view(error.message);
}

std::string_view public_code(const Error& error) {
  return http_status(error).internal ? std::string_view("internal") : error.stable_reason();
}

}  // namespace

Response problem_response(const Error& error, std::string_view request_id,
                          const std::vector<FieldError>& errors) {
  const HttpStatus http = http_status(error);
  if (http.internal) {
    log_error("request failed", {{"request_id", std::string(request_id)},
                                 {"code", std::string(error.stable_reason())},
                                 {"error", error.message}});
  }
  Response response;
  response.status = http.status;
  response.content_type = kProblemContentType;
  JsonWriter out(response.body);
  const std::string_view code = public_code(error);
  out.begin_object();
  out.key("type").value(std::string_view("urn:quipu:problem:" + std::string(code)));
  out.key("title").value(http.title);
  out.key("status").value(http.status);
  out.key("code").value(code);
  out.key("detail").value(public_detail(error));
  out.key("request_id").value(request_id);
  if (!errors.empty()) {
    out.key("errors").begin_array();
    for (const FieldError& item : errors) {
      out.begin_object().key("field").value(std::string_view(item.field));
      out.key("code").value(std::string_view(item.code));
      out.key("detail").value(std::string_view(item.detail)).end_object();
    }
    out.end_array();
  }
  out.end_object();
  if (http.retry_after) response.headers.emplace_back("Retry-After", "1");
  return response;
}

PublicError public_error(const Error& error) {
  return {.code = public_code(error), .detail = public_detail(error)};
}

void write_item_error(JsonWriter& out, const Error& error) {
  out.begin_object().key("code").value(public_code(error));
  out.key("detail").value(public_detail(error)).end_object();
}

}  // namespace quipu::api
