#include "quipu/index/payload/payload_rows.h"

#include <algorithm>
#include <utility>

#include "quipu/assert.h"

namespace quipu::index {
namespace {

constexpr std::size_t kWideChunkBytes = std::size_t{128} << 10;
constexpr std::size_t kChunkBytes = std::size_t{64} << 10;

template <typename T>
std::vector<T> copied(const ChunkedStore& store, std::uint32_t count) {
  std::vector<T> out(count);
  for (std::uint32_t i = 0; i < count; ++i) {
    // Relaxed: only the writer writes, and this is its thread.
    out[i] = std::atomic_ref<T>(store.item<T>(i)).load(std::memory_order_relaxed);
  }
  return out;
}

}  // namespace

PayloadRows::PayloadRows(bool chained)
    : chained_(chained),
      added_(sizeof(std::uint64_t), kWideChunkBytes),
      closed_(sizeof(std::uint64_t), kWideChunkBytes),
      slots_(sizeof(std::uint32_t), kChunkBytes),
      latest_(sizeof(std::uint32_t), kChunkBytes),
      chain_(sizeof(std::uint32_t), kChunkBytes) {}

std::uint32_t PayloadRows::take_row() {
  {
    const MutexLock lock(mutex_);
    if (!free_.empty()) {
      const std::uint32_t row = free_.back();
      free_.pop_back();
      return row;
    }
  }
  const std::uint32_t row = count_.load(std::memory_order_relaxed);  // only the writer changes it
  QUIPU_ASSERT(row < kRowsMax);
  added_.ensure(row + 1);
  closed_.ensure(row + 1);
  slots_.ensure(row + 1);
  if (chained_) chain_.ensure(row + 1);
  return row;
}

std::uint32_t PayloadRows::add(SlotId slot, Seq seq, std::uint32_t before) {
  QUIPU_ASSERT(slot.value() < UINT32_MAX);
  QUIPU_ASSERT(chained_ || before == kNone);
  const std::uint32_t row = take_row();
  latest_.ensure(slot.value() + 1);
  store(slots_.item<std::uint32_t>(row), slot.value());
  store(added_.item<std::uint64_t>(row), seq.value());
  if (chained_) store(chain_.item<std::uint32_t>(row), std::uint32_t{0});
  // Opening comes last, so that whoever sees the row open sees it whole; pairs with closed().
  store(closed_.item<std::uint64_t>(row), kOpen, std::memory_order_release);
  if (row == count_.load(std::memory_order_relaxed)) {  // only the writer changes it
    count_.store(row + 1, std::memory_order_release);   // pairs with count()
  }
  std::uint32_t& from = before == kNone ? latest_.item<std::uint32_t>(slot.value())
                                        : chain_.item<std::uint32_t>(before);
  store(from, row + 1);
  if (slot.value() >= slot_count_.load(std::memory_order_relaxed)) {  // only the writer changes it
    slot_count_.store(slot.value() + 1, std::memory_order_release);   // pairs with slot_count()
  }
  return row;
}

std::uint32_t PayloadRows::open_row(SlotId slot) const noexcept {
  if (slot.value() >= slot_count()) return kNone;
  const std::uint32_t row = load(latest_.item<std::uint32_t>(slot.value())) - 1;
  // A damaged checkpoint may name any row.
  if (row >= count() || closed(row) != kOpen || this->slot(row) != slot.value()) return kNone;
  return row;
}

std::uint32_t PayloadRows::next_of(std::uint32_t row) const noexcept {
  if (!chained_) return kNone;
  const std::uint32_t next = load(chain_.item<std::uint32_t>(row)) - 1;
  if (next >= count() || closed(next) != kOpen || slot(next) != slot(row)) return kNone;
  return next;
}

void PayloadRows::close(std::uint32_t row, Seq seq) noexcept {
  // Pairs with closed().
  store(closed_.item<std::uint64_t>(row), seq.value(), std::memory_order_release);
}

void PayloadRows::release(std::span<const std::uint32_t> rows) {
  const MutexLock lock(mutex_);
  free_.insert(free_.end(), rows.begin(), rows.end());
}

PayloadRows::Image PayloadRows::image() const {
  const std::uint32_t rows = count();
  return {.added = copied<std::uint64_t>(added_, rows),
          .closed = copied<std::uint64_t>(closed_, rows),
          .slots = copied<std::uint32_t>(slots_, rows),
          .latest = copied<std::uint32_t>(latest_, slot_count()),
          .chain = chained_ ? copied<std::uint32_t>(chain_, rows) : std::vector<std::uint32_t>()};
}

void PayloadRows::adopt(const Mapped& mapped, std::vector<std::uint32_t> free) {
  added_.adopt(mapped.added);
  closed_.adopt(mapped.closed);
  slots_.adopt(mapped.slots);
  latest_.adopt(mapped.latest);
  if (chained_) chain_.adopt(mapped.chain);
  count_.store(static_cast<std::uint32_t>(mapped.slots.size() / sizeof(std::uint32_t)));
  slot_count_.store(static_cast<std::uint32_t>(mapped.latest.size() / sizeof(std::uint32_t)));
  const MutexLock lock(mutex_);
  free_ = std::move(free);
}

std::uint64_t PayloadRows::bytes_used() const {
  const std::uint64_t row_bytes =
      2 * sizeof(std::uint64_t) + sizeof(std::uint32_t) + (chained_ ? sizeof(std::uint32_t) : 0);
  const MutexLock lock(mutex_);
  return count() * row_bytes + std::uint64_t{slot_count()} * sizeof(std::uint32_t) +
         free_.capacity() * sizeof(std::uint32_t);
}

}  // namespace quipu::index
