// What a walk over the graph needs besides the graph; kept by each thread for its next walk.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace quipu::index::hnsw {

// A set of nodes as bits: a million take 128 kB, which stays in the second-level cache. Clearing
// touches only the words that were written.
class NodeSet {
 public:
  // Empties the set and makes room for nodes below `bound`.
  void reset(std::uint32_t bound);
  // Adds the node; false when it was there already. `node` is below the bound.
  bool add(std::uint32_t node) {
    std::uint64_t& word = words_[node / 64];
    const std::uint64_t bit = std::uint64_t{1} << (node % 64);
    if ((word & bit) != 0) return false;
    if (word == 0) touched_.push_back(node / 64);
    word |= bit;
    return true;
  }
  [[nodiscard]] bool contains(std::uint32_t node) const noexcept {
    return ((words_[node / 64] >> (node % 64)) & 1U) != 0;
  }

 private:
  std::vector<std::uint64_t> words_;
  std::vector<std::uint32_t> touched_;
};

// A node that a walk has scored. Lists of them are sorted by distance.
struct WalkNode {
  static constexpr std::uint32_t kExpanded = 1U << 31;
  static constexpr std::uint32_t kAdmitted = 1U << 30;
  float distance = 0;
  std::uint32_t bits = 0;  // the row's number, kAdmitted if it may be an answer, kExpanded

  [[nodiscard]] std::uint32_t node() const noexcept { return bits & (kAdmitted - 1); }
  [[nodiscard]] bool admitted() const noexcept { return (bits & kAdmitted) != 0; }
  [[nodiscard]] bool expanded() const noexcept { return (bits & kExpanded) != 0; }
};

struct Scratch {
  NodeSet visited;
  NodeSet bridged;              // by filtered walks: whose neighbours have been looked through
  std::vector<WalkNode> found;  // a walk's candidates and, when it has ended, its result
  std::vector<std::uint32_t> nodes;
};

// Lends the calling thread a scratch of its own, which returns by destructor. Leases nest.
class ScratchLease {
 public:
  ScratchLease();
  ~ScratchLease();
  ScratchLease(const ScratchLease&) = delete;
  ScratchLease& operator=(const ScratchLease&) = delete;
  [[nodiscard]] Scratch& operator*() const noexcept { return *scratch_; }
  [[nodiscard]] Scratch* operator->() const noexcept { return scratch_.get(); }

 private:
  std::unique_ptr<Scratch> scratch_;
};

}  // namespace quipu::index::hnsw
