// Properties and mappings of Unicode characters, as the reference tokenizers see them.
//
// The data is measured from the Python package `tokenizers` (tools/make_unicode_tables.py), because
// equal tokens need its mixture of Unicode versions; ICU or utf8proc would differ in new characters
// and change with the machine they run on.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

namespace quipu::text {

enum CharFlag : std::uint8_t {
  kCharSpace = 1,        // White_Space
  kCharControl = 2,      // removed by BERT's clean_text; tab and line ends are not
  kCharIdeograph = 4,    // set apart by BERT's handle_chinese_chars
  kCharPunctuation = 8,  // isolated by BERT's splitting
  kCharNonspacing = 16,  // removed by BERT's strip_accents
  kCharMark = 32,        // removed by StripAccents
  kCharWord = 64,        // \w
  kCharNumeric = 128,    // split off by Digits
};

// Immutable once made; instance() makes it on first use (about a millisecond, 600 kB).
// Code points are below 0x110000. Threads: any.
class UnicodeData {
 public:
  [[nodiscard]] static const UnicodeData& instance();

  [[nodiscard]] std::uint8_t flags(char32_t c) const noexcept { return at(flags_, c); }
  [[nodiscard]] bool has(char32_t c, CharFlag flag) const noexcept {
    return (flags(c) & flag) != 0;
  }
  [[nodiscard]] std::uint8_t combining_class(char32_t c) const noexcept {
    return at(combining_classes_, c);
  }
  // The character's full mapping; empty where it maps to itself. Hangul syllables are not in them:
  // see hangul_syllable().
  [[nodiscard]] std::span<const char32_t> canonical(char32_t c) const noexcept {
    return mapped(canonical_, c);
  }
  // Only where it differs from canonical().
  [[nodiscard]] std::span<const char32_t> compatibility(char32_t c) const noexcept {
    return mapped(compatibility_, c);
  }
  [[nodiscard]] std::span<const char32_t> lowercase(char32_t c) const noexcept {
    return mapped(lowercase_, c);
  }
  // The character that canonically composes from the two, Hangul included; 0 if there is none.
  [[nodiscard]] char32_t compose(char32_t first, char32_t second) const noexcept;

 private:
  // A table in two stages: equal blocks of 128 are kept once.
  template <typename T>
  struct Trie {
    std::vector<std::uint16_t> blocks;
    std::vector<T> values;
  };
  template <typename T>
  [[nodiscard]] static T at(const Trie<T>& trie, char32_t c) noexcept {
    return trie.values[static_cast<std::size_t>(trie.blocks[c >> 7]) * 128 + (c & 127)];
  }
  [[nodiscard]] std::span<const char32_t> mapped(const Trie<std::uint16_t>& trie,
                                                 char32_t c) const noexcept {
    const std::uint16_t index = at(trie, c);
    if (index == 0) return {};
    return std::span(pool_).subspan(starts_[index - 1U], starts_[index] - starts_[index - 1U]);
  }

  UnicodeData();
  template <typename T>
  static Trie<T> pack(const std::vector<T>& flat);
  Trie<std::uint16_t> read_mapping(std::span<const std::uint32_t> numbers);

  Trie<std::uint8_t> flags_;
  Trie<std::uint8_t> combining_classes_;
  Trie<std::uint16_t> canonical_;
  Trie<std::uint16_t> compatibility_;
  Trie<std::uint16_t> lowercase_;
  std::vector<char32_t> pool_;         // all mappings, one after the other
  std::vector<std::uint32_t> starts_;  // into pool_, with one more at the end
  std::unordered_map<std::uint64_t, char32_t> compositions_;
};

// Hangul syllables decompose by arithmetic (Unicode, section 3.12).
inline constexpr char32_t kHangulFirst = 0xAC00;
inline constexpr char32_t kHangulCount = 11172;
[[nodiscard]] inline bool is_hangul_syllable(char32_t c) noexcept {
  return c - kHangulFirst < kHangulCount;
}
struct HangulJamo {
  char32_t jamo[3];
  std::size_t count;  // 2 or 3
};
[[nodiscard]] inline HangulJamo decompose_hangul(char32_t c) noexcept {
  const char32_t index = c - kHangulFirst;
  const char32_t trailing = index % 28;
  return {{0x1100 + index / 588, 0x1161 + index % 588 / 28, 0x11A7 + trailing},
          trailing == 0 ? 2U : 3U};
}

}  // namespace quipu::text
