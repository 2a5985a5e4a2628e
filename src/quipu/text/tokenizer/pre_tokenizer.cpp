#include "quipu/text/tokenizer/pre_tokenizer.h"

#include <string>

#include "quipu/text/tokenizer/json_fields.h"
#include "quipu/text/unicode/unicode_data.h"

namespace quipu::text {
namespace {

constexpr std::size_t kDepthMax = 8;

// Characters of one class stay together, those of kAlone stand by themselves, kGap goes.
enum class CharClass : std::uint8_t { kGap, kAlone, kFirst, kSecond };

CharClass classify(SplitStep step, std::uint8_t flags) {
  switch (step) {
    case SplitStep::kSpaces: return (flags & kCharSpace) != 0 ? CharClass::kGap : CharClass::kFirst;
    case SplitStep::kPunctuation:
      return (flags & kCharPunctuation) != 0 ? CharClass::kAlone : CharClass::kFirst;
    case SplitStep::kWords:
      if ((flags & kCharWord) != 0) return CharClass::kFirst;
      return (flags & kCharSpace) != 0 ? CharClass::kGap : CharClass::kSecond;
  }
  return CharClass::kFirst;
}

void split_range(SplitStep step, std::span<const AlignedChar> text, PreTokenizer::Range range,
                 std::vector<PreTokenizer::Range>& out) {
  const UnicodeData& data = UnicodeData::instance();
  std::size_t start = range.begin;
  CharClass open = CharClass::kGap;  // the class of [start, i)
  for (std::size_t i = range.begin; i < range.end; ++i) {
    const CharClass own = classify(step, data.flags(text[i].value));
    if (own == open && own != CharClass::kAlone) continue;
    if (open != CharClass::kGap) out.push_back({start, i});
    start = i;
    open = own;
  }
  if (open != CharClass::kGap) out.push_back({start, range.end});
}

}  // namespace

Status PreTokenizer::add(JsonView json, std::size_t depth) {
  if (depth > kDepthMax) {
    return Error{ErrorCode::kInvalidArgument,
                 "pre_tokenizer: sequences are nested deeper than " + std::to_string(kDepthMax)};
  }
  QUIPU_TRY(const std::string_view type, read_type(json, "pre_tokenizer"));
  if (type == "Sequence") {
    QUIPU_TRY_OK(check_fields(json, "pre_tokenizer", {"type", "pretokenizers"}));
    return for_each_part(json, "pretokenizers",
                         [&](JsonView part) { return add(part, depth + 1); });
  }
  if (type == "Punctuation") {
    QUIPU_TRY_OK(check_fields(json, "pre_tokenizer", {"type", "behavior"}));
    QUIPU_TRY(const std::string_view behavior, read_string(json, "behavior", "Isolated"));
    if (behavior != "Isolated") {
      return unimplemented("pre_tokenizer: Punctuation with behavior", behavior);
    }
    steps_.push_back(SplitStep::kPunctuation);
    return ok_status();
  }
  if (type != "BertPreTokenizer" && type != "WhitespaceSplit" && type != "Whitespace") {
    return unimplemented("pre_tokenizer", type);
  }
  QUIPU_TRY_OK(check_fields(json, "pre_tokenizer", {"type"}));
  if (type == "Whitespace") {
    steps_.push_back(SplitStep::kWords);
    return ok_status();
  }
  steps_.push_back(SplitStep::kSpaces);
  if (type == "BertPreTokenizer") steps_.push_back(SplitStep::kPunctuation);
  return ok_status();
}

Result<PreTokenizer> PreTokenizer::read(JsonView json) {
  PreTokenizer pre_tokenizer;
  if (json.is_null()) return pre_tokenizer;
  QUIPU_TRY_OK(pre_tokenizer.add(json, 0));
  QUIPU_TRY(const std::string_view type, read_type(json, "pre_tokenizer"));
  pre_tokenizer.is_bert_ = type == "BertPreTokenizer";
  return pre_tokenizer;
}

void PreTokenizer::split(std::span<const AlignedChar> text, std::vector<Range>& words) const {
  words.clear();
  if (!text.empty()) words.push_back({0, text.size()});
  std::vector<Range> next;
  for (const SplitStep step : steps_) {
    next.clear();
    for (const Range& word : words) split_range(step, text, word, next);
    words.swap(next);
  }
}

}  // namespace quipu::text
