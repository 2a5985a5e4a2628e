// Who came into the graph while one was looking for neighbours.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace quipu::index::hnsw {

// Nodes in the order in which they were linked, the latest kKept of them. Two nodes that are linked
// at the same time do not find each other by search, and rows that come together are often each
// other's nearest: versions of one text, chunks of one page. So whoever has linked a node notes it
// here and then looks who else did since it began; of any two, at least one sees the other.
//
// Threads: any.
class Arrivals {
 public:
  static constexpr std::size_t kKept = 256;

  // What to give to for_each_since(); taken before the search for neighbours begins.
  [[nodiscard]] std::uint64_t mark() const noexcept { return count_.load(); }

  // Notes a node whose links have been published.
  void add(std::uint32_t node) noexcept {
    const std::uint64_t number = count_.fetch_add(1);
    // Sequentially consistent, as all here: each stores its own and then loads the other's.
    entries_[number % kKept].store(entry(number, node));
  }

  // Calls `visit` with the nodes noted since `mark`.
  template <typename Visit>
  void for_each_since(std::uint64_t mark, const Visit& visit) const {
    const std::uint64_t end = count_.load();
    for (std::uint64_t number = end - std::min<std::uint64_t>(end - mark, kKept); number < end;
         ++number) {
      const std::uint64_t found = entries_[number % kKept].load();
      const auto node = static_cast<std::uint32_t>(found);
      // Another's number: not written yet, and then its owner sees us; or overwritten.
      if (found == entry(number, node)) visit(node);
    }
  }

 private:
  // Numbers are told apart modulo 2^32, while the ring holds 2^8 of them. None is 0.
  static std::uint64_t entry(std::uint64_t number, std::uint32_t node) noexcept {
    return (number + 1) << 32U | node;
  }

  std::atomic<std::uint64_t> count_{0};
  std::array<std::atomic<std::uint64_t>, kKept> entries_{};
};

}  // namespace quipu::index::hnsw
