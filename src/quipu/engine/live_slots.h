// Which slots hold a point, as of each moment: a bitmap in pieces that moments share, so that a
// moment costs what has changed since the one before, and a table of pointers.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "quipu/ids.h"
#include "quipu/index/slot_filter.h"

namespace quipu::engine {

// Threads: one writer; a snapshot is immutable.
class LiveSlots {
 public:
  class Snapshot;
  void add(SlotId slot) { change(slot, true); }
  void remove(SlotId slot) { change(slot, false); }
  [[nodiscard]] std::shared_ptr<const Snapshot> snapshot();

 private:
  static constexpr std::size_t kWordsPerPiece = 64;
  using Piece = std::array<std::uint64_t, kWordsPerPiece>;
  void change(SlotId slot, bool live);

  std::vector<std::shared_ptr<Piece>> pieces_;
  // Whether a snapshot shares the piece: then it is copied before it is changed.
  std::vector<bool> shared_;
  std::shared_ptr<const Snapshot> latest_;
};

class LiveSlots::Snapshot {
 public:
  [[nodiscard]] index::SlotBitmap bitmap() const;

 private:
  friend class LiveSlots;
  std::vector<std::shared_ptr<const Piece>> pieces_;
};

}  // namespace quipu::engine
