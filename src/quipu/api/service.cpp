#include "quipu/api/service.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <condition_variable>
#include <future>
#include <optional>

#include "quipu/api/call.h"
#include "quipu/api/calls/collection_snapshots.h"
#include "quipu/api/compression.h"
#include "quipu/api/openapi.h"
#include "quipu/api/problem.h"
#include "quipu/api/route_table.h"
#include "quipu/api/router.h"
#include "quipu/api/rpc_table.h"
#include "quipu/api/status_map.h"
#include "quipu/api/uri.h"
#include "quipu/base/limits.h"
#include "quipu/base/log.h"
#include "quipu/base/nearest.h"
#include "quipu/base/quote.h"
#include "quipu/base/thread_annotations.h"
#include "quipu/telemetry/request_id.h"

namespace quipu::api {
namespace {

constexpr std::size_t kGzipBytesMin = 1024;
constexpr std::size_t kGzipBytesMax = std::size_t{16} << 20;
constexpr std::array<double, 14> kLatencyBounds = {.0001, .00025, .0005, .001, .0025, .005, .01,
                                                   .025,  .05,    .1,    .25,  .5,    1,    5};

}  // namespace

// Not of the unnamed namespace, whose types g++ lets no other type have as members.
namespace request_metrics {

// How the metrics of one protocol are called, and what its statuses are.
struct MetricNames {
  std::string_view total;
  std::string_view seconds;
  std::string_view label;
  std::string (*status)(int status);
};
constexpr MetricNames kHttpMetrics = {"quipu_http_requests_total", "quipu_http_request_seconds",
                                      "route", [](int status) { return std::to_string(status); }};
constexpr MetricNames kGrpcMetrics = {
    "quipu_grpc_requests_total", "quipu_grpc_request_seconds", "method",
    [](int status) { return std::string(grpc_status_name(static_cast<GrpcStatus>(status))); }};

// The counters of one row, looked up once: asking the registry takes a lock.
class RouteMetrics {
 public:
  RouteMetrics(MetricsRegistry& metrics, const MetricNames& names, std::string_view name)
      : metrics_(metrics),
        names_(names),
        name_(name),
        seconds_(metrics.histogram(names.seconds, "Time from a request's last byte to its answer.",
                                   {{std::string(names.label), name_}}, kLatencyBounds)) {}
  void record(int status, double seconds) {
    seconds_.observe(seconds);
    std::atomic<Counter*>& slot = by_status_[static_cast<std::size_t>(status) % by_status_.size()];
    // Acquire pairs with the release below: whoever sees the pointer sees the counter behind it.
    // All who come at once store the same one.
    Counter* counter = slot.load(std::memory_order_acquire);
    if (counter == nullptr) {
      counter = &metrics_.counter(
          names_.total, "Requests answered.",
          {{std::string(names_.label), name_}, {"status", names_.status(status)}});
      slot.store(counter, std::memory_order_release);
    }
    counter->add();
  }

