// How the server is, in the words that callers get.
#pragma once

#include "quipu/engine.h"
#include "quipu/result.h"

namespace quipu::api {

// Whether it does less than it should: it takes no writes, or is closing.
[[nodiscard]] bool is_degraded(const EngineStatus& status);
// What somebody is told who asks whether it is ready: kUnavailable ("not_ready").
[[nodiscard]] Error not_ready(const EngineStatus& status);
// Of all look-ups of the query cache, 0 to 1; 0 when there were none.
[[nodiscard]] double hit_rate(const QueryCacheStatus& cache);

}  // namespace quipu::api
