// The "normalizer" part of a tokenizer.json.
#pragma once

#include <cstdint>
#include <vector>

#include "quipu/base/json.h"
#include "quipu/result.h"
#include "quipu/text/unicode/aligned_text.h"

namespace quipu::text {

// One step over the characters of a text; every supported normalizer is a list of them.
enum class NormalizerStep : std::uint8_t {
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
};

// Threads: immutable once read.
class Normalizer {
 public:
  // Does nothing.
  Normalizer() = default;
  // Errors: kUnimplemented naming the type or option that is not supported; kInvalidArgument.
  [[nodiscard]] static Result<Normalizer> read(JsonView json);

  void normalize(AlignedText& text) const;
  [[nodiscard]] const std::vector<NormalizerStep>& steps() const noexcept { return steps_; }
  // Exactly one BertNormalizer, which has a faster way (bert_scanner.h).
  [[nodiscard]] bool is_bert() const noexcept { return is_bert_; }

 private:
  Status add(JsonView json, std::size_t depth);
  std::vector<NormalizerStep> steps_;
  bool is_bert_ = false;
};

}  // namespace quipu::text
