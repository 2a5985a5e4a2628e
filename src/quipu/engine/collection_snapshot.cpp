// Snapshots of one collection in one file: taken as of one moment of all its shards while writes go
// on, and recovered into a collection that takes the place of the old one when it is whole.
#include <algorithm>
#include <map>
#include <utility>

#include "quipu/base/format.h"
#include "quipu/base/limits.h"
#include "quipu/base/log.h"
#include "quipu/engine/engine_state.h"
#include "quipu/engine/refusals.h"
#include "quipu/engine/snapshot_content.h"
#include "quipu/engine/waiting.h"

namespace quipu {
namespace {

using engine::Collection;
using engine::SnapshotContentReader;
using engine::SnapshotDescription;
using engine::SnapshotPart;

constexpr std::size_t kPartPointsMax = 1'000;
constexpr std::uint64_t kPartBytesMax = 4U << 20;
// For how long one part of a recovery waits for room; linking vectors is what it waits for.
constexpr std::chrono::minutes kPartTimeout{10};

// What a snapshot is of.
struct SnapshotMoment {
  std::shared_ptr<const Collection> collection;
  std::shared_ptr<const KvSnapshot> snapshot;
  std::vector<engine::ShardMeta> shards;
};

// Between two groups of writes: no write is in it for one shard and not for another.
Result<SnapshotMoment> take_moment(Engine::State& state, std::string_view tenant,
                                   std::string_view name) {
  SnapshotMoment moment;
  Status found = ok_status();
  QUIPU_TRY_OK(state.committer->run([&] {
    auto collection = state.catalogue.find(tenant, name);
    if (!collection.ok()) {
      found = collection.error();
      return;
    }
    moment.collection = std::move(collection).value();
    moment.snapshot = state.kv->snapshot();
    for (const auto& shard : moment.collection->shards) moment.shards.push_back(shard->meta);
  }));
  if (!found.ok()) return std::move(found).error();
  return moment;
}

std::uint64_t bytes_of(const storage::RestoredPoint& point) {
  std::uint64_t bytes = 64 + point.payload.size() + (point.text ? point.text->size() : 0);
  for (const storage::OpVector& vector : point.vectors) {
    bytes += (vector.values.size() + vector.indices.size()) * sizeof(float) + 16;
  }
  return bytes;
}

// Writes the points of a moment.
class SnapshotTaker {
 public:
  SnapshotTaker(Engine::State& state, const SnapshotMoment& moment, storage::SnapshotWriter& writer)
      : state_(state), moment_(moment), writer_(writer) {}

  Status run() {
    for (std::size_t i = 0; i < moment_.shards.size(); ++i) {
      part_.shard_index = i;
      QUIPU_TRY_OK(write_shard(*moment_.collection->shards[i], moment_.shards[i].points));
    }
    return ok_status();
  }

 private:
  Status write_shard(const engine::Shard& shard, std::uint64_t points) {
    engine::SnapshotPoints source(*state_.kv, moment_.snapshot.get(),
                                  moment_.collection->record.config, shard.id());
    std::uint64_t count = 0;
    for (;; ++count) {
      QUIPU_TRY_OK(state_.check_open());
      QUIPU_TRY(std::optional<storage::RestoredPoint> point, source.next());
      if (!point) break;
      const std::uint64_t bytes = bytes_of(*point);
      if (part_.op.points.size() == kPartPointsMax || bytes_ + bytes > kPartBytesMax) {
        QUIPU_TRY_OK(write_part());
      }
      bytes_ += bytes;
      part_.op.points.push_back(std::move(*point));
    }
    QUIPU_TRY_OK(write_part());
    if (count == points) return ok_status();
    return Error{
        ErrorCode::kCorruption,
        format("shard {} holds {} points; its counter says {}", shard.id().value(), count, points),
        "state_mismatch"};
  }

  Status write_part() {
    if (part_.op.points.empty()) return ok_status();
    const storage::Operation operation{.time_us = 0, .idempotency = {}, .body = part_.op};
    if (const Status valid = storage::validate_operation(operation); !valid.ok()) {
      return Error{ErrorCode::kResourceExhausted,
                   format("the point {} is too large for a snapshot: {}",
                          part_.op.points.front().id.to_string(), valid.error().message),
                   "point_too_large"};
    }
    QUIPU_TRY_OK(writer_.points(engine::encode_snapshot_part(part_), part_.op.points.size()));
    part_.op.points.clear();
    bytes_ = 0;
    return ok_status();
  }

