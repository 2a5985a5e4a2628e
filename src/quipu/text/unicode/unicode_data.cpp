#include "quipu/text/unicode/unicode_data.h"

#include <algorithm>

#include "quipu/assert.h"
#include "quipu/text/unicode/tables.h"

namespace quipu::text {
namespace {

constexpr std::size_t kCodePoints = 0x110000;

std::uint64_t pair_key(char32_t first, char32_t second) noexcept {
  return (static_cast<std::uint64_t>(first) << 32) | second;
}

}  // namespace

const UnicodeData& UnicodeData::instance() {
  static const UnicodeData data;
  return data;
}

template <typename T>
UnicodeData::Trie<T> UnicodeData::pack(const std::vector<T>& flat) {
  Trie<T> trie;
  trie.values.assign(128, T{});  // Block 0 is all default.
  trie.blocks.reserve(flat.size() / 128);
  for (std::size_t start = 0; start < flat.size(); start += 128) {
    const auto block = flat.begin() + static_cast<std::ptrdiff_t>(start);
    // Equal blocks are neighbours or all default but for a handful: no need to search further.
    const std::size_t last = trie.values.size() - 128;
    if (std::equal(block, block + 128, trie.values.begin())) {
      trie.blocks.push_back(0);
    } else if (std::equal(block, block + 128,
                          trie.values.begin() + static_cast<std::ptrdiff_t>(last))) {
      trie.blocks.push_back(static_cast<std::uint16_t>(last / 128));
    } else {
      trie.blocks.push_back(static_cast<std::uint16_t>(trie.values.size() / 128));
      trie.values.insert(trie.values.end(), block, block + 128);
    }
  }
  return trie;
}

UnicodeData::Trie<std::uint16_t> UnicodeData::read_mapping(std::span<const std::uint32_t> numbers) {
  std::vector<std::uint16_t> flat(kCodePoints, 0);
  std::size_t before = 0;
  for (std::size_t i = 0; i + 1 < numbers.size();) {
    const std::size_t c = before + numbers[i];
    const std::size_t count = numbers[i + 1];
    QUIPU_ASSERT(starts_.size() < 0xFFFF);
    flat[c] = static_cast<std::uint16_t>(starts_.size());
    for (std::size_t k = 0; k < count; ++k) pool_.push_back(numbers[i + 2 + k]);
    starts_.push_back(static_cast<std::uint32_t>(pool_.size()));
    before = c;
    i += 2 + count;
  }
  return pack(flat);
}

UnicodeData::UnicodeData() {
  std::vector<std::uint8_t> flat(kCodePoints, 0);
  const auto set = [&](std::span<const std::uint32_t> numbers, CharFlag flag) {
    tables::for_each_range(numbers, [&](std::size_t first, std::size_t last) {
      for (std::size_t c = first; c <= last; ++c) {
        flat[c] = static_cast<std::uint8_t>(flat[c] | flag);
      }
    });
  };
  set(tables::kSpaceRanges, kCharSpace);
  set(tables::kControlRanges, kCharControl);
  set(tables::kIdeographRanges, kCharIdeograph);
  set(tables::kPunctuationRanges, kCharPunctuation);
  set(tables::kNonspacingRanges, kCharNonspacing);
  set(tables::kMarkRanges, kCharMark);
  set(tables::kWordRanges, kCharWord);
  set(tables::kNumericRanges, kCharNumeric);
  flags_ = pack(flat);

  std::fill(flat.begin(), flat.end(), std::uint8_t{0});
  const std::span<const std::uint32_t> classes = tables::kCombiningClasses;
  for (std::size_t i = 0; i + 1 < classes.size(); i += 2 + classes[i + 1]) {
    const auto value = static_cast<std::uint8_t>(classes[i]);
    tables::for_each_range(classes.subspan(i + 2, classes[i + 1]),
                           [&](std::size_t first, std::size_t last) {
                             for (std::size_t c = first; c <= last; ++c) flat[c] = value;
                           });
  }
  combining_classes_ = pack(flat);

  starts_.push_back(0);
  canonical_ = read_mapping(tables::kCanonical);
  compatibility_ = read_mapping(tables::kCompatibility);
  lowercase_ = read_mapping(tables::kLowercase);
  const std::span<const std::uint32_t> triples = tables::kCompositions;
  compositions_.reserve(triples.size() / 3);
  for (std::size_t i = 0; i + 2 < triples.size(); i += 3) {
    compositions_.emplace(pair_key(triples[i], triples[i + 1]), triples[i + 2]);
  }
}

char32_t UnicodeData::compose(char32_t first, char32_t second) const noexcept {
  if (first - 0x1100 < 19 && second - 0x1161 < 21) {
    return kHangulFirst + ((first - 0x1100) * 21 + (second - 0x1161)) * 28;
  }
  if (is_hangul_syllable(first) && (first - kHangulFirst) % 28 == 0 && second - 0x11A8 < 27) {
    return first + (second - 0x11A7);
  }
  const auto found = compositions_.find(pair_key(first, second));
  return found == compositions_.end() ? 0 : found->second;
}

}  // namespace quipu::text
