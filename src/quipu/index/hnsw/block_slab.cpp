#include "quipu/index/hnsw/block_slab.h"

#include <algorithm>
#include <array>

#include "quipu/assert.h"

namespace quipu::index::hnsw {
namespace {

constexpr std::size_t kChunkBytes = std::size_t{1} << 20;

}  // namespace

#define QUIPU_EMPTY_16                                                                      \
  kNoNode, kNoNode, kNoNode, kNoNode, kNoNode, kNoNode, kNoNode, kNoNode, kNoNode, kNoNode, \
      kNoNode, kNoNode, kNoNode, kNoNode, kNoNode, kNoNode
#define QUIPU_EMPTY_64 QUIPU_EMPTY_16, QUIPU_EMPTY_16, QUIPU_EMPTY_16, QUIPU_EMPTY_16
alignas(64) const std::uint32_t BlockSlab::kEmpty[kLinksMax] = {QUIPU_EMPTY_64, QUIPU_EMPTY_64,
                                                                QUIPU_EMPTY_64, QUIPU_EMPTY_64};
#undef QUIPU_EMPTY_64
#undef QUIPU_EMPTY_16

BlockSlab::BlockSlab(std::uint32_t links)
    : links_(links), store_(std::size_t{links} * sizeof(std::uint32_t), kChunkBytes) {
  QUIPU_ASSERT(links <= kLinksMax);
}

std::uint32_t BlockSlab::make(std::span<const std::uint32_t> nodes) {
  QUIPU_ASSERT(nodes.size() <= links_);
  if (nodes.empty()) return 0;
  std::uint32_t block = 0;
  {
    const MutexLock lock(mutex_);
    if (!free_.empty()) {
      block = free_.back();
      free_.pop_back();
    } else {
      block = count_.load(std::memory_order_relaxed);  // only changed under the mutex
      store_.ensure(block + 1);
      count_.store(block + 1, std::memory_order_relaxed);  // published with the block's number
    }
  }
  auto* into = reinterpret_cast<std::uint32_t*>(store_.at(block));
  std::copy(nodes.begin(), nodes.end(), into);
  std::fill(into + nodes.size(), into + links_, kNoNode);
  return block;
}

void BlockSlab::give_back(std::span<const std::uint32_t> blocks) {
  const MutexLock lock(mutex_);
  for (const std::uint32_t block : blocks) {
    if (block - 1 < count_.load(std::memory_order_relaxed) - 1) free_.push_back(block);
  }
}

void BlockSlab::adopt(std::span<std::byte> blocks) {
  store_.adopt(blocks);
  const std::size_t count = blocks.size() / store_.item_bytes();
  count_.store(static_cast<std::uint32_t>(std::max<std::size_t>(count, 1)));
}

std::uint64_t BlockSlab::bytes_used() const {
  const MutexLock lock(mutex_);
  return std::uint64_t{count_.load(std::memory_order_relaxed) - 1} * store_.item_bytes() +
         free_.capacity() * sizeof(std::uint32_t);
}

}  // namespace quipu::index::hnsw
