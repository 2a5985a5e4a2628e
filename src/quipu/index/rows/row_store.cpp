#include "quipu/index/rows/row_store.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "quipu/assert.h"

namespace quipu::index {
namespace {

constexpr std::size_t kVectorChunkBytes = std::size_t{4} << 20;
constexpr std::size_t kMetaChunkBytes = std::size_t{256} << 10;
constexpr std::size_t kSlotChunkBytes = std::size_t{64} << 10;

// Vectors of a cache line and more begin on one; smaller ones must not straddle two.
std::size_t stride_of(std::uint32_t dim) {
  constexpr std::size_t kLine = 64;
  const std::size_t bytes = std::size_t{dim} * sizeof(float);
  if (bytes < kLine) return std::bit_ceil(bytes);
  return (bytes + kLine - 1) / kLine * kLine;
}

}  // namespace

RowStore::RowStore(std::uint32_t dim)
    : dim_(dim),
      vectors_(stride_of(dim), kVectorChunkBytes),
      meta_(sizeof(RowMeta), kMetaChunkBytes),
      slots_(sizeof(std::uint32_t), kSlotChunkBytes) {}

std::uint32_t RowStore::take_row() {
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
  vectors_.ensure(row + 1);
  meta_.ensure(row + 1);
  return row;
}

std::uint32_t RowStore::add(SlotId slot, std::span<const float> vector, Seq seq, RowState state) {
  QUIPU_ASSERT(vector.size() == dim_);
  QUIPU_ASSERT(slot.value() < UINT32_MAX);
  const std::uint32_t row = take_row();
  std::copy(vector.begin(), vector.end(), reinterpret_cast<float*>(vectors_.at(row)));
  RowMeta& meta = meta_of(row);
  slots_.ensure(slot.value() + 1);
  std::uint32_t& latest = slots_.item<std::uint32_t>(slot.value());
  const std::uint32_t before = load(latest);
  store(meta.slot, slot.value());
  store(meta.previous, before == row + 1 ? 0U : before);
  store(meta.added, seq.value());
  store(meta.state, static_cast<std::uint32_t>(state));
  // Opening comes last, so that whoever sees the row open sees it whole; pairs with visible().
  store(meta.closed, kOpen, std::memory_order_release);
  if (row == count_.load(std::memory_order_relaxed)) {  // only the writer changes it
    count_.store(row + 1, std::memory_order_release);   // pairs with count()
  }
  store(latest, row + 1, std::memory_order_release);                  // pairs with latest_row()
  if (slot.value() >= slot_count_.load(std::memory_order_relaxed)) {  // only the writer changes it
    slot_count_.store(slot.value() + 1, std::memory_order_release);   // pairs with slot_count()
  }
  return row;
}

std::uint32_t RowStore::latest_row(SlotId slot) const noexcept {
  if (slot.value() >= slot_count()) return kNoRow;
  std::uint32_t& latest = slots_.item<std::uint32_t>(slot.value());
  const std::uint32_t row = load(latest, std::memory_order_acquire) - 1;  // pairs with add()
  return row < count() ? row : kNoRow;  // a damaged checkpoint may name any row
}

std::uint32_t RowStore::open_row(SlotId slot) const noexcept {
  const std::uint32_t row = latest_row(slot);
  if (row == kNoRow || closed(row) != kOpen || this->slot(row) != slot.value()) return kNoRow;
  return row;
}

void RowStore::close(std::uint32_t row, Seq seq) noexcept {
  store(meta_of(row).closed, seq.value(), std::memory_order_release);  // pairs with closed()
}

std::uint32_t RowStore::row_of(SlotId slot, Seq as_of) const noexcept {
  std::uint32_t row = latest_row(slot);
  std::uint64_t newest = kOpen;
  // Earlier rows may have been released, and written anew for any slot, since; then they are of
  // another slot or were added later than the row that led to them. The count bounds a cycle.
  for (std::uint32_t steps = count(); row != kNoRow && steps > 0; --steps) {
    if (visible(row, as_of)) return this->slot(row) == slot.value() ? row : kNoRow;
    RowMeta& meta = meta_of(row);
    const std::uint64_t added = load(meta.added);
    if (load(meta.slot) != slot.value() || added > newest) return kNoRow;
    newest = added;
    row = load(meta.previous) - 1;
    if (row >= count()) return kNoRow;
  }
  return kNoRow;
}

void RowStore::release(std::span<const std::uint32_t> rows) {
  const MutexLock lock(mutex_);
  for (const std::uint32_t row : rows) {
    set_state(row, RowState::kFree);
    (holds_ > 0 ? held_ : free_).push_back(row);
  }
}

std::shared_ptr<void> RowStore::hold() {
  {
    const MutexLock lock(mutex_);
    ++holds_;
  }
  // A pointer to this store that is never followed: only its end matters.
  return std::shared_ptr<void>(this, [this](void*) {
    const MutexLock lock(mutex_);
    --holds_;
    if (holds_ > 0) return;
    free_.insert(free_.end(), held_.begin(), held_.end());
    held_.clear();
  });
}

void RowStore::copy_meta(std::span<RowMeta> into) const {
  for (std::uint32_t row = 0; row < into.size(); ++row) {
    RowMeta& meta = meta_of(row);
    into[row] = {.added = load(meta.added),
                 .closed = load(meta.closed),
                 .slot = load(meta.slot),
                 .previous = load(meta.previous),
                 .state = load(meta.state, std::memory_order_acquire)};  // pairs with set_state()
  }
}

void RowStore::copy_slots(std::span<std::uint32_t> into) const {
  for (std::uint32_t slot = 0; slot < into.size(); ++slot) {
    into[slot] = load(slots_.item<std::uint32_t>(slot));
  }
}

void RowStore::adopt(std::span<std::byte> meta, std::span<std::byte> slots,
                     std::span<std::byte> vectors, std::vector<std::uint32_t> free) {
  meta_.adopt(meta);
  slots_.adopt(slots);
  if (dim_ > 0) {
    vectors_.adopt(vectors);
  } else {
    vectors_.ensure(static_cast<std::uint32_t>(meta.size() / sizeof(RowMeta)));
  }
  count_.store(static_cast<std::uint32_t>(meta.size() / sizeof(RowMeta)));
  slot_count_.store(static_cast<std::uint32_t>(slots.size() / sizeof(std::uint32_t)));
  const MutexLock lock(mutex_);
  free_ = std::move(free);
}

std::size_t RowStore::free_count() const {
  const MutexLock lock(mutex_);
  return free_.size() + held_.size();
}

std::uint64_t RowStore::bytes_used() const {
  const std::uint64_t rows = count();
  const MutexLock lock(mutex_);
  return rows * (vectors_.item_bytes() + sizeof(RowMeta)) +
         std::uint64_t{slot_count()} * sizeof(std::uint32_t) +
         (free_.capacity() + held_.capacity()) * sizeof(std::uint32_t);
}

}  // namespace quipu::index
