// Health, status, metrics, the API's own description, configuration and snapshots.
#include <string>

#include "quipu/api/call.h"
#include "quipu/api/calls/health.h"
#include "quipu/api/calls/server_snapshot.h"
#include "quipu/api/rest/answers.h"
#include "quipu/api/rest/docs_page.h"
#include "quipu/api/rest/handlers.h"
#include "quipu/base/json.h"
#include "quipu/base/quote.h"
#include "quipu/telemetry/prometheus_registry.h"

namespace quipu::api::rest {
namespace {

struct SnapshotBody {
  std::string name;
};

const SchemaPtr<SnapshotBody>& snapshot_schema() {
  static const SchemaPtr<SnapshotBody> schema =
      Object<SnapshotBody>("SnapshotRequest", "Where the snapshot goes.")
          .required("name", &SnapshotBody::name, text(1, kServerSnapshotNameMax),
                    "Its folder below the data folder's snapshots/: letters, digits, _ and -.")
          .check([](const SnapshotBody& body, const Path& at, FieldErrors& errors) {
            if (is_server_snapshot_name(body.name)) return;
            errors.add(Path(at, "name"), "bad_value",
                       "must have only letters, digits, _ and -, got " + in_quotes(body.name));
          })
          .done();
  return schema;
}

void write_query_cache(const QueryCacheStatus& cache, JsonWriter& out) {
  out.key("query_cache").begin_object();
  out.key("entries").value(cache.entries).key("bytes").value(cache.bytes);
  out.key("hits").value(cache.hits).key("misses").value(cache.misses);
  out.key("stale").value(cache.stale).key("evictions").value(cache.evictions);
  out.key("hit_rate").value(hit_rate(cache));
  out.end_object();
}

void reply_health(const CallPtr& call, const EngineStatus& status) {
  std::string json;
  JsonWriter out(json);
  out.begin_object().key("status").value(is_degraded(status) ? "degraded" : "ok");
  out.key("state").value(std::string_view(status.state));
  if (!status.state_reason.empty()) {
    out.key("reason").value(std::string_view(status.state_reason));
  }
  out.key("version").value(QUIPU_VERSION).key("uptime_ms").value(status.uptime_ms);
  write_query_cache(status.query_cache, out);
  out.end_object();
  call->reply_json(200, std::move(json));
}

void reply_ok(const CallPtr& call) { call->reply_json(200, R"({"status":"ok"})"); }

// Sets the gauges that are read from the engine when somebody looks.
void set_engine_gauges(Core& core) {
  const EngineStatus status = core.engine.status();
  const auto set = [&](std::string_view name, std::string_view help, std::uint64_t value) {
    core.metrics.gauge(name, help, {}).set(static_cast<double>(value));
  };
  set("quipu_collections", "Collections of all tenants.", status.collections);
  set("quipu_points", "Points of all collections.", status.points);
  set("quipu_query_cache_entries", "Answers in the query cache.", status.query_cache.entries);
  set("quipu_query_cache_bytes", "Their size, with that of what they answer.",
      status.query_cache.bytes);
  set("quipu_disk_bytes", "Size of the data folder.", status.disk_bytes);
  set("quipu_tail_vectors", "Vectors that no graph links yet.", status.tail_vectors);
  set("quipu_write_queue_operations", "Operations that wait to be committed.",
      status.write_queue_operations);
  set("quipu_user_bytes_written", "Bytes that callers wrote.", status.user_bytes_written);
  set("quipu_file_bytes_written", "Bytes that were written to files.", status.file_bytes_written);
  set("quipu_read_only", "1 after a write error, until the next start.",
      status.state == "read_only" ? 1 : 0);
  set("quipu_uptime_seconds", "Time since the engine was opened.", status.uptime_ms / 1000);
}

}  // namespace

void health(const CallPtr& call) { reply_health(call, call->core().engine.status()); }

void health_live(const CallPtr& call) { reply_ok(call); }

void health_ready(const CallPtr& call) {
  const EngineStatus status = call->core().engine.status();
  if (!is_degraded(status)) return reply_health(call, status);
  call->fail(not_ready(status));
}

// The server takes requests only after the engine has opened: being asked at all is the answer.
void health_startup(const CallPtr& call) { reply_ok(call); }

void status(const CallPtr& call) {
  const EngineStatus now = call->core().engine.status();
  std::string json;
  JsonWriter out(json);
  out.begin_object().key("version").value(QUIPU_VERSION);
  out.key("state").value(std::string_view(now.state));
  out.key("state_reason").value(std::string_view(now.state_reason));
  out.key("uptime_ms").value(now.uptime_ms);
  out.key("collections").value(now.collections);
  out.key("points").value(now.points);
  out.key("disk_bytes").value(now.disk_bytes);
  out.key("resident_bytes").value(now.resident_bytes);
  out.key("memory_bytes_max").value(now.memory_bytes_max);
  out.key("write_queue_operations").value(now.write_queue_operations);
  out.key("user_bytes_written").value(now.user_bytes_written);
  out.key("file_bytes_written").value(now.file_bytes_written);
  out.key("tail_vectors").value(now.tail_vectors);
  out.end_object();
  call->reply_json(200, std::move(json));
}

void metrics(const CallPtr& call) {
  Core& core = call->core();
  if (!core.options.metrics_text) {
    return call->fail({ErrorCode::kUnimplemented, "metrics are not collected here", "not_built"});
  }
  set_engine_gauges(core);
  Response response;
  response.content_type = telemetry::kMetricsContentType;
  response.body = core.options.metrics_text();
  call->reply(std::move(response));
}

void openapi(const CallPtr& call) { call->reply_json(200, call->core().openapi); }

void docs(const CallPtr& call) {
  Response response;
  response.content_type = "text/html; charset=utf-8";
  response.body = docs_page();
  response.headers.emplace_back(
      "Content-Security-Policy",
      "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
      "connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'");
  response.headers.emplace_back("X-Content-Type-Options", "nosniff");
  call->reply(std::move(response));
}

void config(const CallPtr& call) {
  const Core& core = call->core();
  if (!core.options.config_json) {
    return call->fail(
        {ErrorCode::kUnimplemented, "there is no server configuration here", "not_built"});
  }
  call->reply_json(200, core.options.config_json());
}

void snapshot(const CallPtr& call) {
  const auto body = call->body(snapshot_schema());
  if (!body) return;
  const auto path = take_server_snapshot(*call, body->name);
  if (!path.ok()) return call->fail(path.error());
  std::string json;
  JsonWriter out(json);
  out.begin_object().key("name").value(std::string_view(body->name));
  out.key("path").value(std::string_view(path.value()));
  out.key("took_ms").value(milliseconds_since_start(*call)).end_object();
  call->reply_json(201, std::move(json));
}

void describe_snapshot(JsonWriter& out, Components& components) {
  snapshot_schema()->describe(out, components, "");
}

}  // namespace quipu::api::rest
