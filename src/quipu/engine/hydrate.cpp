#include "quipu/engine/hydrate.h"

#include <utility>

#include "quipu/base/format.h"
#include "quipu/engine/records.h"
#include "quipu/storage/keys.h"

namespace quipu::engine {

Result<Hydrator> Hydrator::make(Engine::State& state, const Engine::State::Reading& reading,
                                const Select& select) {
  QUIPU_TRY(PayloadSelection selection, PayloadSelection::compile(select));
  unsigned mask = 0;
  if (select.vectors && select.vector_names.empty()) mask = 0xffffU;
  for (const std::string& name : select.vector_names) {
    QUIPU_TRY(const std::size_t index, reading.collection->vector_index(name));
    if (select.vectors) mask |= 1U << index;
  }
  return Hydrator(state, reading, select, std::move(selection), static_cast<std::uint16_t>(mask));
}

Result<std::vector<NamedVector>> Hydrator::read_vectors(std::size_t shard_index, const PointId& id,
                                                        const VectorIds& ids) const {
  std::vector<NamedVector> vectors;
  const ShardId shard = reading_->collection->shards[shard_index]->id();
  const auto& configs = reading_->collection->record.config.vectors;
  for (std::uint16_t i = 0; i < configs.size(); ++i) {
    if ((vector_mask_ >> i & 1U) == 0 || !ids.contains(configs[i].id)) continue;
    QUIPU_TRY(const std::optional<std::string> bytes,
              state_->kv->get(Family::kVectors, storage::vector_key(shard, configs[i].id, id),
                              reading_->moments[shard_index]->snapshot.get()));
    if (!bytes) {
      return Error{
          ErrorCode::kCorruption,
          format("the vector '{}' of point {} is missing", configs[i].name, id.to_string()),
          "damaged_record"};
    }
    QUIPU_TRY(storage::OpVector vector, decode_vector(configs[i], *bytes));
    vectors.push_back({.name = configs[i].name,
                       .values = std::move(vector.values),
                       .indices = std::move(vector.indices)});
  }
  return vectors;
}

Result<Point> Hydrator::from_record(std::size_t shard_index, const PointId& id,
                                    std::string_view bytes) const {
  QUIPU_TRY(PointRecord record, decode_point_record(bytes));
  Point point{.id = id,
              .version = record.version,
              .created_us = record.created_us,
              .updated_us = record.updated_us};
  if (select_->text) point.text = std::move(record.text);
  if (select_->payload && selection_.partial()) {
    QUIPU_TRY(point.payload, selection_.apply(record.payload));
  } else if (select_->payload) {
    point.payload = std::move(record.payload);
  }
  if (select_->vectors) {
    QUIPU_TRY(point.vectors, read_vectors(shard_index, id, record.vectors));
  }
  return point;
}

Result<std::optional<Point>> Hydrator::read(const PointId& id) const {
  const std::size_t shard_index = reading_->collection->shard_index(id);
  const ShardId shard = reading_->collection->shards[shard_index]->id();
  QUIPU_TRY(const std::optional<std::string> bytes,
            state_->kv->get(Family::kPoints, storage::point_key(shard, id),
                            reading_->moments[shard_index]->snapshot.get()));
  if (!bytes) return std::optional<Point>();
  QUIPU_TRY(Point point, from_record(shard_index, id, *bytes));
  return std::optional<Point>(std::move(point));
}

Status Hydrator::fill(std::span<Point* const> points) const {
  // Reading records costs more than a small search: who asks for ids and scores gets just these.
  if (!reads_records()) return ok_status();
  for (std::size_t shard = 0; shard < reading_->moments.size(); ++shard) {
    QUIPU_TRY_OK(fill_shard(shard, points));
  }
  return ok_status();
}

Status Hydrator::fill_shard(std::size_t shard_index, std::span<Point* const> points) const {
  const ShardId shard = reading_->collection->shards[shard_index]->id();
  std::vector<Point*> mine;
  std::vector<std::string> keys;
  for (Point* point : points) {
    if (reading_->collection->shard_index(point->id) != shard_index) continue;
    mine.push_back(point);
    keys.push_back(storage::point_key(shard, point->id));
  }
  if (keys.empty()) return ok_status();
  QUIPU_TRY(
      const std::vector<std::optional<std::string>> records,
      state_->kv->multi_get(Family::kPoints, keys, reading_->moments[shard_index]->snapshot.get()));
  for (std::size_t i = 0; i < mine.size(); ++i) {
    if (!records[i]) {
      return Error{
          ErrorCode::kInternal,
          format("the point {} is in a view and not in the state", mine[i]->id.to_string()),
          "state_mismatch"};
    }
    QUIPU_TRY(*mine[i], from_record(shard_index, mine[i]->id, *records[i]));
  }
  return ok_status();
}

}  // namespace quipu::engine
