// How the server is, and how it is configured.
#include <quipu_proto/quipu/v1/system.pb.h>

#include "quipu/api/calls/health.h"
#include "quipu/api/grpc/v1/handlers.h"
#include "quipu/api/grpc/v1/messages.h"

namespace quipu::api::grpc::v1 {

void system_health(const CallPtr& call) {
  pb::HealthRequest message;
  if (!parse_message(call, message)) return;
  const EngineStatus now = call->core().engine.status();
  if (message.ready() && is_degraded(now)) return call->fail(not_ready(now));
  pb::HealthResponse answer;
  answer.set_status(is_degraded(now) ? "degraded" : "ok");
  answer.set_state(now.state);
  answer.set_reason(now.state_reason);
  answer.set_version(QUIPU_VERSION);
  answer.set_uptime_ms(now.uptime_ms);
  pb::QueryCache& cache = *answer.mutable_query_cache();
  cache.set_entries(now.query_cache.entries);
  cache.set_bytes(now.query_cache.bytes);
  cache.set_hits(now.query_cache.hits);
  cache.set_misses(now.query_cache.misses);
  cache.set_stale(now.query_cache.stale);
  cache.set_evictions(now.query_cache.evictions);
  cache.set_hit_rate(hit_rate(now.query_cache));
  reply_message(call, answer);
}

void system_status(const CallPtr& call) {
  pb::StatusRequest message;
  if (!parse_message(call, message)) return;
  const EngineStatus now = call->core().engine.status();
  pb::StatusResponse answer;
  answer.set_version(QUIPU_VERSION);
  answer.set_state(now.state);
  answer.set_state_reason(now.state_reason);
  answer.set_uptime_ms(now.uptime_ms);
  answer.set_collections(now.collections);
  answer.set_points(now.points);
  answer.set_disk_bytes(now.disk_bytes);
  answer.set_resident_bytes(now.resident_bytes);
  answer.set_memory_bytes_max(now.memory_bytes_max);
  answer.set_write_queue_operations(now.write_queue_operations);
  answer.set_user_bytes_written(now.user_bytes_written);
  answer.set_file_bytes_written(now.file_bytes_written);
  answer.set_tail_vectors(now.tail_vectors);
  reply_message(call, answer);
}

void system_config(const CallPtr& call) {
  pb::ConfigRequest message;
  if (!parse_message(call, message)) return;
  const Core& core = call->core();
  if (!core.options.config_json) {
    return call->fail(
        {ErrorCode::kUnimplemented, "there is no server configuration here", "not_built"});
  }
  pb::ConfigResponse answer;
  answer.set_config_json(core.options.config_json());
  reply_message(call, answer);
}

}  // namespace quipu::api::grpc::v1
