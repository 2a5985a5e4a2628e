// Neighbour blocks of one size. A block is written before its number is published and never changes
// until it is given back, so readers of a number need no lock (invariants.md, rule 19).
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "quipu/base/thread_annotations.h"
#include "quipu/index/rows/chunked_store.h"

namespace quipu::index::hnsw {

// Ends a block's list before its capacity.
inline constexpr std::uint32_t kNoNode = 0xffffffffU;
inline constexpr std::uint32_t kLinksMax = 256;

// Threads: at() from any that got the number from a published reference; the rest is locked inside.
// Block 0 is the empty block: it takes no memory and is never given back.
class BlockSlab {
 public:
  // `links`: the capacity of each block, at most kLinksMax.
  explicit BlockSlab(std::uint32_t links);

  // The block's `links()` numbers, or the empty block's for a number that was never given out, as a
  // damaged checkpoint may hold.
  [[nodiscard]] const std::uint32_t* at(std::uint32_t block) const noexcept {
    // Relaxed: whoever learnt of a block's number saw, by the same release, a count beyond it.
    const std::uint32_t count = count_.load(std::memory_order_relaxed);
    if (block - 1 >= count - 1) return kEmpty;
    return reinterpret_cast<const std::uint32_t*>(store_.at(block));
  }
  [[nodiscard]] std::uint32_t links() const noexcept { return links_; }

  // A block holding `nodes` (at most links() of them); 0 when there are none.
  [[nodiscard]] std::uint32_t make(std::span<const std::uint32_t> nodes);
  // Blocks that no reader can still see. Numbers never given out, and 0, are passed over.
  void give_back(std::span<const std::uint32_t> blocks);

  // Takes over the blocks of a mapped checkpoint (the first is block 0's unused place).
  void adopt(std::span<std::byte> blocks);
  [[nodiscard]] std::uint64_t bytes_used() const;

 private:
  static const std::uint32_t kEmpty[kLinksMax];

  const std::uint32_t links_;
  ChunkedStore store_;
  std::atomic<std::uint32_t> count_{1};
  mutable Mutex mutex_;
  std::vector<std::uint32_t> free_ GUARDED_BY(mutex_);
};

}  // namespace quipu::index::hnsw