 private:
  MetricsRegistry& metrics_;
  const MetricNames& names_;
  std::string name_;
  Histogram& seconds_;
  std::array<std::atomic<Counter*>, 600> by_status_{};
};

}  // namespace request_metrics

namespace {

using request_metrics::kGrpcMetrics;
using request_metrics::kHttpMetrics;

Error field_error(std::string message) {
  return {ErrorCode::kInvalidArgument, std::move(message), "invalid_request"};
}

// Every query parameter is one that the row names, once, with a value of its kind.
Status check_query(const Route& route, const Target& target) {
  std::vector<std::string_view> known;
  for (const QueryParameter& parameter : route.query) known.push_back(parameter.name);
  if (route.min_seq) known.push_back("min_seq");
  for (std::size_t i = 0; i < target.query.size(); ++i) {
    const auto& [name, value] = target.query[i];
    if (std::ranges::find(known, name) == known.end()) {
      return field_error("query parameter " + in_quotes(name) + " is not known here" +
                         did_you_mean(name, known));
    }
    for (std::size_t before = 0; before < i; ++before) {
      if (target.query[before].first == name) {
        return field_error("query parameter " + in_quotes(name) + " is there twice");
      }
    }
    const auto row = std::ranges::find(route.query, name, &QueryParameter::name);
    const bool flag = row != route.query.end() && row->kind == ParameterKind::kFlag;
    if (flag && value != "true" && value != "false") {
      return field_error("query parameter " + in_quotes(name) + " must be true or false, got " +
                         in_quotes(value));
    }
    if (!flag && (value.empty() || value.size() > 4096)) {
      return field_error("query parameter " + in_quotes(name) + " must have 1 to 4096 bytes, has " +
                         std::to_string(value.size()));
    }
  }
  return ok_status();
}

std::string lower_case(std::string_view text) {
  std::string lower(text);
  std::ranges::transform(lower, lower.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  });
  return lower;
}

std::string media_type(std::string_view header) {
  return lower_case(header.substr(0, header.find_first_of("; \t")));
}

Status check_upload_type(const Call& call, const Route& route) {
  const auto header = call.header("Content-Type");
  if (!header || media_type(*header) == route.upload_type) return ok_status();
  return Error{ErrorCode::kInvalidArgument,
               "Content-Type is " + in_quotes(media_type(*header)) + "; this route takes " +
                   std::string(route.upload_type),
               "unsupported_media_type"};
}

Status check_body(const Call& call, const Route& route, const ServiceOptions& options) {
  const std::size_t limit = route.upload_type.empty()
                                ? std::min(route.body_bytes_max, options.request_bytes_max)
                                : options.request_bytes_max;
  if (call.request().body.size() > limit) {
    return Error{ErrorCode::kInvalidArgument,
                 "the body has " + std::to_string(call.request().body.size()) +
                     " bytes; the limit here is " + std::to_string(limit),
                 "body_too_large"};
  }
  if (!route.upload_type.empty()) return check_upload_type(call, route);
  if (route.body.describe == nullptr) {
    if (call.request().body.empty()) return ok_status();
    return Error{ErrorCode::kInvalidArgument, "this route takes no body", "malformed_request"};
  }
  const auto header = call.header("Content-Type");
  if (!header) return ok_status();
  const std::string type = media_type(*header);
  const bool lines = route.body.describe_line != nullptr;
  if (type == "application/json" || (lines && type == "application/x-ndjson")) return ok_status();
  return Error{ErrorCode::kInvalidArgument,
               "Content-Type is " + in_quotes(type) + "; this route takes application/json" +
                   (lines ? " or application/x-ndjson" : ""),
               "unsupported_media_type"};
}

Status check_idempotency_key(const Call& call) {
  const auto key = call.header("Idempotency-Key");
  if (!key) return ok_status();
  const bool visible = std::ranges::all_of(*key, [](char c) { return c > 0x20 && c < 0x7f; });
  if (!key->empty() && key->size() <= limits::kIdempotencyKeyBytesMax && visible) {
    return ok_status();
  }
  return Error{ErrorCode::kInvalidArgument,
               "Idempotency-Key must have 1 to 255 visible ASCII characters, has " +
                   std::to_string(key->size()) + " bytes",
               "malformed_header"};
}

}  // namespace

struct Service::State {
  State(Engine& engine, ThreadPool& compute, MetricsRegistry& metrics, Clock& clock,
        ServiceOptions options)
      : core(engine, compute, clock, metrics, std::move(options)),
        router(route_table()),
        unmatched(metrics, kHttpMetrics, "unmatched") {
    core.openapi = openapi_document(route_table());
    for (const Route& route : route_table()) {
      if (!route.built()) continue;
      by_route.emplace(&route, std::make_unique<request_metrics::RouteMetrics>(
                                   metrics, kHttpMetrics, route.name));
    }
    for (const Rpc& rpc : rpc_table()) {
      by_route.emplace(&rpc.row, std::make_unique<request_metrics::RouteMetrics>(
                                     metrics, kGrpcMetrics, rpc.row.name));
    }
  }

  request_metrics::RouteMetrics& metrics_of(const Route* route) {
    const auto found = by_route.find(route);
    return found == by_route.end() ? unmatched : *found->second;
  }
  void finish(Call& call, Response response, const Done& done);
  void finish_rpc(Call& call, Response response, const Done& done);
  // Counts and logs an answer; `failed` when it is the server's fault.
  void account(const Call& call, int status, bool failed);
  // Hands it on.
  void deliver(Response response, const Done& done);
  void start(const CallPtr& call);
  void route(Request request, Done done);

  Mutex mutex;
  std::condition_variable idle;
  std::size_t in_flight GUARDED_BY(mutex) = 0;

  Core core;
  Router router;
  request_metrics::RouteMetrics unmatched;
  std::map<const Route*, std::unique_ptr<request_metrics::RouteMetrics>> by_route;
};

