// The measured Unicode data behind UnicodeData, as written by tools/make_unicode_tables.py.
// Each array is flat; tables_*.cpp say how it reads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace quipu::text::tables {

extern const std::span<const std::uint32_t> kSpaceRanges;
extern const std::span<const std::uint32_t> kControlRanges;
extern const std::span<const std::uint32_t> kIdeographRanges;
extern const std::span<const std::uint32_t> kPunctuationRanges;
extern const std::span<const std::uint32_t> kNonspacingRanges;
extern const std::span<const std::uint32_t> kMarkRanges;
extern const std::span<const std::uint32_t> kWordRanges;
extern const std::span<const std::uint32_t> kNumericRanges;
extern const std::span<const std::uint32_t> kCombiningClasses;
extern const std::span<const std::uint32_t> kCanonical;
extern const std::span<const std::uint32_t> kCompositions;
extern const std::span<const std::uint32_t> kCompatibility;
extern const std::span<const std::uint32_t> kLowercase;
extern const std::span<const std::uint32_t> kJoinsBeforeRanges;
extern const std::span<const std::uint32_t> kJoinsAfterRanges;
extern const std::span<const std::uint32_t> kBreaksRanges;
extern const std::span<const std::uint32_t> kPictographRanges;
extern const std::span<const std::uint32_t> kScripts;
extern const std::span<const std::uint32_t> kRegexProperties;

// Calls visit(first, last) for each range of a table of (distance from the last, length - 1).
template <typename Visit>
void for_each_range(std::span<const std::uint32_t> numbers, Visit visit) {
  std::uint32_t before = 0;
  for (std::size_t i = 0; i + 1 < numbers.size(); i += 2) {
    const std::uint32_t first = before + numbers[i];
    const std::uint32_t last = first + numbers[i + 1];
    visit(first, last);
    before = last;
  }
}

}  // namespace quipu::text::tables
