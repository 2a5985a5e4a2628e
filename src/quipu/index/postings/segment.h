// An immutable part of an inverted index: a dictionary of keys and, for each, a posting list.
//
// Threads: any. A segment that lies in a mapped checkpoint checks bounds where it reads, so that a
// damaged file gives wrong answers at worst (invariants: the whole-file check runs after opening).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "quipu/base/checkpoint_file.h"
#include "quipu/index/postings/posting_format.h"
#include "quipu/result.h"

namespace quipu::index {

// The arrays of a segment, in its own memory or in a mapped file.
struct SegmentArrays {
  std::span<const KeyMeta> keys;  // by the bytes of their keys, ascending
  std::span<const char> key_bytes;
  std::span<const std::uint32_t> buckets;  // a hash table over keys: index + 1, 0 is empty
  std::span<const BlockMeta> blocks;
  std::span<const std::uint32_t> position_starts;  // for each block; empty without positions
  std::span<const std::uint8_t> data;
  std::span<const std::uint8_t> positions;
  std::span<const std::uint32_t> rows;  // all rows, ascending, also those without any posting
};

class Segment {
 public:
  // What a builder made.
  struct Owned {
    std::vector<KeyMeta> keys;
    std::vector<char> key_bytes;
    std::vector<std::uint32_t> buckets;
    std::vector<BlockMeta> blocks;
    std::vector<std::uint32_t> position_starts;
    std::vector<std::uint8_t> data;
    std::vector<std::uint8_t> positions;
    std::vector<std::uint32_t> rows;
  };
  Segment(PostingKind kind, Owned owned);
  // Over a mapped checkpoint, which is kept alive.
  Segment(PostingKind kind, const SegmentArrays& mapped, std::shared_ptr<const void> keeps);
  Segment(const Segment&) = delete;
  Segment& operator=(const Segment&) = delete;

  [[nodiscard]] PostingKind kind() const noexcept { return kind_; }
  [[nodiscard]] const SegmentArrays& arrays() const noexcept { return arrays_; }
  [[nodiscard]] std::span<const std::uint32_t> rows() const noexcept { return arrays_.rows; }
  [[nodiscard]] bool has_positions() const noexcept { return !arrays_.position_starts.empty(); }
  [[nodiscard]] std::size_t key_count() const noexcept { return arrays_.keys.size(); }

  // The key's number in this segment.
  [[nodiscard]] std::optional<std::uint32_t> find(std::string_view key) const noexcept;
  // The first key that is not below `key`; key_count() when there is none.
  [[nodiscard]] std::uint32_t lower_bound(std::string_view key) const noexcept;
  // The bytes of a key below key_count(); borrowed.
  [[nodiscard]] std::string_view key(std::uint32_t index) const noexcept;
  [[nodiscard]] std::uint32_t posting_count(std::uint32_t index) const noexcept {
    return arrays_.keys[index].count;
  }
  [[nodiscard]] std::uint64_t bytes_used() const noexcept;

 private:
  const PostingKind kind_;
  const Owned owned_;
  const std::shared_ptr<const void> keeps_;
  SegmentArrays arrays_;
};

// One posting as a builder takes it.
struct Posting {
  std::uint32_t row = 0;
  std::uint32_t number = 0;                  // see PostingKind
  std::uint32_t length = 0;                  // kCounts: of the row, at least 1
  std::span<const std::uint32_t> positions;  // ascending; `number` of them, or none
};

// Makes a segment of lists that come in the order of their keys. Threads: one.
class SegmentBuilder {
 public:
  SegmentBuilder(PostingKind kind, bool positions) : kind_(kind), positions_(positions) {}

  // `key` is above the one before and at most kPostingKeyBytesMax long.
  void begin_key(std::string_view key);
  // Rows ascend within a key.
  void add(const Posting& posting);
  // Drops the key if nothing was added to it.
  void end_key();
  // All rows, ascending. The builder is spent.
  [[nodiscard]] std::shared_ptr<const Segment> finish(std::vector<std::uint32_t> rows);

 private:
  void flush_block();

  const PostingKind kind_;
  const bool positions_;
  Segment::Owned out_;
  KeyMeta current_;
  std::uint32_t last_row_ = 0;
  bool first_block_ = true;
  std::uint32_t block_rows_[kBlockPostings];
  std::uint32_t block_numbers_[kBlockPostings];
  std::uint32_t block_length_min_ = 0;
  std::uint32_t block_positions_ = 0;  // where this block's begin, from the list's begin
  std::size_t block_size_ = 0;
};

}  // namespace quipu::index
