#include "quipu/text/unicode/aligned_text.h"

#include <algorithm>
#include <span>

#include "quipu/text/unicode/unicode_data.h"
#include "quipu/text/unicode/utf8.h"

namespace quipu::text {
namespace {

// Sorts each run of marks by combining class, equal ones staying in order (Unicode, D109). The
// bytes stay with the places and not with the marks, so that they go on ascending.
void order_marks(AlignedText& text, const UnicodeData& data) {
  const auto by_class = [&](char32_t a, char32_t b) {
    return data.combining_class(a) < data.combining_class(b);
  };
  std::vector<char32_t> marks;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (data.combining_class(text[i].value) == 0) continue;
    marks.clear();
    for (std::size_t k = i; k < text.size(); ++k) {
      if (data.combining_class(text[k].value) == 0) break;
      marks.push_back(text[k].value);
    }
    std::stable_sort(marks.begin(), marks.end(), by_class);
    for (std::size_t k = 0; k < marks.size(); ++k) text[i + k].value = marks[k];
    i += marks.size() - 1;
  }
}

}  // namespace

void decode_aligned(std::string_view text, std::uint32_t base, AlignedText& out) {
  out.clear();
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const DecodedChar c = decode_utf8(text.data() + at);
    const auto begin = base + static_cast<std::uint32_t>(at);
    out.push_back({c.value, begin, begin + c.size});
    at += c.size;
  }
}

void decompose(AlignedText& text, Decomposition kind) {
  const UnicodeData& data = UnicodeData::instance();
  AlignedText out;
  out.reserve(text.size());
  for (const AlignedChar& c : text) {
    if (is_hangul_syllable(c.value)) {
      const HangulJamo jamo = decompose_hangul(c.value);
      for (std::size_t i = 0; i < jamo.count; ++i) out.push_back({jamo.jamo[i], c.begin, c.end});
      continue;
    }
    std::span<const char32_t> parts;
    if (kind == Decomposition::kCompatibility) parts = data.compatibility(c.value);
    if (parts.empty()) parts = data.canonical(c.value);
    if (parts.empty()) out.push_back(c);
    for (const char32_t part : parts) out.push_back({part, c.begin, c.end});
  }
  order_marks(out, data);
  text.swap(out);
}

void compose(AlignedText& text) {
  const UnicodeData& data = UnicodeData::instance();
  std::vector<char32_t> out;
  std::vector<std::uint32_t> joined_counts;  // for each of `out`, how many more it took in
  out.reserve(text.size());
  joined_counts.reserve(text.size());
  std::size_t starter = 0;  // index in `out` of the last character that others may join
  bool has_starter = false;
  int last_class = -1;  // of the last character kept after the starter; -1 if none was
  for (const AlignedChar& c : text) {
    const int own_class = data.combining_class(c.value);
    if (has_starter && last_class < own_class) {
      const char32_t joined = data.compose(out[starter], c.value);
      if (joined != 0) {
        out[starter] = joined;
        ++joined_counts[starter];
        continue;
      }
    }
    if (own_class == 0) {
      starter = out.size();
      has_starter = true;
      last_class = -1;
    } else {
      last_class = own_class;
    }
    out.push_back(c.value);
    joined_counts.push_back(0);
  }
  // As with reordering, the bytes stay with the places: one that took in others has those of the
  // first of its places, and the next begins after all of them.
  std::size_t place = 0;
  for (std::size_t i = 0; i < out.size(); ++i) {
    text[i] = {out[i], text[place].begin, text[place].end};
    place += joined_counts[i] + 1;
  }
  text.resize(out.size());
}

}  // namespace quipu::text
