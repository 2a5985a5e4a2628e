// The tables of the analyzers, as tools/make_analysis_tables.py writes them into the build folder.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace quipu::text::analysis {

// Word_Break of UAX #29.
enum class WordClass : std::uint8_t {
  kOther,
  kCr,
  kLf,
  kNewline,
  kExtend,
  kZwj,
  kFormat,
  kRegionalIndicator,
  kALetter,
  kHebrewLetter,
  kKatakana,
  kNumeric,
  kMidLetter,
  kMidNum,
  kMidNumLet,
  kExtendNumLet,
  kSingleQuote,
  kDoubleQuote,
  kWSegSpace,
};

enum CharFlag : std::uint8_t {
  kCharTerm = 1,          // makes a word of what it is in: a letter, a number, an emoji
  kCharPictographic = 2,  // Extended_Pictographic
  kCharDictionary = 4,    // of a script whose words have no spaces between them
  kCharBlank = 8,         // White_Space
  kCharIgnorable = 16,    // Default_Ignorable_Code_Point: in no term
  kCharEntangled = 32,    // its folding depends on its neighbours
  kCharMapped = 64,       // has a row in the tables of foldings
  kCharAccentMark = 128,  // removed by ASCII folding
};

struct CharKind {
  WordClass word_class;
  std::uint8_t flags;
  std::uint8_t combining_class;
};

// Places in kFoldPool; of size 0 where the character stays as it is.
struct FastFolds {
  std::uint16_t offsets[3];  // case folded, ASCII folded, both
  std::uint8_t sizes[3];
};
struct SlowMappings {
  std::uint16_t offsets[4];  // in the order of Mapping
  std::uint8_t sizes[4];
};
enum class Mapping : std::uint8_t { kCanonical, kCompatibility, kCaseFolding, kBaseLetters };

struct Composition {
  char32_t first;
  char32_t second;
  char32_t composed;
};

struct StopWordList {
  std::string_view language;
  std::string_view words;  // a space between each two
};

// Two stages each: the block of every 128 code points, then the values of the distinct blocks.
extern const CharKind kCharKinds[];
extern const std::uint16_t kKindBlocks[];
extern const std::uint8_t kKindValues[];
extern const std::uint16_t kRowBlocks[];
extern const std::uint16_t kRowValues[];
extern const FastFolds kFastFolds[];
extern const SlowMappings kSlowMappings[];
extern const unsigned char kFoldPool[];
extern const Composition kCompositions[];  // ascending by (first, second)
extern const std::size_t kCompositionCount;
extern const StopWordList kStopWordLists[];  // ascending by language
extern const std::size_t kStopWordListCount;

// Code points are below 0x110000.
[[nodiscard]] inline const CharKind& char_kind(char32_t c) noexcept {
  return kCharKinds[kKindValues[static_cast<std::size_t>(kKindBlocks[c >> 7]) * 128 + (c & 127)]];
}
// The row of a character that has kCharMapped.
[[nodiscard]] inline std::size_t fold_row(char32_t c) noexcept {
  return kRowValues[static_cast<std::size_t>(kRowBlocks[c >> 7]) * 128 + (c & 127)];
}
[[nodiscard]] inline std::string_view fast_fold(char32_t c, std::size_t column) noexcept {
  const FastFolds& row = kFastFolds[fold_row(c)];
  return {reinterpret_cast<const char*>(kFoldPool) + row.offsets[column], row.sizes[column]};
}
[[nodiscard]] inline std::string_view slow_mapping(char32_t c, Mapping mapping) noexcept {
  const SlowMappings& row = kSlowMappings[fold_row(c)];
  const auto column = static_cast<std::size_t>(mapping);
  return {reinterpret_cast<const char*>(kFoldPool) + row.offsets[column], row.sizes[column]};
}

}  // namespace quipu::text::analysis
