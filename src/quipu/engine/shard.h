// One shard of a collection: its counters, slot map and views, and the moment that readers see.
//
// Threads: what is marked "committer" is touched by the commit thread only (and by open(), before
// that thread runs). moment() may be called by any thread. The indexes have their own rules.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <unordered_set>
#include <vector>

#include "quipu/base/atomic_shared_ptr.h"
#include "quipu/base/epoch.h"
#include "quipu/base/key_value.h"
#include "quipu/engine.h"
#include "quipu/engine/live_slots.h"
#include "quipu/engine/records.h"
#include "quipu/engine/schema.h"
#include "quipu/engine/slot_map.h"
#include "quipu/ids.h"
#include "quipu/index/dense/dense_index.h"
#include "quipu/index/payload/payload_index.h"
#include "quipu/index/sparse/sparse_index.h"
#include "quipu/query/plan/field_values.h"
#include "quipu/storage/operation.h"

namespace quipu::engine {

// The searchable views of one shard; null while one is loading, when what it would tell is read
// from storage instead. Immutable.
struct ViewSet {
  std::shared_ptr<const Schema> schema;
  std::vector<std::shared_ptr<index::DenseIndex>> dense;      // by vector; null for other kinds
  std::vector<std::shared_ptr<index::SparseIndex>> sparse;    // by vector; null for other kinds
  std::vector<std::shared_ptr<index::SparseIndex>> words;     // by the schema's words
  std::vector<std::shared_ptr<index::PayloadIndex>> payload;  // by the schema's payload indexes

  // The sparse index behind a view; null for other kinds, and while it is loading.
  [[nodiscard]] std::shared_ptr<index::SparseIndex> sparse_of(const ViewRef& view) const {
    if (view.kind == ViewKind::kPayload) return nullptr;
    return view.kind == ViewKind::kWords ? words[view.index] : sparse[view.index];
  }
  // A copy in which the view is missing.
  [[nodiscard]] std::shared_ptr<ViewSet> without(const ViewRef& view) const;
  [[nodiscard]] bool missing(const ViewRef& view) const;
};

using SparseMoments = std::vector<std::shared_ptr<const index::SparseIndex::Moment>>;

// One moment of a shard: all that a query needs to answer as of `applied` (invariants.md, rule 4).
// Immutable. Holding it keeps the storage snapshot alive, so hold it for one request only.
struct Moment {
  Seq applied;
  std::uint64_t points = 0;
  std::shared_ptr<const KvSnapshot> snapshot;
  std::shared_ptr<const ViewSet> views;
  SparseMoments sparse;  // beside views->sparse
  SparseMoments words;   // beside views->words
  // Beside views->payload.
  std::vector<std::shared_ptr<const index::PayloadIndex::Moment>> payload;
  std::shared_ptr<const LiveSlots::Snapshot> live;
};

// What an operation did to one point, for the views.
struct PointEffect {
  PointId id;
  bool exists = false;               // after the operation; the rest is for those that do
  std::uint16_t erased_vectors = 0;  // a mask over the positions in the shard's schema
  // Those that were given; null for none.
  const std::vector<storage::OpVector>* vectors = nullptr;
  bool text_changed = false;
  bool payload_changed = false;
  PointRecord record;  // as it is after the operation
};

class Shard {
 public:
  // Borrows `epochs`. Views are made by make_views() or by recovery.
  Shard(ShardId id, std::shared_ptr<const Schema> schema, EpochDomain& epochs);

  [[nodiscard]] ShardId id() const noexcept { return id_; }
  // Committer. Those of the schema.
  [[nodiscard]] const std::vector<VectorConfig>& vectors() const noexcept {
    return schema_->vectors;
  }
  // Committer. What the shard's views are made of.
  [[nodiscard]] const Schema& schema() const noexcept { return *schema_; }

  // Any thread that holds a Guard of the epoch domain. Never null once published.
  [[nodiscard]] std::shared_ptr<const Moment> moment() const { return moment_.load(); }

  // Committer. Fresh, empty views.
  Status make_views();
  // At open, when slots were filled from elsewhere than apply_to_views().
  void note_live_slots();
  // Committer. Views by the new schema: those that stay are kept, words and payload indexes that
  // are new are null until loaded, and vectors that are new have empty views, since no point can
  // have had one.
  void set_schema(std::shared_ptr<const Schema> schema);
  // Committer. Brings slot map and views to `seq`; effects come by ascending number. At open, what
  // happened since a checkpoint comes as one effect for each point, all at the number they lead to.
  void apply_to_views(std::span<const PointEffect> effects, Seq seq);
  // Committer. Makes everything applied so far visible.
  void publish(std::shared_ptr<const KvSnapshot> snapshot);

