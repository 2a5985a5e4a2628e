// A set of strings with a number each, for finding the longest one at the start of some bytes.
//
// A double-array trie (Aoe: An Efficient Digital Search Algorithm by Using a Double-Array
// Structure, 1989), with xor in place of the sum, so that one node's children lie in one block of
// 256: a step is one load, of which a vocabulary's frequent ones stay in the first-level cache.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "quipu/result.h"

namespace quipu::text {

// Threads: immutable once built.
class DoubleArray {
 public:
  struct Match {
    std::size_t size = 0;  // bytes; 0 when nothing matched
    std::uint32_t value = 0;
  };
  using Entry = std::pair<std::string, std::uint32_t>;

  // Holds nothing.
  DoubleArray() : units_(256) {}
  // The keys need no order; values are below 2^31. Errors: kInvalidArgument for a key that is there
  // twice or is empty.
  [[nodiscard]] static Result<DoubleArray> build(std::vector<Entry> entries);

  [[nodiscard]] static constexpr std::uint32_t root() noexcept { return 0; }
  // The node that `prefix` leads to from the root, or npos() if no key begins with it.
  [[nodiscard]] std::uint32_t find_node(std::string_view prefix) const noexcept;
  [[nodiscard]] static constexpr std::uint32_t npos() noexcept { return 0xFFFFFFFF; }

  // The longest key, its first part being the path to `node`, whose rest begins `bytes`; at least
  // one byte of `bytes` is part of it.
  [[nodiscard]] Match longest_match(std::uint32_t node, std::string_view bytes) const noexcept {
    Match best;
    std::uint32_t at = node;
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      const std::uint32_t next = units_[at].base ^ static_cast<unsigned char>(bytes[i]);
      if (units_[next].parent != at) break;
      at = next;
      if (units_[at].value != kNoValue) best = {i + 1, units_[at].value};
    }
    return best;
  }
  // Calls visit(size, value) for each key that begins `bytes`, the shortest first.
  template <typename Visit>
  void for_each_prefix(std::string_view bytes, Visit visit) const {
    std::uint32_t at = root();
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      const std::uint32_t next = units_[at].base ^ static_cast<unsigned char>(bytes[i]);
      if (units_[next].parent != at) return;
      at = next;
      if (units_[at].value != kNoValue) visit(i + 1, units_[at].value);
    }
  }
  // Calls visit(value, node) for every key, in no particular order.
  template <typename Visit>
  void for_each_value(Visit visit) const {
    for (std::uint32_t node = 0; node < units_.size(); ++node) {
      const bool is_free = node != root() && units_[node].parent == npos();
      if (!is_free && units_[node].value != kNoValue) visit(units_[node].value, node);
    }
  }
  // The key that leads to `node`, which for_each_value() gave.
  [[nodiscard]] std::string key_of(std::uint32_t node) const;
  // The value of a whole key, or npos().
  [[nodiscard]] std::uint32_t find(std::string_view key) const noexcept;
  [[nodiscard]] std::size_t bytes_used() const noexcept { return units_.size() * sizeof(Unit); }

 private:
  static constexpr std::uint32_t kNoValue = 0xFFFFFFFF;
  struct Unit {
    std::uint32_t base = 0;
    std::uint32_t parent = npos();  // npos() when free; the root is nobody's child
    std::uint32_t value = kNoValue;
  };
  struct Builder;

  std::vector<Unit> units_;  // a multiple of 256, so that every base ^ byte is inside
};

}  // namespace quipu::text
