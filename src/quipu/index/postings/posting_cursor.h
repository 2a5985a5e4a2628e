// Walks along one posting list.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "quipu/index/postings/segment.h"

namespace quipu::index {

// Above every row: where a cursor stands when its list is at its end.
inline constexpr std::uint32_t kRowsEnd = 0xffffffffU;

// Threads: one. The segment outlives it. A damaged list ends early.
class PostingCursor {
 public:
  // Stands before the first posting until the first call of a moving function.
  PostingCursor(const Segment& segment, std::uint32_t key);

  // Moves to the first posting whose row is `row` or above, never backwards, and returns its row;
  // kRowsEnd at the end. Skips blocks without decoding them.
  std::uint32_t seek(std::uint32_t row) {
    if (at_ < size_ && rows_[at_] >= row) return rows_[at_];
    return seek_slowly(row);
  }
  // Moves to the next posting.
  std::uint32_t next() {
    if (at_ + 1 < size_) return rows_[++at_];
    return next_block();
  }
  // The row where it stands.
  [[nodiscard]] std::uint32_t row() const noexcept { return at_ < size_ ? rows_[at_] : kRowsEnd; }
  // The number beside the row where it stands.
  [[nodiscard]] std::uint32_t number() const noexcept { return numbers_[at_]; }
  // Appends the positions of the posting where it stands; once for each posting. False when there
  // are none or the data is damaged.
  bool read_positions(std::vector<std::uint32_t>& into);

  // Calls `visit(row, number)` for the postings from where it stands up to `end`, which is
  // excluded, and stands behind them.
  template <typename Visit>
  void visit_until(std::uint32_t end, const Visit& visit) {
    for (std::uint32_t row = this->row(); row < end; row = next()) visit(row, numbers_[at_]);
  }

  // The block that holds the first posting of `row` or above, without decoding it; never backwards.
  // Null at the end.
  [[nodiscard]] const BlockMeta* block_of(std::uint32_t row) {
    while (ahead_ < blocks_.size() && blocks_[ahead_].last_row < row) ++ahead_;
    return ahead_ < blocks_.size() ? &blocks_[ahead_] : nullptr;
  }
  [[nodiscard]] std::span<const BlockMeta> blocks() const noexcept { return blocks_; }
  [[nodiscard]] std::uint32_t count() const noexcept { return count_; }

 private:
  std::uint32_t seek_slowly(std::uint32_t row);
  std::uint32_t next_block();
  // Decodes a block; false at the end or when it is damaged.
  bool decode(std::size_t block);

  const Segment& segment_;
  const KeyMeta& key_;
  std::span<const BlockMeta> blocks_;
  const std::uint32_t count_;
  std::size_t block_ = SIZE_MAX;  // the decoded one; the one after it is next
  std::size_t ahead_ = 0;
  std::size_t at_ = 0;
  std::size_t size_ = 0;
  // Positions are read from a block's begin: how far that has come.
  std::size_t positions_read_ = 0;  // postings of the decoded block
  std::size_t positions_at_ = 0;    // bytes from where the block's begin
  std::uint32_t rows_[kBlockPostings];
  std::uint32_t numbers_[kBlockPostings];
};

}  // namespace quipu::index
