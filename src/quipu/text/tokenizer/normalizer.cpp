#include "quipu/text/tokenizer/normalizer.h"

#include <algorithm>
#include <array>
#include <string>

#include "quipu/text/tokenizer/pattern_field.h"
#include "quipu/text/unicode/unicode_data.h"
#include "quipu/text/unicode/utf8.h"

namespace quipu::text {
namespace {

constexpr std::size_t kNormalizerDepthMax = 8;
constexpr std::size_t kNormalizerStepsMax = 64;
constexpr std::size_t kContentBytesMax = 4'096;
// A step may make text longer, and steps follow each other: more than this is a mistake or worse.
constexpr std::size_t kGrowthMax = 32;
constexpr std::size_t kGrowthFree = 1U << 20;

void remove_flagged(AlignedText& text, CharFlag flag) {
  const UnicodeData& data = UnicodeData::instance();
  std::erase_if(text, [&](const AlignedChar& c) { return data.has(c.value, flag); });
}

void clean_text(AlignedText& text) {
  remove_flagged(text, kCharControl);
  const UnicodeData& data = UnicodeData::instance();
  for (AlignedChar& c : text) {
    if (data.has(c.value, kCharSpace)) c.value = ' ';
  }
}

void space_ideographs(AlignedText& text) {
  const UnicodeData& data = UnicodeData::instance();
  const auto is_ideograph = [&](const AlignedChar& c) { return data.has(c.value, kCharIdeograph); };
  if (std::none_of(text.begin(), text.end(), is_ideograph)) return;
  AlignedText out;
  out.reserve(text.size() + 16);
  for (const AlignedChar& c : text) {
    if (!is_ideograph(c)) {
      out.push_back(c);
      continue;
    }
    out.push_back({' ', c.begin, c.end});
    out.push_back(c);
    out.push_back({' ', c.begin, c.end});
  }
  text.swap(out);
}

void lowercase(AlignedText& text) {
  const UnicodeData& data = UnicodeData::instance();
  std::size_t at = 0;
  for (; at < text.size(); ++at) {
    AlignedChar& c = text[at];
    if (c.value < 128) {
      if (c.value >= 'A' && c.value <= 'Z') c.value += 0x20;
      continue;
    }
    const std::span<const char32_t> parts = data.lowercase(c.value);
    if (parts.size() > 1) break;
    if (!parts.empty()) c.value = parts[0];
  }
  if (at == text.size()) return;
  AlignedText out(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(at));
  for (; at < text.size(); ++at) {
    const AlignedChar& c = text[at];
    const std::span<const char32_t> parts = data.lowercase(c.value);
    if (parts.empty()) out.push_back(c);
    for (const char32_t part : parts) out.push_back({part, c.begin, c.end});
  }
  text.swap(out);
}

void strip(AlignedText& text, bool left) {
  const UnicodeData& data = UnicodeData::instance();
  const auto kept = [&](const AlignedChar& c) { return !data.has(c.value, kCharSpace); };
  if (left) {
    text.erase(text.begin(), std::find_if(text.begin(), text.end(), kept));
  } else {
    text.erase(std::find_if(text.rbegin(), text.rend(), kept).base(), text.end());
  }
}

void nmt(AlignedText& text) {
  std::erase_if(text, [](const AlignedChar& part) {
    const char32_t c = part.value;
    return (c >= 0x01 && c <= 0x08) || c == 0x0B || (c >= 0x0E && c <= 0x1F) || c == 0x7F ||
           c == 0x8F || c == 0x9F;
  });
  for (AlignedChar& part : text) {
    const char32_t c = part.value;
    if (c == 0x09 || c == 0x0A || c == 0x0C || c == 0x0D || c == 0x1680 ||
        (c >= 0x200B && c <= 0x200F) || c == 0x2028 || c == 0x2029 || c == 0x2581 || c == 0xFEFF ||
        c == 0xFFFD) {
      part.value = ' ';
    }
  }
}

Status replace(const NormalizerStep& step, std::uint32_t base, std::size_t size_max,
               NormalizerScratch& scratch, AlignedText& text) {
  QUIPU_TRY_OK(step.pattern->find_all(text, scratch.matcher, scratch.matches));
  if (text.empty() || scratch.matches.empty()) return ok_status();
  AlignedText& out = scratch.text;
  out.clear();
  std::size_t kept = 0;
  for (const CharPattern::Match& match : scratch.matches) {
    const auto begin = text.begin();
    out.insert(out.end(), begin + static_cast<std::ptrdiff_t>(kept),
               begin + static_cast<std::ptrdiff_t>(match.begin));
    const AlignedChar place = match.end == 0 ? AlignedChar{0, base, base} : text[match.end - 1];
    for (const char32_t c : step.content) out.push_back({c, place.begin, place.end});
    kept = match.end;
    if (out.size() > size_max) break;  // The caller refuses what is too long.
  }
  out.insert(out.end(), text.begin() + static_cast<std::ptrdiff_t>(kept), text.end());
  text.swap(out);
  return ok_status();
}

void prepend(const std::u32string& content, std::uint32_t base, AlignedText& text) {
  if (text.empty()) return;
  const AlignedChar first = text[0];
  if (content.empty()) {  // The reference then takes the first character for a new one.
    text[0].begin = text[0].end = base;
    return;
  }
  text.insert(text.begin(), content.size(), first);
  for (std::size_t i = 0; i < content.size(); ++i) text[i].value = content[i];
}

void byte_level(NormalizerScratch& scratch, AlignedText& text) {
  AlignedText& out = scratch.text;
  out.clear();
  for (const AlignedChar& c : text) {
    char bytes[4];
    const std::size_t size = write_utf8(bytes, c.value);
    for (std::size_t i = 0; i < size; ++i) {
      out.push_back({byte_level_char(static_cast<unsigned char>(bytes[i])), c.begin, c.end});
    }
  }
  text.swap(out);
}

Status run_step(const NormalizerStep& step, std::uint32_t base, std::size_t size_max,
                NormalizerScratch& scratch, AlignedText& text) {
  switch (step.kind) {
    case NormalizerKind::kNfc: normalise(text, NormalForm::kNfc); break;
    case NormalizerKind::kNfd: normalise(text, NormalForm::kNfd); break;
    case NormalizerKind::kNfkc: normalise(text, NormalForm::kNfkc); break;
    case NormalizerKind::kNfkd: normalise(text, NormalForm::kNfkd); break;
    case NormalizerKind::kCleanText: clean_text(text); break;
    case NormalizerKind::kSpaceIdeographs: space_ideographs(text); break;
    case NormalizerKind::kStripNonspacing: remove_flagged(text, kCharNonspacing); break;
    case NormalizerKind::kStripMarks: remove_flagged(text, kCharMark); break;
    case NormalizerKind::kLowercase: lowercase(text); break;
    case NormalizerKind::kStripLeft:
    case NormalizerKind::kStripRight: strip(text, step.kind == NormalizerKind::kStripLeft); break;
    case NormalizerKind::kNmt: nmt(text); break;
    case NormalizerKind::kReplace: return replace(step, base, size_max, scratch, text);
    case NormalizerKind::kPrepend: prepend(step.content, base, text); break;
    case NormalizerKind::kCharsmap: step.charsmap->normalize(base, text, scratch.changes); break;
    case NormalizerKind::kByteLevel: byte_level(scratch, text); break;
  }
  return ok_status();
}

Status add_bert(const JsonPart& part, std::vector<NormalizerStep>& steps) {
  QUIPU_TRY_OK(part.check_fields(
      {"type", "clean_text", "handle_chinese_chars", "strip_accents", "lowercase"}));
  QUIPU_TRY(const bool clean, part.read_bool("clean_text", true));
  QUIPU_TRY(const bool ideographs, part.read_bool("handle_chinese_chars", true));
  QUIPU_TRY(const bool lower, part.read_bool("lowercase", true));
  // Null means: as lowercase.
  QUIPU_TRY(const bool accents, part.read_bool("strip_accents", lower));
  if (clean) steps.push_back({NormalizerKind::kCleanText});
  if (ideographs) steps.push_back({NormalizerKind::kSpaceIdeographs});
  if (accents) {
    steps.push_back({NormalizerKind::kNfd});
    steps.push_back({NormalizerKind::kStripNonspacing});
  }
  if (lower) steps.push_back({NormalizerKind::kLowercase});
  return ok_status();
}

Result<std::u32string> read_content(const JsonPart& part, std::string_view field) {
  QUIPU_TRY(const std::string_view text, part.read_text(field));
  if (text.size() > kContentBytesMax || find_invalid_utf8(text) != std::string_view::npos) {
    return part.invalid(field, "UTF-8 of at most " + std::to_string(kContentBytesMax) + " bytes");
  }
  AlignedText chars;
  decode_aligned(text, 0, chars);
  std::u32string out;
  for (const AlignedChar& c : chars) out += c.value;
  return out;
}

Status add_replace(const JsonPart& part, std::vector<NormalizerStep>& steps) {
  QUIPU_TRY_OK(part.check_fields({"type", "pattern", "content"}));
  NormalizerStep step{NormalizerKind::kReplace};
  QUIPU_TRY(step.pattern, read_pattern(part, "pattern"));
  QUIPU_TRY(step.content, read_content(part, "content"));
  steps.push_back(std::move(step));
  return ok_status();
}

Status add_prepend(const JsonPart& part, std::vector<NormalizerStep>& steps) {
  QUIPU_TRY_OK(part.check_fields({"type", "prepend"}));
  NormalizerStep step{NormalizerKind::kPrepend};
  QUIPU_TRY(step.content, read_content(part, "prepend"));
  steps.push_back(std::move(step));
  return ok_status();
}

Status add_charsmap(const JsonPart& part, std::vector<NormalizerStep>& steps) {
  QUIPU_TRY_OK(part.check_fields({"type", "precompiled_charsmap"}));
  QUIPU_TRY(const std::string_view base64, part.read_text("precompiled_charsmap"));
  Result<Charsmap> map = Charsmap::read(base64);
  if (!map.ok()) return part.invalid("precompiled_charsmap", map.error().message);
  NormalizerStep step{NormalizerKind::kCharsmap};
  step.charsmap = std::make_shared<const Charsmap>(std::move(map).value());
  steps.push_back(std::move(step));
  return ok_status();
}

Status add_strip(const JsonPart& part, std::vector<NormalizerStep>& steps) {
  QUIPU_TRY_OK(part.check_fields({"type", "strip_left", "strip_right"}));
  QUIPU_TRY(const bool left, part.read_bool("strip_left", true));
  QUIPU_TRY(const bool right, part.read_bool("strip_right", true));
  if (left) steps.push_back({NormalizerKind::kStripLeft});
  if (right) steps.push_back({NormalizerKind::kStripRight});
  return ok_status();
}

struct SimpleNormalizer {
  std::string_view type;
  NormalizerKind kind;
};
constexpr SimpleNormalizer kSimpleNormalizers[] = {
    {"NFC", NormalizerKind::kNfc},
    {"NFD", NormalizerKind::kNfd},
    {"NFKC", NormalizerKind::kNfkc},
    {"NFKD", NormalizerKind::kNfkd},
    {"Lowercase", NormalizerKind::kLowercase},
    {"StripAccents", NormalizerKind::kStripMarks},
    {"Nmt", NormalizerKind::kNmt},
    {"ByteLevel", NormalizerKind::kByteLevel},
};

std::array<char32_t, 256> make_byte_chars() {
  std::array<char32_t, 256> out{};
  char32_t next = 0x100;
  for (char32_t byte = 0; byte < 256; ++byte) {
    const bool printable = (byte >= '!' && byte <= '~') || (byte >= 0xA1 && byte != 0xAD);
    out[byte] = printable ? byte : next++;
  }
  return out;
}

}  // namespace

char32_t byte_level_char(unsigned char byte) noexcept {
  static const std::array<char32_t, 256> chars = make_byte_chars();
  return chars[byte];
}

Status Normalizer::add(const JsonPart& part, std::size_t depth) {
  if (depth > kNormalizerDepthMax || steps_.size() > kNormalizerStepsMax) {
    return part.invalid("", "at most " + std::to_string(kNormalizerStepsMax) + " steps, nested " +
                                std::to_string(kNormalizerDepthMax) + " deep");
  }
  QUIPU_TRY(const std::string_view type, part.type());
  if (type == "BertNormalizer") return add_bert(part, steps_);
  if (type == "Strip") return add_strip(part, steps_);
  if (type == "Replace") return add_replace(part, steps_);
  if (type == "Prepend") return add_prepend(part, steps_);
  if (type == "Precompiled") return add_charsmap(part, steps_);
  if (type == "Sequence") {
    QUIPU_TRY_OK(part.check_fields({"type", "normalizers"}));
    return part.for_each("normalizers", kNormalizerStepsMax,
                         [&](const JsonPart& inner) { return add(inner, depth + 1); });
  }
  for (const SimpleNormalizer& simple : kSimpleNormalizers) {
    if (type != simple.type) continue;
    QUIPU_TRY_OK(part.check_fields({"type"}));
    steps_.push_back({simple.kind});
    return ok_status();
  }
  return part.unsupported("'" + std::string(type) + "'", "type");
}

Result<Normalizer> Normalizer::read(const JsonPart& parent) {
  Normalizer normalizer;
  const std::optional<JsonPart> part = parent.find("normalizer");
  if (!part.has_value()) return normalizer;
  QUIPU_TRY_OK(normalizer.add(*part, 0));
  QUIPU_TRY(const std::string_view type, part->type());
  normalizer.is_bert_ = type == "BertNormalizer";
  return normalizer;
}

Status Normalizer::normalize(std::uint32_t base, NormalizerScratch& scratch,
                             AlignedText& text) const {
  const std::size_t size_max = text.size() * kGrowthMax + kGrowthFree;
  for (const NormalizerStep& step : steps_) {
    QUIPU_TRY_OK(run_step(step, base, size_max, scratch, text));
    if (text.size() > size_max) {
      return Error{
          ErrorCode::kResourceExhausted,
          "normalizing makes the text longer than " + std::to_string(size_max) + " characters",
          "text_too_large"};
    }
  }
  return ok_status();
}

}  // namespace quipu::text
