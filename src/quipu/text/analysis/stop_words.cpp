#include "quipu/text/analysis/stop_words.h"

#include <algorithm>

#include "quipu/base/hash.h"
#include "quipu/text/analysis/tables.h"

namespace quipu::text::analysis {
namespace {

constexpr std::size_t kWordBytesMax = 255;

// All sizes of 63 and above share a bit.
std::uint64_t size_bit(std::size_t size) noexcept {
  return std::uint64_t{1} << std::min<std::size_t>(size, 63);
}

}  // namespace

std::optional<std::string_view> stop_words_of(std::string_view language) noexcept {
  for (std::size_t i = 0; i < kStopWordListCount; ++i) {
    if (kStopWordLists[i].language == language) return kStopWordLists[i].words;
  }
  return std::nullopt;
}

std::vector<std::string_view> stop_word_languages() {
  std::vector<std::string_view> out;
  for (std::size_t i = 0; i < kStopWordListCount; ++i) out.push_back(kStopWordLists[i].language);
  return out;
}

std::size_t StopWordSet::slot_of(std::string_view word) const noexcept {
  const std::size_t mask = slots_.size() - 1;
  std::size_t at = static_cast<std::size_t>(hash_bytes(word)) & mask;
  while (slots_[at].size != 0 &&
         std::string_view(words_).substr(slots_[at].offset, slots_[at].size) != word) {
    at = (at + 1) & mask;
  }
  return at;
}

void StopWordSet::grow() {
  const std::vector<Slot> before = std::move(slots_);
  slots_.assign(std::max<std::size_t>(16, before.size() * 2), Slot());
  for (const Slot& slot : before) {
    if (slot.size == 0) continue;
    slots_[slot_of(std::string_view(words_).substr(slot.offset, slot.size))] = slot;
  }
}

void StopWordSet::add(std::string_view word) {
  if (word.empty() || word.size() > kWordBytesMax) return;
  if ((count_ + 1) * 2 > slots_.size()) grow();
  Slot& slot = slots_[slot_of(word)];
  if (slot.size != 0) return;
  slot = {static_cast<std::uint32_t>(words_.size()), static_cast<std::uint32_t>(word.size())};
  words_ += word;
  ++count_;
  sizes_ |= size_bit(word.size());
  const auto first = static_cast<unsigned char>(word[0]);
  first_bytes_[first >> 6] |= std::uint64_t{1} << (first & 63);
}

bool StopWordSet::contains(std::string_view word) const noexcept {
  if (word.empty() || (sizes_ & size_bit(word.size())) == 0) return false;
  const auto first = static_cast<unsigned char>(word[0]);
  if (((first_bytes_[first >> 6] >> (first & 63)) & 1) == 0) return false;
  return slots_[slot_of(word)].size != 0;
}

}  // namespace quipu::text::analysis
