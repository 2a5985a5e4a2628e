#include "quipu/api/call.h"

#include <algorithm>

#include "quipu/api/problem.h"
#include "quipu/base/ascii.h"
#include "quipu/base/bytes.h"

namespace quipu::api {
Core::Core(Engine& engine_in, ThreadPool& compute_in, Clock& clock_in, MetricsRegistry& metrics_in,
           ServiceOptions options_in)
    : engine(engine_in),
      compute(compute_in),
      clock(clock_in),
      metrics(metrics_in),
      options(std::move(options_in)),
      memory(engine_in, clock_in,
             {.tenant = options.tenant,
              .model = options.default_model,
              .collection = options.memory_collection}),
      waiting({.name = "quipu-waiting",
               .thread_count = std::clamp<std::size_t>(options.waiting_threads, 1, 256),
               .queue_tasks_max = 1024}) {}

Call::~Call() {
  if (!answered_.load()) {
    fail({ErrorCode::kInternal, "a handler dropped its call without an answer"});
  }
}

std::optional<std::string_view> Call::query(std::string_view name) const {
  const auto found = std::ranges::find(
      parts_.query, name, [](const auto& item) { return std::string_view(item.first); });
  if (found == parts_.query.end()) return std::nullopt;
  return found->second;
}

bool Call::flag(std::string_view name, bool otherwise) const {
  const auto value = query(name);
  return value ? *value == "true" : otherwise;
}

std::optional<std::string_view> Call::header(std::string_view name) const {
  for (const auto& [known, value] : parts_.request.headers) {
    if (same_ignoring_case(known, name)) return value;
  }
  return std::nullopt;
}

std::chrono::steady_clock::time_point Call::end() const {
  const auto end = parts_.start + core().options.request_timeout;
  return parts_.deadline ? std::min(end, *parts_.deadline) : end;
}

std::chrono::milliseconds Call::time_left() const {
  const auto left =
      std::chrono::duration_cast<std::chrono::milliseconds>(end() - core().clock.steady_now());
  return std::max(left, std::chrono::milliseconds(1));
}

ReadParams Call::read_params() const {
  return {.min_seq = std::string(query("min_seq").value_or("")),
          .timeout = time_left(),
          .cache = flag("cache", true)};
}

WriteParams Call::write_params(std::string_view part) const {
  WriteParams params{.idempotency_key = "", .timeout = time_left()};
  if (const auto key = header("Idempotency-Key")) {
    // One key may serve several routes and several writes of one request (invariants, rule 11).
    std::string name(parts_.route->name);
    name += '\n';
    name += *key;
    if (!part.empty()) (name += '\n') += part;
    params.idempotency_key = sha256_hex(name);
  }
  return params;
}

bool Call::is_ndjson() const {
  const auto type = header("Content-Type");
  return type &&
         same_ignoring_case(type->substr(0, type->find_first_of("; ")), "application/x-ndjson");
}

std::optional<JsonDocument> Call::parse(std::string_view json, std::string_view where) {
  if (json.find_first_not_of(" \t\r\n") == std::string_view::npos) {
    fail({ErrorCode::kInvalidArgument, "the body is empty; this route takes a JSON value",
          "body_required"});
    return std::nullopt;
  }
  Result<JsonDocument> document = JsonDocument::parse(json);
  if (document.ok()) return std::move(document).value();
  Error error = std::move(document).error();
  error.message.insert(0, where);
  if (error.reason.empty()) error.reason = "malformed_json";
  fail(error);
  return std::nullopt;
}

std::optional<JsonDocument> Call::json_body() { return parse(parts_.request.body, ""); }

void Call::reply(Response response) {
  if (answered_.exchange(true)) return;
  // Taken out first: what the callback holds must not keep this call alive through itself.
  const CallFinish finish = std::move(parts_.finish);
  finish(*this, std::move(response));
}

void Call::reply_json(int status, std::string json) {
  Response response;
  response.status = status;
  response.body = std::move(json);
  reply(std::move(response));
}

void Call::fail(const Error& error, const std::vector<FieldError>& errors) {
  const Dialect* const dialect = parts_.route == nullptr ? nullptr : parts_.route->dialect;
  reply(dialect == nullptr ? problem_response(error, parts_.request_id, errors)
                           : dialect->error(*this, error, errors));
}

void Call::fail_fields(const std::vector<FieldError>& errors) {
  const FieldError& first = errors.front();
  std::string detail = first.field.empty() ? "the body" : first.field;
  detail += (first.code == "unknown_field" ? " " : ": ") + first.detail;
  if (errors.size() > 1) detail += " (and " + std::to_string(errors.size() - 1) + " more)";
  fail({ErrorCode::kInvalidArgument, std::move(detail), "invalid_request"}, errors);
}

void Call::run_on(ThreadPool& pool, std::function<void(const CallPtr&)> task) {
  const CallPtr self = shared_from_this();
  const Status submitted = pool.submit([self, task = std::move(task)] {
    if (self->core().clock.steady_now() >= self->end()) {
      const auto limit =
          std::chrono::duration_cast<std::chrono::milliseconds>(self->end() - self->start());
      self->fail({ErrorCode::kDeadlineExceeded, "the request waited longer than its limit of " +
                                                    std::to_string(limit.count()) + " ms"});
      return;
    }
    task(self);
  });
  if (submitted.ok()) return;
  if (submitted.error().code == ErrorCode::kCancelled) {
    fail({ErrorCode::kUnavailable, "the server is stopping", "stopping"});
  } else {
    fail({ErrorCode::kResourceExhausted,
          "too many requests are waiting: " + submitted.error().message, "queue_full"});
  }
}

void for_each_line(std::string_view text,
                   const std::function<bool(std::size_t, std::string_view)>& visit) {
  for (std::size_t number = 0; !text.empty(); ++number) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    if (!visit(number, line)) return;
  }
}

Error too_many_lines(std::size_t most) {
  return {ErrorCode::kInvalidArgument,
          "the body has more than " + std::to_string(most) + " lines, the limit of one request",
          "too_many_items"};
}

}  // namespace quipu::api
