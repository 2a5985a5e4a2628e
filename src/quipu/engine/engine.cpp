// The engine's public face: collections, status, snapshots.
#include "quipu/engine.h"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <limits>
#include <utility>

#include "quipu/base/format.h"
#include "quipu/base/limits.h"
#include "quipu/engine/engine_state.h"
#include "quipu/engine/refusals.h"
#include "quipu/engine/waiting.h"
#include "quipu/query/filter/payload_path.h"
#include "quipu/storage/keys.h"

namespace quipu {

using engine::Collection;
using engine::Shard;

namespace engine {

std::uint64_t machine_memory_bytes() {
  const long pages = ::sysconf(_SC_PHYS_PAGES);
  const long size = ::sysconf(_SC_PAGE_SIZE);
  if (pages <= 0 || size <= 0) return 0;
  return static_cast<std::uint64_t>(pages) * static_cast<std::uint64_t>(size);
}

std::string format_seq_token(const SeqToken& token) {
  std::string text = "q1";
  for (const auto& [shard, seq] : token.moments) {
    text += format(".{}-{}", shard.value(), seq.value());
  }
  return text;
}

Result<SeqToken> parse_seq_token(std::string_view text) {
  SeqToken token;
  if (text.empty()) return token;
  const auto bad = [text] {
    return Error{ErrorCode::kInvalidArgument,
                 format("min_seq '{}' is not a token that a write returned", text.substr(0, 80)),
                 "invalid_min_seq"};
  };
  if (!text.starts_with("q1")) return bad();
  const char* at = text.data() + 2;
  const char* const end = text.data() + text.size();
  while (at != end) {
    if (*at++ != '.') return bad();
    std::uint32_t shard = 0;
    std::uint64_t seq = 0;
    auto parsed = std::from_chars(at, end, shard);
    if (parsed.ec != std::errc() || parsed.ptr == end || *parsed.ptr != '-') return bad();
    parsed = std::from_chars(parsed.ptr + 1, end, seq);
    if (parsed.ec != std::errc()) return bad();
    at = parsed.ptr;
    token.moments.emplace_back(shard, seq);
    if (token.moments.size() > limits::kShardsPerCollectionMax * 16) return bad();
  }
  return token;
}

namespace {

void add_dense_status(const index::DenseStats& stats, VectorStatus& status) {
  status.live += stats.live_rows;
  status.tail += stats.tail_rows;
  status.linked += stats.linked_rows;
  status.closed += stats.closed_rows;
  status.memory_bytes += stats.bytes_used;
  status.mapped_bytes += stats.bytes_mapped;
}

void add_sparse_status(const index::SparseStats& stats, VectorStatus& status) {
  status.live += stats.live_rows;
  status.linked += stats.live_rows;
  status.closed += stats.closed_rows;
  status.memory_bytes += stats.bytes_used;
}

std::string_view kind_name(VectorKind kind) {
  switch (kind) {
    case VectorKind::kDense: return "dense";
    case VectorKind::kSparse: return "sparse";
    case VectorKind::kMulti: return "multi";
  }
  return "dense";
}

VectorStatus fresh_status(const Schema& schema, const ViewRef& view) {
  VectorStatus status;
  status.state = "ready";
  switch (view.kind) {
    case ViewKind::kVector:
      status.name = schema.vectors[view.index].name;
      status.kind = kind_name(schema.vectors[view.index].kind);
      break;
    case ViewKind::kWords:
      status.name = schema.words[view.index].config.name;
      status.kind = "words";
      break;
    case ViewKind::kPayload:
      status.name = schema.payload[view.index].config.key;
      status.kind = "payload";
      break;
  }
  return status;
}

void add_payload_status(const index::PayloadStats& stats, VectorStatus& status) {
  status.live += stats.points;
  status.linked += stats.points;
  status.closed += stats.closed_rows;
  status.memory_bytes += stats.bytes_used;
}

// Adds one shard's views to those of the shards before. A shard may still be of another schema.
void add_view_status(const ViewSet& views, std::vector<VectorStatus>& statuses) {
  std::vector<ViewRef> refs;
  for (std::size_t i = 0; i < views.schema->vectors.size(); ++i) {
    refs.push_back({ViewKind::kVector, i});  // multivectors too, which have no view
  }
  for (const ViewRef& view : all_views(*views.schema)) {
    if (view.kind != ViewKind::kVector) refs.push_back(view);
  }
  for (const ViewRef& view : refs) {
    VectorStatus fresh = fresh_status(*views.schema, view);
    auto found = std::find_if(statuses.begin(), statuses.end(), [&fresh](const auto& status) {
      return status.name == fresh.name && status.kind == fresh.kind;
    });
    if (found == statuses.end()) found = statuses.insert(statuses.end(), std::move(fresh));
    if (views.missing(view)) {
      found->state = "loading";
    } else if (view.kind == ViewKind::kPayload) {
      add_payload_status(views.payload[view.index]->stats(), *found);
    } else if (const auto sparse = views.sparse_of(view)) {
      add_sparse_status(sparse->stats(), *found);
    } else if (view.kind == ViewKind::kVector && views.dense[view.index] != nullptr) {
      add_dense_status(views.dense[view.index]->stats(), *found);
    }
  }
}

}  // namespace

CollectionInfo describe(const Collection& collection) {
  CollectionInfo info;
  info.tenant = collection.record.tenant;
  info.name = collection.record.name;
  info.id = collection.record.id;
  info.config = collection.record.config;
  info.created_us = collection.record.created_us;
  SeqToken token;
  for (const std::shared_ptr<Shard>& shard : collection.shards) {
    const std::shared_ptr<const Moment> moment = shard->moment();
    token.moments.emplace_back(shard->id(), moment->applied);
    info.points += moment->points;
    info.log_operations += shard->log_operations.load();
    add_view_status(*moment->views, info.vectors);
  }
  std::sort(token.moments.begin(), token.moments.end());
  info.seq = format_seq_token(token);
  return info;
}

// Sends one operation on the catalogue through the log and waits for it.
Result<std::shared_ptr<const Collection>> run_catalogue_operation(Engine::State& state,
                                                                  storage::OpBody body) {
  Waiting<std::shared_ptr<const Collection>> waiting;
  CatalogueWrite write;
  write.operation = {.time_us = state.clock->now_us(), .body = std::move(body)};
  write.encoded = storage::encode_operation(write.operation);
  write.done = waiting.callback();
  QUIPU_TRY_OK(state.committer->submit(std::move(write),
                                       state.clock->steady_now() + std::chrono::seconds(30)));
  return waiting.wait();
}

Status fill_dimensions(Engine::State& state, CollectionConfig& config) {
  for (VectorConfig& vector : config.vectors) {
    if (vector.model.empty()) continue;
    QUIPU_TRY(const embed::ModelInfo model, state.embedder->model(vector.model));
    if (vector.dim == 0) vector.dim = model.dim;
    if (vector.dim != model.dim) {
      return Error{ErrorCode::kInvalidArgument,
                   format("the vector '{}' has dim {}; its model {} makes {}", vector.name,
                          vector.dim, model.name, model.dim),
                   "dimension_mismatch"};
    }
  }
  return ok_status();
}

}  // namespace engine

Result<CollectionInfo> Engine::create_collection(std::string_view tenant, std::string_view name,
                                                 CollectionConfig config) {
  QUIPU_TRY_OK(state_->check_open());
  QUIPU_TRY_OK(engine::validate_name("tenant", tenant));
  QUIPU_TRY_OK(engine::validate_name("collection", name));
  QUIPU_TRY_OK(engine::fill_dimensions(*state_, config));
  QUIPU_TRY_OK(engine::validate_collection_config(config));
  QUIPU_TRY_OK(engine::make_canonical(config));
  QUIPU_TRY(const std::shared_ptr<const Collection> made,
            engine::run_catalogue_operation(
                *state_,
                storage::CreateCollectionOp{.tenant = std::string(tenant),
                                            .name = std::string(name),
                                            .config = engine::encode_collection_config(config)}));
  return engine::describe(*made);
}

Result<CollectionInfo> Engine::update_collection(std::string_view tenant, std::string_view name,
                                                 const CollectionPatch& patch) {
  QUIPU_TRY_OK(state_->check_open());
  QUIPU_TRY(const std::shared_ptr<const Collection> before, state_->catalogue.find(tenant, name));
  // What apply will judge again: refused early, with the same words.
  CollectionConfig added;
  added.words = patch.add_words;
  added.payload_indexes = patch.add_payload_indexes;
  QUIPU_TRY_OK(engine::make_canonical(added));
  CollectionPatch canonical = patch;
  canonical.add_words = std::move(added.words);
  canonical.add_payload_indexes = std::move(added.payload_indexes);
  for (std::string& key : canonical.drop_payload_indexes) {
    const auto path = query::PayloadPath::parse(key);
    if (path.ok()) key = path.value().to_string();
  }
  std::uint32_t view_id = before->record.next_view_id;
  QUIPU_TRY(const CollectionConfig config,
            engine::apply_collection_patch(before->record.config, canonical, view_id));
  QUIPU_TRY_OK(engine::validate_collection_config(config));
  QUIPU_TRY(const std::shared_ptr<const Collection> after,
            engine::run_catalogue_operation(
                *state_,
                storage::UpdateCollectionOp{.tenant = std::string(tenant),
                                            .name = before->record.name,
                                            .patch = engine::encode_collection_patch(canonical)}));
  return engine::describe(*after);
}

Result<CollectionInfo> Engine::change_vectors(std::string_view tenant, std::string_view name,
                                              const std::vector<VectorChange>& changes) {
  using Kind = storage::VectorNameChange::Kind;
  QUIPU_TRY_OK(state_->check_open());
  if (changes.empty() || changes.size() > limits::kVectorChangesMax) {
    return engine::invalid(format("there are {} changes of vectors; there must be from 1 to {}",
                                  changes.size(), limits::kVectorChangesMax),
                           changes.empty() ? "empty_batch" : "batch_too_large");
  }
  QUIPU_TRY(const std::shared_ptr<const Collection> before, state_->catalogue.find(tenant, name));
  storage::ChangeVectorsOp op{
      .tenant = std::string(tenant), .name = before->record.name, .changes = {}};
  for (const VectorChange& change : changes) {
    if (change.kind == VectorChange::Kind::kDrop) {
      op.changes.push_back({.kind = Kind::kDrop, .name = change.name, .detail = {}});
    } else if (change.kind == VectorChange::Kind::kRename) {
      op.changes.push_back({.kind = Kind::kRename, .name = change.name, .detail = change.to});
    } else {
      CollectionConfig added;
      added.vectors.push_back(change.vector);
      QUIPU_TRY_OK(engine::fill_dimensions(*state_, added));
      const VectorConfig& vector = added.vectors.front();
      op.changes.push_back({.kind = Kind::kAdd,
                            .name = vector.name,
                            .detail = engine::encode_vector_config(vector)});
    }
  }
  // What apply will judge again: refused early, with the same words.
  std::uint32_t next_id = before->record.next_vector_id;
  QUIPU_TRY(const CollectionConfig config,
            engine::apply_vector_changes(before->record.config, op.changes, next_id));
  QUIPU_TRY_OK(engine::validate_collection_config(config));
  storage::Operation operation{.time_us = 0, .idempotency = {}, .body = op};
  QUIPU_TRY_OK(storage::validate_operation(operation));
  QUIPU_TRY(const std::shared_ptr<const Collection> after,
            engine::run_catalogue_operation(*state_, std::move(op)));
  return engine::describe(*after);
}

Status Engine::drop_collection(std::string_view tenant, std::string_view name) {
  QUIPU_TRY_OK(state_->check_open());
  if (const auto target = state_->catalogue.alias_target(tenant, name)) {
    return Error{ErrorCode::kFailedPrecondition,
                 format("'{}' is an alias of the collection '{}': drop that by its own name, or "
                        "delete the alias",
                        name, *target),
                 "is_alias"};
  }
  QUIPU_TRY_OK(state_->catalogue.find_own(tenant, name));
  QUIPU_TRY_OK(engine::run_catalogue_operation(
      *state_,
      storage::DropCollectionOp{.tenant = std::string(tenant), .name = std::string(name)}));
  return ok_status();
}

Result<CollectionInfo> Engine::collection(std::string_view tenant, std::string_view name) {
  const EpochDomain::Guard guard = state_->epochs.pin();
  QUIPU_TRY(const std::shared_ptr<const Collection> found, state_->catalogue.find(tenant, name));
  return engine::describe(*found);
}

std::vector<CollectionInfo> Engine::collections(std::string_view tenant) {
  const EpochDomain::Guard guard = state_->epochs.pin();
  std::vector<CollectionInfo> infos;
  for (const auto& collection : state_->catalogue.list(tenant)) {
    infos.push_back(engine::describe(*collection));
  }
  return infos;
}

Status Engine::wait_linked(std::string_view tenant, std::string_view name,
                           std::chrono::milliseconds deadline) {
  const auto end = state_->clock->steady_now() + deadline;
  QUIPU_TRY(const std::shared_ptr<const Collection> collection,
            state_->catalogue.find(tenant, name));
  for (const std::shared_ptr<Shard>& shard : collection->shards) {
    while (true) {
      const EpochDomain::Guard guard = state_->epochs.pin();
      const std::shared_ptr<const engine::Moment> moment = shard->moment();
      bool ready = true;
      for (const engine::ViewRef& view : engine::all_views(*moment->views->schema)) {
        ready = ready && !moment->views->missing(view);  // still loading
      }
      for (const auto& index : moment->views->dense) {
        if (index != nullptr && index->options().graph && index->stats().tail_rows > 0) {
          ready = false;
          // Helps, instead of only waiting for the background to do it.
          index->link(64);
        }
      }
      if (ready) break;
      if (state_->closing.load() || state_->clock->steady_now() >= end) {
        return Error{ErrorCode::kDeadlineExceeded,
                     format("{} vectors of '{}' are not linked yet", shard->tail_rows(), name),
                     "deadline_exceeded"};
      }
      std::mutex mutex;
      std::condition_variable nobody;
      std::unique_lock lock(mutex);
      state_->clock->wait_until(nobody, lock,
                                state_->clock->steady_now() + std::chrono::milliseconds(1));
    }
  }
  return ok_status();
}

Status Engine::checkpoint() {
  QUIPU_TRY_OK(state_->check_open());
  for (const std::shared_ptr<const Collection>& collection : state_->catalogue.all()) {
    for (const std::shared_ptr<Shard>& shard : collection->shards) {
      QUIPU_TRY_OK(state_->maintenance->checkpoint(shard));
    }
  }
  return ok_status();
}

Result<std::string> Engine::state_digest(std::string_view tenant, std::string_view name) {
  QUIPU_TRY(const State::Reading reading, state_->begin_read(tenant, name, {}));
  std::string digests;
  for (std::size_t i = 0; i < reading.moments.size(); ++i) {
    const ShardId shard = reading.collection->shards[i]->id();
    std::vector<std::pair<Family, storage::KeyRange>> ranges = {
        {Family::kPoints, storage::shard_range(shard)}};
    // Those that there are: what is left of dropped ones goes when there is time.
    for (const VectorConfig& vector : reading.collection->record.config.vectors) {
      ranges.emplace_back(Family::kVectors, storage::vector_range(shard, vector.id));
    }
    for (const auto& [family, range] : ranges) {
      const std::unique_ptr<KvIterator> it =
          state_->kv->iterate(family, {.begin = range.begin, .end = range.end, .fill_cache = false},
                              reading.moments[i]->snapshot.get());
      for (it->seek(range.begin); it->valid(); it->next()) {
        // The shard's own number is not part of what it holds.
        digests += sha256_hex(it->key().substr(sizeof(std::uint32_t)));
        digests += sha256_hex(it->value());
        if (digests.size() > (1U << 20)) digests = sha256_hex(digests);
      }
      QUIPU_TRY_OK(it->status());
    }
    digests = sha256_hex(digests);
  }
  return sha256_hex(digests);
}

EngineStatus Engine::status() {
  EngineStatus status;
  const engine::Committer::QueueStatus queue = state_->committer->status();
  status.state = state_->closing.load() ? "closing" : queue.read_only ? "read_only" : "ready";
  status.state_reason = queue.reason;
  status.uptime_ms =
      static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(
                                     state_->clock->steady_now() - state_->opened_at)
                                     .count());
  {
    const EpochDomain::Guard guard = state_->epochs.pin();
    for (const auto& collection : state_->catalogue.all()) {
      ++status.collections;
      for (const std::shared_ptr<Shard>& shard : collection->shards) {
        status.points += shard->moment()->points;
        status.tail_vectors += shard->tail_rows();
      }
    }
  }
  const KvStatistics statistics = state_->kv->statistics();
  status.disk_bytes = statistics.disk_bytes;
  status.user_bytes_written = statistics.user_bytes_written;
  status.file_bytes_written = statistics.file_bytes_written;
  status.resident_bytes = state_->maintenance->resident_bytes();
  status.memory_bytes_max = state_->options.memory_bytes_max;
  status.write_queue_operations = queue.queue_operations;
  status.query_cache = state_->query_cache->status();
  return status;
}

embed::Embedder& Engine::embedder() { return *state_->embedder; }

}  // namespace quipu