  Engine::State& state_;
  const SnapshotMoment& moment_;
  storage::SnapshotWriter& writer_;
  SnapshotPart part_;
  std::uint64_t bytes_ = 0;
};

CollectionSnapshot told(const SnapshotDescription& description, std::uint64_t size,
                        std::string sha256) {
  CollectionSnapshot snapshot{.collection = description.collection,
                              .config = description.config,
                              .taken_us = description.taken_us,
                              .points = 0,
                              .size = size,
                              .sha256 = std::move(sha256),
                              .note = description.note};
  for (const auto& shard : description.shards) snapshot.points += shard.points;
  return snapshot;
}

// Reads the whole file and keeps nothing of it but what it says of itself.
Result<CollectionSnapshot> check_file(Engine::State& state, const std::string& path) {
  QUIPU_TRY(const std::unique_ptr<SnapshotContentReader> reader,
            SnapshotContentReader::open(*state.fs, path));
  while (true) {
    QUIPU_TRY_OK(state.check_open());
    QUIPU_TRY(const std::optional<SnapshotPart> part, reader->next());
    if (!part) break;
  }
  return told(reader->description(), reader->file().size(), reader->file().sha256());
}

// Brings the parts of a snapshot into a collection that nobody sees yet.
class Recovery {
 public:
  Recovery(Engine::State& state, std::shared_ptr<const Collection> into,
           const CollectionConfig& from)
      : state_(state), into_(std::move(into)) {
    const auto& vectors = into_->record.config.vectors;
    for (std::size_t i = 0; i < vectors.size(); ++i) ids_[from.vectors[i].id] = vectors[i].id;
  }

  Status run(const std::string& path, const std::string& sha256) {
    QUIPU_TRY(const std::unique_ptr<SnapshotContentReader> reader,
              SnapshotContentReader::open(*state_.fs, path));
    while (true) {
      QUIPU_TRY_OK(state_.check_open());
      QUIPU_TRY(std::optional<SnapshotPart> part, reader->next());
      if (!part) break;
      QUIPU_TRY_OK(apply(std::move(part->op)));
    }
    if (reader->file().sha256() == sha256) return ok_status();
    return Error{ErrorCode::kFailedPrecondition,
                 format("{} was changed while it was recovered from", path), "snapshot_changed"};
  }

 private:
  Status apply(storage::RestorePointsOp all) {
    std::map<std::size_t, storage::RestorePointsOp> by_shard;
    for (storage::RestoredPoint& point : all.points) {
      for (storage::OpVector& vector : point.vectors) {
        vector.vector_id = ids_.at(vector.vector_id);
      }
      by_shard[into_->shard_index(point.id)].points.push_back(std::move(point));
    }
    const auto deadline = state_.clock->steady_now() + kPartTimeout;
    QUIPU_TRY_OK(state_.admit(*into_, deadline));
    std::vector<std::unique_ptr<engine::Waiting<engine::Applied>>> waiting;
    Status submitted = ok_status();
    for (auto& [shard, op] : by_shard) {
      engine::PointsWrite write;
      write.shard = into_->shards[shard];
      write.operation = {
          .time_us = state_.clock->now_us(), .idempotency = {}, .body = std::move(op)};
      storage::encode_operation(write.operation, write.encoded);
      write.sync = false;  // the end of the recovery syncs all of it
      auto& own = waiting.emplace_back(std::make_unique<engine::Waiting<engine::Applied>>());
      write.done = own->callback();
      submitted = state_.committer->submit(std::move(write), deadline);
      if (submitted.ok()) continue;
      waiting.pop_back();
      break;
    }
    // All that were accepted are answered, also after an error.
    Status status = std::move(submitted);
    for (const auto& each : waiting) {
      const Result<engine::Applied> applied = each->wait();
      if (status.ok() && !applied.ok()) status = applied.error();
      if (status.ok() && applied.value().refused) status = *applied.value().items.front().error;
    }
    return status;
  }

