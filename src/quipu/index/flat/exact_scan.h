// Scores rows one after the other: the oracle of every other search, and a product of its own for
// small sets and narrow filters.
#pragma once

#include <cstddef>
#include <cstdint>

#include "quipu/index/flat/top_k.h"
#include "quipu/index/quant/vector_space.h"
#include "quipu/index/rows/deadline.h"
#include "quipu/index/rows/row_store.h"

namespace quipu::index {

// Collects rows into batches, scores them and keeps the nearest. Threads: one.
template <QueryScorer Scorer>
class ExactScan {
 public:
  // All are borrowed for this object's life.
  ExactScan(const RowStore& rows, const Scorer& scorer, const Deadline& deadline, TopK& top)
      : rows_(rows), scorer_(scorer), deadline_(deadline), top_(top) {}

  // Takes a row that may be an answer. False once the deadline has passed.
  bool add(std::uint32_t row) {
    scorer_.prefetch(row);
    batch_[size_++] = row;
    return size_ < kBatch || flush();
  }
  // Scores what is waiting. False once the deadline has passed.
  bool flush() {
    float distances[kBatch];
    scorer_.score(batch_, size_, distances);
    for (std::size_t i = 0; i < size_; ++i) {
      if (distances[i] > top_.bound()) continue;
      top_.offer({.distance = distances[i], .slot = rows_.slot(batch_[i]), .row = batch_[i]});
    }
    scanned_ += static_cast<std::uint32_t>(size_);
    size_ = 0;
    if (++flushes_ % kFlushesPerLook == 0) expired_ = expired_ || deadline_.passed();
    return !expired_;
  }
  [[nodiscard]] std::uint32_t scanned() const noexcept { return scanned_; }
  [[nodiscard]] bool expired() const noexcept { return expired_; }

 private:
  // Enough rows under way to hide the memory's latency; a look at the clock every 512 rows.
  static constexpr std::size_t kBatch = 16;
  static constexpr std::uint32_t kFlushesPerLook = 32;

  const RowStore& rows_;
  const Scorer& scorer_;
  const Deadline& deadline_;
  TopK& top_;
  std::uint32_t batch_[kBatch] = {};
  std::size_t size_ = 0;
  std::uint32_t scanned_ = 0;
  std::uint32_t flushes_ = 0;
  bool expired_ = false;
};

}  // namespace quipu::index
