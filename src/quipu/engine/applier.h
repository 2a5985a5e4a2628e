// Applies operations on points to the state: judges their conditions, and adds their effects, their
// log entry and the shard's counters to one batch.
//
// Pure in (state, operation): it reads no clock, no random source and no unordered container's
// order. Conditions inside one group of operations are judged over what the group did before
// (invariants.md, rule 7).
//
// Threads: one Applier is used by one thread, for one group.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "quipu/base/key_value.h"
#include "quipu/engine/payload_change.h"
#include "quipu/engine/records.h"
#include "quipu/engine/shard.h"
#include "quipu/result.h"
#include "quipu/storage/operation.h"

namespace quipu::engine {

struct Applied {
  Seq seq;
  bool refused = false;   // took its number, changed nothing
  bool replayed = false;  // answered from the idempotency record; nothing was logged
  std::vector<ItemResult> items;
  // For the views; they point into the operation. Empty when refused.
  std::vector<PointEffect> effects;
};

class Applier {
 public:
  // Borrows both.
  Applier(KeyValueStore& kv, KvBatch& batch);

  // Judges `operation` (on points) and emits its effects. `encoded` is its encoding, for the log.
  // An Error means that nothing of it was emitted: the storage could not be read, or the operation
  // names a vector that was dropped since it was made ("vector_not_found").
  Result<Applied> apply(Shard& shard, const storage::Operation& operation,
                        std::string_view encoded);
  // Emits the counters of every shard that was touched. Call once, last.
  void finish();
  // After the batch was written: moves the shards' counters to what the group made of them.
  void commit();

 private:
  struct OverlayPoint {
    bool exists = false;
    std::uint64_t version = 0;
    std::string record;  // encoded; empty when it does not exist
  };
  struct Overlay {
    ShardMeta meta;
    std::int64_t oldest_idempotency_us = -1;
    std::uint64_t operations = 0;
    std::unordered_map<PointId, OverlayPoint> points;  // looked up, never iterated
  };
  // What one point of an operation will become.
  struct Planned {
    PointId id;
    bool exists = false;  // after the operation
    bool existed = false;
    std::uint16_t erased_vectors = 0;  // mask over the positions in the shard's schema
    PointRecord record;
    const std::vector<storage::OpVector>* vectors = nullptr;
    bool text_changed = false;
    bool payload_changed = false;
  };
  struct Plan {
    bool refused = false;
    std::vector<Planned> points;
    std::vector<ItemResult> items;
  };
  struct Current {
    bool exists = false;
    std::uint64_t version = 0;
  };

  Overlay& overlay(Shard& shard);
  [[nodiscard]] Current current(const Shard& shard, const Overlay& overlay,
                                const PointId& id) const;
  Result<std::string> read_bytes(const Shard& shard, const Overlay& overlay, const PointId& id);
  Result<PointRecord> read_record(const Shard& shard, const Overlay& overlay, const PointId& id);
  Status plan_upsert(const Shard& shard, const Overlay& overlay,
                     const storage::Operation& operation, const storage::UpsertOp& op, Seq seq,
                     Plan& plan);
  Status plan_patch(const Shard& shard, const Overlay& overlay, const storage::Operation& operation,
                    const storage::PatchOp& op, Seq seq, Plan& plan);
  // The change of one point that is there; its error is the item's.
  Result<std::optional<Error>> patch_record(const Schema& schema,
                                            const storage::Operation& operation,
                                            const storage::PatchPoint& point, Seq seq,
                                            Planned& planned);
  // Into an empty place each: a snapshot has no point twice.
  Status plan_restore(const Shard& shard, const Overlay& overlay,
                      const storage::RestorePointsOp& op, Seq seq, Plan& plan);
  Status plan_delete(const Shard& shard, const Overlay& overlay, const storage::DeleteOp& op,
                     Seq seq, Plan& plan);
  // Of the candidates, those that are there and match.
  template <typename Op>
  Status plan_by_filter(const Shard& shard, const Overlay& overlay,
                        const storage::Operation& operation, const Op& op, Seq seq, Plan& plan);
  Result<Plan> make_plan(const Shard& shard, const Overlay& overlay,
                         const storage::Operation& operation, Seq seq);
  std::vector<PointEffect> emit_plan(const Shard& shard, Overlay& overlay, Plan& plan);
  Result<std::optional<Applied>> find_idempotent(const Shard& shard,
                                                 const storage::OpIdempotency& key,
                                                 std::int64_t time_us);
  Status remember(const Shard& shard, Overlay& overlay, const storage::Operation& operation,
                  const Applied& applied);
  Status expire_idempotency(const Shard& shard, Overlay& overlay, std::int64_t time_us);

  KeyValueStore& kv_;
  KvBatch& batch_;
  std::map<ShardId, std::pair<Shard*, Overlay>> overlays_;
  std::map<std::pair<ShardId, Digest128>, std::string> remembered_;  // by this group
};

// One entry of a log: the operation, then one byte that says whether apply refused it, so that
// views which replay the log need not judge again.
void put_log_entry(KvBatch& batch, ShardId shard, Seq seq, std::string_view encoded, bool refused);
struct LogEntry {
  storage::Operation operation;
  bool refused = false;
};
// Errors: kCorruption.
[[nodiscard]] Result<LogEntry> read_log_entry(std::string_view value);

}  // namespace quipu::engine
