#include "quipu/text/tokenizer/normalizer.h"

#include <algorithm>
#include <string>

#include "quipu/text/tokenizer/json_fields.h"
#include "quipu/text/unicode/unicode_data.h"

namespace quipu::text {
namespace {

constexpr std::size_t kDepthMax = 8;

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
  AlignedText out;
  out.reserve(text.size());
  for (const AlignedChar& c : text) {
    if (!data.has(c.value, kCharIdeograph)) {
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
  AlignedText out;
  out.reserve(text.size());
  for (const AlignedChar& c : text) {
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

void run_step(NormalizerStep step, AlignedText& text) {
  switch (step) {
    case NormalizerStep::kNfc: normalise(text, NormalForm::kNfc); break;
    case NormalizerStep::kNfd: normalise(text, NormalForm::kNfd); break;
    case NormalizerStep::kNfkc: normalise(text, NormalForm::kNfkc); break;
    case NormalizerStep::kNfkd: normalise(text, NormalForm::kNfkd); break;
    case NormalizerStep::kCleanText: clean_text(text); break;
    case NormalizerStep::kSpaceIdeographs: space_ideographs(text); break;
    case NormalizerStep::kStripNonspacing: remove_flagged(text, kCharNonspacing); break;
    case NormalizerStep::kStripMarks: remove_flagged(text, kCharMark); break;
    case NormalizerStep::kLowercase: lowercase(text); break;
    case NormalizerStep::kStripLeft:
    case NormalizerStep::kStripRight: strip(text, step == NormalizerStep::kStripLeft); break;
  }
}

Status add_bert(JsonView json, std::vector<NormalizerStep>& steps) {
  QUIPU_TRY_OK(
      check_fields(json, "normalizer",
                   {"type", "clean_text", "handle_chinese_chars", "strip_accents", "lowercase"}));
  QUIPU_TRY(const bool clean, read_bool(json, "clean_text", true));
  QUIPU_TRY(const bool ideographs, read_bool(json, "handle_chinese_chars", true));
  QUIPU_TRY(const bool lower, read_bool(json, "lowercase", true));
  // Null means: as lowercase.
  QUIPU_TRY(const bool accents, read_bool(json, "strip_accents", lower));
  if (clean) steps.push_back(NormalizerStep::kCleanText);
  if (ideographs) steps.push_back(NormalizerStep::kSpaceIdeographs);
  if (accents) {
    steps.push_back(NormalizerStep::kNfd);
    steps.push_back(NormalizerStep::kStripNonspacing);
  }
  if (lower) steps.push_back(NormalizerStep::kLowercase);
  return ok_status();
}

struct SimpleNormalizer {
  std::string_view type;
  NormalizerStep step;
};
constexpr SimpleNormalizer kSimple[] = {
    {"NFC", NormalizerStep::kNfc},
    {"NFD", NormalizerStep::kNfd},
    {"NFKC", NormalizerStep::kNfkc},
    {"NFKD", NormalizerStep::kNfkd},
    {"Lowercase", NormalizerStep::kLowercase},
    {"StripAccents", NormalizerStep::kStripMarks},
};

}  // namespace

Status Normalizer::add(JsonView json, std::size_t depth) {
  if (depth > kDepthMax) {
    return Error{ErrorCode::kInvalidArgument,
                 "normalizer: sequences are nested deeper than " + std::to_string(kDepthMax)};
  }
  QUIPU_TRY(const std::string_view type, read_type(json, "normalizer"));
  if (type == "BertNormalizer") return add_bert(json, steps_);
  if (type == "Strip") {
    QUIPU_TRY_OK(check_fields(json, "normalizer", {"type", "strip_left", "strip_right"}));
    QUIPU_TRY(const bool left, read_bool(json, "strip_left", true));
    QUIPU_TRY(const bool right, read_bool(json, "strip_right", true));
    if (left) steps_.push_back(NormalizerStep::kStripLeft);
    if (right) steps_.push_back(NormalizerStep::kStripRight);
    return ok_status();
  }
  if (type == "Sequence") {
    QUIPU_TRY_OK(check_fields(json, "normalizer", {"type", "normalizers"}));
    return for_each_part(json, "normalizers", [&](JsonView part) { return add(part, depth + 1); });
  }
  for (const SimpleNormalizer& simple : kSimple) {
    if (type != simple.type) continue;
    QUIPU_TRY_OK(check_fields(json, "normalizer", {"type"}));
    steps_.push_back(simple.step);
    return ok_status();
  }
  return unimplemented("normalizer", type);
}

Result<Normalizer> Normalizer::read(JsonView json) {
  Normalizer normalizer;
  if (json.is_null()) return normalizer;
  QUIPU_TRY_OK(normalizer.add(json, 0));
  QUIPU_TRY(const std::string_view type, read_type(json, "normalizer"));
  normalizer.is_bert_ = type == "BertNormalizer";
  return normalizer;
}

void Normalizer::normalize(AlignedText& text) const {
  for (const NormalizerStep step : steps_) run_step(step, text);
}

}  // namespace quipu::text
