#include "quipu/text/unicode/aligned_text.h"

#include <algorithm>
#include <span>

#include "quipu/text/unicode/unicode_data.h"
#include "quipu/text/unicode/utf8.h"

namespace quipu::text {
namespace {

// A character of a decomposition, and whether it is the first part of its original one.
struct Part {
  char32_t value = 0;
  bool first = true;
};

// Sorts each run of marks by combining class, equal ones staying in order (Unicode, D109).
void order_marks(std::vector<Part>& parts, const UnicodeData& data) {
  const auto class_of = [&data](const Part& part) { return data.combining_class(part.value); };
  const auto is_starter = [&](const Part& part) { return class_of(part) == 0; };
  const auto by_class = [&](const Part& a, const Part& b) { return class_of(a) < class_of(b); };
  for (auto begin = parts.begin(); begin != parts.end();) {
    begin = std::find_if_not(begin, parts.end(), is_starter);
    const auto end = std::find_if(begin, parts.end(), is_starter);
    std::stable_sort(begin, end, by_class);
    begin = end;
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
  std::vector<Part> out;
  out.reserve(text.size());
  for (const AlignedChar& c : text) {
    if (is_hangul_syllable(c.value)) {
      const HangulJamo jamo = decompose_hangul(c.value);
      for (std::size_t i = 0; i < jamo.count; ++i) out.push_back({jamo.jamo[i], i == 0});
      continue;
    }
    std::span<const char32_t> parts;
    if (kind == Decomposition::kCompatibility) parts = data.compatibility(c.value);
    if (parts.empty()) parts = data.canonical(c.value);
    if (parts.empty()) out.push_back({c.value, true});
    for (std::size_t i = 0; i < parts.size(); ++i) out.push_back({parts[i], i == 0});
  }
  order_marks(out, data);
  // In the new order each first part takes the bytes of the next original character, and each later
  // part those of the character before it: so bytes ascend, whatever was put into order.
  AlignedText aligned;
  aligned.reserve(out.size());
  std::size_t next = 0;
  for (const Part& part : out) {
    if (part.first) ++next;
    const AlignedChar& from = text[next == 0 ? 0 : next - 1];
    aligned.push_back({part.value, from.begin, from.end});
  }
  text.swap(aligned);
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
