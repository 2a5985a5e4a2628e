// The rows of a view: slot, the moments between which each is seen, and for a dense view a vector.
//
// A row is written once, by the writer, and never changes but for its closing moment and state
// until it has been released after a grace period; then it may be written anew.
//
// Threads: one writer calls add() and close(); anything const may be called by any thread that
// knows of a row through the graph, the tail or the slot map; release() and hold() are locked
// inside.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "quipu/base/thread_annotations.h"
#include "quipu/ids.h"
#include "quipu/index/rows/chunked_store.h"

namespace quipu::index {

inline constexpr std::uint32_t kNoRow = 0xffffffffU;
// Two bits of a row's number are left to the search's candidate lists.
inline constexpr std::uint32_t kRowsMax = 1U << 30;
inline constexpr std::uint64_t kOpen =
    UINT64_MAX;  // the closing moment of a row that is not closed

// Stored in checkpoints: append only.
enum class RowState : std::uint32_t {
  kFree = 0,      // may be written anew
  kTail = 1,      // waits in the tail
  kLinking = 2,   // a thread links it; still in the tail
  kLinked = 3,    // in the graph
  kLoose = 4,     // of an index without a graph
  kRemoving = 5,  // closed, in the graph, its neighbours are being relinked
  kRemoved = 6,   // nothing leads to it any more; free after a grace period
};

// As it lies in memory and in checkpoints; the members below are read and written atomically.
struct RowMeta {
  std::uint64_t added = 0;
  std::uint64_t closed = 0;
  std::uint32_t slot = 0;
  std::uint32_t previous = 0;  // the row of the same slot that this one closed, plus one; 0: none
  std::uint32_t state = 0;     // RowState
  std::uint32_t reserved = 0;
};
static_assert(sizeof(RowMeta) == 32);

class RowStore {
 public:
  explicit RowStore(std::uint32_t dim);

  // --- Writer ---
  // Writes a row, opens it at `seq`, makes it the slot's latest and returns it.
  std::uint32_t add(SlotId slot, std::span<const float> vector, Seq seq, RowState state);
  // The slot's open row, or kNoRow.
  [[nodiscard]] std::uint32_t open_row(SlotId slot) const noexcept;
  void close(std::uint32_t row, Seq seq) noexcept;

  // --- Readers ---
  // Rows ever written are below this.
  [[nodiscard]] std::uint32_t count() const noexcept {
    return count_.load(std::memory_order_acquire);  // pairs with add()
  }
  [[nodiscard]] const float* vector(std::uint32_t row) const noexcept {
    return reinterpret_cast<const float*>(vectors_.at(row));
  }
  [[nodiscard]] bool visible(std::uint32_t row, Seq as_of) const noexcept {
    RowMeta& meta = meta_of(row);
    // Closed first: seeing the opening store of add() means seeing all that it wrote before.
    if (as_of.value() >= load(meta.closed, std::memory_order_acquire)) return false;
    return load(meta.added) <= as_of.value();
  }
  [[nodiscard]] std::uint32_t slot(std::uint32_t row) const noexcept {
    return load(meta_of(row).slot);
  }
  [[nodiscard]] std::uint64_t closed(std::uint32_t row) const noexcept {
    return load(meta_of(row).closed, std::memory_order_acquire);  // pairs with close()
  }
  [[nodiscard]] std::uint64_t added(std::uint32_t row) const noexcept {
    return load(meta_of(row).added);
  }
  [[nodiscard]] RowState state(std::uint32_t row) const noexcept {
    return static_cast<RowState>(load(meta_of(row).state, std::memory_order_acquire));
  }
  void set_state(std::uint32_t row, RowState state) noexcept {
    store(meta_of(row).state, static_cast<std::uint32_t>(state), std::memory_order_release);
  }
  // The slot's row that is visible as of `as_of`, or kNoRow.
  [[nodiscard]] std::uint32_t row_of(SlotId slot, Seq as_of) const noexcept;
  // The row last written for the slot, whatever became of it since, or kNoRow.
  [[nodiscard]] std::uint32_t latest_row(SlotId slot) const noexcept;
  void prefetch_meta(std::uint32_t row) const noexcept { __builtin_prefetch(&meta_of(row)); }

  // --- Reuse ---
  // Frees rows that nothing leads to and no reader can still see.
  void release(std::span<const std::uint32_t> rows);
  // While what it returns lives, rows released from now on are not written anew.
  [[nodiscard]] std::shared_ptr<void> hold();

  // --- Checkpoints ---
  // A copy of each row's meta data, of the slot map's first `slot_count()` entries.
  void copy_meta(std::span<RowMeta> into) const;
  void copy_slots(std::span<std::uint32_t> into) const;
  [[nodiscard]] std::uint32_t slot_count() const noexcept {
    return slot_count_.load(std::memory_order_acquire);  // pairs with add()
  }
  [[nodiscard]] std::size_t vector_bytes() const noexcept { return vectors_.item_bytes(); }
  // Takes over the arrays of a mapped checkpoint, which must outlive this store; `vectors` is not
  // looked at where dim is 0. `free` names rows below the count.
  void adopt(std::span<std::byte> meta, std::span<std::byte> slots, std::span<std::byte> vectors,
             std::vector<std::uint32_t> free);

  [[nodiscard]] std::size_t free_count() const;
  [[nodiscard]] std::uint64_t bytes_used() const;
  [[nodiscard]] std::uint32_t dim() const noexcept { return dim_; }

 private:
  template <typename T>
  static T load(T& value, std::memory_order order = std::memory_order_relaxed) noexcept {
    // Relaxed unless told: ordered by whatever made the row known, or by visible()'s first load.
    return std::atomic_ref<T>(value).load(order);
  }
  template <typename T>
  static void store(T& value, T to, std::memory_order order = std::memory_order_relaxed) noexcept {
    std::atomic_ref<T>(value).store(to, order);
  }
  [[nodiscard]] RowMeta& meta_of(std::uint32_t row) const noexcept {
    return meta_.item<RowMeta>(row);
  }
  std::uint32_t take_row();

  const std::uint32_t dim_;
  ChunkedStore vectors_;
  ChunkedStore meta_;
  ChunkedStore slots_;  // the slot's latest row plus one; 0: none
  std::atomic<std::uint32_t> count_{0};
  std::atomic<std::uint32_t> slot_count_{0};

  mutable Mutex mutex_;
  std::vector<std::uint32_t> free_ GUARDED_BY(mutex_);
  std::vector<std::uint32_t> held_ GUARDED_BY(mutex_);  // free once the last hold has gone
  std::size_t holds_ GUARDED_BY(mutex_) = 0;
};

}  // namespace quipu::index
