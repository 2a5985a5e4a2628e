#include "quipu/text/analysis/term_folder.h"

#include <algorithm>
#include <cstring>
#include <iterator>

#include "quipu/text/analysis/lossy_utf8.h"
#include "quipu/text/analysis/tables.h"
#include "quipu/text/unicode/unicode_data.h"

namespace quipu::text::analysis {
namespace {

constexpr std::size_t kMappedBytesMax = 64;  // of one character; the longest has 33
constexpr char32_t kDotAbove = 0x307;
constexpr char32_t kDotlessI = 0x131;
constexpr char32_t kDottedCapitalI = 0x130;

bool is_apostrophe(char32_t c) noexcept {
  return c == 0x2018 || c == 0x2019 || c == 0x2BC || c == 0xFF07;
}

// The cedilla's letter for one with a comma below.
char32_t with_cedilla(char32_t c) noexcept {
  switch (c) {
    case 0x218: return 0x15E;
    case 0x219: return 0x15F;
    case 0x21A: return 0x162;
    case 0x21B: return 0x163;
    default: return c;
  }
}

// Characters on their way to a term, in place of a vector: nothing is allocated for a word.
struct Parts {
  static constexpr std::size_t kCountMax = kRawCharsMax + 64;
  char32_t text[kCountMax];
  std::size_t count = 0;
  bool complete = true;

