// What an Engine is made of. Private to engine/: the public face is include/quipu/engine.h.
//
// Members are destroyed from the last to the first, so what is used stands above its users.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "quipu/base/clock.h"
#include "quipu/base/epoch.h"
#include "quipu/base/file_system.h"
#include "quipu/base/key_value.h"
#include "quipu/base/metrics.h"
#include "quipu/embed/embedder.h"
#include "quipu/engine.h"
#include "quipu/engine/catalogue.h"
#include "quipu/engine/committer.h"
#include "quipu/engine/maintenance.h"
#include "quipu/engine/query_cache.h"
#include "quipu/engine/view_store.h"
#include "quipu/storage/keys.h"

namespace quipu {

struct Engine::State {
  EngineOptions options;
  Clock* clock = nullptr;
  FileSystem* fs = nullptr;
  MetricsRegistry* metrics = nullptr;
  std::chrono::steady_clock::time_point opened_at;

  std::unique_ptr<FileLock> folder_lock;
  std::unique_ptr<embed::Embedder> owned_embedder;
  embed::Embedder* embedder = nullptr;  // the owned one, or the environment's

  std::unique_ptr<KeyValueStore> kv;
  EpochDomain epochs;
  engine::Catalogue catalogue;
  std::unique_ptr<engine::QueryCache> query_cache;
  std::unique_ptr<engine::ViewStore> views;
  std::unique_ptr<engine::Maintenance> maintenance;
  std::unique_ptr<engine::Committer> committer;
  std::atomic<bool> closing{false};
  bool closed = false;

  // open.cpp
  Status open_folder(const EngineEnvironment& environment);
  Status open_collections();
  // Of recoveries that did not come to their end, nothing is kept.
  void give_up_recoveries(std::vector<engine::CollectionRecord> hidden);
  [[nodiscard]] engine::Committer::Hooks committer_hooks();

  // write_path.cpp
  template <typename Request>
  void write(std::string_view tenant, std::string_view collection, Request request,
             const WriteDone& done);
  [[nodiscard]] Status admit(const engine::Collection& collection,
                             std::chrono::steady_clock::time_point deadline);

  // read_path.cpp
  // A read's hold on the views, and the collection that it found.
  struct Reading {
    EpochDomain::Guard guard;
    std::shared_ptr<const engine::Collection> collection;
    std::vector<std::shared_ptr<const engine::Moment>> moments;  // one for each shard
    std::chrono::steady_clock::time_point deadline;
  };
  Result<Reading> begin_read(std::string_view tenant, std::string_view collection,
                             const ReadParams& params);
  // Errors: kDeadlineExceeded, saying what was not done.
  [[nodiscard]] Status check_time(const Reading& reading, std::string_view what) const;
  // query_api.cpp
  Result<ScrollPage> scroll_ordered(std::string_view tenant, std::string_view collection,
                                    const ScrollRequest& request);

  [[nodiscard]] Status check_open() const;
};

namespace engine {

// The opaque moment token: "q1" and the (shard, number) pairs it stands for.
struct SeqToken {
  std::vector<std::pair<ShardId, Seq>> moments;  // by ascending shard
};
[[nodiscard]] std::string format_seq_token(const SeqToken& token);
// Errors: kInvalidArgument ("invalid_min_seq").
[[nodiscard]] Result<SeqToken> parse_seq_token(std::string_view text);

// Physical memory of this machine; 0 when it does not say.
[[nodiscard]] std::uint64_t machine_memory_bytes();
// At close() shards with fewer changes than this write no checkpoint: replaying is as quick.
inline constexpr std::uint64_t kCheckpointAtCloseChangesMin = 1'000;

[[nodiscard]] CollectionInfo describe(const Collection& collection);
// Where a vector names a model, the model says or confirms the dimension.
[[nodiscard]] Status fill_dimensions(Engine::State& state, CollectionConfig& config);

// Sends one operation on the catalogue through the log and waits for it. The collection as it is
// then; null when it was dropped, and for aliases.
[[nodiscard]] Result<std::shared_ptr<const Collection>> run_catalogue_operation(
    Engine::State& state, storage::OpBody body);

}  // namespace engine
}  // namespace quipu
