#include "quipu/engine/snapshot_content.h"

#include <utility>
#include <variant>

#include "quipu/base/bytes.h"
#include "quipu/base/format.h"
#include "quipu/base/json.h"
#include "quipu/base/limits.h"
#include "quipu/engine/records.h"
#include "quipu/engine/schema.h"
#include "quipu/storage/keys.h"

namespace quipu::engine {
namespace {

constexpr std::uint8_t kDescriptionFormat = 1;

// Whether a vector is one that its configuration can have.
bool vector_fits(const VectorConfig& config, const storage::OpVector& vector) {
  switch (config.kind) {
    case VectorKind::kDense: return vector.indices.empty() && vector.values.size() == config.dim;
    case VectorKind::kMulti:
      return vector.indices.empty() && !vector.values.empty() &&
             vector.values.size() % config.dim == 0;
    case VectorKind::kSparse: return vector.indices.size() == vector.values.size();
  }
  return false;
}

std::unique_ptr<KvIterator> iterate_range(KeyValueStore& kv, Family family,
                                          const storage::KeyRange& range,
                                          const KvSnapshot* snapshot) {
  auto it =
      kv.iterate(family, {.begin = range.begin, .end = range.end, .fill_cache = false}, snapshot);
  it->seek(range.begin);
  return it;
}

}  // namespace

std::string encode_snapshot_description(const SnapshotDescription& description) {
  std::string bytes;
  ByteWriter out(bytes);
  out.u8(kDescriptionFormat);
  out.sized(description.collection);
  out.sized(encode_collection_config(description.config));
  out.i64(description.taken_us);
  out.i64(description.created_us);
  out.sized(description.note);
  out.varint(description.shards.size());
  for (const SnapshotDescription::ShardMoment& shard : description.shards) {
    out.u64(shard.applied.value());
    out.u64(shard.points);
  }
  return bytes;
}

Result<SnapshotDescription> decode_snapshot_description(std::string_view bytes) {
  ByteReader in(bytes);
  SnapshotDescription description;
  if (in.u8() != kDescriptionFormat) in.fail();
  description.collection = std::string(in.sized());
  const std::string_view config = in.sized();
  description.taken_us = in.i64();
  description.created_us = in.i64();
  description.note = std::string(in.sized());
  const std::uint64_t shards = in.varint();
  if (shards > limits::kShardsPerCollectionMax) in.fail();
  for (std::uint64_t i = 0; in.ok() && i < shards; ++i) {
    const Seq applied(in.u64());
    description.shards.push_back({.applied = applied, .points = in.u64()});
  }
  const Error undecodable{ErrorCode::kCorruption, "the description of a snapshot does not decode",
                          "damaged_record"};
  if (!in.ok() || in.left() != 0) return undecodable;
  QUIPU_TRY(description.config, decode_collection_config(config));
  if (description.config.shard_count != shards) return undecodable;
  return description;
}

// ---------------------------------------------------------------- reading the state

SnapshotPoints::SnapshotPoints(KeyValueStore& kv, const KvSnapshot* snapshot,
                               const CollectionConfig& config, ShardId shard)
    : config_(config), shard_(shard) {
  points_ = iterate_range(kv, Family::kPoints, storage::shard_range(shard), snapshot);
  for (const VectorConfig& vector : config.vectors) {
    vectors_.push_back(
        iterate_range(kv, Family::kVectors, storage::vector_range(shard, vector.id), snapshot));
  }
}

Result<std::optional<storage::RestoredPoint>> SnapshotPoints::next() {
  if (!points_->valid()) {
    QUIPU_TRY_OK(points_->status());
    return std::optional<storage::RestoredPoint>();
  }
  QUIPU_TRY(const storage::PointKey key, storage::decode_point_key(points_->key()));
  QUIPU_TRY(PointRecord record, decode_point_record(points_->value()));
  storage::RestoredPoint point{.id = key.id,
                               .created_us = record.created_us,
                               .updated_us = record.updated_us,
                               .vectors = {},
                               .text = std::move(record.text),
                               .embedding = std::move(record.embedding),
                               .payload = std::move(record.payload)};
  QUIPU_TRY_OK(add_vectors(record.vectors, point));
  points_->next();
  return std::optional<storage::RestoredPoint>(std::move(point));
}

Status SnapshotPoints::add_vectors(const VectorIds& ids, storage::RestoredPoint& point) {
  for (std::size_t i = 0; i < config_.vectors.size(); ++i) {
    const VectorConfig& config = config_.vectors[i];
    if (!ids.contains(config.id)) continue;
    // Both go by ascending ids, so one step is the rule.
    KvIterator& it = *vectors_[i];
    bool found = false;
    while (it.valid() && !found) {
      QUIPU_TRY(const storage::VectorKey key, storage::decode_vector_key(it.key()));
      if (point.id < key.id) break;
      found = key.id == point.id;
      if (!found) it.next();
    }
    QUIPU_TRY_OK(it.status());
    if (!found) {
      return Error{ErrorCode::kCorruption,
                   format("the vector '{}' of point {} in shard {} is missing", config.name,
                          point.id.to_string(), shard_.value()),
                   "state_mismatch"};
    }
    QUIPU_TRY(storage::OpVector vector, decode_vector(config, it.value()));
    point.vectors.push_back(std::move(vector));
    it.next();
  }
  return ok_status();
}

// ---------------------------------------------------------------- parts

std::string encode_snapshot_part(const SnapshotPart& part) {
  std::string bytes;
  ByteWriter(bytes).u16(static_cast<std::uint16_t>(part.shard_index));
  storage::encode_operation({.time_us = 0, .idempotency = {}, .body = part.op}, bytes);
  return bytes;
}

namespace {

Result<SnapshotPart> decode_snapshot_part(std::string_view bytes) {
  ByteReader in(bytes);
  SnapshotPart part;
  part.shard_index = in.u16();
  QUIPU_TRY(storage::DecodedOperation decoded,
            storage::decode_operation(in.ok() ? bytes.substr(sizeof(std::uint16_t)) : bytes));
  auto* const op = std::get_if<storage::RestorePointsOp>(&decoded.operation.body);
  if (op == nullptr || decoded.size + sizeof(std::uint16_t) != bytes.size()) {
    return Error{ErrorCode::kCorruption, "a part is no operation that restores points",
                 "damaged_record"};
  }
  part.op = std::move(*op);
  return part;
}

}  // namespace

Error SnapshotContentReader::damaged(const std::string& what) const {
  return Error{ErrorCode::kCorruption,
               format("{} is not a whole snapshot of a collection: {}", path_, what),
               "snapshot_damaged"};
}

Result<std::unique_ptr<SnapshotContentReader>> SnapshotContentReader::open(
    FileSystem& fs, const std::string& path) {
  QUIPU_TRY(std::unique_ptr<storage::SnapshotReader> file, storage::SnapshotReader::open(fs, path));
  std::unique_ptr<SnapshotContentReader> reader(new SnapshotContentReader(path, std::move(file)));
  QUIPU_TRY_OK(reader->read_description());
  return reader;
}

Status SnapshotContentReader::read_description() {
  QUIPU_TRY(const std::optional<storage::SnapshotFrame> frame, file_->next());
  if (!frame) return damaged("it has no description");
  auto decoded = decode_snapshot_description(frame->content);
  if (!decoded.ok()) return damaged(decoded.error().message);
  description_ = std::move(decoded).value();
  if (const Status valid = validate_collection_config(description_.config); !valid.ok()) {
    return damaged(valid.error().message);
  }
  shard_points_.resize(description_.shards.size());
  return ok_status();
}

Result<std::optional<SnapshotPart>> SnapshotContentReader::next() {
  QUIPU_TRY(const std::optional<storage::SnapshotFrame> frame, file_->next());
  if (!frame) return std::optional<SnapshotPart>();
  if (frame->kind == storage::SnapshotFrameKind::kEnd) {
    QUIPU_TRY_OK(check_counts());
    return std::optional<SnapshotPart>();
  }
  auto part = decode_snapshot_part(frame->content);
  if (!part.ok()) return damaged(part.error().message);
  QUIPU_TRY_OK(check_part(part.value()));
  file_->count_points(part.value().op.points.size());
  return std::optional<SnapshotPart>(std::move(part).value());
}

Status SnapshotContentReader::check_part(const SnapshotPart& part) {
  if (part.shard_index >= shard_points_.size() || part.shard_index < shard_index_) {
    return damaged(format("a part is of shard {}; there are {}, and shard {} was before it",
                          part.shard_index, shard_points_.size(), shard_index_));
  }
  if (part.shard_index != shard_index_) last_.reset();
  shard_index_ = part.shard_index;
  for (const storage::RestoredPoint& point : part.op.points) {
    // Ascending in its own shard: so no point is there twice.
    if ((last_ && !(*last_ < point.id)) ||
        stable_hash(point.id) % shard_points_.size() != shard_index_) {
      return damaged(format("the point {} is not in its place", point.id.to_string()));
    }
    last_ = point.id;
    QUIPU_TRY_OK(check_point(point));
  }
  shard_points_[shard_index_] += part.op.points.size();
  points_ += part.op.points.size();
  return ok_status();
}

Status SnapshotContentReader::check_point(const storage::RestoredPoint& point) const {
  VectorIds seen;
  for (const storage::OpVector& vector : point.vectors) {
    const VectorConfig* config = nullptr;
    for (const VectorConfig& each : description_.config.vectors) {
      if (each.id == vector.vector_id) config = &each;
    }
    if (config == nullptr || seen.contains(vector.vector_id) || !vector_fits(*config, vector)) {
      return damaged(format("the point {} has a vector that the collection cannot have",
                            point.id.to_string()));
    }
    seen.insert(vector.vector_id);
  }
  const auto json = JsonDocument::parse(point.payload);
  if (json.ok() && json.value().root().is_object()) return ok_status();
  return damaged(format("the payload of point {} is no JSON object", point.id.to_string()));
}

Status SnapshotContentReader::check_counts() const {
  for (std::size_t i = 0; i < shard_points_.size(); ++i) {
    if (shard_points_[i] == description_.shards[i].points) continue;
    return damaged(format("shard {} has {} points; its description says {}", i, shard_points_[i],
                          description_.shards[i].points));
  }
  return ok_status();
}

}  // namespace quipu::engine
