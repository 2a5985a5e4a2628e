// How lists of postings lie in memory and in files.
//
// A list holds the rows that a key stands for, ascending, each with a number of 32 bits: how often
// a term occurs in the row, or the bits of a float weight. Postings come in blocks of
// kBlockPostings (the last of a list may be shorter); a block is one byte of widths, then the gaps
// between rows, then the numbers, each array in whole bytes so that decoding is a loop without
// branches:
//
//   width byte   low half: bytes of a gap (0: all gaps are 1), high half: bytes of a number (0: all
//                numbers are 1)
//   gaps         row - the row before (for a block's first: - the block before's last row, or + 1
//                for a list's first)
//   numbers
//
// What a walk needs to skip a block is in its BlockMeta, apart from the data, so that skipping
// touches one cache line for four blocks.
#pragma once

#include <cstddef>
#include <cstdint>

namespace quipu::index {

inline constexpr std::size_t kBlockPostings = 128;
// A key's bytes: a term, a field's value, a sparse vector's dimension.
inline constexpr std::size_t kPostingKeyBytesMax = 4096;

// What the numbers of a segment's lists mean.
enum class PostingKind : std::uint32_t {
  kCounts = 0,   // how often a term occurs; rows have lengths; positions may follow
  kWeights = 1,  // the bits of a finite float
};

struct BlockMeta {
  std::uint32_t last_row = 0;
  std::uint32_t data = 0;  // bytes from the list's begin
  // kCounts: the largest count, the shortest row's length. kWeights: the bits of the largest and
  // the least weight.
  std::uint32_t bound_a = 0;
  std::uint32_t bound_b = 0;
};
static_assert(sizeof(BlockMeta) == 16);

// A key of a segment's dictionary and its list.
struct KeyMeta {
  std::uint64_t data = 0;       // of the first block, in the segment's data
  std::uint64_t positions = 0;  // in the segment's positions
  std::uint64_t block = 0;      // the first, in the segment's blocks
  std::uint32_t key = 0;        // where its bytes begin
  std::uint32_t key_bytes = 0;
  std::uint32_t count = 0;  // postings
  std::uint32_t reserved = 0;
};
static_assert(sizeof(KeyMeta) == 40);

[[nodiscard]] constexpr std::size_t block_count(std::size_t postings) noexcept {
  return (postings + kBlockPostings - 1) / kBlockPostings;
}

}  // namespace quipu::index
