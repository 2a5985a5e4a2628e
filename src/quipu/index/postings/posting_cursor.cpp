#include "quipu/index/postings/posting_cursor.h"

#include <algorithm>

namespace quipu::index {
namespace {

// Reads `count` numbers of `width` bytes, which are there.
void read_numbers(const std::uint8_t* from, std::uint32_t width, std::size_t count,
                  std::uint32_t* into) {
  switch (width) {
    case 0:
      for (std::size_t i = 0; i < count; ++i) into[i] = 1;
      return;
    case 1:
      for (std::size_t i = 0; i < count; ++i) into[i] = from[i];
      return;
    case 2:
      for (std::size_t i = 0; i < count; ++i) {
        into[i] = std::uint32_t{from[2 * i]} | std::uint32_t{from[2 * i + 1]} << 8U;
      }
      return;
    default:
      for (std::size_t i = 0; i < count; ++i) {
        into[i] = std::uint32_t{from[4 * i]} | std::uint32_t{from[4 * i + 1]} << 8U |
                  std::uint32_t{from[4 * i + 2]} << 16U | std::uint32_t{from[4 * i + 3]} << 24U;
      }
  }
}

bool known_width(std::uint32_t width) { return width <= 2 || width == 4; }

// Reads one number; false when the bytes end before it does.
bool read_varint(std::span<const std::uint8_t> bytes, std::size_t& at, std::uint32_t& number) {
  number = 0;
  for (std::uint32_t shift = 0; shift < 32 && at < bytes.size(); shift += 7) {
    const std::uint8_t byte = bytes[at++];
    number |= std::uint32_t{byte & 0x7fU} << shift;
    if (byte < 0x80) return true;
  }
  return false;
}

std::span<const BlockMeta> blocks_of(const Segment& segment, const KeyMeta& key) {
  const std::span<const BlockMeta> all = segment.arrays().blocks;
  if (key.block > all.size()) return {};
  return all.subspan(key.block, std::min(block_count(key.count), all.size() - key.block));
}

}  // namespace

PostingCursor::PostingCursor(const Segment& segment, std::uint32_t key)
    : segment_(segment),
      key_(segment.arrays().keys[key]),
      blocks_(blocks_of(segment, key_)),
      count_(key_.count) {}

bool PostingCursor::decode(std::size_t block) {
  at_ = 0;
  size_ = 0;
  positions_read_ = 0;
  positions_at_ = 0;
  block_ = block;
  if (block >= blocks_.size()) return false;
  const std::size_t count = std::min(kBlockPostings, count_ - block * kBlockPostings);
  const std::span<const std::uint8_t> data = segment_.arrays().data;
  const std::uint64_t begin = key_.data + blocks_[block].data;
  if (begin >= data.size()) return false;
  const std::uint32_t gap_width = data[begin] & 0x0fU;
  const std::uint32_t number_width = data[begin] >> 4U;
  const std::uint64_t bytes = 1 + count * (gap_width + number_width);
  if (!known_width(gap_width) || !known_width(number_width) || bytes > data.size() - begin) {
    return false;
  }
  const std::uint8_t* from = data.data() + begin + 1;
  read_numbers(from, gap_width, count, rows_);
  read_numbers(from + count * gap_width, number_width, count, numbers_);
  // A first gap counts from the row before row 0.
  std::uint32_t row = block == 0 ? kRowsEnd : blocks_[block - 1].last_row;
  for (std::size_t i = 0; i < count; ++i) {
    row += rows_[i];
    rows_[i] = row;
  }
  size_ = count;
  return true;
}

std::uint32_t PostingCursor::next_block() {
  if (block_ == SIZE_MAX || block_ < blocks_.size()) decode(block_ + 1);  // SIZE_MAX + 1 is 0
  return row();
}

std::uint32_t PostingCursor::seek_slowly(std::uint32_t row) {
  std::size_t block = block_ == SIZE_MAX ? 0 : block_;
  if (block >= blocks_.size()) return kRowsEnd;
  if (blocks_[block].last_row < row) {
    // Doubling steps, then halving: most seeks are short, some skip nearly all.
    std::size_t low = block;
    std::size_t step = 1;
    while (low + step < blocks_.size() && blocks_[low + step].last_row < row) {
      low += step;
      step *= 2;
    }
    const auto begin = blocks_.begin() + static_cast<std::ptrdiff_t>(low + 1);
    const auto end =
        blocks_.begin() + static_cast<std::ptrdiff_t>(std::min(low + step + 1, blocks_.size()));
    const auto found = std::lower_bound(
        begin, end, row,
        [](const BlockMeta& meta, std::uint32_t at) { return meta.last_row < at; });
    block = static_cast<std::size_t>(found - blocks_.begin());
  }
  if (block != block_ && !decode(block)) return kRowsEnd;
  while (at_ < size_ && rows_[at_] < row) ++at_;
  return this->row();
}

bool PostingCursor::read_positions(std::vector<std::uint32_t>& into) {
  const SegmentArrays& arrays = segment_.arrays();
  const std::uint64_t entry = key_.block + block_;
  if (at_ >= size_ || entry >= arrays.position_starts.size()) return false;
  const std::uint64_t begin = key_.positions + arrays.position_starts[entry];
  if (begin > arrays.positions.size()) return false;
  const std::span<const std::uint8_t> bytes = arrays.positions.subspan(begin);
  for (; positions_read_ <= at_; ++positions_read_) {
    std::uint32_t count = 0;
    if (!read_varint(bytes, positions_at_, count)) return false;
    std::uint32_t position = 0;
    for (std::uint32_t i = 0; i < count; ++i) {
      std::uint32_t gap = 0;
      if (!read_varint(bytes, positions_at_, gap)) return false;
      position += gap;
      if (positions_read_ == at_) into.push_back(position);
    }
  }
  return true;
}

}  // namespace quipu::index
