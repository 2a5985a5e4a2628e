// One request on its way through the service: what handlers read from and answer to.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "quipu/api/route.h"
#include "quipu/api/schema.h"
#include "quipu/api/service.h"
#include "quipu/base/clock.h"
#include "quipu/base/json.h"
#include "quipu/base/thread_pool.h"
#include "quipu/engine.h"
#include "quipu/engine/plain_memory.h"

namespace quipu::api {

// What all calls of a service share. Borrowed by every call; the service waits for its calls.
struct Core {
  Core(Engine& engine_in, ThreadPool& compute_in, Clock& clock_in, MetricsRegistry& metrics_in,
       ServiceOptions options_in);

  Engine& engine;
  ThreadPool& compute;
  Clock& clock;
  MetricsRegistry& metrics;
  const ServiceOptions options;
  engine::PlainMemory memory;
  std::string openapi;
  // Destroyed first: its tasks use the rest.
  ThreadPool waiting;
};

// Called once with the answer of a call, which it may change and must hand on.
using CallFinish = std::function<void(Call&, Response)>;

struct CallParts {
  Core* core = nullptr;
  const Route* route = nullptr;  // null for answers without a row: 404, 405, OPTIONS
  Request request;
  std::string request_id;
  std::vector<std::string> parameters;                     // of the path
  std::vector<std::pair<std::string, std::string>> query;  // checked against the row
  std::chrono::steady_clock::time_point start;
  CallFinish finish;
  // The caller's own; the service's limit holds besides.
  std::optional<std::chrono::steady_clock::time_point> deadline = {};
};

// Threads: one at a time, until it is answered; answering may happen on any thread. A call that is
// dropped without an answer answers 500 by itself.
class Call : public std::enable_shared_from_this<Call> {
 public:
  explicit Call(CallParts parts) : parts_(std::move(parts)) {}
  ~Call();
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

  [[nodiscard]] Core& core() const noexcept { return *parts_.core; }
  [[nodiscard]] const Route* route() const noexcept { return parts_.route; }
  [[nodiscard]] const Request& request() const noexcept { return parts_.request; }
  [[nodiscard]] const std::string& request_id() const noexcept { return parts_.request_id; }
  [[nodiscard]] std::chrono::steady_clock::time_point start() const { return parts_.start; }
  [[nodiscard]] const std::string& tenant() const noexcept { return core().options.tenant; }
  // The value of the path's n-th {parameter}.
  [[nodiscard]] const std::string& parameter(std::size_t n) const { return parts_.parameters[n]; }
  [[nodiscard]] std::size_t parameter_count() const noexcept { return parts_.parameters.size(); }
  // For surfaces that name their objects in the body and not in the path.
  void set_parameters(std::vector<std::string> values) { parts_.parameters = std::move(values); }
  [[nodiscard]] std::optional<std::string_view> query(std::string_view name) const;
  [[nodiscard]] bool flag(std::string_view name, bool otherwise) const;
  // The first header of that name, ignoring case.
  [[nodiscard]] std::optional<std::string_view> header(std::string_view name) const;

  // When the call must be answered: by the service's limit, or the caller's if that is sooner.
  [[nodiscard]] std::chrono::steady_clock::time_point end() const;
  // What is left until then; 1 ms at least.
  [[nodiscard]] std::chrono::milliseconds time_left() const;
  [[nodiscard]] ReadParams read_params() const;
  // `part` tells several writes of one request apart.
  [[nodiscard]] WriteParams write_params(std::string_view part = "") const;

  // Reads the body; on a mistake the call is answered and the result is empty.
  template <typename T>
  [[nodiscard]] std::optional<T> body(const SchemaPtr<T>& schema);
  // The body as JSON, for surfaces that read it by other means than a schema; empty as above.
  [[nodiscard]] std::optional<JsonDocument> json_body();
  // Reads a body of JSON lines, at most `most` of them.
  template <typename T>
  [[nodiscard]] std::optional<std::vector<T>> lines(const SchemaPtr<T>& schema, std::size_t most);
  [[nodiscard]] bool is_ndjson() const;
  // Frees the body of the request, which may be large, once it was read.
  void drop_body() { std::string().swap(parts_.request.body); }

  // Answers. Only the first answer counts; handlers give exactly one.
  void reply(Response response);
  void reply_json(int status, std::string json);
  // In the shape of the row's dialect.
  void fail(const Error& error, const std::vector<FieldError>& errors = {});
  void fail_fields(const std::vector<FieldError>& errors);

  // Runs `task` on a pool; answers 429 when its queue is full, and 504 in place of running it when
  // the call's time is over by then.
  void run_on(ThreadPool& pool, std::function<void(const CallPtr&)> task);

 private:
  [[nodiscard]] std::optional<JsonDocument> parse(std::string_view json, std::string_view where);

  CallParts parts_;
  std::atomic<bool> answered_{false};
};

template <typename T>
std::optional<T> Call::body(const SchemaPtr<T>& schema) {
  const std::optional<JsonDocument> document = parse(parts_.request.body, "");
  if (!document) return std::nullopt;
  std::optional<T> value(std::in_place);
  FieldErrors errors;
  schema->read(document->root(), *value, Path(), errors);
  if (errors.empty()) return value;
  fail_fields(errors.all());
  return std::nullopt;
}

// Calls `visit` with the number (from 0) and text of each line that is not blank, until it returns
// false.
void for_each_line(std::string_view text,
                   const std::function<bool(std::size_t, std::string_view)>& visit);
[[nodiscard]] Error too_many_lines(std::size_t most);

template <typename T>
std::optional<std::vector<T>> Call::lines(const SchemaPtr<T>& schema, std::size_t most) {
  std::optional<std::vector<T>> values(std::in_place);
  FieldErrors errors;
  bool answered = false;
  for_each_line(parts_.request.body, [&](std::size_t number, std::string_view line) {
    if (values->size() == most) {
      fail(too_many_lines(most));
      answered = true;
      return false;
    }
    const std::optional<JsonDocument> document =
        parse(line, "line " + std::to_string(number + 1) + ": ");
    if (!document) {
      answered = true;
      return false;
    }
    T& value = values->emplace_back();
    const Path root;
    schema->read(document->root(), value, Path(root, values->size() - 1), errors);
    return !errors.full();
  });
  if (answered) return std::nullopt;
  if (values->empty() && errors.empty()) {
    fail({ErrorCode::kInvalidArgument, "the body has no lines", "body_required"});
    return std::nullopt;
  }
  if (errors.empty()) return values;
  fail_fields(errors.all());
  return std::nullopt;
}

}  // namespace quipu::api