  Engine::State& state_;
  const std::shared_ptr<const Collection> into_;
  std::map<std::uint16_t, std::uint16_t> ids_;  // of the snapshot's vectors to the collection's
};

}  // namespace

Result<CollectionSnapshot> Engine::snapshot_collection(std::string_view tenant,
                                                       std::string_view collection,
                                                       const std::string& path,
                                                       std::string_view note) {
  State& state = *state_;
  QUIPU_TRY_OK(state.check_open());
  if (note.size() > engine::kSnapshotNoteBytesMax) {
    return engine::out_of_range("the note's size", note.size(), 0, engine::kSnapshotNoteBytesMax);
  }
  if (state.fs->exists(path)) {
    return Error{ErrorCode::kAlreadyExists, format("{} exists already", path), "snapshot_exists"};
  }
  const engine::Maintenance::KeepSpace keep(*state.maintenance);
  QUIPU_TRY(const SnapshotMoment moment, take_moment(state, tenant, collection));
  SnapshotDescription description{.collection = moment.collection->record.name,
                                  .config = moment.collection->record.config,
                                  .taken_us = state.clock->now_us(),
                                  .created_us = moment.collection->record.created_us,
                                  .note = std::string(note),
                                  .shards = {}};
  for (const engine::ShardMeta& shard : moment.shards) {
    description.shards.push_back({.applied = shard.applied, .points = shard.points});
  }
  const std::string temporary = path + ".tmp";
  const auto make = [&]() -> Result<CollectionSnapshot> {
    QUIPU_TRY(const std::unique_ptr<WritableFile> file,
              state.fs->open_writable(temporary, OpenMode::kTruncate));
    storage::SnapshotWriter writer(*file);
    QUIPU_TRY_OK(writer.description(engine::encode_snapshot_description(description)));
    QUIPU_TRY_OK(SnapshotTaker(state, moment, writer).run());
    QUIPU_TRY_OK(writer.end());
    QUIPU_TRY_OK(file->close());
    QUIPU_TRY_OK(state.fs->rename(temporary, path));
    QUIPU_TRY_OK(state.fs->sync_directory(parent_directory(path)));
    return told(description, writer.size(), writer.sha256());
  };
  auto made = make();
  // What is half there is worth nothing; the first error is the one to report.
  if (!made.ok()) static_cast<void>(remove_tree(*state.fs, temporary).ok());
  return made;
}

Result<CollectionSnapshot> Engine::check_collection_snapshot(const std::string& path) {
  QUIPU_TRY_OK(state_->check_open());
  return check_file(*state_, path);
}

Result<CollectionRecovery> Engine::recover_collection(std::string_view tenant,
                                                      std::string_view name,
                                                      const RecoverRequest& request) {
  State& state = *state_;
  QUIPU_TRY_OK(state.check_open());
  QUIPU_TRY_OK(engine::validate_name("tenant", tenant));
  QUIPU_TRY_OK(engine::validate_name("collection", name));
  QUIPU_TRY(const CollectionSnapshot snapshot, check_file(state, request.path));
  if (!request.sha256.empty() && request.sha256 != snapshot.sha256) {
    return Error{ErrorCode::kInvalidArgument,
                 format("the snapshot's SHA-256 is {}, not {}", snapshot.sha256, request.sha256),
                 "checksum_mismatch"};
  }
  CollectionConfig config = snapshot.config;
  if (request.shard_count) config.shard_count = *request.shard_count;
  QUIPU_TRY_OK(engine::fill_dimensions(state, config));
  QUIPU_TRY_OK(engine::validate_collection_config(config));
  QUIPU_TRY_OK(engine::make_canonical(config));
  QUIPU_TRY(
      const std::shared_ptr<const Collection> hidden,
      engine::run_catalogue_operation(
          state, storage::BeginRecoveryOp{.tenant = std::string(tenant),
                                          .name = std::string(name),
                                          .config = engine::encode_collection_config(config)}));
  const std::uint32_t id = hidden->record.id.value();
  Status recovered = Recovery(state, hidden, snapshot.config).run(request.path, snapshot.sha256);
  if (recovered.ok()) {
    auto ended = engine::run_catalogue_operation(
        state, storage::EndRecoveryOp{.collection = id, .keep = true});
    if (ended.ok()) {
      return CollectionRecovery{.collection = engine::describe(*ended.value()),
                                .snapshot = snapshot};
    }
    recovered = std::move(ended).error();
  }
  // If this fails too, the next open gives it up.
  const auto given_up = engine::run_catalogue_operation(
      state, storage::EndRecoveryOp{.collection = id, .keep = false});
  if (!given_up.ok()) {
    log_warning("a recovery could not be given up; the next start tries again",
                {{"error", given_up.error().message}});
  }
  return std::move(recovered).error();
}

}  // namespace quipu
