// Everything that the engine does on its own: links fresh vectors, frees what is deleted, writes
// view checkpoints and cuts logs, rebuilds views, syncs async writes, gives back the space of
// dropped collections, and shrinks caches under memory pressure.
//
// One housekeeper thread looks around a few times a second and hands work to a small pool of low
// priority. Threads: functions may be called from any.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "quipu/base/clock.h"
#include "quipu/base/epoch.h"
#include "quipu/base/file_system.h"
#include "quipu/base/key_value.h"
#include "quipu/base/metrics.h"
#include "quipu/base/thread_annotations.h"
#include "quipu/base/thread_pool.h"
#include "quipu/embed/embedder.h"
#include "quipu/engine/catalogue.h"
#include "quipu/engine/committer.h"
#include "quipu/engine/query_cache.h"
#include "quipu/engine/shard.h"
#include "quipu/engine/view_store.h"

namespace quipu::engine {

class Maintenance {
 public:
  struct Options {
    std::size_t threads = 1;
    std::uint32_t async_flush_ms = 200;
    std::uint64_t checkpoint_operations = 20'000;
    std::uint32_t checkpoint_interval_s = 300;
    std::uint64_t memory_bytes_max = 0;  // resident; 0: no bound
    std::uint64_t block_cache_bytes = 64U << 20;
    std::uint64_t embedding_cache_bytes = 64U << 20;
  };
  struct Parts {
    KeyValueStore& kv;
    FileSystem& fs;
    ViewStore& views;
    EpochDomain& epochs;
    Catalogue& catalogue;
    Clock& clock;
    MetricsRegistry& metrics;
    embed::Embedder& embedder;
    QueryCache& query_cache;
  };
  Maintenance(Parts parts, Options options);
  ~Maintenance();

  // `committer` must outlive the run.
  void start(Committer& committer);
  // Ends what runs soon; what is not done is done after the next open.
  void stop();

  // The commit thread's hook: these shards have changed.
  void changed(const std::vector<std::shared_ptr<Shard>>& shards);
  void dropped(const Collection& collection);
  void vectors_dropped(const Collection& collection, const std::vector<std::uint16_t>& ids);
  // From open(): what was dropped before a crash.
  void reclaim(const std::vector<DroppedSpace>& spaces);
  // Views that open() left null: load them from the state.
  void load_missing_views(const std::shared_ptr<Shard>& shard);
  // Views that open() mapped: check them whole, later.
  void verify_views(const std::shared_ptr<Shard>& shard);

  // Writes a view checkpoint of the shard now and cuts its log. Blocks.
  Status checkpoint(const std::shared_ptr<Shard>& shard);
  // Work that may wait, done by a background thread; none after stop().
  void submit(std::function<void()> task);
  // While it lives, no log is cut and no checkpoint removed (snapshots need both).
  class Hold {
   public:
    explicit Hold(Maintenance& owner);
    ~Hold();
    Hold(const Hold&) = delete;
    Hold& operator=(const Hold&) = delete;

   private:
    Maintenance& owner_;
  };

  // While it lives, no space of what is dropped is given back: what reads the state as of an
  // earlier storage snapshot, without a guard of the epoch domain, finds all of it.
  class KeepSpace {
   public:
    explicit KeepSpace(Maintenance& owner) : owner_(owner) { owner_.space_keepers_.fetch_add(1); }
    ~KeepSpace() { owner_.space_keepers_.fetch_sub(1); }
    KeepSpace(const KeepSpace&) = delete;
    KeepSpace& operator=(const KeepSpace&) = delete;

   private:
    Maintenance& owner_;
  };

  // True when resident memory is over the bound and shrinking has not helped.
  [[nodiscard]] bool memory_full() const noexcept { return memory_full_.load(); }
  [[nodiscard]] std::uint64_t resident_bytes() const noexcept { return resident_.load(); }

 private:
  // One wait for all readers of earlier moments to leave.
  struct Grace;

  void housekeep();
  void tick(std::chrono::steady_clock::time_point now);
  void advance_grace();
  void schedule_link(const std::shared_ptr<Shard>& shard);
  void link_task(const std::shared_ptr<Shard>& shard);
  void schedule_consolidation(const std::shared_ptr<Shard>& shard);
  void consolidate_task(const std::shared_ptr<Shard>& shard);
  void schedule_merge(const std::shared_ptr<Shard>& shard);
  void merge_task(const std::shared_ptr<Shard>& shard);
  void schedule_checkpoints(bool interval_passed);
  Status write_checkpoint(const std::shared_ptr<Shard>& shard);
  Status cut_log(Shard& shard, Seq covers);
  void load_task(const std::shared_ptr<Shard>& shard, const ViewRef& view);
  // Reads what the view is made of, as of the snapshot, and hands it to the committer in batches.
  Status load_vectors(const std::shared_ptr<Shard>& shard, Shard::LoadId load,
                      const VectorConfig& config, Seq at, const KvSnapshot* snapshot);
  Status load_records(const std::shared_ptr<Shard>& shard, Shard::LoadId load, Seq at,
                      const KvSnapshot* snapshot);
  void verify_task(const std::shared_ptr<Shard>& shard, const ViewRef& view);
  void reclaim_task(const DroppedSpace& space);
  Status reclaim_shard(ShardId shard);
  void watch_memory();

  Parts parts_;
  const Options options_;
  Committer* committer_ = nullptr;
  std::unique_ptr<ThreadPool> pool_;
  Counter& linked_;
  Counter& checkpoints_;
  Counter& checkpoint_failures_;
  Gauge& resident_gauge_;

  std::atomic<bool> stopping_{false};
  std::atomic<bool> memory_full_{false};
  std::atomic<std::uint64_t> resident_{0};
  bool shrunk_ = false;  // housekeeper

  Mutex mutex_;
  std::condition_variable wake_;
  std::vector<std::shared_ptr<Shard>> changed_ GUARDED_BY(mutex_);
  std::vector<DroppedSpace> dropped_ GUARDED_BY(mutex_);
  std::atomic<int> space_keepers_{0};
  std::vector<std::weak_ptr<Shard>> watched_;  // housekeeper: shards with work that waits
  std::shared_ptr<Grace> grace_;               // housekeeper
  Mutex checkpoint_mutex_;                     // held while logs are cut or must not be
  std::thread thread_;
};

}  // namespace quipu::engine
