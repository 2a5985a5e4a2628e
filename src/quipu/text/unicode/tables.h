// The measured Unicode data behind UnicodeData, as written by tools/make_unicode_tables.py.
// Each array is flat; tables_*.cpp say how it reads.
#pragma once

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
extern const std::span<const std::uint32_t> kCombiningClasses;
extern const std::span<const std::uint32_t> kCanonical;
extern const std::span<const std::uint32_t> kCompositions;
extern const std::span<const std::uint32_t> kCompatibility;
extern const std::span<const std::uint32_t> kLowercase;

}  // namespace quipu::text::tables
