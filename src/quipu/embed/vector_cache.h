// Vectors of texts that were embedded before, in memory.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <unordered_map>
#include <utility>
#include <vector>

#include "quipu/base/bytes.h"
#include "quipu/base/thread_annotations.h"

namespace quipu::embed {

struct CachedVector {
  std::vector<float> values;
  std::uint32_t token_count = 0;
  bool truncated = false;
};
using VectorRef = std::shared_ptr<const CachedVector>;

// Least recently used first out; bounded in bytes, each shard to its equal share.
// Threads: any; a shard is locked for each call.
class VectorCache {
 public:
  explicit VectorCache(std::uint64_t bytes_max);

  // Null when it is not there.
  [[nodiscard]] VectorRef find(const Digest128& key);
  // What is larger than a shard's share is not kept.
  void insert(const Digest128& key, VectorRef vector);
  // Drops the oldest until at most `bytes` are held; returns how many bytes that freed.
  std::uint64_t shrink(std::uint64_t bytes);
  [[nodiscard]] std::uint64_t bytes_used() const;

 private:
  static constexpr std::size_t kShards = 16;
  struct KeyHash {
    std::size_t operator()(const Digest128& key) const noexcept {
      return static_cast<std::size_t>(key.low);  // A digest is well mixed already.
    }
  };
  struct Entry {
    Digest128 key;
    VectorRef vector;
    std::uint64_t bytes;
  };
  struct Shard {
    mutable Mutex mutex;
    std::list<Entry> entries GUARDED_BY(mutex);  // the most recently used first
    std::unordered_map<Digest128, std::list<Entry>::iterator, KeyHash> places GUARDED_BY(mutex);
    std::uint64_t bytes GUARDED_BY(mutex) = 0;
  };
  static void evict(Shard& shard, std::uint64_t bytes_max) REQUIRES(shard.mutex);
  [[nodiscard]] Shard& shard_of(const Digest128& key) {
    return shards_[static_cast<std::size_t>(key.high % kShards)];
  }

  const std::uint64_t shard_bytes_max_;
  std::array<Shard, kShards> shards_;
};

}  // namespace quipu::embed