  // Committer. A view's background load: from begin to finish, live operations go to `fresh` as
  // well, and load_row() adds what the storage snapshot taken at begin holds and nothing since
  // has changed. A load whose view has left the schema is forgotten.
  struct FreshView {
    std::shared_ptr<index::DenseIndex> dense;
    std::shared_ptr<index::SparseIndex> sparse;  // of a sparse vector, or of words
    std::shared_ptr<index::PayloadIndex> payload;
  };
  [[nodiscard]] Result<FreshView> make_view(const ViewRef& view) const;
  // A load keeps its number while its view's place in the schema changes.
  using LoadId = std::uint64_t;
  [[nodiscard]] LoadId begin_load(const ViewRef& view, FreshView fresh);
  void load_vector(LoadId load, const PointId& id, const storage::OpVector& vector, Seq loaded_at);
  void load_record(LoadId load, const PointId& id, const PointRecord& record, Seq loaded_at);
  // Where the view is now; nothing when it has left the schema.
  std::optional<ViewRef> finish_load(LoadId load);
  void cancel_load(LoadId load);
  [[nodiscard]] bool loading(const ViewRef& view) const { return find_load(view) != nullptr; }

  // Rows of all dense views that wait to be linked, as of the last publish. Any thread.
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
  // Set when sparse views have changed; taken by the merge that looks at them.
  std::atomic<bool> merge_wanted{false};
  // Maintenance's own: what is scheduled or running for this shard.
  std::atomic<int> link_tasks{0};
  std::atomic<bool> consolidating{false};
  std::atomic<bool> merging{false};
  std::atomic<bool> checkpointing{false};
  std::atomic<bool> horizon_pending{false};

  // Committer.
  ShardMeta meta;
  SlotMap slots;
  std::shared_ptr<const ViewSet> views;
  std::int64_t oldest_idempotency_us = -1;  // -1: not known

 private:
  struct Load {
    LoadId id = 0;
    ViewRef view;
    FreshView fresh;
    std::unordered_set<PointId> touched;
  };
  // Where a change of a point goes: the view, or what is being loaded; null for neither.
  [[nodiscard]] Load* find_load(const ViewRef& view);
  [[nodiscard]] const Load* find_load(const ViewRef& view) const;
  [[nodiscard]] Load* find_load(LoadId id);
  [[nodiscard]] index::DenseIndex* dense_target(const ViewRef& view, const PointId& id);
  [[nodiscard]] index::SparseIndex* sparse_target(const ViewRef& view, const PointId& id);
  void apply_effect(const PointEffect& effect, Seq seq);
  void put_vector(const PointId& id, SlotId slot, const storage::OpVector& vector, Seq seq);
  void erase_vector(std::size_t vector_index, const PointId& id, SlotId slot, Seq seq);
  void put_payload(const PointId& id, SlotId slot, const PointRecord& record, Seq seq);
  void insert_payload(index::PayloadIndex& into, std::size_t payload_index, SlotId slot,
                      JsonView payload, Seq seq);
  [[nodiscard]] index::PayloadIndex* payload_target(std::size_t payload_index, const PointId& id);
  [[nodiscard]] Result<FreshView> make_vector_view(const VectorConfig& vector) const;
  void make_readers();
  void keep_vector_views(const Schema& schema, ViewSet& made, std::vector<Load>& kept);
  void put_words(std::size_t words_index, const PointId& id, SlotId slot, const PointRecord& record,
                 Seq seq);
  void insert_sparse(index::SparseIndex& into, SlotId slot, const storage::OpVector& vector,
                     Seq seq);
  void insert_words(index::SparseIndex& into, const WordsField& field, SlotId slot,
                    const PointRecord& record, Seq seq);

  const ShardId id_;
  EpochDomain& epochs_;
  std::shared_ptr<const Schema> schema_;
  std::vector<Load> loads_;
  LoadId last_load_ = 0;
  WordsReader words_reader_;
  std::vector<query::FieldReader> field_readers_;  // by the schema's payload indexes
  LiveSlots live_;
  std::vector<index::SparseWeight> weights_;
  AtomicSharedPtr<const Moment> moment_;
};

}  // namespace quipu::engine
