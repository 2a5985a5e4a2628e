#include "quipu/engine/shard.h"

#include <utility>
#include <variant>

namespace quipu::engine {

Shard::Shard(ShardId id, std::vector<VectorConfig> vectors, EpochDomain& epochs)
    : slots(epochs), id_(id), vectors_(std::move(vectors)), epochs_(epochs) {
  loads_.resize(vectors_.size());
}

index::DenseOptions Shard::dense_options(const VectorConfig& vector) {
  return {.dim = vector.dim,
          .metric = vector.metric,
          .graph = vector.index == IndexKind::kHnsw,
          .m = vector.m,
          .ef_construction = vector.ef_construction};
}

Status Shard::make_views() {
  auto made = std::make_shared<ViewSet>();
  for (const VectorConfig& vector : vectors_) {
    QUIPU_TRY(std::shared_ptr<index::DenseIndex> index,
              index::DenseIndex::create(dense_options(vector), epochs_));
    made->dense.push_back(std::move(index));
  }
  views = std::move(made);
  return ok_status();
}

index::DenseIndex* Shard::target(std::size_t vector_index, const PointId& id) {
  Load& load = loads_[vector_index];
  if (load.index == nullptr) return views->dense[vector_index].get();
  load.touched.insert(id);
  return load.index.get();
}

void Shard::put_vectors(const PointId& id, SlotId slot,
                        const std::vector<storage::OpVector>& vectors, bool replace_all, Seq seq) {
  if (replace_all) {
    for (std::size_t i = 0; i < vectors_.size(); ++i) {
      bool given = false;
      for (const storage::OpVector& vector : vectors) given = given || vector.vector_index == i;
      if (given) continue;
      if (index::DenseIndex* index = target(i, id)) index->erase(slot, seq);
    }
  }
  for (const storage::OpVector& vector : vectors) {
    if (index::DenseIndex* index = target(vector.vector_index, id)) {
      index->insert(slot, vector.values, seq);
    }
  }
}

void Shard::erase_vectors(const PointId& id, SlotId slot, Seq seq) {
  for (std::size_t i = 0; i < vectors_.size(); ++i) {
    if (index::DenseIndex* index = target(i, id)) index->erase(slot, seq);
  }
}

void Shard::apply_to_views(const storage::Operation& operation, Seq seq) {
  std::uint64_t changes = 0;
  if (const auto* upsert = std::get_if<storage::UpsertOp>(&operation.body)) {
    for (const storage::UpsertPoint& point : upsert->points) {
      const SlotId slot = slots.assign(point.id, seq.value());
      put_vectors(point.id, slot, point.vectors, /*replace_all=*/true, seq);
      ++changes;
    }
  } else if (const auto* patch = std::get_if<storage::PatchOp>(&operation.body)) {
    for (const storage::PatchPoint& point : patch->points) {
      if (!slots.find(point.id)) continue;  // was not there: nothing was patched
      const SlotId slot = slots.assign(point.id, seq.value());
      put_vectors(point.id, slot, point.vectors, /*replace_all=*/false, seq);
      ++changes;
    }
  } else if (const auto* remove = std::get_if<storage::DeleteOp>(&operation.body)) {
    for (const storage::DeletePoint& point : remove->points) {
      const std::optional<SlotId> slot = slots.release(point.id, seq);
      if (!slot) continue;
      erase_vectors(point.id, *slot, seq);
      ++changes;
    }
  }
  changes_since_checkpoint.fetch_add(changes + 1, std::memory_order_relaxed);  // a statistic
}

void Shard::publish(std::shared_ptr<const KvSnapshot> snapshot) {
  auto moment = std::make_shared<Moment>();
  moment->applied = meta.applied;
  moment->points = meta.points;
  moment->snapshot = std::move(snapshot);
  moment->views = views;
  moment_.store(std::move(moment));  // rows and slots of this moment are seen with it
}

void Shard::begin_load(std::size_t vector_index, std::shared_ptr<index::DenseIndex> fresh) {
  loads_[vector_index].index = std::move(fresh);
  loads_[vector_index].touched.clear();
}

void Shard::load_row(std::size_t vector_index, const PointId& id, std::span<const float> vector,
                     Seq loaded_at) {
  Load& load = loads_[vector_index];
  if (load.touched.contains(id)) return;  // a newer operation has said what its vector is
  const std::optional<SlotMap::Entry> entry = slots.find(id);
  if (!entry) return;
  load.index->insert(entry->slot, vector, loaded_at);
}

void Shard::finish_load(std::size_t vector_index) {
  auto made = std::make_shared<ViewSet>(*views);
  made->dense[vector_index] = std::move(loads_[vector_index].index);
  loads_[vector_index] = {};
  views = std::move(made);
}

std::uint64_t Shard::tail_rows() const {
  const std::shared_ptr<const Moment> now = moment();
  std::uint64_t rows = 0;
  for (const auto& index : now->views->dense) {
    if (index != nullptr && index->options().graph) rows += index->stats().tail_rows;
  }
  return rows;
}

std::uint64_t Shard::closed_rows() const {
  const std::shared_ptr<const Moment> now = moment();
  std::uint64_t rows = 0;
  for (const auto& index : now->views->dense) {
    if (index != nullptr) rows += index->stats().closed_rows;
  }
  return rows;
}

}  // namespace quipu::engine
