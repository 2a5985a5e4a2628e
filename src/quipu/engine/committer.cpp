#include "quipu/engine/committer.h"

#include <algorithm>
#include <array>
#include <utility>

#include "quipu/base/format.h"
#include "quipu/base/log.h"
#include "quipu/storage/keys.h"

namespace quipu::engine {
namespace {

constexpr std::array<double, 10> kGroupBounds = {1, 2, 4, 8, 16, 32, 64, 128, 256, 1024};
constexpr std::array<double, 9> kSecondsBounds = {.0005, .001, .002, .005, .01, .025, .05, .1, .5};

double seconds_between(std::chrono::steady_clock::time_point from,
                       std::chrono::steady_clock::time_point to) {
  return std::chrono::duration<double>(to - from).count();
}

}  // namespace

Committer::Committer(KeyValueStore& kv, Catalogue& catalogue, Clock& clock,
                     MetricsRegistry& metrics, Options options, Hooks hooks)
    : kv_(kv),
      catalogue_(catalogue),
      clock_(clock),
      options_(options),
      hooks_(std::move(hooks)),
      group_operations_(metrics.histogram("quipu_log_group_operations",
                                          "Operations that shared one write of the log.", {},
                                          kGroupBounds)),
      write_seconds_(metrics.histogram("quipu_log_write_seconds",
                                       "Time of one write of the log, its fsync included.", {},
                                       kSecondsBounds)),
      refused_(metrics.counter("quipu_log_refused_total",
                               "Operations that apply refused (conditions, limits).", {})) {}

Committer::~Committer() { stop(); }

void Committer::restore(ShardMeta system, CatalogueCounters counters) {
  system_ = system;
  counters_ = counters;
}

void Committer::start() {
  thread_ = std::thread([this] { loop(); });
}

void Committer::stop() {
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
  }
  not_empty_.notify_all();
  not_full_.notify_all();
  if (thread_.joinable()) thread_.join();
}

Status Committer::submit(PointsWrite write, std::chrono::steady_clock::time_point deadline) {
  const std::uint64_t bytes = write.encoded.size();
  return enqueue(std::move(write), bytes, deadline);
}

Status Committer::submit(CatalogueWrite write, std::chrono::steady_clock::time_point deadline) {
  const std::uint64_t bytes = write.encoded.size();
  return enqueue(std::move(write), bytes, deadline);
}

Status Committer::run(std::function<void()> task) {
  struct Done {
    Mutex mutex;
    std::condition_variable condition;
    bool done = false;
  };
  auto done = std::make_shared<Done>();
  Control control{[done, task = std::move(task)] {
    task();
    const MutexLock lock(done->mutex);
    done->done = true;
    done->condition.notify_all();
  }};
  QUIPU_TRY_OK(enqueue(std::move(control), 0, std::chrono::steady_clock::time_point::max()));
  MutexLock lock(done->mutex);
  while (!done->done) done->condition.wait(lock.native());
  return ok_status();
}

Status Committer::enqueue(Entry entry, std::uint64_t bytes,
                          std::chrono::steady_clock::time_point deadline) {
  const auto full = [this, bytes]() REQUIRES(mutex_) {
    if (queue_operations_ == 0) return false;  // one of any size may always go
    return queue_operations_ >= options_.queue_operations_max ||
           queue_bytes_ + bytes > options_.queue_bytes_max;
  };
  {
    MutexLock lock(mutex_);
    while (!stopping_ && full()) {
      if (clock_.steady_now() >= deadline) {
        return Error{ErrorCode::kResourceExhausted,
                     format("the write queue holds {} operations of {} bytes; its limits are {} "
                            "operations and {} bytes",
                            queue_operations_, queue_bytes_, options_.queue_operations_max,
                            options_.queue_bytes_max),
                     "write_queue_full"};
      }
      clock_.wait_until(not_full_, lock.native(), deadline);
    }
    if (stopping_) {
      return Error{ErrorCode::kUnavailable, "the engine is closing", "closing"};
    }
    queue_.emplace_back(std::move(entry), bytes);
    ++queue_operations_;
    queue_bytes_ += bytes;
  }
  not_empty_.notify_one();
  return ok_status();
}

void Committer::loop() {
  while (true) {
    std::vector<Entry> group = take_group();
    if (group.empty()) return;
    not_full_.notify_all();
    if (auto* control = std::get_if<Control>(&group.front())) {
      control->task();
    } else if (auto* write = std::get_if<CatalogueWrite>(&group.front())) {
      commit_catalogue(std::move(*write));
    } else {
      commit_points(std::move(group));
    }
  }
}

