// The rows of a payload index: a point's slot, and the moments between which the row is seen.
//
// A row is what RowStore's are, in two thirds of the memory: nothing but slot and moments is kept,
// and nobody asks for a slot's earlier rows.
//
// Threads: one writer calls add(), close() and the chain's functions; anything const may be called
// by any thread that knows of a row through a segment; release() is locked inside.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "quipu/base/thread_annotations.h"
#include "quipu/ids.h"
#include "quipu/index/rows/chunked_store.h"

namespace quipu::index {

class PayloadRows {
 public:
  static constexpr std::uint32_t kNone = 0xffffffffU;
  static constexpr std::uint32_t kRowsMax = 1U << 30;
  static constexpr std::uint64_t kOpen = UINT64_MAX;

  // `chained`: a slot may have several rows.
  explicit PayloadRows(bool chained);

  // --- Writer ---
  // Opens a row. The first of a slot becomes its latest; further ones (`before` is the one added
  // last) are chained to it.
  std::uint32_t add(SlotId slot, Seq seq, std::uint32_t before = kNone);
  // The slot's first open row, or kNone.
  [[nodiscard]] std::uint32_t open_row(SlotId slot) const noexcept;
  // The open row that was chained to this one, or kNone.
  [[nodiscard]] std::uint32_t next_of(std::uint32_t row) const noexcept;
  void close(std::uint32_t row, Seq seq) noexcept;

  // --- Readers ---
  // Rows ever written are below this.
  [[nodiscard]] std::uint32_t count() const noexcept {
    return count_.load(std::memory_order_acquire);  // pairs with add()
  }
  // Slots ever written are below this.
  [[nodiscard]] std::uint32_t slot_count() const noexcept {
    return slot_count_.load(std::memory_order_acquire);  // pairs with add()
  }
  [[nodiscard]] bool visible(std::uint32_t row, Seq as_of) const noexcept {
    // Closed first: seeing the opening store of add() means seeing all that it wrote before.
    if (as_of.value() >= closed(row)) return false;
    return load(added_.item<std::uint64_t>(row)) <= as_of.value();
  }
  [[nodiscard]] std::uint32_t slot(std::uint32_t row) const noexcept {
    return load(slots_.item<std::uint32_t>(row));
  }
  [[nodiscard]] std::uint64_t closed(std::uint32_t row) const noexcept {
    // Pairs with add() and close().
    return load(closed_.item<std::uint64_t>(row), std::memory_order_acquire);
  }
  void prefetch(std::uint32_t row) const noexcept {
    __builtin_prefetch(slots_.at(row));
    __builtin_prefetch(closed_.at(row));
  }

  // --- Reuse ---
  // Frees rows that nothing leads to and no reader can still see.
  void release(std::span<const std::uint32_t> rows);

  // --- Checkpoints ---
  struct Image {
    std::vector<std::uint64_t> added;
    std::vector<std::uint64_t> closed;
    std::vector<std::uint32_t> slots;
    std::vector<std::uint32_t> latest;  // for each slot: its first row plus one; 0: none
    std::vector<std::uint32_t> chain;   // for each row: the next of its slot plus one; or empty
  };
  // From the writer's thread.
  [[nodiscard]] Image image() const;
  // Arrays of a mapped checkpoint, which outlive this store.
  struct Mapped {
    std::span<std::byte> added;
    std::span<std::byte> closed;
    std::span<std::byte> slots;
    std::span<std::byte> latest;
    std::span<std::byte> chain;
  };
  void adopt(const Mapped& mapped, std::vector<std::uint32_t> free);

  [[nodiscard]] std::uint64_t bytes_used() const;

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
  std::uint32_t take_row();

  const bool chained_;
  ChunkedStore added_;
  ChunkedStore closed_;
  ChunkedStore slots_;
  ChunkedStore latest_;
  ChunkedStore chain_;
  std::atomic<std::uint32_t> count_{0};
  std::atomic<std::uint32_t> slot_count_{0};

  mutable Mutex mutex_;
  std::vector<std::uint32_t> free_ GUARDED_BY(mutex_);
};

}  // namespace quipu::index
