#include "quipu/index/postings/segment.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

#include "quipu/assert.h"
#include "quipu/base/hash.h"

namespace quipu::index {
namespace {

SegmentArrays arrays_of(const Segment::Owned& owned) {
  return {.keys = owned.keys,
          .key_bytes = owned.key_bytes,
          .buckets = owned.buckets,
          .blocks = owned.blocks,
          .position_starts = owned.position_starts,
          .data = owned.data,
          .positions = owned.positions,
          .rows = owned.rows};
}

std::uint32_t width_of(std::uint32_t largest) {
  if (largest <= 1) return 0;
  if (largest <= 0xff) return 1;
  return largest <= 0xffff ? 2 : 4;
}

void append_number(std::vector<std::uint8_t>& out, std::uint32_t number, std::uint32_t width) {
  for (std::uint32_t i = 0; i < width; ++i) {
    out.push_back(static_cast<std::uint8_t>(number >> (8 * i)));
  }
}

void append_varint(std::vector<std::uint8_t>& out, std::uint32_t number) {
  for (; number >= 0x80; number >>= 7U) out.push_back(static_cast<std::uint8_t>(number | 0x80U));
  out.push_back(static_cast<std::uint8_t>(number));
}

}  // namespace

Segment::Segment(PostingKind kind, Owned owned)
    : kind_(kind), owned_(std::move(owned)), arrays_(arrays_of(owned_)) {}

Segment::Segment(PostingKind kind, const SegmentArrays& mapped, std::shared_ptr<const void> keeps)
    : kind_(kind), keeps_(std::move(keeps)), arrays_(mapped) {}

std::string_view Segment::key(std::uint32_t index) const noexcept {
  const KeyMeta& meta = arrays_.keys[index];
  const std::size_t size = arrays_.key_bytes.size();
  if (meta.key > size || meta.key_bytes > size - meta.key) return {};
  return {arrays_.key_bytes.data() + meta.key, meta.key_bytes};
}

std::optional<std::uint32_t> Segment::find(std::string_view wanted) const noexcept {
  const std::size_t bucket_count = arrays_.buckets.size();
  if (!std::has_single_bit(bucket_count)) return std::nullopt;
  std::size_t at = hash_bytes(wanted) & (bucket_count - 1);
  for (std::size_t tries = 0; tries < bucket_count; ++tries) {
    const std::uint32_t entry = arrays_.buckets[at];
    if (entry == 0 || entry > arrays_.keys.size()) return std::nullopt;
    if (key(entry - 1) == wanted) return entry - 1;
    at = (at + 1) & (bucket_count - 1);
  }
  return std::nullopt;
}

std::uint32_t Segment::lower_bound(std::string_view wanted) const noexcept {
  std::uint32_t low = 0;
  auto high = static_cast<std::uint32_t>(arrays_.keys.size());
  while (low < high) {
    const std::uint32_t middle = low + (high - low) / 2;
    if (key(middle) < wanted) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

std::uint64_t Segment::bytes_used() const noexcept {
  return sizeof(Segment) + arrays_.keys.size_bytes() + arrays_.key_bytes.size_bytes() +
         arrays_.buckets.size_bytes() + arrays_.blocks.size_bytes() +
         arrays_.position_starts.size_bytes() + arrays_.data.size_bytes() +
         arrays_.positions.size_bytes() + arrays_.rows.size_bytes();
}

void SegmentBuilder::begin_key(std::string_view key) {
  QUIPU_ASSERT(key.size() <= kPostingKeyBytesMax);
  current_ = {.data = out_.data.size(),
              .positions = out_.positions.size(),
              .block = out_.blocks.size(),
              .key = static_cast<std::uint32_t>(out_.key_bytes.size()),
              .key_bytes = static_cast<std::uint32_t>(key.size()),
              .count = 0,
              .reserved = 0};
  out_.key_bytes.insert(out_.key_bytes.end(), key.begin(), key.end());
  first_block_ = true;
  block_size_ = 0;
}

void SegmentBuilder::add(const Posting& posting) {
  if (block_size_ == 0) {
    block_length_min_ = posting.length;
    block_positions_ = static_cast<std::uint32_t>(out_.positions.size() - current_.positions);
  }
  block_rows_[block_size_] = posting.row;
  block_numbers_[block_size_] = posting.number;
  block_length_min_ = std::min(block_length_min_, posting.length);
  ++block_size_;
  ++current_.count;
  if (positions_) {
    // The count goes along: a posting may have none, and readers need not trust the numbers.
    append_varint(out_.positions, static_cast<std::uint32_t>(posting.positions.size()));
    std::uint32_t before = 0;
    for (const std::uint32_t position : posting.positions) {
      append_varint(out_.positions, position - before);
      before = position;
    }
  }
  if (block_size_ == kBlockPostings) flush_block();
}

void SegmentBuilder::flush_block() {
  if (block_size_ == 0) return;
  std::uint32_t gaps[kBlockPostings];
  std::uint32_t gap_max = 0;
  std::uint32_t number_max = 0;
  bool numbers_one = true;
  for (std::size_t i = 0; i < block_size_; ++i) {
    const bool first = i == 0 && first_block_;
    gaps[i] =
        first ? block_rows_[0] + 1 : block_rows_[i] - (i == 0 ? last_row_ : block_rows_[i - 1]);
    gap_max = std::max(gap_max, gaps[i]);
    number_max = std::max(number_max, block_numbers_[i]);
    numbers_one = numbers_one && block_numbers_[i] == 1;
  }
  const std::uint32_t gap_width = width_of(gap_max);
  std::uint32_t number_width = kind_ == PostingKind::kWeights ? 4 : width_of(number_max);
  if (!numbers_one && number_width == 0) number_width = 1;
  BlockMeta meta = {.last_row = block_rows_[block_size_ - 1],
                    .data = static_cast<std::uint32_t>(out_.data.size() - current_.data),
                    .bound_a = number_max,
                    .bound_b = block_length_min_};
  if (kind_ == PostingKind::kWeights) {
    float most = std::bit_cast<float>(block_numbers_[0]);
    float least = most;
    for (std::size_t i = 1; i < block_size_; ++i) {
      most = std::max(most, std::bit_cast<float>(block_numbers_[i]));
      least = std::min(least, std::bit_cast<float>(block_numbers_[i]));
    }
    meta.bound_a = std::bit_cast<std::uint32_t>(most);
    meta.bound_b = std::bit_cast<std::uint32_t>(least);
  }
  out_.data.push_back(static_cast<std::uint8_t>(gap_width | (number_width << 4U)));
  for (std::size_t i = 0; i < block_size_; ++i) append_number(out_.data, gaps[i], gap_width);
  for (std::size_t i = 0; i < block_size_; ++i) {
    append_number(out_.data, block_numbers_[i], number_width);
  }
  out_.blocks.push_back(meta);
  if (positions_) out_.position_starts.push_back(block_positions_);
  last_row_ = meta.last_row;
  first_block_ = false;
  block_size_ = 0;
}

void SegmentBuilder::end_key() {
  flush_block();
  if (current_.count == 0) {
    out_.key_bytes.resize(current_.key);
    return;
  }
  out_.keys.push_back(current_);
}

std::shared_ptr<const Segment> SegmentBuilder::finish(std::vector<std::uint32_t> rows) {
  out_.rows = std::move(rows);
  const std::size_t buckets = std::bit_ceil(out_.keys.size() + out_.keys.size() / 2 + 1);
  out_.buckets.assign(buckets, 0);
  for (std::uint32_t i = 0; i < out_.keys.size(); ++i) {
    const std::string_view key(out_.key_bytes.data() + out_.keys[i].key, out_.keys[i].key_bytes);
    std::size_t at = hash_bytes(key) & (buckets - 1);
    while (out_.buckets[at] != 0) at = (at + 1) & (buckets - 1);
    out_.buckets[at] = i + 1;
  }
  return std::make_shared<const Segment>(kind_, std::move(out_));
}

}  // namespace quipu::index
