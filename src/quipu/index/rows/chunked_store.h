// A growing array of items of one size whose addresses never change, so that readers need no lock.
//
// Items live in chunks; a table of chunk addresses is replaced by a larger copy when it is full,
// and the earlier tables are kept until the end (together they are no larger than the last one).
// Chunks may be our own zeroed memory or lie in a mapped checkpoint that the owner keeps alive.
//
// Threads: at() from any; ensure() is locked inside. An index may be read once a thread learnt of
// it from one that had ensured it.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "quipu/base/thread_annotations.h"
#include "quipu/index/rows/page_memory.h"

namespace quipu::index {

class ChunkedStore {
 public:
  // Chunks hold the largest power of two of items that fits `chunk_bytes_max`, at least one.
  ChunkedStore(std::size_t item_bytes, std::size_t chunk_bytes_max);

  // The address of an item below capacity().
  [[nodiscard]] std::byte* at(std::uint32_t index) const noexcept {
    std::byte* const* table = table_.load(std::memory_order_acquire);  // pairs with publish()
    return table[index >> shift_] + static_cast<std::size_t>(index & mask_) * item_bytes_;
  }
  template <typename T>
  [[nodiscard]] T& item(std::uint32_t index) const noexcept {
    return *reinterpret_cast<T*>(at(index));
  }

  // Makes room for items 0 … count - 1; new items are all zero.
  void ensure(std::uint32_t count);
  [[nodiscard]] std::uint32_t capacity() const noexcept {
    return capacity_.load(std::memory_order_acquire);  // pairs with publish()
  }
  [[nodiscard]] std::size_t item_bytes() const noexcept { return item_bytes_; }

  // Makes `items` the first ones. Whole chunks are used where they lie, which must outlive this;
  // what does not fill a chunk is copied. Only on a store that is still empty.
  void adopt(std::span<std::byte> items);

 private:
  void add_chunk(std::byte* chunk) REQUIRES(mutex_);
  std::byte* carve_chunk() REQUIRES(mutex_);

  const std::size_t item_bytes_;
  std::uint32_t shift_ = 0;
  std::uint32_t mask_ = 0;
  std::atomic<std::byte* const*> table_{nullptr};
  std::atomic<std::uint32_t> capacity_{0};

  Mutex mutex_;
  std::size_t chunk_count_ GUARDED_BY(mutex_) = 0;
  std::size_t table_size_ GUARDED_BY(mutex_) = 0;
  std::vector<std::unique_ptr<std::byte*[]>> tables_ GUARDED_BY(mutex_);
  std::vector<PageMemory> regions_ GUARDED_BY(mutex_);
  std::size_t region_used_ GUARDED_BY(mutex_) = 0;  // bytes carved from the last region
  std::size_t owned_bytes_ GUARDED_BY(mutex_) = 0;
};

}  // namespace quipu::index
