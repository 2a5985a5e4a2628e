// The one commit pipeline of a node: a bounded queue of operations and one thread that gives them
// their order, judges them, writes them with their effects in one batch for each group (one fsync
// shared by all who wait), applies them to the views, publishes the moment and answers.
//
// Threads: submit(), run() and status() from any; everything else as said.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include "quipu/base/clock.h"
#include "quipu/base/key_value.h"
#include "quipu/base/metrics.h"
#include "quipu/base/thread_annotations.h"
#include "quipu/engine/applier.h"
#include "quipu/engine/catalogue.h"
#include "quipu/result.h"
#include "quipu/storage/operation.h"

namespace quipu::engine {

// An operation on points, on its way to one shard.
struct PointsWrite {
  std::shared_ptr<Shard> shard;
  storage::Operation operation;
  std::string encoded;  // of `operation`
  bool sync = true;
  std::function<void(Result<Applied>)> done;  // called on the commit thread, once
};

// An operation on the catalogue.
struct CatalogueWrite {
  storage::Operation operation;
  std::string encoded;
  // The collection as it is after the operation; null when it was dropped or given up, and for
  // aliases.
  std::function<void(Result<std::shared_ptr<const Collection>>)> done;
};

class Committer {
 public:
  struct Options {
    std::size_t queue_operations_max = 4'096;
    std::uint64_t queue_bytes_max = 256U << 20;
    // A group is what is waiting, up to these.
    std::size_t group_operations_max = 1'024;
    std::uint64_t group_bytes_max = 32U << 20;
  };
  // What the engine does when something changed. Called on the commit thread; must be quick.
  struct Hooks {
    std::function<void(const std::vector<std::shared_ptr<Shard>>&)> committed;
    // Makes the shards of a new collection, ready to be published.
    std::function<Result<std::vector<std::shared_ptr<Shard>>>(const CollectionRecord&,
                                                              std::shared_ptr<const Schema>)>
        make_shards;
    // The shards of a collection have another schema: some of its views are to be loaded.
    std::function<void(const std::vector<std::shared_ptr<Shard>>&)> schema_changed;
    // Their space is to be given back: of a collection, of vectors of one.
    std::function<void(const Collection&)> dropped;
    std::function<void(const Collection&, const std::vector<std::uint16_t>&)> vectors_dropped;
  };
  // Borrows all of them.
  Committer(KeyValueStore& kv, Catalogue& catalogue, Clock& clock, MetricsRegistry& metrics,
            Options options, Hooks hooks);
  ~Committer();

  // Before start(): where the system shard and the counters stand.
  void restore(ShardMeta system, CatalogueCounters counters);
  void start();
  // Finishes what was accepted, then ends the thread. New submissions are refused from the call on.
  void stop();

  // Queues a write, waiting for room until `deadline`. Only if this is ok is `done` called.
  // Errors: kResourceExhausted ("write_queue_full" with the limit), kUnavailable ("closing").
  Status submit(PointsWrite write, std::chrono::steady_clock::time_point deadline);
  Status submit(CatalogueWrite write, std::chrono::steady_clock::time_point deadline);
  // Runs `task` on the commit thread, after everything submitted before, and waits for it.
  Status run(std::function<void()> task);

  struct QueueStatus {
    std::size_t queue_operations = 0;
    std::uint64_t queue_bytes = 0;
    bool read_only = false;
    std::string reason;  // why, when read_only
  };
  [[nodiscard]] QueueStatus status() const;
  // True from an unsynced (async) write until the next sync_unsynced().
  [[nodiscard]] bool has_unsynced() const noexcept { return unsynced_.load(); }
  Status sync_unsynced();

 private:
  struct Control {
    std::function<void()> task;
  };
  using Entry = std::variant<PointsWrite, CatalogueWrite, Control>;

  Status enqueue(Entry entry, std::uint64_t bytes, std::chrono::steady_clock::time_point deadline);
  void loop();
  // Takes the next entries that may share a batch: points writes, or one of another kind.
  std::vector<Entry> take_group();
  void commit_points(std::vector<Entry> group);
  void answer(std::vector<Entry>& group, std::vector<Result<Applied>>& results);
  void commit_catalogue(CatalogueWrite write);
  Result<std::shared_ptr<const Collection>> apply_catalogue(const CatalogueWrite& write);
  // What a change of the catalogue is about, made before it is written.
  struct Concerned {
    std::shared_ptr<const Schema> schema;
    std::vector<std::shared_ptr<Shard>> fresh;
    std::shared_ptr<const Collection> earlier;  // under the name
    std::shared_ptr<const Collection> hidden;   // whose recovery ends
  };
  Result<Concerned> prepare(const CatalogueChange& change) const;
  std::shared_ptr<const Collection> publish(const CatalogueChange& change, Concerned concerned);
  std::shared_ptr<const Collection> put_collection(const CatalogueChange& change,
                                                   Concerned concerned);
  std::shared_ptr<const Collection> end_recovery(const CatalogueChange& change,
                                                 const Concerned& concerned);
  void drop_shards(const Collection& collection);
  Status write_batch(KvBatch& batch, bool sync);
  void set_read_only(const Error* error);

  KeyValueStore& kv_;
  Catalogue& catalogue_;
  Clock& clock_;
  const Options options_;
  const Hooks hooks_;
  Histogram& group_operations_;
  Histogram& write_seconds_;
  Counter& refused_;

  mutable Mutex mutex_;
  std::condition_variable not_empty_;
  std::condition_variable not_full_;
  std::deque<std::pair<Entry, std::uint64_t>> queue_ GUARDED_BY(mutex_);
  std::size_t queue_operations_ GUARDED_BY(mutex_) = 0;
  std::uint64_t queue_bytes_ GUARDED_BY(mutex_) = 0;
  bool stopping_ GUARDED_BY(mutex_) = false;
  bool read_only_ GUARDED_BY(mutex_) = false;
  std::string read_only_reason_ GUARDED_BY(mutex_);

  std::atomic<bool> unsynced_{false};
  ShardMeta system_;            // commit thread
  CatalogueCounters counters_;  // commit thread
  std::thread thread_;
};

}  // namespace quipu::engine
