// The most asked queries, kept from one run to the next, so that the query cache begins warm.
//
// A JSON document: {"version": 1, "asked": [{"kind", "tenant", "collection", "times", "query",
// "offset", "select", "key", "group_size"}]}, queries in the form of query/request/query_json.h.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "quipu/engine.h"
#include "quipu/engine/query_cache.h"
#include "quipu/result.h"

namespace quipu::engine {

// A longer file is not read.
inline constexpr std::uint64_t kAskedBytesMax = 64U << 20;

[[nodiscard]] std::string write_asked(const std::vector<QueryCache::Asked>& asked);
// Errors: kCorruption ("damaged_file") saying what is wrong where.
[[nodiscard]] Result<std::vector<QueryCache::Asked>> read_asked(std::string_view json);
// Asks it, so that the cache has its answer. What cannot be answered any more is let go.
void ask_again(Engine& engine, const QueryCache::Asked& asked);

}  // namespace quipu::engine
