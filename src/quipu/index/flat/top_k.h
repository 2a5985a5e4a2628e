// The k nearest of what it is offered.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <tuple>
#include <vector>

namespace quipu::index {

struct ScoredRow {
  float distance = 0;
  std::uint32_t slot = 0;
  std::uint32_t row = 0;

  // Nearest first; equal distances by ascending slot. Distances are never NaN.
  friend bool operator<(const ScoredRow& a, const ScoredRow& b) noexcept {
    return std::tie(a.distance, a.slot, a.row) < std::tie(b.distance, b.slot, b.row);
  }
};

// A heap with the farthest on top. Threads: one.
class TopK {
 public:
  // `k` at least 1.
  explicit TopK(std::size_t k) : k_(k) { heap_.reserve(std::min<std::size_t>(k, 1024)); }

  // What is farther than this is not kept.
  [[nodiscard]] float bound() const noexcept {
    return heap_.size() < k_ ? std::numeric_limits<float>::infinity() : heap_.front().distance;
  }
  void offer(const ScoredRow& row) {
    if (heap_.size() < k_) {
      heap_.push_back(row);
      std::push_heap(heap_.begin(), heap_.end());
    } else if (row < heap_.front()) {
      std::pop_heap(heap_.begin(), heap_.end());
      heap_.back() = row;
      std::push_heap(heap_.begin(), heap_.end());
    }
  }
  [[nodiscard]] std::size_t size() const noexcept { return heap_.size(); }
  // The kept ones, nearest first; the object is spent.
  [[nodiscard]] std::vector<ScoredRow> take() {
    std::sort_heap(heap_.begin(), heap_.end());
    return std::move(heap_);
  }

 private:
  const std::size_t k_;
  std::vector<ScoredRow> heap_;
};

}  // namespace quipu::index
