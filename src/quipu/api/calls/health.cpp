#include "quipu/api/calls/health.h"

#include <cstdint>
#include <string>

namespace quipu::api {

bool is_degraded(const EngineStatus& status) { return status.state != "ready"; }

Error not_ready(const EngineStatus& status) {
  std::string why = "the engine is " + status.state;
  if (!status.state_reason.empty()) why += ": " + status.state_reason;
  return {ErrorCode::kUnavailable, std::move(why), "not_ready"};
}

double hit_rate(const QueryCacheStatus& cache) {
  const std::uint64_t asked = cache.hits + cache.misses + cache.stale;
  return asked == 0 ? 0.0 : static_cast<double>(cache.hits) / static_cast<double>(asked);
}

}  // namespace quipu::api
