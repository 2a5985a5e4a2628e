// The "normalizer" part of a tokenizer.json.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "quipu/result.h"
#include "quipu/text/regex/char_pattern.h"
#include "quipu/text/tokenizer/charsmap.h"
#include "quipu/text/tokenizer/json_fields.h"
#include "quipu/text/unicode/aligned_text.h"

namespace quipu::text {

enum class NormalizerKind : std::uint8_t {
  kNfc,
  kNfd,
  kNfkc,
  kNfkd,
  kCleanText,        // BERT: control characters go, white space becomes a space
  kSpaceIdeographs,  // BERT: a space before and after each
  kStripNonspacing,  // BERT's strip_accents, after kNfd
  kStripMarks,       // StripAccents
  kLowercase,        // each character by itself, as Rust's char::to_lowercase
  kStripLeft,
  kStripRight,
  kNmt,        // sentencepiece's: controls go, odd spaces become spaces
  kReplace,    // matches of `pattern` by `content`
  kPrepend,    // `content`, before text that is not empty
  kCharsmap,   // Precompiled
  kByteLevel,  // a printable character for each byte
};

// One step over the characters of a text; every normalizer is a list of them.
struct NormalizerStep {
  NormalizerKind kind = NormalizerKind::kNfc;
  std::shared_ptr<const CharPattern> pattern;
  std::u32string content;
  std::shared_ptr<const Charsmap> charsmap;
};

// The character that byte-level tokenizers write for a byte: itself where it is printable and no
// space, else one of U+0100 and on.
[[nodiscard]] char32_t byte_level_char(unsigned char byte) noexcept;

// What normalizing needs of a thread.
struct NormalizerScratch {
  PatternMatcher matcher;
  std::vector<CharPattern::Match> matches;
  std::vector<CharChange> changes;
  AlignedText text;
};

// Threads: immutable once read.
class Normalizer {
 public:
  // Does nothing.
  Normalizer() = default;
  // `parent` is what has the member "normalizer", or has none. Errors: kUnimplemented naming the
  // type or option that is not supported; kInvalidArgument.
  [[nodiscard]] static Result<Normalizer> read(const JsonPart& parent);

  // `text` began as characters of the original, the first byte at `base`. Errors:
  // kResourceExhausted ("regex_limit"; "text_too_large" when it grows beyond 32 times its size).
  Status normalize(std::uint32_t base, NormalizerScratch& scratch, AlignedText& text) const;
  [[nodiscard]] const std::vector<NormalizerStep>& steps() const noexcept { return steps_; }
  // Exactly one BertNormalizer, which has a faster way (bert_scanner.h).
  [[nodiscard]] bool is_bert() const noexcept { return is_bert_; }

 private:
  Status add(const JsonPart& part, std::size_t depth);
  std::vector<NormalizerStep> steps_;
  bool is_bert_ = false;
};

}  // namespace quipu::text
