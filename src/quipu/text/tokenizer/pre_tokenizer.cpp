#include "quipu/text/tokenizer/pre_tokenizer.h"

#include <algorithm>
#include <string>

#include "quipu/text/tokenizer/normalizer.h"
#include "quipu/text/tokenizer/pattern_field.h"
#include "quipu/text/unicode/graphemes.h"
#include "quipu/text/unicode/unicode_data.h"
#include "quipu/text/unicode/utf8.h"

namespace quipu::text {
namespace {

using Range = PreTokenizer::Range;
using Part = PreTokenizer::Part;

constexpr std::size_t kSplitDepthMax = 8;
constexpr std::size_t kSplitStepsMax = 64;
// How GPT-2 cuts English, and ByteLevel by itself.
constexpr std::string_view kByteLevelPattern =
    "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

// Characters of one class stay together, those of kAlone stand by themselves, kGap goes.
enum class CharClass : std::uint8_t { kGap, kAlone, kFirst, kSecond };

CharClass classify(SplitKind kind, std::uint8_t flags) {
  if (kind == SplitKind::kWords && (flags & kCharWord) != 0) return CharClass::kFirst;
  if (kind == SplitKind::kPunctuation) {
    return (flags & kCharPunctuation) != 0 ? CharClass::kAlone : CharClass::kFirst;
  }
  if ((flags & kCharSpace) != 0) return CharClass::kGap;
  return kind == SplitKind::kSpaces ? CharClass::kFirst : CharClass::kSecond;
}

// Spaces removed, punctuation isolated, and Whitespace: by far the most frequent.
void split_by_class(SplitKind kind, std::span<const AlignedChar> text, Range range,
                    std::vector<Range>& out) {
  const UnicodeData& data = UnicodeData::instance();
  std::size_t start = range.begin;
  CharClass open = CharClass::kGap;  // the class of [start, i)
  for (std::size_t i = range.begin; i < range.end; ++i) {
    const CharClass own = classify(kind, data.flags(text[i].value));
    if (own == open && own != CharClass::kAlone) continue;
    if (open != CharClass::kGap) out.push_back({start, i});
    start = i;
    open = own;
  }
  if (open != CharClass::kGap) out.push_back({start, range.end});
}

// Each character that `matches` is a part of its own.
template <typename Matches>
void find_characters(std::span<const AlignedChar> text, Range range, Matches matches,
                     std::vector<Part>& parts) {
  std::size_t start = range.begin;
  for (std::size_t i = range.begin; i < range.end; ++i) {
    if (!matches(text[i].value)) continue;
    if (start < i) parts.push_back({start, i, false});
    parts.push_back({i, i + 1, true});
    start = i + 1;
  }
  if (start < range.end) parts.push_back({start, range.end, false});
}

void find_pattern(std::span<const CharPattern::Match> matches, Range range, bool invert,
                  std::vector<Part>& parts) {
  std::size_t start = range.begin;
  for (const CharPattern::Match& match : matches) {
    const std::size_t begin = range.begin + match.begin;
    const std::size_t end = range.begin + match.end;
    if (start != begin) parts.push_back({start, begin, invert});
    parts.push_back({begin, end, !invert});
    start = end;
  }
  if (start != range.end) parts.push_back({start, range.end, invert});
}

void add_word(std::size_t begin, std::size_t end, std::vector<Range>& out) {
  if (begin < end) out.push_back({begin, end});
}

void merge_with_next(std::span<const Part> parts, std::vector<Range>& out) {
  const std::size_t first = out.size();
  std::vector<Range> reversed;
  bool after_matched = false;
  for (auto part = parts.rbegin(); part != parts.rend(); ++part) {
    if (part->matched && !after_matched && !reversed.empty()) {
      reversed.back().begin = part->begin;
    } else {
      reversed.push_back({part->begin, part->end});
    }
    after_matched = part->matched;
  }
  for (const Range& range : reversed) add_word(range.begin, range.end, out);
  std::reverse(out.begin() + static_cast<std::ptrdiff_t>(first), out.end());
}

void merge_with_previous(std::span<const Part> parts, bool contiguous, std::vector<Range>& out) {
  std::vector<Range> merged;
  bool before_matched = false;
  for (const Part& part : parts) {
    const bool joins =
        contiguous ? part.matched == before_matched : part.matched && !before_matched;
    if (joins && !merged.empty()) {
      merged.back().end = part.end;
    } else {
      merged.push_back({part.begin, part.end});
    }
    before_matched = part.matched;
  }
  for (const Range& range : merged) add_word(range.begin, range.end, out);
}

void apply_behavior(SplitBehavior behavior, std::span<const Part> parts, std::vector<Range>& out) {
  switch (behavior) {
    case SplitBehavior::kRemoved:
    case SplitBehavior::kIsolated:
      for (const Part& part : parts) {
        if (behavior == SplitBehavior::kIsolated || !part.matched) {
          add_word(part.begin, part.end, out);
        }
      }
      break;
    case SplitBehavior::kMergedWithPrevious: merge_with_previous(parts, false, out); break;
    case SplitBehavior::kContiguous: merge_with_previous(parts, true, out); break;
    case SplitBehavior::kMergedWithNext: merge_with_next(parts, out); break;
  }
}

// Kana count as Han, spaces go with anything; what is before the first script is lost.
void split_scripts(std::span<const AlignedChar> text, Range range, std::vector<Range>& out) {
  static const unsigned han = script_of(0x4E00);
  static const unsigned hiragana = script_of(0x3042);
  static const unsigned katakana = script_of(0x30A2);
  unsigned last = 0;
  std::size_t start = range.end;
  for (std::size_t i = range.begin; i < range.end; ++i) {
    const char32_t c = text[i].value;
    unsigned script = c == ' ' ? 0 : script_of(c);
    if (c == 0x30FC || script == hiragana || script == katakana) script = han;
    if (script == 0) continue;
    if (script != last) {
      if (start < i) out.push_back({start, i});
      start = i;
    }
    last = script;
  }
  add_word(start, range.end, out);
}

void split_length(std::size_t length, Range range, std::vector<Range>& out) {
  for (std::size_t begin = range.begin; begin < range.end; begin += length) {
    out.push_back({begin, std::min(begin + length, range.end)});
  }
}

// Copies `range` to the end of `out` with spaces replaced and the mark put before, if it is to be.
Range write_metaspace(const SplitStep& step, std::span<const AlignedChar> text, Range range,
                      AlignedText& out) {
  const std::size_t begin = out.size();
  const AlignedChar& first = text[range.begin];
  const bool is_marked = first.value == step.character || first.value == ' ';
  const bool wanted = step.prepend == PrependScheme::kAlways ||
                      (step.prepend == PrependScheme::kFirst && first.begin == 0);
  if (wanted && !is_marked) out.push_back({step.character, first.begin, first.end});
  for (std::size_t i = range.begin; i < range.end; ++i) {
    out.push_back(text[i]);
    if (out.back().value == ' ') out.back().value = step.character;
  }
  return {begin, out.size()};
}

void split_metaspace(const SplitStep& step, AlignedText& text, PreTokenizer::Scratch& scratch,
                     const std::vector<Range>& words, std::vector<Range>& out) {
  AlignedText& rewritten = scratch.text;
  rewritten.clear();
  rewritten.reserve(text.size() + words.size());
  for (const Range& word : words) {
    const Range written = write_metaspace(step, text, word, rewritten);
    if (!step.split) {
      out.push_back(written);
      continue;
    }
    // MergedWithNext, but that of several marks in a row the last alone joins what follows.
    std::size_t start = written.begin;
    for (std::size_t i = written.begin + 1; i < written.end; ++i) {
      if (rewritten[i].value != step.character) continue;
      out.push_back({start, i});
      start = i;
    }
    out.push_back({start, written.end});
  }
  text.swap(rewritten);
}

Status split_byte_level(const SplitStep& step, AlignedText& text, PreTokenizer::Scratch& scratch,
                        const std::vector<Range>& words, std::vector<Range>& out) {
  if (step.prefix_space) {
    AlignedText& prefixed = scratch.text;
    prefixed.clear();
    for (const Range& word : words) {
      const AlignedChar first = text[word.begin];
      const std::size_t begin = prefixed.size();
      if (first.value != ' ') prefixed.push_back({' ', first.begin, first.end});
      prefixed.insert(prefixed.end(), text.begin() + static_cast<std::ptrdiff_t>(word.begin),
                      text.begin() + static_cast<std::ptrdiff_t>(word.end));
      scratch.words.push_back({begin, prefixed.size()});
    }
    text.swap(prefixed);
  } else {
    scratch.words = words;
  }
  std::vector<Range> pieces;
  for (const Range& word : scratch.words) {
    if (!step.split) {
      pieces.push_back(word);
      continue;
    }
    const std::span<const AlignedChar> part =
        std::span(text).subspan(word.begin, word.end - word.begin);
    QUIPU_TRY_OK(step.pattern->find_all(part, scratch.matcher, scratch.matches));
    scratch.parts.clear();
    find_pattern(scratch.matches, word, false, scratch.parts);
    apply_behavior(SplitBehavior::kIsolated, scratch.parts, pieces);
  }
  scratch.words.clear();
  AlignedText& bytes = scratch.text;
  bytes.clear();
  bytes.reserve(text.size());
  for (const Range& piece : pieces) {
    const std::size_t begin = bytes.size();
    for (std::size_t i = piece.begin; i < piece.end; ++i) {
      char encoded[4];
      const std::size_t size = write_utf8(encoded, text[i].value);
      for (std::size_t k = 0; k < size; ++k) {
        const char32_t c = byte_level_char(static_cast<unsigned char>(encoded[k]));
        bytes.push_back({c, text[i].begin, text[i].end});
      }
    }
    out.push_back({begin, bytes.size()});
  }
  text.swap(bytes);
  return ok_status();
}

// A step that leaves the text as it is.
Status split_range(const SplitStep& step, std::span<const AlignedChar> text, Range range,
                   PreTokenizer::Scratch& scratch, std::vector<Range>& out) {
  const UnicodeData& data = UnicodeData::instance();
  const bool usual =
      step.behavior ==
      (step.kind == SplitKind::kPunctuation ? SplitBehavior::kIsolated : SplitBehavior::kRemoved);
  std::vector<Part>& parts = scratch.parts;
  parts.clear();
  switch (step.kind) {
    case SplitKind::kWords: split_by_class(step.kind, text, range, out); return ok_status();
    case SplitKind::kSpaces:
    case SplitKind::kPunctuation: {
      if (usual) {
        split_by_class(step.kind, text, range, out);
        return ok_status();
      }
      const CharFlag flag = step.kind == SplitKind::kSpaces ? kCharSpace : kCharPunctuation;
      find_characters(
          text, range, [&](char32_t c) { return data.has(c, flag); }, parts);
      break;
    }
    case SplitKind::kNumbers:
      find_characters(
          text, range, [&](char32_t c) { return data.has(c, kCharNumeric); }, parts);
      break;
    case SplitKind::kCharacter:
      find_characters(
          text, range, [&](char32_t c) { return c == step.character; }, parts);
      break;
    case SplitKind::kScripts: split_scripts(text, range, out); return ok_status();
    case SplitKind::kLength: split_length(step.length, range, out); return ok_status();
    default:
      QUIPU_TRY_OK(step.pattern->find_all(text.subspan(range.begin, range.end - range.begin),
                                          scratch.matcher, scratch.matches));
      find_pattern(scratch.matches, range, step.invert, parts);
      break;
  }
  apply_behavior(step.behavior, parts, out);
  return ok_status();
}

Result<SplitBehavior> read_behavior(const JsonPart& part, std::string_view otherwise) {
  QUIPU_TRY(const std::string_view name, part.read_string("behavior", otherwise));
  if (name == "Removed") return SplitBehavior::kRemoved;
  if (name == "Isolated") return SplitBehavior::kIsolated;
  if (name == "MergedWithPrevious") return SplitBehavior::kMergedWithPrevious;
  if (name == "MergedWithNext") return SplitBehavior::kMergedWithNext;
  if (name == "Contiguous") return SplitBehavior::kContiguous;
  return part.unsupported("'" + std::string(name) + "'", "behavior");
}

Result<SplitStep> read_metaspace(const JsonPart& part) {
  QUIPU_TRY_OK(part.check_fields(
      {"type", "replacement", "add_prefix_space", "prepend_scheme", "split", "str_rep"}));
  SplitStep step{.kind = SplitKind::kMetaspace};
  QUIPU_TRY(step.character, part.read_character("replacement"));
  QUIPU_TRY(const std::string_view scheme, part.read_string("prepend_scheme", "always"));
  QUIPU_TRY(const bool prefix, part.read_bool("add_prefix_space", true));
  QUIPU_TRY(step.split, part.read_bool("split", true));
  if (scheme == "always") {
    step.prepend = PrependScheme::kAlways;
  } else if (scheme == "first") {
    step.prepend = PrependScheme::kFirst;
  } else if (scheme != "never") {
    return part.unsupported("'" + std::string(scheme) + "'", "prepend_scheme");
  }
  if (!prefix && step.prepend != PrependScheme::kNever) {
    return part.invalid("add_prefix_space", "what prepend_scheme says: true, or that 'never'");
  }
  return step;
}

Result<SplitStep> read_byte_level(const JsonPart& part) {
  QUIPU_TRY_OK(part.check_fields({"type", "add_prefix_space", "trim_offsets", "use_regex"}));
  SplitStep step{.kind = SplitKind::kByteLevel};
  QUIPU_TRY(step.prefix_space, part.read_bool("add_prefix_space", true));
  QUIPU_TRY(step.split, part.read_bool("use_regex", true));
  if (step.split) {
    QUIPU_TRY(step.pattern, CharPattern::compile(kByteLevelPattern));
  }
  return step;
}

Result<SplitStep> read_split(const JsonPart& part) {
  QUIPU_TRY_OK(part.check_fields({"type", "pattern", "behavior", "invert"}));
  SplitStep step{.kind = SplitKind::kPattern};
  QUIPU_TRY(step.pattern, read_pattern(part, "pattern"));
  QUIPU_TRY_OK(part.read_text("behavior"));
  QUIPU_TRY(step.behavior, read_behavior(part, ""));
  QUIPU_TRY(step.invert, part.read_bool("invert", false));
  return step;
}

Result<SplitStep> read_step(const JsonPart& part, std::string_view type) {
  if (type == "Metaspace") return read_metaspace(part);
  if (type == "ByteLevel") return read_byte_level(part);
  if (type == "Split") return read_split(part);
  SplitStep step;
  if (type == "Punctuation") {
    QUIPU_TRY_OK(part.check_fields({"type", "behavior"}));
    step.kind = SplitKind::kPunctuation;
    QUIPU_TRY(step.behavior, read_behavior(part, "Isolated"));
  } else if (type == "Digits") {
    QUIPU_TRY_OK(part.check_fields({"type", "individual_digits"}));
    step.kind = SplitKind::kNumbers;
    QUIPU_TRY(const bool individual, part.read_bool("individual_digits", false));
    step.behavior = individual ? SplitBehavior::kIsolated : SplitBehavior::kContiguous;
  } else if (type == "CharDelimiterSplit") {
    QUIPU_TRY_OK(part.check_fields({"type", "delimiter"}));
    step.kind = SplitKind::kCharacter;
    QUIPU_TRY(step.character, part.read_character("delimiter"));
  } else if (type == "FixedLength") {
    QUIPU_TRY_OK(part.check_fields({"type", "length"}));
    step.kind = SplitKind::kLength;
    QUIPU_TRY(const std::uint64_t length, part.read_number("length", 5));
    if (length == 0) return part.invalid("length", "1 or more");
    step.length = static_cast<std::size_t>(std::min<std::uint64_t>(length, 1U << 30));
  } else if (type == "WhitespaceSplit" || type == "Whitespace" || type == "UnicodeScripts") {
    QUIPU_TRY_OK(part.check_fields({"type"}));
    step.kind = type == "Whitespace"       ? SplitKind::kWords
                : type == "UnicodeScripts" ? SplitKind::kScripts
                                           : SplitKind::kSpaces;
  } else {
    return part.unsupported("'" + std::string(type) + "'", "type");
  }
  return step;
}

}  // namespace

Status PreTokenizer::add(const JsonPart& part, std::size_t depth) {
  if (depth > kSplitDepthMax || steps_.size() > kSplitStepsMax) {
    return part.invalid("", "at most " + std::to_string(kSplitStepsMax) + " steps, nested " +
                                std::to_string(kSplitDepthMax) + " deep");
  }
  QUIPU_TRY(const std::string_view type, part.type());
  if (type == "Sequence") {
    QUIPU_TRY_OK(part.check_fields({"type", "pretokenizers"}));
    return part.for_each("pretokenizers", kSplitStepsMax,
                         [&](const JsonPart& inner) { return add(inner, depth + 1); });
  }
  if (type == "BertPreTokenizer") {
    QUIPU_TRY_OK(part.check_fields({"type"}));
    steps_.push_back({.kind = SplitKind::kSpaces});
    steps_.push_back({.kind = SplitKind::kPunctuation, .behavior = SplitBehavior::kIsolated});
    return ok_status();
  }
  QUIPU_TRY(SplitStep step, read_step(part, type));
  steps_.push_back(std::move(step));
  return ok_status();
}

Result<PreTokenizer> PreTokenizer::read(const JsonPart& parent) {
  PreTokenizer pre_tokenizer;
  const std::optional<JsonPart> part = parent.find("pre_tokenizer");
  if (!part.has_value()) return pre_tokenizer;
  QUIPU_TRY_OK(pre_tokenizer.add(*part, 0));
  QUIPU_TRY(const std::string_view type, part->type());
  pre_tokenizer.is_bert_ = type == "BertPreTokenizer";
  return pre_tokenizer;
}

Status PreTokenizer::split(AlignedText& text, Scratch& scratch, std::vector<Range>& words) const {
  words.clear();
  if (!text.empty()) words.push_back({0, text.size()});
  std::vector<Range> next;
  for (const SplitStep& step : steps_) {
    next.clear();
    if (step.kind == SplitKind::kMetaspace) {
      split_metaspace(step, text, scratch, words, next);
    } else if (step.kind == SplitKind::kByteLevel) {
      scratch.words.clear();
      QUIPU_TRY_OK(split_byte_level(step, text, scratch, words, next));
    } else {
      for (const Range& word : words) {
        QUIPU_TRY_OK(split_range(step, text, word, scratch, next));
      }
    }
    words.swap(next);
  }
  return ok_status();
}

}  // namespace quipu::text
