// Which slots may appear in an answer. Searches ask it inside their walk, never after it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "quipu/ids.h"

namespace quipu::index {

// Immutable while a search uses it. Threads: any.
class SlotFilter {
 public:
  virtual ~SlotFilter() = default;
  [[nodiscard]] virtual bool contains(SlotId slot) const noexcept = 0;
  // How many slots pass.
  [[nodiscard]] virtual std::size_t count() const noexcept = 0;
  // In ascending order, until `visit` returns false.
  virtual void for_each(const std::function<bool(SlotId)>& visit) const = 0;
};

// A plain bitmap over slots.
class SlotBitmap final : public SlotFilter {
 public:
  void add(SlotId slot);
  [[nodiscard]] bool contains(SlotId slot) const noexcept override;
  [[nodiscard]] std::size_t count() const noexcept override { return count_; }
  void for_each(const std::function<bool(SlotId)>& visit) const override;

  // Cost of the following: linear in the larger bitmap's words, 64 slots at a time.
  void unite(const SlotBitmap& other);
  void intersect(const SlotBitmap& other);
  void subtract(const SlotBitmap& other);
  // Adds slot 64 * i + b for each bit b of word i.
  void unite_words(std::vector<std::uint64_t>&& words);
  // Slots beyond the last word are not in it.
  [[nodiscard]] std::span<const std::uint64_t> words() const noexcept { return words_; }
  [[nodiscard]] bool empty() const noexcept { return count_ == 0; }
  void clear() noexcept;
  [[nodiscard]] bool contains_all_of(const SlotBitmap& other) const noexcept;
  // Whether both hold the same slots.
  friend bool operator==(const SlotBitmap& a, const SlotBitmap& b) noexcept {
    return a.count_ == b.count_ && a.contains_all_of(b);
  }

 private:
  void recount() noexcept;
  std::vector<std::uint64_t> words_;
  std::size_t count_ = 0;
};

}  // namespace quipu::index
