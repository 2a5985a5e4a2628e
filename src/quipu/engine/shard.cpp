#include "quipu/engine/shard.h"

#include <algorithm>
#include <utility>

#include "quipu/assert.h"

namespace quipu::engine {
namespace {

// What a point has no view for.
bool is_dense(const VectorConfig& vector) { return vector.kind == VectorKind::kDense; }
bool is_sparse(const VectorConfig& vector) { return vector.kind == VectorKind::kSparse; }

std::shared_ptr<ViewSet> empty_views(std::shared_ptr<const Schema> schema) {
  auto views = std::make_shared<ViewSet>();
  views->dense.resize(schema->vectors.size());
  views->sparse.resize(schema->vectors.size());
  views->words.resize(schema->words.size());
  views->payload.resize(schema->payload.size());
  views->schema = std::move(schema);
  return views;
}

}  // namespace

bool ViewSet::missing(const ViewRef& view) const {
  if (view.kind == ViewKind::kWords) return words[view.index] == nullptr;
  if (view.kind == ViewKind::kPayload) return payload[view.index] == nullptr;
  switch (schema->vectors[view.index].kind) {
    case VectorKind::kDense: return dense[view.index] == nullptr;
    case VectorKind::kSparse: return sparse[view.index] == nullptr;
    case VectorKind::kMulti: return false;  // has no view
  }
  return false;
}

std::shared_ptr<ViewSet> ViewSet::without(const ViewRef& view) const {
  auto made = std::make_shared<ViewSet>(*this);
  switch (view.kind) {
    case ViewKind::kVector:
      made->dense[view.index] = nullptr;
      made->sparse[view.index] = nullptr;
      break;
    case ViewKind::kWords: made->words[view.index] = nullptr; break;
    case ViewKind::kPayload: made->payload[view.index] = nullptr; break;
  }
  return made;
}

Shard::Shard(ShardId id, std::shared_ptr<const Schema> schema, EpochDomain& epochs)
    : slots(epochs), id_(id), epochs_(epochs), schema_(std::move(schema)) {
  views = empty_views(schema_);
  make_readers();
}

void Shard::make_readers() {
  field_readers_.clear();
  for (const PayloadField& field : schema_->payload) {
    field_readers_.emplace_back(field.path, field.options.kind, field.analyzer.get());
  }
}

Result<Shard::FreshView> Shard::make_vector_view(const VectorConfig& vector) const {
  FreshView fresh;
  if (is_sparse(vector)) {
    QUIPU_TRY(fresh.sparse, index::SparseIndex::create(sparse_options(), epochs_));
  } else if (is_dense(vector)) {
    QUIPU_TRY(fresh.dense, index::DenseIndex::create(dense_options(vector), epochs_));
  }
  return fresh;
}

Result<Shard::FreshView> Shard::make_view(const ViewRef& view) const {
  if (view.kind == ViewKind::kVector) return make_vector_view(schema_->vectors[view.index]);
  FreshView fresh;
  if (view.kind == ViewKind::kWords) {
    QUIPU_TRY(fresh.sparse, index::SparseIndex::create(words_options(), epochs_));
  } else {
    QUIPU_TRY(fresh.payload,
              index::PayloadIndex::create(schema_->payload[view.index].options, epochs_));
  }
  return fresh;
}

Status Shard::make_views() {
  auto made = empty_views(schema_);
  for (const ViewRef& view : all_views(*schema_)) {
    QUIPU_TRY(FreshView fresh, make_view(view));
    if (view.kind == ViewKind::kWords) {
      made->words[view.index] = std::move(fresh.sparse);
    } else if (view.kind == ViewKind::kPayload) {
      made->payload[view.index] = std::move(fresh.payload);
    } else {
      made->dense[view.index] = std::move(fresh.dense);
      made->sparse[view.index] = std::move(fresh.sparse);
    }
  }
  views = std::move(made);
  return ok_status();
}

void Shard::note_live_slots() {
  slots.for_each_slot([this](SlotId slot) { live_.add(slot); });
}

void Shard::keep_vector_views(const Schema& schema, ViewSet& made, std::vector<Load>& kept) {
  for (std::size_t i = 0; i < schema.vectors.size(); ++i) {
    const std::optional<std::size_t> j = schema_->find_vector(schema.vectors[i].id);
    if (!j) {
      Result<FreshView> fresh = make_vector_view(schema.vectors[i]);
      if (!fresh.ok()) continue;  // loaded in the background, which finds nothing to load
      made.dense[i] = std::move(fresh.value().dense);
      made.sparse[i] = std::move(fresh.value().sparse);
      continue;
    }
    made.dense[i] = views->dense[*j];
    made.sparse[i] = views->sparse[*j];
    if (Load* load = find_load({ViewKind::kVector, *j})) {
      kept.push_back(
          {load->id, {ViewKind::kVector, i}, std::move(load->fresh), std::move(load->touched)});
    }
  }
}

void Shard::set_schema(std::shared_ptr<const Schema> schema) {
  auto made = empty_views(schema);
  std::vector<Load> kept;
  keep_vector_views(*schema, *made, kept);
  for (std::size_t i = 0; i < schema->words.size(); ++i) {
    for (std::size_t j = 0; j < schema_->words.size(); ++j) {
      if (schema_->words[j].config.view_id != schema->words[i].config.view_id) continue;
      made->words[i] = views->words[j];
      if (Load* load = find_load({ViewKind::kWords, j})) {
        kept.push_back(
            {load->id, {ViewKind::kWords, i}, std::move(load->fresh), std::move(load->touched)});
      }
    }
  }
  for (std::size_t i = 0; i < schema->payload.size(); ++i) {
    for (std::size_t j = 0; j < schema_->payload.size(); ++j) {
      if (schema_->payload[j].config.view_id != schema->payload[i].config.view_id) continue;
      made->payload[i] = views->payload[j];
      if (Load* load = find_load({ViewKind::kPayload, j})) {
        kept.push_back(
            {load->id, {ViewKind::kPayload, i}, std::move(load->fresh), std::move(load->touched)});
      }
    }
  }
  loads_ = std::move(kept);
  schema_ = std::move(schema);
  views = std::move(made);
  make_readers();
}

Shard::Load* Shard::find_load(const ViewRef& view) {
  for (Load& load : loads_) {
    if (load.view == view) return &load;
  }
  return nullptr;
}
const Shard::Load* Shard::find_load(const ViewRef& view) const {
  for (const Load& load : loads_) {
    if (load.view == view) return &load;
  }
  return nullptr;
}

index::DenseIndex* Shard::dense_target(const ViewRef& view, const PointId& id) {
  Load* load = find_load(view);
  if (load == nullptr) return views->dense[view.index].get();
  load->touched.insert(id);
  return load->fresh.dense.get();
}

index::SparseIndex* Shard::sparse_target(const ViewRef& view, const PointId& id) {
  Load* load = find_load(view);
  if (load == nullptr) return views->sparse_of(view).get();
  load->touched.insert(id);
  return load->fresh.sparse.get();
}

void Shard::insert_sparse(index::SparseIndex& into, SlotId slot, const storage::OpVector& vector,
                          Seq seq) {
  weights_.clear();
  for (std::size_t i = 0; i < vector.indices.size(); ++i) {
    weights_.push_back({.dimension = vector.indices[i], .weight = vector.values[i]});
  }
  into.insert(slot, weights_, seq);
}

void Shard::insert_words(index::SparseIndex& into, const WordsField& field, SlotId slot,
                         const PointRecord& record, Seq seq) {
  const Result<bool> has_text = words_reader_.read(field, record.text, record.payload);
  // A payload that is no JSON was refused at the door; one that is damaged has no words.
  if (has_text.ok() && has_text.value()) {
    into.insert(slot, words_reader_.terms(), seq);
  } else {
    into.erase(slot, seq);
  }
}

void Shard::put_vector(const PointId& id, SlotId slot, const storage::OpVector& vector, Seq seq) {
  const std::optional<std::size_t> index_of = schema_->find_vector(vector.vector_id);
  if (!index_of) return;  // apply lets none pass
  const ViewRef view{ViewKind::kVector, *index_of};
  const VectorConfig& config = schema_->vectors[*index_of];
  if (is_dense(config)) {
    if (index::DenseIndex* index = dense_target(view, id)) index->insert(slot, vector.values, seq);
  } else if (is_sparse(config)) {
    if (index::SparseIndex* index = sparse_target(view, id)) {
      insert_sparse(*index, slot, vector, seq);
    }
  }
}

void Shard::erase_vector(std::size_t vector_index, const PointId& id, SlotId slot, Seq seq) {
  const ViewRef view{ViewKind::kVector, vector_index};
  if (is_dense(vectors()[vector_index])) {
    if (index::DenseIndex* index = dense_target(view, id)) index->erase(slot, seq);
  } else if (is_sparse(vectors()[vector_index])) {
    if (index::SparseIndex* index = sparse_target(view, id)) index->erase(slot, seq);
  }
}

void Shard::put_words(std::size_t words_index, const PointId& id, SlotId slot,
                      const PointRecord& record, Seq seq) {
  if (index::SparseIndex* index = sparse_target({ViewKind::kWords, words_index}, id)) {
    insert_words(*index, schema_->words[words_index], slot, record, seq);
  }
}

index::PayloadIndex* Shard::payload_target(std::size_t payload_index, const PointId& id) {
  Load* load = find_load({ViewKind::kPayload, payload_index});
  if (load == nullptr) return views->payload[payload_index].get();
  load->touched.insert(id);
  return load->fresh.payload.get();
}

void Shard::insert_payload(index::PayloadIndex& into, std::size_t payload_index, SlotId slot,
                           JsonView payload, Seq seq) {
  const index::PayloadValues* values = field_readers_[payload_index].read(payload);
  if (values != nullptr) {
    into.insert(slot, *values, seq);
  } else {
    into.erase(slot, seq);
  }
}

void Shard::put_payload(const PointId& id, SlotId slot, const PointRecord& record, Seq seq) {
  if (schema_->payload.empty()) return;
  const Result<JsonDocument> json = JsonDocument::parse(record.payload);
  for (std::size_t i = 0; i < schema_->payload.size(); ++i) {
    index::PayloadIndex* index = payload_target(i, id);
    if (index == nullptr) continue;
    if (json.ok()) {
      insert_payload(*index, i, slot, json.value().root(), seq);
    } else {
      index->erase(slot, seq);  // damaged: has no fields
    }
  }
}

void Shard::apply_effect(const PointEffect& effect, Seq seq) {
  if (!effect.exists) {
    const std::optional<SlotId> slot = slots.release(effect.id, seq);
    if (!slot) return;
    for (std::size_t i = 0; i < vectors().size(); ++i) erase_vector(i, effect.id, *slot, seq);
    for (std::size_t i = 0; i < schema_->words.size(); ++i) {
      const ViewRef view{ViewKind::kWords, i};
      if (index::SparseIndex* index = sparse_target(view, effect.id)) index->erase(*slot, seq);
    }
    for (std::size_t i = 0; i < schema_->payload.size(); ++i) {
      if (index::PayloadIndex* index = payload_target(i, effect.id)) index->erase(*slot, seq);
    }
    live_.remove(*slot);
    return;
  }
  const SlotId slot = slots.assign(effect.id, effect.record.version);
  live_.add(slot);
  for (std::size_t i = 0; i < vectors().size(); ++i) {
    if ((effect.erased_vectors >> i & 1U) != 0) erase_vector(i, effect.id, slot, seq);
  }
  if (effect.vectors != nullptr) {
    for (const storage::OpVector& vector : *effect.vectors) {
      put_vector(effect.id, slot, vector, seq);
    }
  }
  for (std::size_t i = 0; i < schema_->words.size(); ++i) {
    const bool changed = schema_->words[i].source ? effect.payload_changed : effect.text_changed;
    if (changed) put_words(i, effect.id, slot, effect.record, seq);
  }
  if (effect.payload_changed) put_payload(effect.id, slot, effect.record, seq);
}

void Shard::apply_to_views(std::span<const PointEffect> effects, Seq seq) {
  for (const PointEffect& effect : effects) apply_effect(effect, seq);
  // A statistic: no order with anything else is needed.
  changes_since_checkpoint.fetch_add(effects.size() + 1, std::memory_order_relaxed);
}

void Shard::publish(std::shared_ptr<const KvSnapshot> snapshot) {
  auto moment = std::make_shared<Moment>();
  moment->applied = meta.applied;
  moment->points = meta.points;
  moment->snapshot = std::move(snapshot);
  moment->views = views;
  bool any_sparse = false;
  const auto publish_all = [&any_sparse](const auto& indexes, auto& moments) {
    moments.resize(indexes.size());
    for (std::size_t i = 0; i < indexes.size(); ++i) {
      if (indexes[i] == nullptr) continue;
      moments[i] = indexes[i]->publish();
      any_sparse = true;
    }
  };
  publish_all(views->sparse, moment->sparse);
  publish_all(views->words, moment->words);
  publish_all(views->payload, moment->payload);
  moment->live = live_.snapshot();
  moment_.store(std::move(moment));  // rows and slots of this moment are seen with it
  if (any_sparse) merge_wanted.store(true);
}

Shard::Load* Shard::find_load(LoadId id) {
  for (Load& load : loads_) {
    if (load.id == id) return &load;
  }
  return nullptr;
}

Shard::LoadId Shard::begin_load(const ViewRef& view, FreshView fresh) {
  QUIPU_ASSERT(find_load(view) == nullptr);
  loads_.push_back({++last_load_, view, std::move(fresh), {}});
  return last_load_;
}

void Shard::load_vector(LoadId id, const PointId& point, const storage::OpVector& vector,
                        Seq loaded_at) {
  const Load* load = find_load(id);
  // A newer operation may have said what its vector is.
  if (load == nullptr || load->touched.contains(point)) return;
  const std::optional<SlotMap::Entry> entry = slots.find(point);
  if (!entry) return;
  if (load->fresh.dense != nullptr) {
    load->fresh.dense->insert(entry->slot, vector.values, loaded_at);
  } else {
    insert_sparse(*load->fresh.sparse, entry->slot, vector, loaded_at);
  }
}

void Shard::load_record(LoadId id, const PointId& point, const PointRecord& record, Seq loaded_at) {
  const Load* load = find_load(id);
  if (load == nullptr || load->touched.contains(point)) return;
  const std::optional<SlotMap::Entry> entry = slots.find(point);
  if (!entry) return;
  const std::size_t index = load->view.index;
  if (load->view.kind == ViewKind::kWords) {
    insert_words(*load->fresh.sparse, schema_->words[index], entry->slot, record, loaded_at);
  } else if (const auto json = JsonDocument::parse(record.payload); json.ok()) {
    insert_payload(*load->fresh.payload, index, entry->slot, json.value().root(), loaded_at);
  }
}

std::optional<ViewRef> Shard::finish_load(LoadId id) {
  Load* load = find_load(id);
  if (load == nullptr) return std::nullopt;
  const ViewRef view = load->view;
  auto made = std::make_shared<ViewSet>(*views);
  if (view.kind == ViewKind::kWords) {
    made->words[view.index] = std::move(load->fresh.sparse);
  } else if (view.kind == ViewKind::kPayload) {
    made->payload[view.index] = std::move(load->fresh.payload);
  } else {
    made->dense[view.index] = std::move(load->fresh.dense);
    made->sparse[view.index] = std::move(load->fresh.sparse);
  }
  cancel_load(id);
  views = std::move(made);
  return view;
}

void Shard::cancel_load(LoadId id) {
  std::erase_if(loads_, [id](const Load& each) { return each.id == id; });
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
