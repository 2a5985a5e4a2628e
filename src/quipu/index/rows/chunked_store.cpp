#include "quipu/index/rows/chunked_store.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "quipu/assert.h"

namespace quipu::index {
namespace {

// Regions double up to this, so that a large store takes few system calls and whole huge pages,
// and a small one reserves little.
constexpr std::size_t kRegionBytesMax = std::size_t{32} << 20;
constexpr std::size_t kHugeRegionBytesMin = std::size_t{8} << 20;
constexpr std::size_t kFirstTableChunks = 4;

}  // namespace

ChunkedStore::ChunkedStore(std::size_t item_bytes, std::size_t chunk_bytes_max)
    : item_bytes_(item_bytes) {
  const std::size_t items = std::bit_floor(std::max<std::size_t>(chunk_bytes_max / item_bytes, 1));
  shift_ = static_cast<std::uint32_t>(std::countr_zero(items));
  mask_ = static_cast<std::uint32_t>(items - 1);
}

void ChunkedStore::ensure(std::uint32_t count) {
  if (count <= capacity()) return;
  const MutexLock lock(mutex_);
  while (capacity_.load(std::memory_order_relaxed) < count) {  // only changed under the mutex
    add_chunk(carve_chunk());
  }
}

std::byte* ChunkedStore::carve_chunk() {
  const std::size_t chunk_bytes = (std::size_t{mask_} + 1) * item_bytes_;
  if (regions_.empty() || region_used_ + chunk_bytes > regions_.back().size()) {
    const std::size_t bytes =
        std::max(chunk_bytes, std::min(owned_bytes_, kRegionBytesMax) / chunk_bytes * chunk_bytes);
    regions_.emplace_back(bytes, bytes >= kHugeRegionBytesMin);
    region_used_ = 0;
  }
  std::byte* chunk = regions_.back().data() + region_used_;
  region_used_ += chunk_bytes;
  owned_bytes_ += chunk_bytes;
  return chunk;
}

void ChunkedStore::add_chunk(std::byte* chunk) {
  if (chunk_count_ == table_size_) {
    table_size_ = std::max(kFirstTableChunks, table_size_ * 2);
    auto larger = std::make_unique<std::byte*[]>(table_size_);
    if (!tables_.empty()) std::copy_n(tables_.back().get(), chunk_count_, larger.get());
    tables_.push_back(std::move(larger));
  }
  tables_.back()[chunk_count_] = chunk;
  ++chunk_count_;
  // The table first: who sees the new capacity must find the chunk in the table that it loads.
  table_.store(tables_.back().get(), std::memory_order_release);
  const std::size_t items = chunk_count_ << shift_;
  capacity_.store(static_cast<std::uint32_t>(std::min<std::size_t>(items, UINT32_MAX)),
                  std::memory_order_release);
}

void ChunkedStore::adopt(std::span<std::byte> items) {
  const MutexLock lock(mutex_);
  QUIPU_ASSERT(chunk_count_ == 0);
  const std::size_t chunk_bytes = (std::size_t{mask_} + 1) * item_bytes_;
  std::size_t at = 0;
  for (; at + chunk_bytes <= items.size(); at += chunk_bytes) add_chunk(items.data() + at);
  if (at == items.size()) return;
  std::byte* last = carve_chunk();
  std::memcpy(last, items.data() + at, items.size() - at);
  add_chunk(last);
}

}  // namespace quipu::index
