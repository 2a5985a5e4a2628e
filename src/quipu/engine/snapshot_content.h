// What the frames of a collection's snapshot hold: its description, and its points as operations
// that restore them. Format: docs/format/collection_snapshot.md.
//
// Threads: one for each object.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "quipu/base/file_system.h"
#include "quipu/base/key_value.h"
#include "quipu/engine.h"
#include "quipu/engine/catalogue.h"
#include "quipu/ids.h"
#include "quipu/result.h"
#include "quipu/storage/operation.h"
#include "quipu/storage/snapshot/snapshot_file.h"

namespace quipu::engine {

struct SnapshotDescription {
  std::string collection;   // its own name when it was taken
  CollectionConfig config;  // with the ids that its vectors had
  std::int64_t taken_us = 0;
  std::int64_t created_us = 0;
  std::string note;  // the caller's
  struct ShardMoment {
    Seq applied;
    std::uint64_t points = 0;
  };
  std::vector<ShardMoment> shards;
};
inline constexpr std::size_t kSnapshotNoteBytesMax = 1U << 20;
[[nodiscard]] std::string encode_snapshot_description(const SnapshotDescription& description);
// Errors: kCorruption.
[[nodiscard]] Result<SnapshotDescription> decode_snapshot_description(std::string_view bytes);

// Reads the points of one shard, vectors and all, by ascending id, as of a storage snapshot.
class SnapshotPoints {
 public:
  // Borrows all of them.
  SnapshotPoints(KeyValueStore& kv, const KvSnapshot* snapshot, const CollectionConfig& config,
                 ShardId shard);
  // The next one; nothing after the last. Errors: kCorruption, kIo.
  Result<std::optional<storage::RestoredPoint>> next();

 private:
  Status add_vectors(const VectorIds& ids, storage::RestoredPoint& point);

  const CollectionConfig& config_;
  const ShardId shard_;
  std::unique_ptr<KvIterator> points_;
  std::vector<std::unique_ptr<KvIterator>> vectors_;  // beside config_.vectors
};

// A part of a snapshot: points of one of its shards.
struct SnapshotPart {
  std::size_t shard_index = 0;
  storage::RestorePointsOp op;
};
[[nodiscard]] std::string encode_snapshot_part(const SnapshotPart& part);

// Reads a snapshot from front to back and checks all of it: the file's own checksums, that the
// description can be used, and that every point is one that its collection can have, once.
class SnapshotContentReader {
 public:
  // Errors: kCorruption ("snapshot_damaged"), kNotFound, kIo.
  [[nodiscard]] static Result<std::unique_ptr<SnapshotContentReader>> open(FileSystem& fs,
                                                                           const std::string& path);
  [[nodiscard]] const SnapshotDescription& description() const noexcept { return description_; }
  // The next part; nothing after the last, when the file was seen to be whole.
  Result<std::optional<SnapshotPart>> next();
  [[nodiscard]] const storage::SnapshotReader& file() const noexcept { return *file_; }
  [[nodiscard]] std::uint64_t points() const noexcept { return points_; }  // so far

 private:
  SnapshotContentReader(std::string path, std::unique_ptr<storage::SnapshotReader> file)
      : path_(std::move(path)), file_(std::move(file)) {}
  Status read_description();
  Status check_part(const SnapshotPart& part);
  Status check_point(const storage::RestoredPoint& point) const;
  Status check_counts() const;
  [[nodiscard]] Error damaged(const std::string& what) const;

  const std::string path_;
  const std::unique_ptr<storage::SnapshotReader> file_;
  SnapshotDescription description_;
  std::size_t shard_index_ = 0;
  std::optional<PointId> last_;
  std::vector<std::uint64_t> shard_points_;
  std::uint64_t points_ = 0;
};

}  // namespace quipu::engine
