// The "pre_tokenizer" part of a tokenizer.json: from normalized text to words.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "quipu/result.h"
#include "quipu/text/regex/char_pattern.h"
#include "quipu/text/tokenizer/json_fields.h"
#include "quipu/text/unicode/aligned_text.h"

namespace quipu::text {

enum class SplitKind : std::uint8_t {
  kSpaces,       // at white space (WhitespaceSplit)
  kPunctuation,  // at punctuation
  kWords,        // \w+|[^\w\s]+, the rest goes (Whitespace)
  kNumbers,      // at numbers (Digits)
  kCharacter,    // at `character` (CharDelimiterSplit)
  kPattern,      // at matches of `pattern` (Split)
  kScripts,      // where the script changes (UnicodeScripts)
  kLength,       // every `length` characters (FixedLength)
  kMetaspace,    // spaces become `character`, which begins a word
  kByteLevel,    // a printable character for each byte
};

// What becomes of that at which text is split.
enum class SplitBehavior : std::uint8_t {
  kRemoved,
  kIsolated,            // is a word of its own
  kMergedWithPrevious,  // ends the word before
  kMergedWithNext,      // begins the word behind
  kContiguous,          // several in a row are one word
};

enum class PrependScheme : std::uint8_t { kNever, kFirst, kAlways };

struct SplitStep {
  SplitKind kind = SplitKind::kSpaces;
  SplitBehavior behavior = SplitBehavior::kRemoved;
  bool invert = false;                            // kPattern: at what does not match
  bool split = true;                              // kMetaspace, kByteLevel: or only rewrite
  bool prefix_space = false;                      // kByteLevel
  PrependScheme prepend = PrependScheme::kNever;  // kMetaspace
  char32_t character = 0;
  std::size_t length = 0;
  std::shared_ptr<const CharPattern> pattern;
};

// Threads: immutable once read.
class PreTokenizer {
 public:
  struct Range {
    std::size_t begin = 0;  // characters
    std::size_t end = 0;
    friend bool operator==(const Range&, const Range&) = default;
  };
  // A part of a text that matched, or that lies between what did.
  struct Part {
    std::size_t begin = 0;
    std::size_t end = 0;
    bool matched = false;
  };
  // What splitting needs of a thread.
  struct Scratch {
    PatternMatcher matcher;
    std::vector<CharPattern::Match> matches;
    std::vector<Part> parts;
    std::vector<Range> words;
    AlignedText text;
  };
  // Leaves text whole.
  PreTokenizer() = default;
  // `parent` is what has the member "pre_tokenizer", or has none. Errors: kUnimplemented naming the
  // type or option; kInvalidArgument.
  [[nodiscard]] static Result<PreTokenizer> read(const JsonPart& parent);

  // Replaces `words` by the words of `text`, in order, none empty; Metaspace and ByteLevel change
  // the text. Errors: kResourceExhausted ("regex_limit").
  Status split(AlignedText& text, Scratch& scratch, std::vector<Range>& words) const;
  [[nodiscard]] bool is_bert() const noexcept { return is_bert_; }

 private:
  Status add(const JsonPart& part, std::size_t depth);
  std::vector<SplitStep> steps_;
  bool is_bert_ = false;
};

}  // namespace quipu::text
