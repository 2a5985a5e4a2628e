#include "quipu/index/hnsw/node_store.h"

#include <algorithm>

#include "quipu/assert.h"

namespace quipu::index::hnsw {
namespace {

constexpr std::size_t kReferenceChunkBytes = std::size_t{64} << 10;

std::uint64_t packed(const EntryPoint& entry) noexcept {
  if (entry.node == kNoNode) return 0;
  return (std::uint64_t{entry.level} << 32) | (entry.node + 1);
}

EntryPoint unpacked(std::uint64_t bits) noexcept {
  if (bits == 0) return {};
  return {.node = static_cast<std::uint32_t>(bits) - 1,
          .level = static_cast<std::uint32_t>(bits >> 32)};
}

}  // namespace

NodeStore::NodeStore(std::uint32_t m)
    : references_(sizeof(References), kReferenceChunkBytes),
      upper_references_(sizeof(std::uint32_t), kReferenceChunkBytes),
      base_(2 * m),
      upper_(m) {}

EntryPoint NodeStore::entry() const noexcept {
  return unpacked(entry_.load(std::memory_order_acquire));  // pairs with replace_entry()
}

bool NodeStore::replace_entry(const EntryPoint& expected, const EntryPoint& next) noexcept {
  std::uint64_t bits = packed(expected);
  return entry_.compare_exchange_strong(bits, packed(next));
}

std::uint32_t* NodeStore::place(std::uint32_t node, std::uint32_t level) const noexcept {
  if (level == 0) return &references_.item<References>(node).base;
  const std::uint32_t reference = upper_reference(node);
  const std::uint32_t index = (reference & kOffsetMask) + level - 1;
  if (level > reference >> kOffsetBits) return nullptr;
  // Relaxed: the node was published after its places had been counted.
  if (index >= upper_count_.load(std::memory_order_relaxed)) return nullptr;
  return &upper_references_.item<std::uint32_t>(index);
}

std::uint32_t NodeStore::block(std::uint32_t node, std::uint32_t level) const noexcept {
  std::uint32_t* const at = place(node, level);
  if (at == nullptr) return 0;
  return std::atomic_ref(*at).load(std::memory_order_acquire);  // pairs with replace()
}

bool NodeStore::replace(std::uint32_t node, std::uint32_t level, std::uint32_t expected,
                        std::uint32_t next) noexcept {
  std::uint32_t* const at = place(node, level);
  if (at == nullptr) return false;
  // Release publishes the block's content; pairs with block().
  return std::atomic_ref(*at).compare_exchange_strong(expected, next, std::memory_order_acq_rel);
}

void NodeStore::add_node(std::uint32_t node, std::uint32_t level) {
  QUIPU_ASSERT(level <= kLevelMax);
  references_.ensure(node + 1);
  std::uint32_t upper = 0;
  if (level > 0) {
    const MutexLock lock(mutex_);
    if (free_upper_.size() < level) free_upper_.resize(level);
    std::vector<std::uint32_t>& free = free_upper_[level - 1];
    std::uint32_t offset = upper_count_.load(std::memory_order_relaxed);  // under the mutex
    if (!free.empty()) {
      offset = free.back();
      free.pop_back();
    } else {
      QUIPU_ASSERT(offset <= kOffsetMask - level);
      upper_references_.ensure(offset + level);
      upper_count_.store(offset + level, std::memory_order_relaxed);  // published with the node
    }
    upper = (level << kOffsetBits) | offset;
  }
  References& references = references_.item<References>(node);
  std::atomic_ref(references.base).store(0, std::memory_order_relaxed);
  std::atomic_ref(references.upper).store(upper, std::memory_order_relaxed);
  for (std::uint32_t i = 1; i <= level; ++i) {
    std::atomic_ref(*place(node, i)).store(0, std::memory_order_relaxed);
  }
  std::uint32_t bound = bound_.load();
  while (bound <= node && !bound_.compare_exchange_weak(bound, node + 1)) {
  }
}

void NodeStore::give_back(const RetiredBlocks& blocks) {
  base_.give_back(blocks.base);
  upper_.give_back(blocks.upper);
}

void NodeStore::remove_node(std::uint32_t node) {
  RetiredBlocks blocks;
  blocks.base.push_back(block(node, 0));
  const std::uint32_t height = level(node);
  for (std::uint32_t i = 1; i <= height; ++i) blocks.upper.push_back(block(node, i));
  const std::uint32_t upper = upper_reference(node);
  References& references = references_.item<References>(node);
  std::atomic_ref(references.base).store(0, std::memory_order_relaxed);
  std::atomic_ref(references.upper).store(0, std::memory_order_relaxed);
  give_back(blocks);
  const bool whole =
      height > 0 && (upper & kOffsetMask) + height <= upper_count_.load(std::memory_order_relaxed);
  if (!whole) return;
  const MutexLock lock(mutex_);
  if (free_upper_.size() < height) free_upper_.resize(height);
  free_upper_[height - 1].push_back(upper & kOffsetMask);
}

void NodeStore::append_image(std::uint32_t node, NodeImage& into) const {
  const auto copy = [](const std::uint32_t* links, std::uint32_t count,
                       std::vector<std::uint32_t>& blocks) {
    if (links[0] == kNoNode) return 0U;
    const auto number = static_cast<std::uint32_t>(blocks.size() / count);
    blocks.insert(blocks.end(), links, links + count);
    return number;
  };
  const std::uint32_t height = level(node);
  const auto offset = static_cast<std::uint32_t>(into.upper_references.size());
  into.references.push_back(copy(links_of(node, 0), base_.links(), into.base_blocks));
  into.references.push_back(height == 0 ? 0 : (height << kOffsetBits) | offset);
  for (std::uint32_t i = 1; i <= height; ++i) {
    into.upper_references.push_back(copy(links_of(node, i), upper_.links(), into.upper_blocks));
  }
}

void NodeStore::adopt(const MappedNodes& mapped) {
  references_.adopt(mapped.references);
  base_.adopt(mapped.base_blocks);
  upper_references_.adopt(mapped.upper_references);
  upper_.adopt(mapped.upper_blocks);
  upper_count_.store(
      static_cast<std::uint32_t>(mapped.upper_references.size() / sizeof(std::uint32_t)));
  bound_.store(static_cast<std::uint32_t>(mapped.references.size() / sizeof(References)));
  entry_.store(packed(mapped.entry));
}

std::uint64_t NodeStore::bytes_used() const {
  return std::uint64_t{bound()} * sizeof(References) +
         std::uint64_t{upper_count_.load()} * sizeof(std::uint32_t) + base_.bytes_used() +
         upper_.bytes_used();
}

}  // namespace quipu::index::hnsw
