#include "quipu/index/slot_filter.h"

#include <algorithm>
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

void SlotBitmap::unite(const SlotBitmap& other) {
  if (other.empty()) return;
  if (other.words_.size() > words_.size()) words_.resize(other.words_.size());
  for (std::size_t i = 0; i < other.words_.size(); ++i) words_[i] |= other.words_[i];
  recount();
}

void SlotBitmap::unite_words(std::vector<std::uint64_t>&& words) {
  if (words.size() > words_.size()) words_.swap(words);
  for (std::size_t i = 0; i < words.size(); ++i) words_[i] |= words[i];
  recount();
}

void SlotBitmap::intersect(const SlotBitmap& other) {
  if (words_.size() > other.words_.size()) words_.resize(other.words_.size());
  for (std::size_t i = 0; i < words_.size(); ++i) words_[i] &= other.words_[i];
  recount();
}

void SlotBitmap::subtract(const SlotBitmap& other) {
  const std::size_t common = std::min(words_.size(), other.words_.size());
  for (std::size_t i = 0; i < common; ++i) words_[i] &= ~other.words_[i];
  recount();
}

void SlotBitmap::clear() noexcept {
  words_.clear();
  count_ = 0;
}

bool SlotBitmap::contains_all_of(const SlotBitmap& other) const noexcept {
  for (std::size_t i = 0; i < other.words_.size(); ++i) {
    const std::uint64_t mine = i < words_.size() ? words_[i] : 0;
    if ((other.words_[i] & ~mine) != 0) return false;
  }
  return true;
}

// Counts in all bytes of a word at once (Warren: Hacker's Delight, section 5-1), which compilers
// turn into vector code for any CPU; a count of single words would need an instruction that not all
// have.
void SlotBitmap::recount() noexcept {
  constexpr std::size_t kWordsMax = 31;  // of 8 bits in each byte: 248
  count_ = 0;
  for (std::size_t begin = 0; begin < words_.size(); begin += kWordsMax) {
    const std::size_t end = std::min(words_.size(), begin + kWordsMax);
    std::uint64_t bytes = 0;
    for (std::size_t i = begin; i < end; ++i) {
      std::uint64_t x = words_[i];
      x -= (x >> 1U) & 0x5555555555555555ULL;
      x = (x & 0x3333333333333333ULL) + ((x >> 2U) & 0x3333333333333333ULL);
      bytes += (x + (x >> 4U)) & 0x0f0f0f0f0f0f0f0fULL;
    }
    const std::uint64_t pairs =
        (bytes & 0x00ff00ff00ff00ffULL) + ((bytes >> 8U) & 0x00ff00ff00ff00ffULL);
    count_ += static_cast<std::size_t>((pairs * 0x0001000100010001ULL) >> 48U);
  }
}

}  // namespace quipu::index