void Service::State::finish(Call& call, Response response, const Done& done) {
  const auto encoding = call.header("Accept-Encoding");
  if (response.file_path.empty() && response.body.size() >= kGzipBytesMin &&
      response.body.size() <= kGzipBytesMax) {
    response.headers.emplace_back("Vary", "Accept-Encoding");
    std::string packed = encoding && accepts_gzip(*encoding) ? gzip(response.body) : "";
    if (!packed.empty()) {
      response.body = std::move(packed);
      response.headers.emplace_back("Content-Encoding", "gzip");
    }
  }
  response.headers.emplace_back("X-Request-Id", call.request_id());
  // A path that is not built yet is the caller's affair, and no failure of ours.
  account(call, response.status, response.status >= 500 && response.status != 501);
  deliver(std::move(response), done);
}

void Service::State::finish_rpc(Call& call, Response response, const Done& done) {
  response.headers.emplace_back("x-request-id", call.request_id());
  const auto status = static_cast<GrpcStatus>(response.status);
  account(call, response.status,
          status == GrpcStatus::kInternal || status == GrpcStatus::kUnavailable ||
              status == GrpcStatus::kDeadlineExceeded);
  deliver(std::move(response), done);
}

void Service::State::account(const Call& call, int status, bool failed) {
  const std::chrono::duration<double> took = core.clock.steady_now() - call.start();
  metrics_of(call.route()).record(status, took.count());
  if (!failed && log_level() != LogLevel::kDebug) return;
  log(failed ? LogLevel::kWarning : LogLevel::kDebug, "request",
      {{"request_id", call.request_id()},
       {"method", call.request().method},
       {"route", std::string(call.route() == nullptr ? "unmatched" : call.route()->name)},
       {"status", std::to_string(status)},
       {"ms", std::to_string(took.count() * 1000)},
       {"peer", call.request().peer}});
}

void Service::State::deliver(Response response, const Done& done) {
  done(std::move(response));
  MutexLock lock(mutex);
  if (--in_flight == 0) idle.notify_all();
}

void Service::State::start(const CallPtr& call) {
  const Route& route = *call->route();
  Execution where = route.execution;
  if (call->query("min_seq")) where = Execution::kWaiting;
  if (where == Execution::kInline) return route.handler(call);
  call->run_on(where == Execution::kCompute ? core.compute : core.waiting,
               [handler = route.handler](const CallPtr& self) { handler(self); });
}

void Service::State::route(Request request, Done done) {
  CallParts parts{.core = &core,
                  .route = nullptr,
                  .request = std::move(request),
                  .request_id = "",
                  .parameters = {},
                  .query = {},
                  .start = core.clock.steady_now(),
                  .finish = [this, done = std::move(done)](Call& call, Response response) {
                    finish(call, std::move(response), done);
                  }};
  const Request& asked = parts.request;
  for (const auto& [name, value] : asked.headers) {
    if (lower_case(name) == "x-request-id" && telemetry::valid_request_id(value)) {
      parts.request_id = value;
    }
  }
  if (parts.request_id.empty()) parts.request_id = telemetry::make_request_id();
  const auto answer = [&](const Error& error) {
    std::make_shared<Call>(std::move(parts))->fail(error);
  };
  Result<Target> parsed = parse_target(asked.target);
  if (!parsed.ok()) return answer(parsed.error());
  Target& target = parsed.value();
  const Router::Match match = router.match(target.segments);
  const std::string path = asked.target.substr(0, asked.target.find('?'));
  if (!match.found()) {
    return answer({ErrorCode::kNotFound, "there is no " + in_quotes(path), "path_not_found"});
  }
  if (asked.method == "OPTIONS") {
    Response response{.status = 204, .content_type = "", .body = "", .headers = {}};
    response.headers.emplace_back("Allow", match.allowed());
    return std::make_shared<Call>(std::move(parts))->reply(std::move(response));
  }
  const auto method = parse_method(asked.method == "HEAD" ? "GET" : asked.method);
  const Route* row = method ? match.by_method[static_cast<std::size_t>(*method)] : nullptr;
  if (row == nullptr) {
    const Error error{ErrorCode::kInvalidArgument,
                      in_quotes(path) + " does not take " + in_quotes(asked.method, 16) +
                          "; it takes " + match.allowed(),
                      "method_not_allowed"};
    // Any row of the path says whose language to answer in; the call itself is of none.
    const auto other =
        std::ranges::find_if(match.by_method, [](const Route* known) { return known != nullptr; });
    const Dialect* const dialect = (*other)->dialect;
    const CallPtr call = std::make_shared<Call>(std::move(parts));
    Response response = dialect == nullptr ? problem_response(error, call->request_id())
                                           : dialect->error(*call, error, {});
    response.headers.emplace_back("Allow", match.allowed());
    return call->reply(std::move(response));
  }
  parts.route = row;
  if (!row->built()) {
    return answer({ErrorCode::kUnimplemented,
                   std::string(row->summary) + ": planned, not built yet", "not_built"});
  }
  const Status query = check_query(*row, target);
  if (!query.ok()) return answer(query.error());
  for (const std::string_view value : match.parameters) parts.parameters.emplace_back(value);
  parts.query = std::move(target.query);
  const CallPtr call = std::make_shared<Call>(std::move(parts));
  const Status body = check_body(*call, *row, core.options);
  if (!body.ok()) return call->fail(body.error());
  const Status key = check_idempotency_key(*call);
  if (!key.ok()) return call->fail(key.error());
  start(call);
}

