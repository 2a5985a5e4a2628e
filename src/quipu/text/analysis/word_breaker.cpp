#include "quipu/text/analysis/word_breaker.h"

#include <cstdint>

#include "quipu/text/analysis/lossy_utf8.h"
#include "quipu/text/analysis/tables.h"

namespace quipu::text::analysis {
namespace {

constexpr std::uint32_t bit(WordClass word_class) noexcept {
  return 1U << static_cast<unsigned>(word_class);
}
// The rules' names for unions of classes.
constexpr std::uint32_t kAhLetter = bit(WordClass::kALetter) | bit(WordClass::kHebrewLetter);
constexpr std::uint32_t kMidNumLetQ = bit(WordClass::kMidNumLet) | bit(WordClass::kSingleQuote);
constexpr std::uint32_t kSkipped =
    bit(WordClass::kExtend) | bit(WordClass::kFormat) | bit(WordClass::kZwj);
constexpr std::uint32_t kNumeric = bit(WordClass::kNumeric);
constexpr std::uint32_t kKatakana = bit(WordClass::kKatakana);
constexpr std::uint32_t kExtendNumLet = bit(WordClass::kExtendNumLet);

// The classes that are never set apart from one of class `word_class` before them, whatever comes
// next (WB5, 8, 9, 10, 13, 13a, 13b).
constexpr std::uint32_t joined_after(WordClass word_class) noexcept {
  switch (word_class) {
    case WordClass::kALetter:
    case WordClass::kHebrewLetter:
    case WordClass::kNumeric: return kAhLetter | kNumeric | kExtendNumLet;
    case WordClass::kKatakana: return kKatakana | kExtendNumLet;
    case WordClass::kExtendNumLet: return kAhLetter | kNumeric | kKatakana | kExtendNumLet;
    default: return 0;
  }
}

struct Cursor {
  const char* p;
  const char* end;
  WordClass word_class = WordClass::kOther;  // of the last character read
  bool pictographic = false;

  [[nodiscard]] bool at_end() const noexcept { return p == end; }
  void read() noexcept {
    const DecodedChar c = decode_lossy(p, end);
    const CharKind& kind = char_kind(c.value);
    word_class = kind.word_class;
    pictographic = (kind.flags & kCharPictographic) != 0;
    p += c.size;
  }
};

// Moves past the next character that is no mark, if it is one of `wanted` (WB4 for WB6, 7b, 12).
bool read_if(Cursor& cursor, std::uint32_t wanted) noexcept {
  Cursor ahead = cursor;
  while (!ahead.at_end()) {
    ahead.read();
    const std::uint32_t found = bit(ahead.word_class);
    if ((found & kSkipped) != 0) continue;
    if ((found & wanted) == 0) return false;
    cursor = ahead;
    return true;
  }
  return false;
}

// Whether `next`, which stands behind the character of the pair, keeps it and a following character
// together (WB6, 7, 7a, 7b, 7c, 11, 12). Moves past both of them, or for WB7a past the quote.
bool join_through(WordClass last, Cursor& next) noexcept {
  const std::uint32_t middle = bit(next.word_class);
  if ((bit(last) & kAhLetter) != 0) {
    if ((middle & (bit(WordClass::kMidLetter) | kMidNumLetQ)) != 0 && read_if(next, kAhLetter)) {
      return true;
    }
    if (last != WordClass::kHebrewLetter) return false;
    if (next.word_class == WordClass::kSingleQuote) return true;
    return next.word_class == WordClass::kDoubleQuote &&
           read_if(next, bit(WordClass::kHebrewLetter));
  }
  return last == WordClass::kNumeric && (middle & (bit(WordClass::kMidNum) | kMidNumLetQ)) != 0 &&
         read_if(next, kNumeric);
}

}  // namespace

std::size_t word_end(std::string_view text, std::size_t begin) noexcept {
  Cursor at{text.data() + begin, text.data() + text.size()};
  const auto place = [&] { return static_cast<std::size_t>(at.p - text.data()); };
  at.read();
  WordClass last = at.word_class;  // of the last character that is no mark
  if (last == WordClass::kLf || last == WordClass::kNewline) return place();  // WB3a
  if (last == WordClass::kCr) return place() + (!at.at_end() && *at.p == '\n' ? 1 : 0);
  bool after_zwj = last == WordClass::kZwj;
  bool adjacent = true;  // no mark since `last`
  bool flag_open = last == WordClass::kRegionalIndicator;
  while (!at.at_end()) {
    Cursor next = at;
    next.read();
    const WordClass found = next.word_class;
    if ((bit(found) & kSkipped) != 0) {  // WB4
      after_zwj = found == WordClass::kZwj;
      adjacent = false;
      at = next;
      continue;
    }
    const bool joined =
        (after_zwj && next.pictographic) ||                                               // WB3c
        (adjacent && last == WordClass::kWSegSpace && found == WordClass::kWSegSpace) ||  // WB3d
        (joined_after(last) & bit(found)) != 0 ||
        (flag_open && found == WordClass::kRegionalIndicator);  // WB15, 16
    if (joined) {
      flag_open = found == WordClass::kRegionalIndicator && !flag_open;
    } else {
      if (!join_through(last, next)) return place();
      flag_open = false;
    }
    last = next.word_class;
    after_zwj = false;
    adjacent = true;
    at = next;
  }
  return place();
}

}  // namespace quipu::text::analysis
