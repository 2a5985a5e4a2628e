// One shard of a collection: its counters, slot map and views, and the moment that readers see.
//
// Threads: what is marked "committer" is touched by the commit thread only (and by open(), before
// that thread runs). moment() may be called by any thread. The dense indexes have their own rules.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_set>
#include <vector>

#include "quipu/base/atomic_shared_ptr.h"
#include "quipu/base/epoch.h"
#include "quipu/base/key_value.h"
#include "quipu/engine.h"
#include "quipu/engine/records.h"
#include "quipu/engine/slot_map.h"
#include "quipu/ids.h"
#include "quipu/index/dense/dense_index.h"
#include "quipu/storage/operation.h"

namespace quipu::engine {

// The searchable views of one shard, one for each configured vector; null while it is loading,
// when searches read the vectors from storage instead. Immutable.
struct ViewSet {
  std::vector<std::shared_ptr<index::DenseIndex>> dense;
};

// One moment of a shard: all that a query needs to answer as of `applied` (invariants.md, rule 4).
// Immutable. Holding it keeps the storage snapshot alive, so hold it for one request only.
struct Moment {
  Seq applied;
  std::uint64_t points = 0;
  std::shared_ptr<const KvSnapshot> snapshot;
  std::shared_ptr<const ViewSet> views;
};

class Shard {
 public:
  // Borrows `epochs`. Views are made by make_views() or by recovery.
  Shard(ShardId id, std::vector<VectorConfig> vectors, EpochDomain& epochs);

  [[nodiscard]] ShardId id() const noexcept { return id_; }
  [[nodiscard]] const std::vector<VectorConfig>& vectors() const noexcept { return vectors_; }
  [[nodiscard]] static index::DenseOptions dense_options(const VectorConfig& vector);

  // Any thread that holds a Guard of the epoch domain. Never null once published.
  [[nodiscard]] std::shared_ptr<const Moment> moment() const { return moment_.load(); }

  // Committer. Fresh, empty views.
  Status make_views();
  // Committer. Brings slot map and views from seq-1 to seq. The operation was applied to the state.
  void apply_to_views(const storage::Operation& operation, Seq seq);
  // Committer. Makes everything applied so far visible.
  void publish(std::shared_ptr<const KvSnapshot> snapshot);

  // Committer. A view's background load: from begin to finish, live operations go to `fresh` as
  // well, and load_row() adds what the storage snapshot taken at begin holds and nothing since
  // has changed.
  void begin_load(std::size_t vector_index, std::shared_ptr<index::DenseIndex> fresh);
  void load_row(std::size_t vector_index, const PointId& id, std::span<const float> vector,
                Seq loaded_at);
  void finish_load(std::size_t vector_index);
  [[nodiscard]] bool loading(std::size_t vector_index) const {
    return loads_[vector_index].index != nullptr;
  }

  // Rows of all views that wait to be linked, as of the last publish. Any thread.
  [[nodiscard]] std::uint64_t tail_rows() const;
  [[nodiscard]] std::uint64_t closed_rows() const;
  // Rows that a rebuild put into the tail at once; they do not count against tail_vectors_max.
  std::atomic<std::uint64_t> tail_allowance{0};
  // Everything that a reader could need that is older than this is gone: rows closed and slots
  // released up to here may be freed. Written by maintenance after an epoch's grace.
  std::atomic<std::uint64_t> horizon{0};
  std::atomic<std::uint64_t> checkpoint_covers{0};  // of the newest published checkpoint
  std::atomic<std::uint64_t> log_operations{0};
  std::atomic<std::uint64_t> changes_since_checkpoint{0};
  std::atomic<bool> dropped{false};
  // Maintenance's own: what is scheduled or running for this shard.
  std::atomic<int> link_tasks{0};
  std::atomic<bool> consolidating{false};
  std::atomic<bool> checkpointing{false};
  std::atomic<bool> horizon_pending{false};

  // Committer.
  ShardMeta meta;
  SlotMap slots;
  std::shared_ptr<const ViewSet> views;
  std::int64_t oldest_idempotency_us = -1;  // -1: not known

 private:
  struct Load {
    std::shared_ptr<index::DenseIndex> index;
    std::unordered_set<PointId> touched;
  };
  void put_vectors(const PointId& id, SlotId slot, const std::vector<storage::OpVector>& vectors,
                   bool replace_all, Seq seq);
  void erase_vectors(const PointId& id, SlotId slot, Seq seq);
  [[nodiscard]] index::DenseIndex* target(std::size_t vector_index, const PointId& id);

  const ShardId id_;
  const std::vector<VectorConfig> vectors_;
  EpochDomain& epochs_;
  std::vector<Load> loads_;
  AtomicSharedPtr<const Moment> moment_;
};

}  // namespace quipu::engine
