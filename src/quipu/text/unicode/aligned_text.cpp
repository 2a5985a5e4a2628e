#include "quipu/text/unicode/aligned_text.h"

#include <algorithm>
#include <span>

#include "quipu/text/unicode/unicode_data.h"
#include "quipu/text/unicode/utf8.h"

namespace quipu::text {
namespace {

// A character on its way to a normal form, and how many of the original ones went into it: the
// first part of a decomposition counts its original, the others none.
struct AlignedPart {
  char32_t value = 0;
  std::uint32_t originals = 1;
};

// Sorts each run of marks by combining class, equal ones staying in order (Unicode, D109).
void order_marks(std::vector<AlignedPart>& parts, const UnicodeData& data) {
  const auto class_of = [&data](const AlignedPart& part) {
    return data.combining_class(part.value);
  };
  const auto is_starter = [&](const AlignedPart& part) { return class_of(part) == 0; };
  const auto by_class = [&](const AlignedPart& a, const AlignedPart& b) {
    return class_of(a) < class_of(b);
  };
  for (auto begin = parts.begin(); begin != parts.end();) {
    begin = std::find_if_not(begin, parts.end(), is_starter);
    const auto end = std::find_if(begin, parts.end(), is_starter);
    std::stable_sort(begin, end, by_class);
    begin = end;
  }
}

std::vector<AlignedPart> decompose(const AlignedText& text, bool compatibility,
                                   const UnicodeData& data) {
  std::vector<AlignedPart> out;
  out.reserve(text.size());
  for (const AlignedChar& c : text) {
    if (is_hangul_syllable(c.value)) {
      const HangulJamo jamo = decompose_hangul(c.value);
      for (std::size_t i = 0; i < jamo.count; ++i) out.push_back({jamo.jamo[i], i == 0 ? 1U : 0U});
      continue;
    }
    std::span<const char32_t> parts;
    if (compatibility) parts = data.compatibility(c.value);
    if (parts.empty()) parts = data.canonical(c.value);
    if (parts.empty()) out.push_back({c.value, 1});
    for (std::size_t i = 0; i < parts.size(); ++i) out.push_back({parts[i], i == 0 ? 1U : 0U});
  }
  order_marks(out, data);
  return out;
}

// Unicode's canonical composition (D117).
void compose(std::vector<AlignedPart>& parts, const UnicodeData& data) {
  std::size_t count = 0;    // of those kept
  std::size_t starter = 0;  // the last character that others may join
  bool has_starter = false;
  int last_class = -1;  // of the last character kept after the starter; -1 if none was
  for (const AlignedPart& part : parts) {
    const int own_class = data.combining_class(part.value);
    if (has_starter && last_class < own_class) {
      const char32_t joined = data.compose(parts[starter].value, part.value);
      if (joined != 0) {
        parts[starter].value = joined;
        parts[starter].originals += part.originals;
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
    parts[count++] = part;
  }
  parts.resize(count);
}

// Whether nothing in the text can change: below the first character that comes apart, or, when all
// is put together again, below the first mark.
bool is_normal_already(const AlignedText& text, NormalForm form) {
  const char32_t end = form == NormalForm::kNfc ? 0x300 : form == NormalForm::kNfd ? 0xC0 : 0xA0;
  return std::all_of(text.begin(), text.end(),
                     [end](const AlignedChar& c) { return c.value < end; });
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

void normalise(AlignedText& text, NormalForm form) {
  if (is_normal_already(text, form)) return;
  const UnicodeData& data = UnicodeData::instance();
  const bool compatibility = form == NormalForm::kNfkd || form == NormalForm::kNfkc;
  std::vector<AlignedPart> parts = decompose(text, compatibility, data);
  if (form == NormalForm::kNfc || form == NormalForm::kNfkc) compose(parts, data);
  // In the new order each takes the bytes of the next original character, and skips as many more as
  // went into it; one without an original has those of the character before it. So bytes ascend,
  // whatever was put into order.
  AlignedText aligned;
  aligned.reserve(parts.size());
  std::size_t next = 0;
  for (const AlignedPart& part : parts) {
    const std::size_t at = part.originals > 0 || next == 0 ? next : next - 1;
    aligned.push_back({part.value, text[at].begin, text[at].end});
    next += part.originals;
  }
  text.swap(aligned);
}

}  // namespace quipu::text
