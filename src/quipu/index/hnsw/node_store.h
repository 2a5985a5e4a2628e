// The links of an HNSW graph (Malkov, Yashunin: Efficient and Robust Approximate Nearest Neighbor
// Search Using Hierarchical Navigable Small World Graphs, TPAMI 2018). Nodes are rows; each has one
// neighbour block on level 0 and one on each level above that it reaches.
//
// A block is found through a 32-bit number per node and level; changing links means making another
// block and swapping the number in. Numbers, not addresses, keep references at half the size and
// make a checkpoint's references right wherever it is mapped.
//
// Threads: readers take no lock and hold an epoch guard; writers swap with compare-and-exchange and
// retry, so they need none either. What replace() took out goes back through give_back() after a
// grace period, which also rules out that a number comes back while somebody compares with it.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "quipu/base/thread_annotations.h"
#include "quipu/index/hnsw/arrivals.h"
#include "quipu/index/hnsw/block_slab.h"
#include "quipu/index/rows/chunked_store.h"

namespace quipu::index::hnsw {

// No node lies higher: with m = 2, 2^24 nodes are expected before one would.
inline constexpr std::uint32_t kLevelMax = 24;

// Where searches begin.
struct EntryPoint {
  std::uint32_t node = kNoNode;
  std::uint32_t level = 0;
};

// Blocks waiting for their grace period.
struct RetiredBlocks {
  std::vector<std::uint32_t> base;
  std::vector<std::uint32_t> upper;
  [[nodiscard]] bool empty() const noexcept { return base.empty() && upper.empty(); }
};

// What a checkpoint holds; each an array as it lies in the file.
struct NodeImage {
  std::vector<std::uint32_t> references;  // per node: level-0 block, upper reference
  std::vector<std::uint32_t> base_blocks;
  std::vector<std::uint32_t> upper_references;
  std::vector<std::uint32_t> upper_blocks;
  EntryPoint entry;
};
struct MappedNodes {
  std::span<std::byte> references;
  std::span<std::byte> base_blocks;
  std::span<std::byte> upper_references;
  std::span<std::byte> upper_blocks;
  EntryPoint entry;
};

class NodeStore {
 public:
  // `m` links per node above level 0, 2 m on it.
  explicit NodeStore(std::uint32_t m);

  // Numbers of nodes are below this; what is read from a block is compared with it before use.
  [[nodiscard]] std::uint32_t bound() const noexcept {
    return bound_.load(std::memory_order_acquire);  // pairs with add_node()
  }
  [[nodiscard]] std::uint32_t links_max(std::uint32_t level) const noexcept {
    return level == 0 ? base_.links() : upper_.links();
  }
  [[nodiscard]] EntryPoint entry() const noexcept;
  // Makes `next` the entry if it still is `expected`.
  bool replace_entry(const EntryPoint& expected, const EntryPoint& next) noexcept;

  // `node` is below bound().
  [[nodiscard]] std::uint32_t level(std::uint32_t node) const noexcept {
    return upper_reference(node) >> kOffsetBits;
  }
  // Whether the node has a place for links on that level.
  [[nodiscard]] bool reaches(std::uint32_t node, std::uint32_t level) const noexcept {
    return place(node, level) != nullptr;
  }
  // The number of the node's block; 0 when it has none there.
  [[nodiscard]] std::uint32_t block(std::uint32_t node, std::uint32_t level) const noexcept;
  // The block's numbers, links_max(level) of them, ending at the first kNoNode.
  [[nodiscard]] const std::uint32_t* links(std::uint32_t block,
                                           std::uint32_t level) const noexcept {
    return level == 0 ? base_.at(block) : upper_.at(block);
  }
  [[nodiscard]] const std::uint32_t* links_of(std::uint32_t node,
                                              std::uint32_t level) const noexcept {
    return links(block(node, level), level);
  }
  void prefetch_reference(std::uint32_t node) const noexcept {
    __builtin_prefetch(references_.at(node));
  }

  // --- Writers ---
  // Gives the node its places, without links yet. `level` at most kLevelMax.
  void add_node(std::uint32_t node, std::uint32_t level);
  [[nodiscard]] std::uint32_t make_block(std::span<const std::uint32_t> nodes,
                                         std::uint32_t level) {
    return level == 0 ? base_.make(nodes) : upper_.make(nodes);
  }
  // Swaps the node's block if it still is `expected`.
  bool replace(std::uint32_t node, std::uint32_t level, std::uint32_t expected,
               std::uint32_t next) noexcept;
  [[nodiscard]] Arrivals& arrivals() noexcept { return arrivals_; }
  // A block that was made but never published.
  void discard(std::uint32_t block, std::uint32_t level) {
    (level == 0 ? base_ : upper_).give_back({&block, 1});
  }
  // --- After a grace period ---
  void give_back(const RetiredBlocks& blocks);
  // Takes the node's places and blocks back; nothing leads to it.
  void remove_node(std::uint32_t node);

  // --- Checkpoints ---
  // Copies all links, renumbering blocks in the order of nodes; `in_graph(node)` says which have
  // any. No writer may be at work. At least `rows` references are written.
  template <typename InGraph>
  [[nodiscard]] NodeImage image(std::uint32_t rows, InGraph in_graph) const;
  void adopt(const MappedNodes& mapped);
  [[nodiscard]] std::uint64_t bytes_used() const;

 private:
  // An upper reference: level in the high bits, then the place of the node's first upper block
  // number among upper_references_. 0 for nodes of level 0.
  static constexpr std::uint32_t kOffsetBits = 27;
  static constexpr std::uint32_t kOffsetMask = (1U << kOffsetBits) - 1;
  struct References {
    std::uint32_t base = 0;
    std::uint32_t upper = 0;
  };

  [[nodiscard]] std::uint32_t upper_reference(std::uint32_t node) const noexcept {
    // Relaxed: written before the node was published, changed only after a grace period.
    return std::atomic_ref(references_.item<References>(node).upper)
        .load(std::memory_order_relaxed);
  }
  // Null when the node does not reach the level, or a damaged reference leads nowhere.
  [[nodiscard]] std::uint32_t* place(std::uint32_t node, std::uint32_t level) const noexcept;
  void append_image(std::uint32_t node, NodeImage& into) const;

  ChunkedStore references_;
  ChunkedStore upper_references_;
  BlockSlab base_;
  BlockSlab upper_;
  std::atomic<std::uint32_t> bound_{0};
  std::atomic<std::uint64_t> entry_{0};  // level << 32 | node + 1; 0: none
  std::atomic<std::uint32_t> upper_count_{0};
  Arrivals arrivals_;
  mutable Mutex mutex_;
  // Places of nodes that were removed, by their level - 1.
  std::vector<std::vector<std::uint32_t>> free_upper_ GUARDED_BY(mutex_);
};

template <typename InGraph>
NodeImage NodeStore::image(std::uint32_t rows, InGraph in_graph) const {
  NodeImage image;
  image.references.reserve(std::size_t{rows} * 2);
  image.base_blocks.reserve((std::size_t{rows} + 1) * base_.links());
  // Block 0 is the empty one; its place in the file keeps numbers and places equal.
  image.base_blocks.assign(base_.links(), kNoNode);
  image.upper_blocks.assign(upper_.links(), kNoNode);
  for (std::uint32_t node = 0; node < rows; ++node) {
    if (node < bound() && in_graph(node)) {
      append_image(node, image);
    } else {
      image.references.insert(image.references.end(), {0, 0});
    }
  }
  image.entry = entry();
  return image;
}

}  // namespace quipu::index::hnsw
