// Which slots may appear in an answer. Searches ask it inside their walk, never after it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
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

 private:
  std::vector<std::uint64_t> words_;
  std::size_t count_ = 0;
};

}  // namespace quipu::index
