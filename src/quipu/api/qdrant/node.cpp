// What this server is: version, health, telemetry, cluster.
#include <string>

#include "quipu/api/call.h"
#include "quipu/api/qdrant/dialect.h"
#include "quipu/api/qdrant/handlers.h"
#include "quipu/api/qdrant/request.h"
#include "quipu/base/json.h"
#include "quipu/telemetry/time_text.h"

namespace quipu::api::qdrant {
namespace {

void reply_text(const CallPtr& call, std::string_view text) {
  Response response;
  response.content_type = "text/plain; charset=utf-8";
  response.body = text;
  call->reply(std::move(response));
}

}  // namespace

void version(const CallPtr& call) {
  std::string json;
  JsonWriter out(json);
  out.begin_object().key("title").value("quipu - memory and vector engine, with Qdrant's API");
  out.key("version").value(kApiVersion);
  out.key("quipu_version").value(QUIPU_VERSION).end_object();
  call->reply_json(200, std::move(json));
}

void healthz(const CallPtr& call) { reply_text(call, "healthz check passed"); }

void livez(const CallPtr& call) { reply_text(call, "livez check passed"); }

void readyz(const CallPtr& call) {
  const EngineStatus status = call->core().engine.status();
  if (status.state == "ready") return reply_text(call, "all shards are ready");
  call->fail({ErrorCode::kUnavailable, "the engine is " + status.state + ": " + status.state_reason,
              "not_ready"});
}

void telemetry(const CallPtr& call) {
  Core& core = call->core();
  const EngineStatus status = core.engine.status();
  const auto started_us =
      core.clock.now_us() - static_cast<std::int64_t>(status.uptime_ms) * std::int64_t{1000};
  std::string json;
  JsonWriter out(json);
  out.begin_object().key("id").value("quipu");
  out.key("app").begin_object().key("name").value("quipu");
  out.key("version").value(QUIPU_VERSION);
  out.key("startup").value(std::string_view(quipu::telemetry::rfc3339(started_us))).end_object();
  out.key("collections").begin_object();
  out.key("number_of_collections").value(core.engine.collections(call->tenant()).size());
  out.end_object();
  out.key("cluster").begin_object().key("enabled").value(false).end_object().end_object();
  reply_result(call, json);
}

void cluster(const CallPtr& call) { reply_result(call, R"({"status":"disabled"})"); }

}  // namespace quipu::api::qdrant
