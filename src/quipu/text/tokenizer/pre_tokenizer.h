// The "pre_tokenizer" part of a tokenizer.json: from normalized text to words.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "quipu/base/json.h"
#include "quipu/result.h"
#include "quipu/text/unicode/aligned_text.h"

namespace quipu::text {

enum class SplitStep : std::uint8_t {
  kSpaces,       // WhitespaceSplit: at white space, which goes
  kPunctuation,  // each punctuation character by itself
  kWords,        // Whitespace: \w+|[^\w\s]+
};

// Threads: immutable once read.
class PreTokenizer {
 public:
  struct Range {
    std::size_t begin = 0;  // characters
    std::size_t end = 0;
  };
  // Leaves text whole.
  PreTokenizer() = default;
  // Errors: kUnimplemented naming the type or option; kInvalidArgument.
  [[nodiscard]] static Result<PreTokenizer> read(JsonView json);

  // Replaces `words` by the words of `text`, in order; none is empty.
  void split(std::span<const AlignedChar> text, std::vector<Range>& words) const;
  [[nodiscard]] bool is_bert() const noexcept { return is_bert_; }

 private:
  Status add(JsonView json, std::size_t depth);
  std::vector<SplitStep> steps_;
  bool is_bert_ = false;
};

}  // namespace quipu::text