  void push(char32_t c) noexcept {
    if ((char_kind(c).flags & kCharIgnorable) != 0) return;
    if (count == kCountMax) {
      complete = false;
      return;
    }
    text[count++] = c;
  }
  void push_mapped(std::string_view utf8) noexcept {
    for (std::size_t at = 0; at < utf8.size();) {
      const DecodedChar c = decode_utf8(utf8.data() + at);
      push(c.value);
      at += c.size;
    }
  }
  void push_decomposed(char32_t c, Mapping mapping) noexcept {
    if (is_hangul_syllable(c)) {
      const HangulJamo jamo = decompose_hangul(c);
      for (std::size_t i = 0; i < jamo.count; ++i) push(jamo.jamo[i]);
      return;
    }
    const std::string_view mapped =
        (char_kind(c).flags & kCharMapped) != 0 ? slow_mapping(c, mapping) : std::string_view();
    if (mapped.empty()) {
      push(c);
    } else {
      push_mapped(mapped);
    }
  }
};

std::uint8_t combining_class(char32_t c) noexcept { return char_kind(c).combining_class; }

// Sorts by combining class, equal ones staying in order: an insertion sort for the few marks that a
// letter has, and counting for the heaps that an attacker would give it.
void sort_few_marks(char32_t* marks, std::size_t count) noexcept {
  for (std::size_t i = 1; i < count; ++i) {
    const char32_t c = marks[i];
    std::size_t to = i;
    for (; to > 0 && combining_class(marks[to - 1]) > combining_class(c); --to) {
      marks[to] = marks[to - 1];
    }
    marks[to] = c;
  }
}
void sort_many_marks(char32_t* marks, std::size_t count) noexcept {
  std::size_t places[257] = {};  // for each class, how many are below it
  for (std::size_t i = 0; i < count; ++i) ++places[combining_class(marks[i]) + 1];
  for (std::size_t i = 1; i < std::size(places); ++i) places[i] += places[i - 1];
  char32_t sorted[Parts::kCountMax];
  for (std::size_t i = 0; i < count; ++i) sorted[places[combining_class(marks[i])]++] = marks[i];
  std::copy(sorted, sorted + count, marks);
}

// Canonical order (Unicode, D109).
void order_marks(Parts& parts) noexcept {
  constexpr std::size_t kFew = 32;
  for (std::size_t i = 0; i < parts.count; ++i) {
    const std::size_t begin = i;
    while (i < parts.count && combining_class(parts.text[i]) != 0) ++i;
    if (i - begin > kFew) {
      sort_many_marks(parts.text + begin, i - begin);
    } else {
      sort_few_marks(parts.text + begin, i - begin);
    }
  }
}

char32_t compose_pair(char32_t first, char32_t second) noexcept {
  if (first - 0x1100 < 19 && second - 0x1161 < 21) {
    return kHangulFirst + ((first - 0x1100) * 21 + (second - 0x1161)) * 28;
  }
  if (is_hangul_syllable(first) && (first - kHangulFirst) % 28 == 0 && second - 0x11A8 < 27) {
    return first + (second - 0x11A7);
  }
  const Composition* const end = kCompositions + kCompositionCount;
  const Composition* const found =
      std::lower_bound(kCompositions, end, Composition{first, second, 0},
                       [](const Composition& a, const Composition& b) {
                         return a.first != b.first ? a.first < b.first : a.second < b.second;
                       });
  return found != end && found->first == first && found->second == second ? found->composed : 0;
}

// Canonical composition (Unicode, D117).
void compose(Parts& parts) noexcept {
  std::size_t count = 0;
  std::size_t starter = 0;
  bool has_starter = false;
  int last_class = -1;  // of the last character kept after the starter; -1 if none was
  for (std::size_t i = 0; i < parts.count; ++i) {
    const char32_t c = parts.text[i];
    const int own_class = combining_class(c);
    if (has_starter && last_class < own_class) {
      const char32_t joined = compose_pair(parts.text[starter], c);
      if (joined != 0) {
        parts.text[starter] = joined;
        continue;
      }
    }
    if (own_class == 0) {
      starter = count;
      has_starter = true;
      last_class = -1;
    } else {
      last_class = own_class;
    }
    parts.text[count++] = c;
  }
  parts.count = count;
}

// Decomposed, with the Turkic letters already in lower case.
void read_word(std::string_view word, const FoldOptions& options, Parts& out) noexcept {
  const Mapping mapping = options.ascii_folding ? Mapping::kCompatibility : Mapping::kCanonical;
  const char* p = word.data();
  const char* const end = p + word.size();
  std::size_t read_count = 0;
  for (; p < end && out.complete; ++read_count) {
    if (read_count == kRawCharsMax) {
      out.complete = false;
      return;
    }
    const DecodedChar c = decode_lossy(p, end);
    p += c.size;
    char32_t value = c.value;
    if (options.turkic && options.case_folding) {
      if (value == kDottedCapitalI) {
        value = U'i';
      } else if (value == U'I') {
        const DecodedChar next = p < end ? decode_lossy(p, end) : DecodedChar{0, 0};
        value = next.value == kDotAbove ? U'i' : kDotlessI;
        if (next.value == kDotAbove) p += next.size;
      }
    }
    out.push_decomposed(value, mapping);
  }
}

void fold_cases(const Parts& in, Mapping mapping, Parts& out) noexcept {
  for (std::size_t i = 0; i < in.count; ++i) {
    const char32_t c = in.text[i];
    const std::string_view folded = (char_kind(c).flags & kCharMapped) != 0
                                        ? slow_mapping(c, Mapping::kCaseFolding)
                                        : std::string_view();
    if (folded.empty()) {
      out.push_decomposed(c, mapping);
      continue;
    }
    for (std::size_t at = 0; at < folded.size();) {
      const DecodedChar part = decode_utf8(folded.data() + at);
      out.push_decomposed(part.value, mapping);
      at += part.size;
    }
  }
  out.complete = out.complete && in.complete;
}

void take_base_letters(const Parts& in, Parts& out) noexcept {
  for (std::size_t i = 0; i < in.count; ++i) {
    const char32_t c = in.text[i];
    const std::uint8_t flags = char_kind(c).flags;
    if ((flags & kCharAccentMark) != 0) continue;
    const std::string_view base =
        (flags & kCharMapped) != 0 ? slow_mapping(c, Mapping::kBaseLetters) : std::string_view();
    if (base.empty()) {
      out.push(c);
    } else {
      out.push_mapped(base);
    }
  }
  out.complete = out.complete && in.complete;
}

}  // namespace

TermFolder::Folded TermFolder::fold_by_definition(std::string_view word, char* out) const noexcept {
  const Mapping mapping = options_.ascii_folding ? Mapping::kCompatibility : Mapping::kCanonical;
  Parts buffers[2];
  Parts* parts = &buffers[0];
  Parts* other = &buffers[1];
  read_word(word, options_, *parts);
  order_marks(*parts);
  if (options_.case_folding) {
    fold_cases(*parts, mapping, *other);
    std::swap(parts, other);
    other->count = 0;
  }
  if (options_.ascii_folding) {
    take_base_letters(*parts, *other);
    std::swap(parts, other);
  }
  order_marks(*parts);
  compose(*parts);
  Folded folded{.complete = parts->complete};
  for (std::size_t i = 0; i < parts->count; ++i) {
    if (folded.size + 4 > kTermBytesMax) return {folded.size, false};
    char32_t c = options_.romanian ? with_cedilla(parts->text[i]) : parts->text[i];
    if ((options_.case_folding || options_.ascii_folding) && is_apostrophe(c)) c = U'\'';
    folded.size += write_utf8(out + folded.size, c);
  }
  return folded;
}

TermFolder::Folded TermFolder::fold(std::string_view word, char* out) const noexcept {
  const std::size_t column =
      options_.case_folding ? (options_.ascii_folding ? 2 : 0) : (options_.ascii_folding ? 1 : 3);
  const bool tailored = options_.romanian || (options_.turkic && options_.case_folding);
  const char* p = word.data();
  const char* const end = p + word.size();
  std::size_t size = 0;
  for (std::size_t count = 0; p < end; ++count) {
    if (count == kRawCharsMax || size + kMappedBytesMax > kTermBytesMax) return {size, false};
    DecodedChar c = decode_lossy(p, end);
    const char* bytes = p;
    p += c.size;
    char changed[4];
    if (tailored || c.value == kReplacementChar) {
      char32_t value = options_.romanian ? with_cedilla(c.value) : c.value;
      if (options_.turkic && options_.case_folding) {
        if (value == U'I') {
          // The lead byte of marks: the dot may be among them, and the slow way knows.
          if (p < end && *p == '\xCC') return fold_by_definition(word, out);
          value = kDotlessI;
        }
        if (value == kDottedCapitalI) value = U'i';
      }
      bytes = changed;
      c = {value, static_cast<std::uint32_t>(write_utf8(changed, value))};
    }
    const std::uint8_t flags = char_kind(c.value).flags;
    if ((flags & (kCharEntangled | kCharIgnorable | kCharMapped)) != 0) {
      if ((flags & kCharEntangled) != 0) return fold_by_definition(word, out);
      if ((flags & kCharIgnorable) != 0) continue;
      if (column < 3) {
        const std::string_view mapped = fast_fold(c.value, column);
        if (!mapped.empty()) {
          std::memcpy(out + size, mapped.data(), mapped.size());
          size += mapped.size();
          continue;
        }
      }
    }
    for (std::uint32_t i = 0; i < c.size; ++i) out[size++] = bytes[i];
  }
  return {size, true};
}

}  // namespace quipu::text::analysis
