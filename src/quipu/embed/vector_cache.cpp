#include "quipu/embed/vector_cache.h"

namespace quipu::embed {
namespace {

// The list's node, the map's node and bucket, the two allocations of the vector and its counts, as
// measured with glibc's allocator, rounded up.
constexpr std::uint64_t kOverheadBytes = 288;

}  // namespace

VectorCache::VectorCache(std::uint64_t bytes_max) : shard_bytes_max_(bytes_max / kShards) {}

VectorRef VectorCache::find(const Digest128& key) {
  Shard& shard = shard_of(key);
  const MutexLock lock(shard.mutex);
  const auto found = shard.places.find(key);
  if (found == shard.places.end()) return nullptr;
  shard.entries.splice(shard.entries.begin(), shard.entries, found->second);
  return found->second->vector;
}

void VectorCache::evict(Shard& shard, std::uint64_t bytes_max) {
  while (shard.bytes > bytes_max) {
    shard.bytes -= shard.entries.back().bytes;
    shard.places.erase(shard.entries.back().key);
    shard.entries.pop_back();
  }
}

void VectorCache::insert(const Digest128& key, VectorRef vector) {
  const std::uint64_t bytes = vector->values.size() * sizeof(float) + kOverheadBytes;
  if (bytes > shard_bytes_max_) return;
  Shard& shard = shard_of(key);
  const MutexLock lock(shard.mutex);
  if (const auto found = shard.places.find(key); found != shard.places.end()) {
    shard.bytes -= found->second->bytes;
    shard.entries.erase(found->second);
    shard.places.erase(found);
  }
  evict(shard, shard_bytes_max_ - bytes);
  shard.entries.push_front({key, std::move(vector), bytes});
  shard.places.emplace(key, shard.entries.begin());
  shard.bytes += bytes;
}

std::uint64_t VectorCache::shrink(std::uint64_t bytes) {
  std::uint64_t freed = 0;
  for (Shard& shard : shards_) {
    const MutexLock lock(shard.mutex);
    const std::uint64_t before = shard.bytes;
    evict(shard, bytes / kShards);
    freed += before - shard.bytes;
  }
  return freed;
}

std::uint64_t VectorCache::bytes_used() const {
  std::uint64_t bytes = 0;
  for (const Shard& shard : shards_) {
    const MutexLock lock(shard.mutex);
    bytes += shard.bytes;
  }
  return bytes;
}

}  // namespace quipu::embed
