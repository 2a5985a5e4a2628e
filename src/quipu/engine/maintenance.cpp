#include "quipu/engine/maintenance.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <utility>

#include "quipu/base/format.h"
#include "quipu/base/log.h"
#include "quipu/storage/keys.h"

namespace quipu::engine {
namespace {

constexpr std::chrono::milliseconds kTick{25};
constexpr std::chrono::milliseconds kMemoryTick{500};
constexpr std::size_t kLinkRows = 64;            // between looks at the stop flag
constexpr std::size_t kLinkRowsPerTask = 4'096;  // then other shards get their turn
constexpr std::size_t kConsolidateRows = 256;
constexpr std::uint64_t kCheckpointChangesMin = 1'000;  // fewer replay in a millisecond or two
constexpr std::size_t kLoadBatchRows = 512;
constexpr std::size_t kPoolQueueMax = 100'000;
constexpr std::string_view kAllViews = "all";  // the views of a shard are checkpointed together

// Resident bytes of this process; 0 where the system does not say.
std::uint64_t resident_bytes_now() {
  auto text = read_file(posix_file_system(), "/proc/self/statm", 4'096);
  if (!text.ok()) return 0;
  // Fields: size resident shared ..., in pages of 4 KiB on the systems that have this file.
  const std::string& line = text.value();
  std::size_t at = line.find(' ');
  if (at == std::string::npos) return 0;
  std::uint64_t pages = 0;
  for (++at; at < line.size() && line[at] >= '0' && line[at] <= '9'; ++at) {
    pages = pages * 10 + static_cast<std::uint64_t>(line[at] - '0');
  }
  return pages * 4'096;
}

}  // namespace

struct Maintenance::Grace {
  std::atomic<bool> over{false};
  std::vector<std::pair<std::weak_ptr<Shard>, Seq>> shards;
  std::vector<DroppedSpace> dropped;
};

Maintenance::Maintenance(Parts parts, Options options)
    : parts_(std::move(parts)),
      options_(options),
      linked_(
          parts_.metrics.counter("quipu_vectors_linked_total", "Vectors linked into graphs.", {})),
      checkpoints_(
          parts_.metrics.counter("quipu_view_checkpoints_total", "View checkpoints written.", {})),
      checkpoint_failures_(parts_.metrics.counter("quipu_view_checkpoint_failures_total",
                                                  "View checkpoints that failed.", {})),
      resident_gauge_(parts_.metrics.gauge("quipu_process_resident_bytes",
                                           "Resident memory of the process.", {})) {
  pool_ = std::make_unique<ThreadPool>(ThreadPool::Options{.name = "background",
                                                           .thread_count = options_.threads,
                                                           .queue_tasks_max = kPoolQueueMax,
                                                           .low_priority = true});
}

Maintenance::~Maintenance() { stop(); }

void Maintenance::start(Committer& committer) {
  committer_ = &committer;
  watch_memory();
  thread_ = std::thread([this] { housekeep(); });
}

void Maintenance::stop() {
  stopping_.store(true);
  {
    const MutexLock lock(mutex_);
    wake_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
  if (pool_ != nullptr) pool_->stop();
}

void Maintenance::submit(std::function<void()> task) {
  // Refused only when stopping or beyond 100,000 tasks: the next tick finds the work again.
  static_cast<void>(pool_->submit(std::move(task)).ok());
}

void Maintenance::changed(const std::vector<std::shared_ptr<Shard>>& shards) {
  for (const std::shared_ptr<Shard>& shard : shards) schedule_link(shard);
  const MutexLock lock(mutex_);
  for (const std::shared_ptr<Shard>& shard : shards) {
    if (std::find(changed_.begin(), changed_.end(), shard) == changed_.end()) {
      changed_.push_back(shard);
    }
  }
}

void Maintenance::dropped(const Collection& collection) {
  const MutexLock lock(mutex_);
  for (const ShardId shard : collection.record.shards) {
    dropped_.push_back({.shard = shard, .vector = {}});
  }
}

void Maintenance::vectors_dropped(const Collection& collection,
                                  const std::vector<std::uint16_t>& ids) {
  const MutexLock lock(mutex_);
  for (const ShardId shard : collection.record.shards) {
    for (const std::uint16_t id : ids) dropped_.push_back({.shard = shard, .vector = id});
  }
}

void Maintenance::reclaim(const std::vector<DroppedSpace>& spaces) {
  const MutexLock lock(mutex_);
  dropped_.insert(dropped_.end(), spaces.begin(), spaces.end());
}

void Maintenance::housekeep() {
  auto next_flush = parts_.clock.steady_now();
  auto next_memory = next_flush;
  auto next_interval = next_flush + std::chrono::seconds(options_.checkpoint_interval_s);
  while (!stopping_.load()) {
    {
      MutexLock lock(mutex_);
      if (stopping_.load()) return;
      parts_.clock.wait_until(wake_, lock.native(), parts_.clock.steady_now() + kTick);
    }
    const auto now = parts_.clock.steady_now();
    tick(now);
    if (now >= next_flush) {
      next_flush = now + std::chrono::milliseconds(options_.async_flush_ms);
      if (const Status synced = committer_->sync_unsynced(); !synced.ok()) {
        log_error("async writes could not be synced", {{"error", synced.error().message}});
      }
    }
    if (now >= next_memory) {
      next_memory = now + kMemoryTick;
      watch_memory();
    }
    const bool interval_passed = now >= next_interval;
    if (interval_passed) {
      next_interval = now + std::chrono::seconds(options_.checkpoint_interval_s);
    }
    schedule_checkpoints(interval_passed);
  }
}

void Maintenance::tick(std::chrono::steady_clock::time_point) {
  advance_grace();
  std::erase_if(watched_, [this](const std::weak_ptr<Shard>& weak) {
    const std::shared_ptr<Shard> shard = weak.lock();
    if (shard == nullptr || shard->dropped.load()) return true;
    schedule_link(shard);
    schedule_consolidation(shard);
    schedule_merge(shard);
    return shard->closed_rows() == 0 && shard->tail_rows() == 0;
  });
}

void Maintenance::advance_grace() {
  parts_.epochs.collect();
  if (grace_ != nullptr) {
    if (!grace_->over.load()) return;
    for (const auto& [weak, seq] : grace_->shards) {
      const std::shared_ptr<Shard> shard = weak.lock();
      if (shard == nullptr) continue;
      shard->horizon.store(std::max(shard->horizon.load(), seq.value()));
      schedule_merge(shard);  // more rows may be left out now
    }
    for (const DroppedSpace& space : grace_->dropped) {
      submit([this, space] { reclaim_task(space); });
    }
    grace_ = nullptr;
  }
  auto next = std::make_shared<Grace>();
  {
    const MutexLock lock(mutex_);
    for (const std::shared_ptr<Shard>& shard : changed_) {
      next->shards.emplace_back(shard, shard->moment()->applied);
      const bool known = std::any_of(
          watched_.begin(), watched_.end(), [&shard](const std::weak_ptr<Shard>& watched) {
            return !watched.owner_before(shard) && !shard.owner_before(watched);
          });
      if (!known) watched_.emplace_back(shard);
    }
    changed_.clear();
    // Who began to keep after something was dropped does not read it.
    if (space_keepers_.load() == 0) {
      next->dropped = std::move(dropped_);
      dropped_.clear();
    }
  }
  if (next->shards.empty() && next->dropped.empty()) return;
  grace_ = next;
  // Every reader that takes its guard after this line sees moments at least as new as those above.
  parts_.epochs.retire([next] { next->over.store(true); });
}

void Maintenance::schedule_link(const std::shared_ptr<Shard>& shard) {
  if (stopping_.load() || shard->tail_rows() == 0) return;
  if (shard->link_tasks.load() >= static_cast<int>(options_.threads)) return;
  shard->link_tasks.fetch_add(1);
  if (!pool_->submit([this, shard] { link_task(shard); }).ok()) shard->link_tasks.fetch_sub(1);
}

void Maintenance::link_task(const std::shared_ptr<Shard>& shard) {
  std::size_t done = 0;
  while (!stopping_.load() && !shard->dropped.load() && done < kLinkRowsPerTask) {
    std::size_t linked = 0;
    {
      const EpochDomain::Guard guard = parts_.epochs.pin();
      const std::shared_ptr<const ViewSet> views = shard->moment()->views;  // keeps the list
      for (const auto& index : views->dense) {
        if (index != nullptr) linked += index->link(kLinkRows);
      }
    }
    if (linked == 0) break;
    done += linked;
    linked_.add(static_cast<double>(linked));
  }
  const std::uint64_t tail = shard->tail_rows();
  if (shard->tail_allowance.load() > tail) shard->tail_allowance.store(tail);
  shard->link_tasks.fetch_sub(1);
  // Rows may have come between the last look and the decrement.
  if (tail > 0 && done > 0) schedule_link(shard);
}

void Maintenance::schedule_consolidation(const std::shared_ptr<Shard>& shard) {
  const std::uint64_t closed = shard->closed_rows();
  // Each pass costs a little for every row: wait until there is something to gain, but never
  // beyond a few per cent of dead rows in the graph.
  const std::uint64_t due = std::max<std::uint64_t>(16, shard->moment()->points / 50);
  if (stopping_.load() || closed < due) return;
  if (shard->consolidating.exchange(true)) return;
  if (!pool_->submit([this, shard] { consolidate_task(shard); }).ok()) {
    shard->consolidating.store(false);
  }
}

void Maintenance::consolidate_task(const std::shared_ptr<Shard>& shard) {
  const std::shared_ptr<const ViewSet> views = shard->moment()->views;
  for (const auto& index : views->dense) {
    while (index != nullptr && !stopping_.load() && !shard->dropped.load()) {
      if (index->consolidate(kConsolidateRows, Seq(shard->horizon.load())) == 0) break;
    }
  }
  shard->consolidating.store(false);
}

void Maintenance::schedule_merge(const std::shared_ptr<Shard>& shard) {
  if (stopping_.load() || !shard->merge_wanted.load()) return;
  if (shard->merging.exchange(true)) return;
  shard->merge_wanted.store(false);
  if (!pool_->submit([this, shard] { merge_task(shard); }).ok()) {
    shard->merge_wanted.store(true);
    shard->merging.store(false);
  }
}

void Maintenance::merge_task(const std::shared_ptr<Shard>& shard) {
  bool merged = false;
  {
    const EpochDomain::Guard guard = parts_.epochs.pin();
    const std::shared_ptr<const ViewSet> views = shard->moment()->views;
    const auto merge_all = [&](const auto& index) {
      while (index != nullptr && !stopping_.load() && !shard->dropped.load()) {
        if (index->merge(Seq(shard->horizon.load())) == 0) break;
        merged = true;
      }
    };
    for (const auto& index : views->sparse) merge_all(index);
    for (const auto& index : views->words) merge_all(index);
    for (const auto& index : views->payload) merge_all(index);
  }
  // A moment of the merged segments, so that what they replace can go.
  if (merged && !stopping_.load()) {
    const Status published = committer_->run([&] {
      if (!shard->dropped.load()) shard->publish(parts_.kv.snapshot());
    });
    static_cast<void>(published.ok());  // refused when closing only
  }
  shard->merging.store(false);
}

void Maintenance::schedule_checkpoints(bool interval_passed) {
  std::vector<std::shared_ptr<const Collection>> collections = parts_.catalogue.all();
  // A recovery's log is cut as others are.
  for (auto& hidden : parts_.catalogue.all_hidden()) collections.push_back(std::move(hidden));
  for (const std::shared_ptr<const Collection>& collection : collections) {
    for (const std::shared_ptr<Shard>& shard : collection->shards) {
      const std::uint64_t changes = shard->changes_since_checkpoint.load();
      // A large shard's checkpoint is large: let it grow with the shard, so that the bytes
      // written stay in proportion to what was changed.
      const std::uint64_t due =
          std::max(options_.checkpoint_operations, shard->moment()->points / 4);
      if (changes < due && !(interval_passed && changes >= kCheckpointChangesMin)) continue;
      if (stopping_.load() || shard->checkpointing.exchange(true)) continue;
      submit([this, shard] {
        if (!stopping_.load()) {
          if (const Status written = write_checkpoint(shard); !written.ok()) {
            checkpoint_failures_.add();
            log_error("a view checkpoint failed", {{"shard", std::to_string(shard->id().value())},
                                                   {"error", written.error().message}});
          }
        }
        shard->checkpointing.store(false);
      });
    }
  }
}

Status Maintenance::checkpoint(const std::shared_ptr<Shard>& shard) {
  return write_checkpoint(shard);
}

Status Maintenance::write_checkpoint(const std::shared_ptr<Shard>& shard) {
  const MutexLock lock(checkpoint_mutex_);
  if (shard->dropped.load()) return ok_status();
  ShardCapture capture;
  std::uint64_t changes = 0;
  QUIPU_TRY_OK(committer_->run([&] {
    capture = capture_shard(*shard);
    changes = shard->changes_since_checkpoint.load();
  }));
  if (capture.covers.value() == shard->checkpoint_covers.load() && changes == 0) {
    return ok_status();
  }
  QUIPU_TRY_OK(parts_.views.write(shard->id(), capture));
  // A view never runs ahead of the state (rule 2): async writes may not be synced yet.
  QUIPU_TRY_OK(parts_.kv.sync_wal());
  QUIPU_TRY_OK(parts_.views.publish(shard->id(), capture.covers));
  shard->checkpoint_covers.store(capture.covers.value());
  shard->changes_since_checkpoint.fetch_sub(changes);
  checkpoints_.add();
  QUIPU_TRY_OK(cut_log(*shard, capture.covers));
  QUIPU_TRY_OK(parts_.views.remove_older(shard->id(), capture.covers));
  const Seq reusable(std::min(capture.covers.value(), shard->horizon.load()));
  return committer_->run([&] { shard->slots.reuse_released(reusable); });
}

Status Maintenance::cut_log(Shard& shard, Seq covers) {
  const std::unique_ptr<KvBatch> batch = parts_.kv.make_batch();
  const Seq after(covers.value() + 1);
  const storage::KeyRange covered = storage::log_range(shard.id(), Seq(0), after);
  batch->erase_range(Family::kLog, covered.begin, covered.end);
  const storage::KeyRange earlier = storage::view_range(shard.id(), kAllViews);
  batch->erase_range(Family::kViews, earlier.begin, earlier.end);
  batch->put(Family::kViews, storage::view_key(shard.id(), kAllViews, covers), "");
  QUIPU_TRY_OK(parts_.kv.write(*batch, {.sync = false}));
  const std::uint64_t applied = shard.moment()->applied.value();
  shard.log_operations.store(applied - std::min(applied, covers.value()));
  return ok_status();
}

void Maintenance::load_missing_views(const std::shared_ptr<Shard>& shard) {
  for (const ViewRef& view : all_views(*shard->views->schema)) {
    if (!shard->views->missing(view) || shard->loading(view)) continue;
    submit([this, shard, view] { load_task(shard, view); });
  }
}

void Maintenance::load_task(const std::shared_ptr<Shard>& shard, const ViewRef& view) {
  if (stopping_.load() || shard->dropped.load()) return;
  std::shared_ptr<const KvSnapshot> snapshot;
  std::shared_ptr<const Schema> schema;
  Seq at;
  std::optional<Shard::LoadId> load;
  Status status = committer_->run([&] {
    schema = shard->views->schema;
    const std::vector<ViewRef> all = all_views(*schema);
    const bool known = std::find(all.begin(), all.end(), view) != all.end();
    if (!known || !shard->views->missing(view) || shard->loading(view)) return;
    auto made = shard->make_view(view);
    QUIPU_ASSERT(made.ok());  // the options were checked when the collection was made
    load = shard->begin_load(view, std::move(made).value());
    snapshot = parts_.kv.snapshot();
    at = shard->meta.applied;
  });
  if (!load) return;  // closing, or another one is at it
  if (view.kind == ViewKind::kVector) {
    status = load_vectors(shard, *load, schema->vectors[view.index], at, snapshot.get());
  } else {
    status = load_records(shard, *load, at, snapshot.get());
  }
  snapshot.reset();
  if (status.ok() && !stopping_.load()) {
    status = committer_->run([&] {
      const std::optional<ViewRef> place = shard->finish_load(*load);
      if (!place) return;
      shard->publish(parts_.kv.snapshot());
      shard->changes_since_checkpoint.fetch_add(shard->meta.points);
      if (place->kind != ViewKind::kVector) return;
      const auto& loaded = shard->views->dense[place->index];
      if (loaded != nullptr) shard->tail_allowance.fetch_add(loaded->stats().tail_rows);
    });
  }
  if (!status.ok() && !stopping_.load()) {
    log_error("a view could not be rebuilt; storage scans go on answering",
              {{"shard", std::to_string(shard->id().value())}, {"error", status.error().message}});
    static_cast<void>(committer_->run([&] { shard->cancel_load(*load); }).ok());
    return;
  }
  {
    const MutexLock lock(mutex_);
    changed_.push_back(shard);
  }
  // The schema may have changed meanwhile, and the place of a view with it.
  static_cast<void>(committer_
                        ->run([&] {
                          if (shard->views->schema != schema) load_missing_views(shard);
                        })
                        .ok());
}

Status Maintenance::load_vectors(const std::shared_ptr<Shard>& shard, Shard::LoadId load,
                                 const VectorConfig& config, Seq at, const KvSnapshot* snapshot) {
  const storage::KeyRange range = storage::vector_range(shard->id(), config.id);
  const std::unique_ptr<KvIterator> it = parts_.kv.iterate(
      Family::kVectors, {.begin = range.begin, .end = range.end, .fill_cache = false}, snapshot);
  std::vector<std::pair<PointId, storage::OpVector>> rows;
  const auto hand_over = [&]() -> Status {
    QUIPU_TRY_OK(committer_->run([&] {
      for (const auto& [id, vector] : rows) shard->load_vector(load, id, vector, at);
    }));
    rows.clear();
    return ok_status();
  };
  for (it->seek(range.begin); it->valid() && !stopping_.load(); it->next()) {
    QUIPU_TRY(const storage::VectorKey key, storage::decode_vector_key(it->key()));
    QUIPU_TRY(storage::OpVector vector, decode_vector(config, it->value()));
    rows.emplace_back(key.id, std::move(vector));
    if (rows.size() == kLoadBatchRows) QUIPU_TRY_OK(hand_over());
  }
  QUIPU_TRY_OK(it->status());
  return hand_over();
}

Status Maintenance::load_records(const std::shared_ptr<Shard>& shard, Shard::LoadId load, Seq at,
                                 const KvSnapshot* snapshot) {
  const storage::KeyRange range = storage::shard_range(shard->id());
  const std::unique_ptr<KvIterator> it = parts_.kv.iterate(
      Family::kPoints, {.begin = range.begin, .end = range.end, .fill_cache = false}, snapshot);
  std::vector<std::pair<PointId, PointRecord>> rows;
  const auto hand_over = [&]() -> Status {
    QUIPU_TRY_OK(committer_->run([&] {
      for (const auto& [id, record] : rows) shard->load_record(load, id, record, at);
    }));
    rows.clear();
    return ok_status();
  };
  for (it->seek(range.begin); it->valid() && !stopping_.load(); it->next()) {
    QUIPU_TRY(const storage::PointKey key, storage::decode_point_key(it->key()));
    QUIPU_TRY(PointRecord record, decode_point_record(it->value()));
    rows.emplace_back(key.id, std::move(record));
    if (rows.size() == kLoadBatchRows) QUIPU_TRY_OK(hand_over());
  }
  QUIPU_TRY_OK(it->status());
  return hand_over();
}

void Maintenance::verify_views(const std::shared_ptr<Shard>& shard) {
  for (const ViewRef& view : all_views(*shard->views->schema)) {
    if (shard->views->missing(view) || shard->checkpoint_covers.load() == 0) continue;
    submit([this, shard, view] { verify_task(shard, view); });
  }
}

void Maintenance::verify_task(const std::shared_ptr<Shard>& shard, const ViewRef& view) {
  if (stopping_.load() || shard->dropped.load()) return;
  Status verified = ok_status();
  std::shared_ptr<const ViewSet> looked_at;
  {
    const EpochDomain::Guard guard = parts_.epochs.pin();
    looked_at = shard->moment()->views;
    const std::vector<ViewRef> all = all_views(*looked_at->schema);
    if (std::find(all.begin(), all.end(), view) == all.end()) return;
    if (view.kind == ViewKind::kPayload) {
      const auto& payload = looked_at->payload[view.index];
      if (payload != nullptr) verified = payload->verify();
    } else if (const auto sparse = looked_at->sparse_of(view)) {
      verified = sparse->verify();
    } else if (view.kind == ViewKind::kVector && looked_at->dense[view.index] != nullptr) {
      verified = looked_at->dense[view.index]->verify();
    }
  }
  if (verified.ok()) return;
  log_error("a mapped view is damaged; it is dropped and rebuilt from the state",
            {{"shard", std::to_string(shard->id().value())}, {"error", verified.error().message}});
  const Status removed = committer_->run([&] {
    if (shard->views->schema != looked_at->schema) return;  // its place is another's now
    shard->views = shard->views->without(view);
    shard->publish(parts_.kv.snapshot());
  });
  if (removed.ok()) load_task(shard, view);
}

Status Maintenance::reclaim_shard(ShardId shard) {
  const storage::KeyRange range = storage::shard_range(shard);
  constexpr std::array<Family, 9> kOwned = {Family::kLog,     Family::kPoints, Family::kVectors,
                                            Family::kEdges,   Family::kAccess, Family::kDedup,
                                            Family::kHistory, Family::kViews,  Family::kMeta};
  for (const Family family : kOwned) {
    QUIPU_TRY_OK(parts_.kv.drop_range(family, range.begin, range.end));
  }
  return parts_.views.remove_all(shard);
}

void Maintenance::reclaim_task(const DroppedSpace& space) {
  Status status = ok_status();
  if (space.vector) {
    const storage::KeyRange range = storage::vector_range(space.shard, *space.vector);
    status = parts_.kv.drop_range(Family::kVectors, range.begin, range.end);
  } else {
    status = reclaim_shard(space.shard);
  }
  if (status.ok()) {
    const std::unique_ptr<KvBatch> batch = parts_.kv.make_batch();
    batch->erase(Family::kMeta, dropped_space_key(space));
    status = parts_.kv.write(*batch, {.sync = false});
  }
  if (!status.ok()) {
    log_warning("space that was dropped could not be given back; the next start tries again",
                {{"shard", std::to_string(space.shard.value())},
                 {"vector", space.vector ? std::to_string(*space.vector) : ""},
                 {"error", status.error().message}});
  }
}

void Maintenance::watch_memory() {
  const std::uint64_t resident = resident_bytes_now();
  resident_.store(resident);
  resident_gauge_.set(static_cast<double>(resident));
  if (options_.memory_bytes_max == 0) return;
  // Caches go first, from 90 % of the bound; writes are refused only over the bound itself.
  const std::uint64_t pressure = options_.memory_bytes_max / 10 * 9;
  if (resident > pressure && !shrunk_) {
    parts_.kv.set_cache_bytes_max(options_.block_cache_bytes / 8);
    parts_.embedder.shrink_cache(options_.embedding_cache_bytes / 8);
    parts_.query_cache.clear();
    shrunk_ = true;
    log_warning("memory is short: caches were shrunk",
                {{"resident_bytes", std::to_string(resident)},
                 {"limit", std::to_string(options_.memory_bytes_max)}});
  } else if (shrunk_ && resident < options_.memory_bytes_max / 10 * 7) {
    parts_.kv.set_cache_bytes_max(options_.block_cache_bytes);
    shrunk_ = false;
  }
  memory_full_.store(resident > options_.memory_bytes_max);
}

Maintenance::Hold::Hold(Maintenance& owner) : owner_(owner) {
  owner_.checkpoint_mutex_.native().lock();
}
Maintenance::Hold::~Hold() { owner_.checkpoint_mutex_.native().unlock(); }

}  // namespace quipu::engine
