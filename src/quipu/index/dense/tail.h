// The rows that are not in the graph yet, in the order of their insertion. Searches scan all of
// them.
//
// A list of segments. An entry is cleared only after its row can be reached through the graph, so a
// search that looks through the tail first and walks the graph then meets every row at least once.
// Segments whose entries are all cleared leave the list and are freed after a grace period.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "quipu/base/thread_annotations.h"
#include "quipu/index/rows/row_store.h"

namespace quipu::index {

// Threads: append() by the writer; for_each() by any that holds an epoch guard; the rest is locked
// inside.
class Tail {
 public:
  struct Segment;
  // What a caller must keep until after a grace period.
  using Retired = std::vector<std::shared_ptr<Segment>>;
  // A row taken for linking, and where it stands.
  struct Claim {
    std::uint32_t row = kNoRow;
    Segment* segment = nullptr;
    std::uint32_t index = 0;
  };

  Tail() = default;
  ~Tail();
  Tail(const Tail&) = delete;
  Tail& operator=(const Tail&) = delete;

  void append(std::uint32_t row);
  // The next row that nobody took yet and that `wanted` accepts, in order; kNoRow at the end.
  // Refused rows stay entries, but are not offered again.
  template <typename Wanted>
  [[nodiscard]] Claim claim(const Wanted& wanted);
  // Takes a claimed row's entry out.
  void clear(const Claim& claim, Retired& retired);
  // Takes out the entries of all rows that `gone` accepts.
  template <typename Gone>
  void clear_if(const Gone& gone, Retired& retired);

  // Calls `visit` with the row of each entry that is there when it is looked at; false ends it.
  template <typename Visit>
  void for_each(const Visit& visit) const;
  // Rows that wait to be claimed or are being linked.
  [[nodiscard]] std::size_t waiting() const noexcept {
    return waiting_.load(std::memory_order_relaxed);  // a count for people and throttles
  }
  [[nodiscard]] std::uint64_t bytes_used() const;

 private:
  void drop_cleared(Retired& retired) REQUIRES(mutex_);

  mutable Mutex mutex_;
  std::atomic<Segment*> first_{nullptr};
  Segment* last_ GUARDED_BY(mutex_) = nullptr;
  Segment* claim_segment_ GUARDED_BY(mutex_) = nullptr;
  std::uint32_t claim_index_ GUARDED_BY(mutex_) = 0;
  std::size_t segment_count_ GUARDED_BY(mutex_) = 0;
  std::atomic<std::size_t> waiting_{0};
};

struct Tail::Segment {
  static constexpr std::uint32_t kEntries = 510;  // with the rest, half a page
  std::atomic<Segment*> next{nullptr};
  std::atomic<std::uint32_t> count{0};
  std::uint32_t cleared = 0;  // guarded by the tail's mutex
  std::atomic<std::uint32_t> rows[kEntries];
};

template <typename Wanted>
Tail::Claim Tail::claim(const Wanted& wanted) {
  const MutexLock lock(mutex_);
  while (claim_segment_ != nullptr) {
    if (claim_index_ == Segment::kEntries) {
      Segment* next = claim_segment_->next.load(std::memory_order_relaxed);  // under the mutex
      if (next == nullptr) break;
      claim_segment_ = next;
      claim_index_ = 0;
      continue;
    }
    if (claim_index_ == claim_segment_->count.load(std::memory_order_relaxed)) break;  // as above
    const Claim claim = {.row = claim_segment_->rows[claim_index_].load(std::memory_order_relaxed),
                         .segment = claim_segment_,
                         .index = claim_index_};
    ++claim_index_;
    if (claim.row == kNoRow) continue;
    if (wanted(claim.row)) return claim;
    waiting_.fetch_sub(1, std::memory_order_relaxed);  // only a count
  }
  return {};
}

template <typename Gone>
void Tail::clear_if(const Gone& gone, Retired& retired) {
  const MutexLock lock(mutex_);
  Segment* segment = first_.load(std::memory_order_relaxed);  // only changed under the mutex
  bool before_claims = true;
  for (; segment != nullptr; segment = segment->next.load(std::memory_order_relaxed)) {
    const std::uint32_t count = segment->count.load(std::memory_order_relaxed);  // as above
    for (std::uint32_t i = 0; i < count; ++i) {
      if (segment == claim_segment_ && i >= claim_index_) before_claims = false;
      const std::uint32_t row = segment->rows[i].load(std::memory_order_relaxed);  // as above
      if (row == kNoRow || !gone(row)) continue;
      segment->rows[i].store(kNoRow, std::memory_order_release);  // pairs with for_each()
      ++segment->cleared;
      if (!before_claims) waiting_.fetch_sub(1, std::memory_order_relaxed);  // only a count
    }
    if (segment == claim_segment_) before_claims = false;
  }
  drop_cleared(retired);
}

template <typename Visit>
void Tail::for_each(const Visit& visit) const {
  // Acquire pairs with the releases of append(), drop_cleared() and the clearing: an entry seen as
  // cleared means that the links of its row are seen too.
  const Segment* segment = first_.load(std::memory_order_acquire);
  for (; segment != nullptr; segment = segment->next.load(std::memory_order_acquire)) {
    const std::uint32_t count = segment->count.load(std::memory_order_acquire);
    for (std::uint32_t i = 0; i < count; ++i) {
      const std::uint32_t row = segment->rows[i].load(std::memory_order_acquire);
      if (row != kNoRow && !visit(row)) return;
    }
  }
}

}  // namespace quipu::index
