#include "quipu/engine/live_slots.h"

#include <utility>

namespace quipu::engine {

void LiveSlots::change(SlotId slot, bool live) {
  const std::size_t word = slot.value() / 64;
  const std::size_t piece = word / kWordsPerPiece;
  while (pieces_.size() <= piece) {
    pieces_.push_back(std::make_shared<Piece>());
    shared_.push_back(false);
  }
  std::uint64_t bits = (*pieces_[piece])[word % kWordsPerPiece];
  const std::uint64_t mask = std::uint64_t{1} << (slot.value() % 64);
  bits = live ? bits | mask : bits & ~mask;
  if (bits == (*pieces_[piece])[word % kWordsPerPiece]) return;
  if (shared_[piece]) {
    pieces_[piece] = std::make_shared<Piece>(*pieces_[piece]);
    shared_[piece] = false;
  }
  (*pieces_[piece])[word % kWordsPerPiece] = bits;
  latest_ = nullptr;
}

std::shared_ptr<const LiveSlots::Snapshot> LiveSlots::snapshot() {
  if (latest_ != nullptr) return latest_;
  auto made = std::make_shared<Snapshot>();
  made->pieces_.assign(pieces_.begin(), pieces_.end());
  shared_.assign(shared_.size(), true);
  latest_ = std::move(made);
  return latest_;
}

index::SlotBitmap LiveSlots::Snapshot::bitmap() const {
  std::vector<std::uint64_t> words;
  words.reserve(pieces_.size() * kWordsPerPiece);
  for (const auto& piece : pieces_) words.insert(words.end(), piece->begin(), piece->end());
  index::SlotBitmap bitmap;
  bitmap.unite_words(std::move(words));
  return bitmap;
}

}  // namespace quipu::engine
