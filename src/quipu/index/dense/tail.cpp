#include "quipu/index/dense/tail.h"

namespace quipu::index {

Tail::~Tail() {
  for (Segment* segment = first_.load(); segment != nullptr;) {
    const std::unique_ptr<Segment> gone(segment);
    segment = gone->next.load();
  }
}

void Tail::append(std::uint32_t row) {
  const MutexLock lock(mutex_);
  if (last_ == nullptr || last_->count.load(std::memory_order_relaxed) == Segment::kEntries) {
    auto fresh = std::make_unique<Segment>();
    ++segment_count_;
    // Release: readers that follow the pointer see the segment empty; pairs with for_each().
    (last_ == nullptr ? first_ : last_->next).store(fresh.get(), std::memory_order_release);
    if (claim_segment_ == nullptr) claim_segment_ = fresh.get();
    last_ = fresh.release();
  }
  const std::uint32_t index = last_->count.load(std::memory_order_relaxed);  // under the mutex
  last_->rows[index].store(row, std::memory_order_relaxed);
  last_->count.store(index + 1, std::memory_order_release);  // pairs with for_each()
  waiting_.fetch_add(1, std::memory_order_relaxed);          // only a count
}

void Tail::clear(const Claim& claim, Retired& retired) {
  const MutexLock lock(mutex_);
  // Release: who sees the entry gone sees the row's links; pairs with for_each().
  claim.segment->rows[claim.index].store(kNoRow, std::memory_order_release);
  ++claim.segment->cleared;
  waiting_.fetch_sub(1, std::memory_order_relaxed);  // only a count
  if (claim.segment->cleared == Segment::kEntries) drop_cleared(retired);
}

void Tail::drop_cleared(Retired& retired) {
  std::atomic<Segment*>* link = &first_;
  for (;;) {
    Segment* segment = link->load(std::memory_order_relaxed);  // only changed under the mutex
    // The last one stays: the writer appends to it.
    if (segment == nullptr || segment == last_) return;
    if (segment->cleared < Segment::kEntries) {
      link = &segment->next;
      continue;
    }
    Segment* next = segment->next.load(std::memory_order_relaxed);  // as above
    if (claim_segment_ == segment) {
      claim_segment_ = next;
      claim_index_ = 0;
    }
    // A reader inside the segment still finds its way on through the segment's own pointer.
    link->store(next, std::memory_order_release);  // pairs with for_each()
    retired.emplace_back(segment);
    --segment_count_;
  }
}

std::uint64_t Tail::bytes_used() const {
  const MutexLock lock(mutex_);
  return segment_count_ * sizeof(Segment);
}

}  // namespace quipu::index
