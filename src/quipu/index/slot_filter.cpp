#include "quipu/index/slot_filter.h"

#include <bit>

namespace quipu::index {

void SlotBitmap::add(SlotId slot) {
  const std::size_t word = slot.value() / 64;
  const std::uint64_t bit = std::uint64_t{1} << (slot.value() % 64);
  if (word >= words_.size()) words_.resize(word + 1);
  if ((words_[word] & bit) == 0) ++count_;
  words_[word] |= bit;
}

bool SlotBitmap::contains(SlotId slot) const noexcept {
  const std::size_t word = slot.value() / 64;
  return word < words_.size() && ((words_[word] >> (slot.value() % 64)) & 1U) != 0;
}

void SlotBitmap::for_each(const std::function<bool(SlotId)>& visit) const {
  for (std::size_t word = 0; word < words_.size(); ++word) {
    for (std::uint64_t rest = words_[word]; rest != 0; rest &= rest - 1) {
      const auto bit = static_cast<std::size_t>(std::countr_zero(rest));
      if (!visit(SlotId(static_cast<std::uint32_t>(word * 64 + bit)))) return;
    }
  }
}

}  // namespace quipu::index
