// One row of the route table. Routing, validation, the OpenAPI document, metric labels and the 405
// and 501 answers all come from these rows; no path exists outside them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "quipu/api/schema.h"

namespace quipu::api {

class Call;
struct Response;
using CallPtr = std::shared_ptr<Call>;
// Answers the call, now or later, from any thread.
using Handler = void (*)(const CallPtr& call);

enum class Method : std::uint8_t { kGet, kPut, kPost, kPatch, kDelete };
inline constexpr std::size_t kMethodCount = 5;
[[nodiscard]] std::string_view method_name(Method method) noexcept;  // "GET"
[[nodiscard]] std::optional<Method> parse_method(std::string_view name) noexcept;

// Where a handler starts.
enum class Execution : std::uint8_t {
  kInline,   // microseconds, never waits: on the thread that brought the request
  kCompute,  // uses the processor: on the compute pool
  kWaiting,  // waits for the disk, the log or the embedder: on the service's own pool
};

enum class ParameterKind : std::uint8_t { kText, kFlag };
struct QueryParameter {
  std::string_view name = {};
  ParameterKind kind = ParameterKind::kText;
  std::string_view doc = {};
};

// The description of a body, whatever C++ type it is read into.
using DescribeBody = void (*)(JsonWriter& out, Components& components);

struct BodyType {
  DescribeBody describe = nullptr;       // null: the route takes no body
  DescribeBody describe_line = nullptr;  // of one line, when application/x-ndjson is taken too
  std::string_view example = {};         // a JSON body that the server accepts
  std::string_view example_line = {};    // a line of NDJSON that the server accepts
};

// How the rows of a surface that speaks another API's language differ from ours. They are not in
// our OpenAPI document: that API has its own.
struct Dialect {
  // The answer to an error, in that API's shape.
  Response (*error)(const Call& call, const Error& error, const std::vector<FieldError>& errors);
};

struct Route {
  Method method = Method::kGet;
  std::string_view pattern = {};     // "/v1/collections/{collection}/points:get"
  std::string_view name = {};        // operationId and metric label; unique
  std::string_view permission = {};  // "points:read"; what roles will grant; "" for everybody
  std::string_view tag = {};
  std::string_view summary = {};
  Handler handler = nullptr;  // null: of the design, not built yet (501)
  Execution execution = Execution::kInline;
  BodyType body = {};
  bool idempotent = false;  // takes Idempotency-Key
  bool min_seq = false;     // takes ?min_seq= (and then runs where it may wait)
  std::vector<QueryParameter> query = {};
  int success = 200;
  std::string_view response = {};                       // a name in response_schemas()
  std::string_view response_type = "application/json";  // other types have no schema
  std::size_t body_bytes_max = std::size_t{1} << 20;    // ServiceOptions may set a lower one
  // The media type of a body that is a file, received to the disk; "": the body is as above.
  std::string_view upload_type = {};
  const Dialect* dialect = nullptr;  // null: ours

  [[nodiscard]] bool built() const noexcept { return handler != nullptr; }
};

}  // namespace quipu::api