std::vector<Committer::Entry> Committer::take_group() {
  std::vector<Entry> group;
  std::uint64_t bytes = 0;
  MutexLock lock(mutex_);
  while (queue_.empty() && !stopping_) not_empty_.wait(lock.native());
  while (!queue_.empty() && group.size() < options_.group_operations_max) {
    auto& [entry, entry_bytes] = queue_.front();
    const bool points = std::holds_alternative<PointsWrite>(entry);
    if (!group.empty() && (!points || bytes + entry_bytes > options_.group_bytes_max)) break;
    bytes += entry_bytes;
    --queue_operations_;
    queue_bytes_ -= entry_bytes;
    group.push_back(std::move(entry));
    queue_.pop_front();
    if (!points) break;
  }
  return group;
}

void Committer::commit_points(std::vector<Entry> group) {
  const std::unique_ptr<KvBatch> batch = kv_.make_batch();
  Applier applier(kv_, *batch);
  std::vector<Result<Applied>> results;
  results.reserve(group.size());
  bool sync = false;
  for (const Entry& entry : group) {
    const auto& write = std::get<PointsWrite>(entry);
    if (write.shard->dropped.load()) {
      results.emplace_back(Error{ErrorCode::kNotFound, "the collection was dropped meanwhile",
                                 "collection_not_found"});
      continue;
    }
    results.push_back(applier.apply(*write.shard, write.operation, write.encoded));
    sync = sync || write.sync;
  }
  applier.finish();
  group_operations_.observe(static_cast<double>(group.size()));
  const Status written = write_batch(*batch, sync);
  if (!written.ok()) {
    for (Result<Applied>& result : results) {
      if (result.ok()) result = written.error();
    }
    answer(group, results);
    return;
  }
  applier.commit();
  std::vector<std::shared_ptr<Shard>> touched;
  for (std::size_t i = 0; i < group.size(); ++i) {
    const auto& write = std::get<PointsWrite>(group[i]);
    if (!results[i].ok() || results[i].value().replayed) continue;
    if (results[i].value().refused) {
      refused_.add();
    } else {
      write.shard->apply_to_views(results[i].value().effects, results[i].value().seq);
    }
    if (std::find(touched.begin(), touched.end(), write.shard) == touched.end()) {
      touched.push_back(write.shard);
    }
  }
  const std::shared_ptr<const KvSnapshot> snapshot = kv_.snapshot();
  for (const std::shared_ptr<Shard>& shard : touched) shard->publish(snapshot);
  answer(group, results);
  hooks_.committed(touched);
}

void Committer::answer(std::vector<Entry>& group, std::vector<Result<Applied>>& results) {
  for (std::size_t i = 0; i < group.size(); ++i) {
    std::get<PointsWrite>(group[i]).done(std::move(results[i]));
  }
}

Status Committer::write_batch(KvBatch& batch, bool sync) {
  bool failed_before = false;
  {
    const MutexLock lock(mutex_);
    failed_before = read_only_;
  }
  if (failed_before) {
    // Perhaps the cause has gone (space was freed): ask, and go on refusing if not.
    if (const Status resumed = kv_.resume(); !resumed.ok()) return resumed.error();
    set_read_only(nullptr);
    log_info("writes are accepted again");
  }
  const auto begin = clock_.steady_now();
  Status written = kv_.write(batch, {.sync = sync});
  write_seconds_.observe(seconds_between(begin, clock_.steady_now()));
  if (!written.ok()) {
    set_read_only(&written.error());
    log_error("a write of the log failed; writes are refused until the cause is gone",
              {{"error", written.error().message}});
    return written;
  }
  if (!sync) unsynced_.store(true);
  return ok_status();
}

Status Committer::sync_unsynced() {
  if (!unsynced_.exchange(false)) return ok_status();
  Status synced = kv_.sync_wal();
  if (!synced.ok()) unsynced_.store(true);
  return synced;
}

void Committer::set_read_only(const Error* error) {
  const MutexLock lock(mutex_);
  read_only_ = error != nullptr;
  read_only_reason_ = error != nullptr ? error->message : "";
}

void Committer::commit_catalogue(CatalogueWrite write) { write.done(apply_catalogue(write)); }

Result<Committer::Concerned> Committer::prepare(const CatalogueChange& change) const {
  Concerned concerned;
  if (change.refused) return concerned;
  if (change.put || change.dropped) {
    const CollectionRecord& record = change.put ? *change.put : *change.dropped;
    if (auto found = catalogue_.find_own(record.tenant, record.name); found.ok()) {
      concerned.earlier = std::move(found).value();
    }
  }
  if (change.ended) {
    concerned.hidden = catalogue_.hidden(change.ended->id);
    return concerned;
  }
  // Made before the write, so that a collection which cannot be opened is never recorded.
  const CollectionRecord* const made = change.put      ? &*change.put
                                       : change.hidden ? &*change.hidden
                                                       : nullptr;
  if (made == nullptr) return concerned;
  QUIPU_TRY(concerned.schema, make_schema(made->config));
  if (concerned.earlier == nullptr) {
    QUIPU_TRY(concerned.fresh, hooks_.make_shards(*made, concerned.schema));
  }
  return concerned;
}

