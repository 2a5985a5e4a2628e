// The k nearest of what it is offered.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "quipu/ids.h"
#include "quipu/index/slot_order.h"

namespace quipu::index {

struct ScoredRow {
  float distance = 0;
  std::uint32_t slot = 0;
  std::uint32_t row = 0;
};

// Nearest first; equal distances in the order of the slots. Distances are never NaN.
class Nearer {
 public:
  // `ties`: null for ascending slots; borrowed.
  explicit Nearer(const SlotOrder* ties = nullptr) : ties_(ties) {}
  [[nodiscard]] bool operator()(const ScoredRow& a, const ScoredRow& b) const noexcept {
    if (a.distance != b.distance) return a.distance < b.distance;
    if (a.slot == b.slot) return a.row < b.row;
    return ties_ == nullptr ? a.slot < b.slot : ties_->before(SlotId(a.slot), SlotId(b.slot));
  }

 private:
  const SlotOrder* ties_;
};

// A heap with the farthest on top. Threads: one.
class TopK {
 public:
  // `k` at least 1; `ties` as for Nearer.
  explicit TopK(std::size_t k, const SlotOrder* ties = nullptr) : k_(k), nearer_(ties) {
    heap_.reserve(std::min<std::size_t>(k, 1024));
  }

  // What is farther than this is not kept.
  [[nodiscard]] float bound() const noexcept {
    return heap_.size() < k_ ? std::numeric_limits<float>::infinity() : heap_.front().distance;
  }
  void offer(const ScoredRow& row) {
    if (heap_.size() < k_) {
      heap_.push_back(row);
      std::push_heap(heap_.begin(), heap_.end(), nearer_);
    } else if (nearer_(row, heap_.front())) {
      std::pop_heap(heap_.begin(), heap_.end(), nearer_);
      heap_.back() = row;
      std::push_heap(heap_.begin(), heap_.end(), nearer_);
    }
  }
  [[nodiscard]] std::size_t size() const noexcept { return heap_.size(); }
  // The kept ones, nearest first; the object is spent.
  [[nodiscard]] std::vector<ScoredRow> take() {
    std::sort_heap(heap_.begin(), heap_.end(), nearer_);
    return std::move(heap_);
  }

 private:
  const std::size_t k_;
  const Nearer nearer_;
  std::vector<ScoredRow> heap_;
};

}  // namespace quipu::index
