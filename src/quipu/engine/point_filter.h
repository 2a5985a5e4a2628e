// Filters over the stored points of one shard, as of one moment.
//
// Payload indexes tell which points match and which may; these are read from the moment's snapshot
// and judged by their own payload, so the answer is exact whatever is indexed. Without an index
// that helps, every point is read; where the filter lists ids, only these.
//
// Threads: any; the caller holds a guard of the epoch domain, taken before the moment.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
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

// Which vectors a point has, by its record. Borrows the vectors' configurations and the record's
// ids.
class RecordPresence final : public query::VectorPresence {
 public:
  RecordPresence(std::span<const VectorConfig> vectors, const VectorIds& ids)
      : vectors_(vectors), ids_(ids) {}
  [[nodiscard]] bool has_vector(std::string_view name) const override;

 private:
  const std::span<const VectorConfig> vectors_;
  const VectorIds& ids_;
};

class PointFilter {
 public:
  // `vectors`: the collection's, borrowed. `schema`: whose text indexes say what words are; null:
  // as without an index. It outlives the result. Errors: those of query::CompiledFilter::compile().
  [[nodiscard]] static Result<PointFilter> compile(const Filter& filter,
                                                   std::span<const VectorConfig> vectors,
                                                   const Schema* schema = nullptr);
  // `record` is an encoded PointRecord. Errors: kCorruption.
  [[nodiscard]] Result<bool> matches(const PointId& id, std::string_view record) const;
  [[nodiscard]] const query::CompiledFilter& compiled() const noexcept { return filter_; }
  // Whether the filter means by words what this field's index means.
  [[nodiscard]] bool agrees_with(const PayloadField& field) const;

 private:
  PointFilter(query::CompiledFilter filter, std::span<const VectorConfig> vectors,
              const Schema* schema)
      : filter_(std::move(filter)), vectors_(vectors), schema_(schema) {}
  query::CompiledFilter filter_;
  std::span<const VectorConfig> vectors_;
  const Schema* schema_;
};

// What is read, and until when.
struct FilterScope {
  KeyValueStore* kv = nullptr;
  const Shard* shard = nullptr;
  const Moment* moment = nullptr;
  const Clock* clock = nullptr;
  std::chrono::steady_clock::time_point deadline;
};

using MatchVisitor = std::function<Result<bool>(const PointId& id, std::string_view record)>;
// Calls `visit` with the id and the record of each point of the shard, by ascending id, until it
// says no. Returns how many were read. Errors: kDeadlineExceeded, kCorruption, kIo, and those of
// `visit`.
[[nodiscard]] Result<std::uint64_t> for_each_point(const FilterScope& scope,
                                                   const MatchVisitor& visit);

// The points of one shard that match: as slots where payload indexes told them, else as ids.
// Threads: one.
class Matches {
 public:
  // What the slots name; borrowed.
  explicit Matches(const Shard& shard) : shard_(&shard) {}
  [[nodiscard]] std::uint64_t count() const;
  // Each once.
  [[nodiscard]] const std::unordered_set<PointId>& ids() const;
  [[nodiscard]] std::vector<PointId> sorted_ids() const;
  [[nodiscard]] bool contains(const PointId& id) const { return ids().contains(id); }
  // Null when they are known as ids only.
  [[nodiscard]] const index::SlotBitmap* slots() const { return slots_ ? &*slots_ : nullptr; }

  std::uint64_t judged = 0;  // payloads that were read and judged
  // Keys of conditions that no index answered, ascending.
  std::vector<std::string> keys_without_index;

 private:
  friend class MatchFinder;
  const Shard* shard_;
  std::optional<index::SlotBitmap> slots_;
  mutable std::optional<std::unordered_set<PointId>> ids_;
};
// Errors: as for_each_point().
[[nodiscard]] Result<Matches> find_matches(const FilterScope& scope, const PointFilter& filter);
// The same, but nothing when payload indexes do not help and every point would have to be read.
[[nodiscard]] Result<std::optional<Matches>> find_indexed_matches(const FilterScope& scope,
                                                                  const PointFilter& filter);
// Reads the records of the matches and calls `visit` as for_each_point() does.
[[nodiscard]] Status for_each_match(const FilterScope& scope, const Matches& matches,
                                    const MatchVisitor& visit);
// The slots of those that have a row in the view.
[[nodiscard]] index::SlotBitmap slots_of(const Matches& matches, const FilterScope& scope,
                                         const index::DenseIndex& view);

}  // namespace quipu::engine