Service::Service(Engine& engine, ThreadPool& compute, MetricsRegistry& metrics, Clock& clock,
                 ServiceOptions options)
    : state_(std::make_unique<State>(engine, compute, metrics, clock, std::move(options))) {
  const std::string& root = state_->core.options.collection_snapshots_dir;
  if (root.empty()) return;
  // A folder that cannot be looked at is a matter of whoever asks for a snapshot.
  static_cast<void>(remove_uploads(root).ok());
}

Service::~Service() {
  state_->core.waiting.stop();
  MutexLock lock(state_->mutex);
  while (state_->in_flight > 0) state_->idle.wait(lock.native());
}

std::optional<Service::UploadPlan> Service::upload_plan(std::string_view method,
                                                        std::string_view target) const {
  const ServiceOptions& options = state_->core.options;
  const auto parsed_method = parse_method(method);
  const Result<Target> parsed = parse_target(target);
  if (!parsed_method || !parsed.ok() || options.collection_snapshots_dir.empty()) {
    return std::nullopt;
  }
  const Router::Match match = state_->router.match(parsed.value().segments);
  if (!match.found()) return std::nullopt;
  const Route* const row = match.by_method[static_cast<std::size_t>(*parsed_method)];
  if (row == nullptr || !row->built() || row->upload_type.empty()) return std::nullopt;
  auto path = new_upload_path(options.collection_snapshots_dir);
  if (!path.ok()) return std::nullopt;  // kept in memory then, within its limit
  return UploadPlan{.path = std::move(path).value(), .bytes_max = options.upload_bytes_max};
}

void Service::handle(Request request, Done done) {
  {
    MutexLock lock(state_->mutex);
    ++state_->in_flight;
  }
  state_->route(std::move(request), std::move(done));
}

void Service::handle_rpc(const Rpc& rpc, Request request,
                         std::optional<std::chrono::steady_clock::time_point> deadline, Done done) {
  State& state = *state_;
  {
    MutexLock lock(state.mutex);
    ++state.in_flight;
  }
  CallParts parts{.core = &state.core,
                  .route = &rpc.row,
                  .request = std::move(request),
                  .request_id = "",
                  .parameters = {},
                  .query = {},
                  .start = state.core.clock.steady_now(),
                  .finish =
                      [&state, done = std::move(done)](Call& call, Response response) {
                        state.finish_rpc(call, std::move(response), done);
                      },
                  .deadline = deadline};
  for (const auto& [name, value] : parts.request.headers) {
    if (name == "x-request-id" && telemetry::valid_request_id(value)) parts.request_id = value;
  }
  if (parts.request_id.empty()) parts.request_id = telemetry::make_request_id();
  const CallPtr call = std::make_shared<Call>(std::move(parts));
  const Route& row = rpc.row;
  if (!row.built()) {
    return call->fail({ErrorCode::kUnimplemented,
                       std::string(row.summary) + ": planned, not built yet", "not_built"});
  }
  const std::size_t limit = std::min(row.body_bytes_max, state.core.options.request_bytes_max);
  if (call->request().body.size() > limit) {
    return call->fail({ErrorCode::kInvalidArgument,
                       "the message has " + std::to_string(call->request().body.size()) +
                           " bytes; the limit here is " + std::to_string(limit),
                       "body_too_large"});
  }
  const Status key = check_idempotency_key(*call);
  if (!key.ok()) return call->fail(key.error());
  state.start(call);
}

Response Service::handle_and_wait(Request request) {
  std::promise<Response> answered;
  std::future<Response> answer = answered.get_future();
  handle(std::move(request),
         [&answered](Response response) { answered.set_value(std::move(response)); });
  return answer.get();
}

const std::string& Service::openapi() const { return state_->core.openapi; }

}  // namespace quipu::api
