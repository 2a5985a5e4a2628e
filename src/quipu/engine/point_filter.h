// Filters over the stored points of one shard, as of one moment.
//
// Every point that could match is read from the moment's snapshot and judged by its own payload, so
// the answer is exact whatever is indexed. Where the filter lists ids, only these are read.
//
// Threads: any; the caller holds a guard of the epoch domain, taken before the moment.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <span>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "quipu/base/clock.h"
#include "quipu/base/key_value.h"
#include "quipu/engine.h"
#include "quipu/engine/shard.h"
#include "quipu/filter.h"
#include "quipu/index/dense/dense_index.h"
#include "quipu/index/slot_filter.h"
#include "quipu/query/filter/evaluate.h"
#include "quipu/result.h"

namespace quipu::engine {

class PointFilter {
 public:
  // `vectors`: the collection's, borrowed. Errors: those of query::CompiledFilter::compile().
  [[nodiscard]] static Result<PointFilter> compile(const Filter& filter,
                                                   std::span<const VectorConfig> vectors);
  // `record` is an encoded PointRecord. Errors: kCorruption.
  [[nodiscard]] Result<bool> matches(const PointId& id, std::string_view record) const;
  [[nodiscard]] const query::CompiledFilter& compiled() const noexcept { return filter_; }

 private:
  PointFilter(query::CompiledFilter filter, std::span<const VectorConfig> vectors)
      : filter_(std::move(filter)), vectors_(vectors) {}
  query::CompiledFilter filter_;
  std::span<const VectorConfig> vectors_;
};

// What is read, and until when.
struct FilterScope {
  KeyValueStore* kv = nullptr;
  const Shard* shard = nullptr;
  const Moment* moment = nullptr;
  const Clock* clock = nullptr;
  std::chrono::steady_clock::time_point deadline;
};

// Calls `visit` with the id and the record of each matching point, by ascending id, until it says
// no. Returns how many points were judged. Errors: kDeadlineExceeded, kCorruption, kIo, and those
// of `visit`.
using MatchVisitor = std::function<Result<bool>(const PointId& id, std::string_view record)>;
[[nodiscard]] Result<std::uint64_t> for_each_match(const FilterScope& scope,
                                                   const PointFilter& filter,
                                                   const MatchVisitor& visit);

// The points of one shard that match.
struct Matches {
  std::unordered_set<PointId> ids;
  std::uint64_t judged = 0;
};
[[nodiscard]] Result<Matches> find_matches(const FilterScope& scope, const PointFilter& filter);
// The slots of those that have a row in the view.
[[nodiscard]] index::SlotBitmap slots_of(const Matches& matches, const FilterScope& scope,
                                         const index::DenseIndex& view);

}  // namespace quipu::engine
