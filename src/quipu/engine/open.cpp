// Opening and closing a data folder.
//
//   <data>/QUIPU    what this folder is, and its version
//   <data>/LOCK     held by the one process that owns it
//   <data>/store/   RocksDB
//   <data>/views/   view checkpoints
//   <data>/asked.json  the most asked queries at the last close()
#include <thread>
#include <utility>

#include "quipu/base/format.h"
#include "quipu/base/log.h"
#include "quipu/embed/embedding_service.h"
#include "quipu/engine/asked.h"
#include "quipu/engine/engine_state.h"
#include "quipu/storage/rocksdb/rocks_store.h"

namespace quipu {
namespace {

using engine::Collection;
using engine::CollectionRecord;
using engine::Shard;

constexpr std::string_view kFolderText = "quipu data folder, version 1\n";

Status check_options(const EngineOptions& options) {
  const auto bad = [](std::string_view field, std::uint64_t value, std::uint64_t low,
                      std::uint64_t high) {
    return Error{ErrorCode::kInvalidArgument,
                 format("{} is {}; it must be from {} to {}", field, value, low, high),
                 "out_of_range"};
  };
  if (options.data_dir.empty()) {
    return Error{ErrorCode::kInvalidArgument, "data_dir is empty", "invalid_data_dir"};
  }
  if (options.background_threads < 1 || options.background_threads > 256) {
    return bad("background_threads", options.background_threads, 1, 256);
  }
  if (options.async_flush_ms < 1 || options.async_flush_ms > 60'000) {
    return bad("async_flush_ms", options.async_flush_ms, 1, 60'000);
  }
  if (options.query_cache_entries > 1'000'000) {
    return bad("query_cache_entries", options.query_cache_entries, 0, 1'000'000);
  }
  if (options.query_cache_age_s < 1 || options.query_cache_age_s > 86'400) {
    return bad("query_cache_age_s", options.query_cache_age_s, 1, 86'400);
  }
  if (options.query_cache_warm > 10'000) {
    return bad("query_cache_warm", options.query_cache_warm, 0, 10'000);
  }
  if (options.write_queue_operations_max < 1 || options.write_queue_operations_max > 1'000'000) {
    return bad("write_queue_operations_max", options.write_queue_operations_max, 1, 1'000'000);
  }
  return ok_status();
}

// Says what the folder is, or that it is not ours or of a later release.
Status check_folder(FileSystem& fs, const std::string& directory) {
  const std::string path = directory + "/QUIPU";
  if (fs.exists(path)) {
    QUIPU_TRY(const std::string text, read_file(fs, path, 4'096));
    if (text == kFolderText) return ok_status();
    return Error{
        ErrorCode::kFailedPrecondition,
        format("{} is not a data folder of this release (its QUIPU file is another)", directory),
        "data_dir_version"};
  }
  QUIPU_TRY(const std::vector<std::string> names, fs.list(directory));
  for (const std::string& name : names) {
    if (name == "LOCK" || name.starts_with("QUIPU.")) continue;  // ours, from an unfinished start
    return Error{
        ErrorCode::kFailedPrecondition,
        format("{} holds '{}' and is not a data folder; give an empty one", directory, name),
        "data_dir_not_empty"};
  }
  return write_file_atomically(fs, path, kFolderText);
}

// What close() writes for the next open.
std::string asked_path(const EngineOptions& options) { return options.data_dir + "/asked.json"; }

}  // namespace

Status Engine::State::check_open() const {
  if (!closing.load()) return ok_status();
  return Error{ErrorCode::kUnavailable, "the engine is closing", "closing"};
}

engine::Committer::Hooks Engine::State::committer_hooks() {
  engine::Committer::Hooks hooks;
  hooks.committed = [this](const auto& shards) { maintenance->changed(shards); };
  hooks.dropped = [this](const Collection& collection) { maintenance->dropped(collection); };
  hooks.vectors_dropped = [this](const Collection& collection,
                                 const std::vector<std::uint16_t>& ids) {
    maintenance->vectors_dropped(collection, ids);
  };
  hooks.make_shards = [this](const CollectionRecord& record,
                             std::shared_ptr<const engine::Schema> schema)
      -> Result<std::vector<std::shared_ptr<Shard>>> {
    std::vector<std::shared_ptr<Shard>> shards;
    for (const ShardId id : record.shards) {
      auto shard = std::make_shared<Shard>(id, schema, epochs);
      QUIPU_TRY_OK(shard->make_views());
      shards.push_back(std::move(shard));
    }
    return shards;
  };
  hooks.schema_changed = [this](const auto& shards) {
    for (const auto& shard : shards) maintenance->load_missing_views(shard);
  };
  return hooks;
}

Status Engine::State::open_folder(const EngineEnvironment& environment) {
  clock = environment.clock != nullptr ? environment.clock : &system_clock();
  fs = environment.file_system != nullptr ? environment.file_system : &posix_file_system();
  metrics = environment.metrics != nullptr ? environment.metrics : &null_metrics();
  opened_at = clock->steady_now();
  QUIPU_TRY_OK(check_options(options));
  embedder = environment.embedder;
  if (embedder == nullptr) {
    // Reads no model: that waits until one is needed.
    QUIPU_TRY(owned_embedder, embed::make_embedder({.model_dirs = options.model_dirs,
                                                    .cache_bytes = options.embedding_cache_bytes,
                                                    .file_system = fs},
                                                   *metrics, *clock));
    embedder = owned_embedder.get();
  }
  QUIPU_TRY_OK(fs->create_directories(options.data_dir));
  auto lock = fs->lock(options.data_dir + "/LOCK");
  if (!lock.ok()) {
    if (lock.error().code != ErrorCode::kFailedPrecondition) return lock.error();
    return Error{ErrorCode::kFailedPrecondition,
                 format("the data folder {} is in use by another Quipu process; one process owns "
                        "a folder at a time",
                        options.data_dir),
                 "data_dir_locked"};
  }
  folder_lock = std::move(lock).value();
  QUIPU_TRY_OK(check_folder(*fs, options.data_dir));
  QUIPU_TRY(kv, storage::open_rocks_store({.path = options.data_dir + "/store",
                                           .file_system = *fs,
                                           .block_cache_bytes = options.block_cache_bytes}));
  query_cache = std::make_unique<engine::QueryCache>(
      engine::QueryCache::Options{.entries_max = options.query_cache_entries,
                                  .bytes_max = options.query_cache_bytes,
                                  .age_max = std::chrono::seconds(options.query_cache_age_s)},
      *clock, *metrics);
  views = std::make_unique<engine::ViewStore>(*fs, options.data_dir + "/views");
  maintenance = std::make_unique<engine::Maintenance>(
      engine::Maintenance::Parts{.kv = *kv,
                                 .fs = *fs,
                                 .views = *views,
                                 .epochs = epochs,
                                 .catalogue = catalogue,
                                 .clock = *clock,
                                 .metrics = *metrics,
                                 .embedder = *embedder,
                                 .query_cache = *query_cache},
      engine::Maintenance::Options{.threads = options.background_threads,
                                   .async_flush_ms = options.async_flush_ms,
                                   .checkpoint_operations = options.checkpoint_operations,
                                   .checkpoint_interval_s = options.checkpoint_interval_s,
                                   .memory_bytes_max = options.memory_bytes_max,
                                   .block_cache_bytes = options.block_cache_bytes,
                                   .embedding_cache_bytes = options.embedding_cache_bytes});
  committer = std::make_unique<engine::Committer>(
      *kv, catalogue, *clock, *metrics,
      engine::Committer::Options{.queue_operations_max = options.write_queue_operations_max,
                                 .queue_bytes_max = options.write_queue_bytes_max},
      committer_hooks());
  return open_collections();
}

void Engine::State::give_up_recoveries(std::vector<CollectionRecord> hidden) {
  for (CollectionRecord& record : hidden) {
    log_info("a recovery that was cut short is given up",
             {{"tenant", record.tenant}, {"collection", record.name}});
    const std::uint32_t id = record.id.value();
    auto collection = std::make_shared<Collection>();  // without shards: nobody reads it
    collection->record = std::move(record);
    catalogue.put_hidden(std::move(collection));
    const auto ended = engine::run_catalogue_operation(
        *this, storage::EndRecoveryOp{.collection = id, .keep = false});
    if (!ended.ok()) {
      log_warning("it could not be given up; the next start tries again",
                  {{"error", ended.error().message}});
    }
  }
}

Status Engine::State::open_collections() {
  QUIPU_TRY(engine::LoadedCatalogue loaded, engine::load_catalogue(*kv));
  engine::ShardMeta system;
  QUIPU_TRY(const std::optional<std::string> bytes,
            kv->get(Family::kMeta, storage::applied_key(engine::kSystemShard), nullptr));
  if (bytes) {
    QUIPU_TRY(system, engine::decode_shard_meta(*bytes));
  }
  committer->restore(system, loaded.counters);
  const std::shared_ptr<const KvSnapshot> snapshot = kv->snapshot();
  for (CollectionRecord& record : loaded.collections) {
    auto collection = std::make_shared<Collection>();
    QUIPU_TRY(collection->schema, engine::make_schema(record.config));
    for (const ShardId id : record.shards) {
      QUIPU_TRY(std::shared_ptr<Shard> shard,
                engine::open_shard(*kv, *fs, *views, epochs, record, collection->schema, id));
      shard->publish(snapshot);
      collection->shards.push_back(std::move(shard));
    }
    collection->record = std::move(record);
    catalogue.put(std::move(collection));
  }
  for (const engine::AliasEdits& edits : loaded.aliases) catalogue.edit_aliases(edits);
  committer->start();
  maintenance->start(*committer);
  maintenance->reclaim(loaded.dropped);
  give_up_recoveries(std::move(loaded.hidden));
  for (const std::shared_ptr<const Collection>& collection : catalogue.all()) {
    for (const std::shared_ptr<Shard>& shard : collection->shards) {
      maintenance->verify_views(shard);
      maintenance->load_missing_views(shard);
      if (shard->tail_rows() > 0 || shard->closed_rows() > 0) maintenance->changed({shard});
    }
  }
  return ok_status();
}

namespace {

// Asks, in the background, what was asked most before the last close().
void warm_query_cache(Engine& engine, Engine::State& state) {
  const std::string path = asked_path(state.options);
  if (!state.query_cache->enabled() || state.options.query_cache_warm == 0) return;
  if (!state.fs->exists(path)) return;
  const Result<std::string> text = read_file(*state.fs, path, engine::kAskedBytesMax);
  auto asked = text.ok() ? engine::read_asked(text.value()) : text.error();
  if (!asked.ok()) {
    log_warning("the list of the most asked queries cannot be read: the query cache begins empty",
                {{"path", path}, {"error", asked.error().message}});
    return;
  }
  state.maintenance->submit([&engine, &state, list = std::move(asked).value()] {
    for (const engine::QueryCache::Asked& each : list) {
      if (state.closing.load()) return;
      engine::ask_again(engine, each);
    }
  });
}

}  // namespace

Result<std::unique_ptr<Engine>> Engine::open(const EngineOptions& options,
                                             const EngineEnvironment& environment) {
  std::unique_ptr<Engine> engine(new Engine());
  engine->state_->options = options;
  if (options.memory_bytes_max == 0) {
    engine->state_->options.memory_bytes_max = engine::machine_memory_bytes() / 10 * 8;
  }
  QUIPU_TRY_OK(engine->state_->open_folder(environment));
  warm_query_cache(*engine, *engine->state_);
  return engine;
}

Engine::Engine() : state_(std::make_unique<State>()) {}

Engine::~Engine() {
  if (state_ == nullptr || state_->committer == nullptr) return;
  if (!state_->closed) {
    state_->closing.store(true);
    state_->maintenance->stop();
    state_->committer->stop();
    // Best effort: an owner who wants to know calls close().
    static_cast<void>(state_->kv->sync_wal().ok());
  }
}

Status Engine::close(std::chrono::milliseconds deadline) {
  State& state = *state_;
  if (state.closed) return ok_status();
  state.closing.store(true);
  const auto end = state.clock->steady_now() + deadline;
  Status status = state.committer->run([] {});  // everything accepted is done when this returns
  // Logs that are short are replayed at the next open in no time: only long ones are worth a file.
  for (const std::shared_ptr<const Collection>& collection : state.catalogue.all()) {
    for (const std::shared_ptr<Shard>& shard : collection->shards) {
      if (state.clock->steady_now() >= end) break;
      if (shard->changes_since_checkpoint.load() < engine::kCheckpointAtCloseChangesMin) continue;
      if (const Status written = state.maintenance->checkpoint(shard); !written.ok()) {
        log_warning("a view checkpoint was not written at close; the log is replayed instead",
                    {{"error", written.error().message}});
      }
    }
  }
  state.maintenance->stop();
  state.committer->stop();
  if (state.options.query_cache_warm > 0) {
    const std::string asked =
        engine::write_asked(state.query_cache->most_asked(state.options.query_cache_warm));
    if (const Status written = write_file_atomically(*state.fs, asked_path(state.options), asked);
        !written.ok()) {
      log_warning("the most asked queries were not written at close",
                  {{"error", written.error().message}});
    }
  }
  if (const Status synced = state.kv->sync_wal(); !synced.ok() && status.ok()) {
    status = synced.error();
  }
  state.closed = true;
  return status;
}

}  // namespace quipu
