// View checkpoints on disk: one folder for each shard and log number,
// <views>/<shard>/<number>/{slots.ckpt, dense-<vector id>.ckpt, sparse-<vector id>.ckpt,
// words-<view id>.ckpt, payload-<view id>.ckpt}, written beside and renamed into place. All files
// of a folder are of one moment.
//
// Threads: functions of one shard are called by one thread at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "quipu/base/epoch.h"
#include "quipu/base/file_system.h"
#include "quipu/base/key_value.h"
#include "quipu/engine/records.h"
#include "quipu/engine/shard.h"
#include "quipu/ids.h"
#include "quipu/result.h"

namespace quipu::engine {

// What a checkpoint is written from; taken on the commit thread.
struct ShardCapture {
  Seq covers;
  SlotMap::Image slots;
  // By name of the file; what is still loading is not there.
  std::vector<std::pair<std::string, std::shared_ptr<const index::DenseIndex::Capture>>> dense;
  std::vector<std::pair<std::string, std::shared_ptr<const index::SparseIndex::Capture>>> sparse;
  std::vector<std::pair<std::string, std::shared_ptr<const index::PayloadIndex::Capture>>> payload;
};
[[nodiscard]] ShardCapture capture_shard(Shard& shard);

class ViewStore {
 public:
  // `directory` is made when the first checkpoint is written. Borrows `fs`.
  ViewStore(FileSystem& fs, std::string directory);

  // Writes a checkpoint under a temporary name, all of it synced.
  Status write(ShardId shard, const ShardCapture& capture);
  // Renames it into place. The caller has made sure that the log up to capture.covers is synced
  // (invariants.md, rule 2).
  Status publish(ShardId shard, Seq covers);
  // Published checkpoints, newest first. What is left of unfinished ones is removed.
  [[nodiscard]] Result<std::vector<Seq>> list(ShardId shard);
  Status remove(ShardId shard, Seq covers);
  // Removes all but the newest.
  Status remove_older(ShardId shard, Seq newest);
  Status remove_all(ShardId shard);

  [[nodiscard]] std::string slots_path(ShardId shard, Seq covers) const;
  [[nodiscard]] std::string view_path(ShardId shard, Seq covers, const Schema& schema,
                                      const ViewRef& view) const;
  [[nodiscard]] std::string shard_directory(ShardId shard) const;
  [[nodiscard]] const std::string& directory() const noexcept { return directory_; }

 private:
  [[nodiscard]] std::string folder(ShardId shard, Seq covers) const;
  FileSystem& fs_;
  const std::string directory_;
};

// Opens one shard: newest good checkpoint, then the rest of the log. A view that has no good
// checkpoint and cannot be replayed is left null in the shard's ViewSet, to be loaded from the
// state in the background. `schema` is that of the record. Errors: kCorruption, kIo.
[[nodiscard]] Result<std::shared_ptr<Shard>> open_shard(KeyValueStore& kv, FileSystem& fs,
                                                        ViewStore& views, EpochDomain& epochs,
                                                        const CollectionRecord& record,
                                                        std::shared_ptr<const Schema> schema,
                                                        ShardId id);

}  // namespace quipu::engine