Result<std::shared_ptr<const Collection>> Committer::apply_catalogue(const CatalogueWrite& write) {
  QUIPU_TRY(const CatalogueChange change,
            judge_catalogue_operation(catalogue_, counters_, write.operation));
  QUIPU_TRY(Concerned concerned, prepare(change));
  const std::unique_ptr<KvBatch> batch = kv_.make_batch();
  ShardMeta system = system_;
  system.applied = Seq(system.applied.value() + 1);
  put_log_entry(*batch, kSystemShard, system.applied, write.encoded, change.refused.has_value());
  if (!change.refused) emit_catalogue_change(change, *batch);
  for (const std::shared_ptr<Shard>& shard : concerned.fresh) {
    batch->put(Family::kMeta, storage::applied_key(shard->id()), encode_shard_meta(shard->meta));
  }
  std::vector<std::pair<Shard*, ShardMeta>> logged;
  if (change.vectors_changed) {
    for (const std::shared_ptr<Shard>& shard : concerned.earlier->shards) {
      ShardMeta meta = shard->meta;
      meta.applied = Seq(meta.applied.value() + 1);
      put_log_entry(*batch, shard->id(), meta.applied, write.encoded, /*refused=*/false);
      batch->put(Family::kMeta, storage::applied_key(shard->id()), encode_shard_meta(meta));
      logged.emplace_back(shard.get(), meta);
    }
  }
  batch->put(Family::kMeta, storage::applied_key(kSystemShard), encode_shard_meta(system));
  QUIPU_TRY_OK(write_batch(*batch, /*sync=*/true));
  system_ = system;
  if (change.refused) return *change.refused;
  counters_ = change.counters;
  for (const auto& [shard, meta] : logged) {
    shard->meta = meta;
    shard->log_operations.fetch_add(1);
    shard->changes_since_checkpoint.fetch_add(1);
  }
  return publish(change, std::move(concerned));
}

std::shared_ptr<const Collection> Committer::publish(const CatalogueChange& change,
                                                     Concerned concerned) {
  if (change.ended) return end_recovery(change, concerned);
  if (change.put || change.hidden) return put_collection(change, std::move(concerned));
  if (change.dropped) {
    catalogue_.remove(change.dropped->tenant, change.dropped->name);
    drop_shards(*concerned.earlier);
    return nullptr;
  }
  catalogue_.edit_aliases(change.aliases);
  return nullptr;
}

void Committer::drop_shards(const Collection& collection) {
  for (const std::shared_ptr<Shard>& shard : collection.shards) shard->dropped.store(true);
  hooks_.dropped(collection);
}

std::shared_ptr<const Collection> Committer::end_recovery(const CatalogueChange& change,
                                                          const Concerned& concerned) {
  catalogue_.remove_hidden(change.ended->id);
  if (!change.put) {
    drop_shards(*concerned.hidden);
    return nullptr;
  }
  catalogue_.put(concerned.hidden);  // those who look up see the old one or this one
  if (concerned.earlier != nullptr) drop_shards(*concerned.earlier);
  return concerned.hidden;
}

std::shared_ptr<const Collection> Committer::put_collection(const CatalogueChange& change,
                                                            Concerned concerned) {
  auto collection = std::make_shared<Collection>();
  const bool known = concerned.earlier != nullptr;
  collection->record = change.put ? *change.put : *change.hidden;
  collection->schema = concerned.schema;
  collection->shards = known ? concerned.earlier->shards : std::move(concerned.fresh);
  const std::shared_ptr<const KvSnapshot> snapshot = kv_.snapshot();
  for (const std::shared_ptr<Shard>& shard : collection->shards) {
    if (known) shard->set_schema(concerned.schema);
    shard->publish(snapshot);
  }
  if (change.hidden) {
    catalogue_.put_hidden(collection);
    return collection;
  }
  catalogue_.put(collection);
  if (known) hooks_.schema_changed(collection->shards);
  if (!change.dropped_vectors.empty()) {
    hooks_.vectors_dropped(*collection, change.dropped_vectors);
  }
  return collection;
}

Committer::QueueStatus Committer::status() const {
  const MutexLock lock(mutex_);
  return {.queue_operations = queue_operations_,
          .queue_bytes = queue_bytes_,
          .read_only = read_only_,
          .reason = read_only_reason_};
}

}  // namespace quipu::engine
