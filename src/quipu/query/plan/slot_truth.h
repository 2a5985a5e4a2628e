// What is known of a condition: for which slots it surely holds, and for which it may hold.
//
// Threads: one.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "quipu/index/slot_filter.h"

namespace quipu::query {

class SlotTruth {
 public:
  // Nothing is known: it may hold for any slot.
  SlotTruth() = default;
  [[nodiscard]] static SlotTruth exactly(index::SlotBitmap slots);
  // Of two bitmaps, the sure one first; `most` holds all of `least`.
  [[nodiscard]] static SlotTruth between(index::SlotBitmap least, index::SlotBitmap most);

  // Whether it surely does not hold for some slots: those that most() has not.
  [[nodiscard]] bool bounded() const noexcept { return bounded_; }
  [[nodiscard]] bool exact() const noexcept { return bounded_ && !most_.has_value(); }
  [[nodiscard]] const index::SlotBitmap& least() const noexcept { return least_; }
  // Only when bounded.
  [[nodiscard]] const index::SlotBitmap& most() const noexcept {
    return most_.has_value() ? *most_ : least_;
  }

  // Both hold.
  void and_with(const SlotTruth& other);
  // This, which is bounded, holds and the other does not.
  void and_not(const SlotTruth& other);
  // One of them holds.
  void or_with(const SlotTruth& other);
  // Forgets what is sure.
  void weaken();

 private:
  void settle();

  bool bounded_ = false;
  index::SlotBitmap least_;
  std::optional<index::SlotBitmap> most_;  // none: as least_, if bounded
};

// Counts, for each slot, in how many of some bitmaps it is. A number is kept bit by bit over words
// of slots, so that adding a bitmap costs a few operations for 64 slots.
class SlotCounter {
 public:
  void add(const index::SlotBitmap& slots);
  // The slots that are in at least `count` of them; `count` is at least 1.
  [[nodiscard]] index::SlotBitmap at_least(std::uint64_t count) const;

 private:
  std::vector<std::vector<std::uint64_t>> bits_;  // bits_[i]: bit i of each slot's number
};

}  // namespace quipu::query
