// Text to the token ids that a model was trained on, as described by a Hugging Face
// `tokenizer.json`.
//
// Gives exactly the tokens of the Python package `tokenizers` 0.23
// (tests/tokenizer_differential.py). A file that uses a part that is not implemented is refused by
// name when it is read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "quipu/result.h"
#include "quipu/text/tokenizer/token_sink.h"

namespace quipu::text {

class BertScanner;

struct EncodeParams {
  // What is beyond is left out, at the text's end; template tokens are part of it.
  std::uint32_t tokens_max = std::numeric_limits<std::uint32_t>::max();
  // Whether to put the template's tokens ([CLS], [SEP]) around the text.
  bool template_tokens = true;
};

struct Encoding {
  std::vector<std::uint32_t> ids;
  std::vector<TokenSpan> spans;   // one for each id; {0, 0} for template tokens
  std::uint32_t token_count = 0;  // of the whole text, template tokens included
  bool truncated = false;         // token_count is larger than ids.size()
};

// Threads: immutable; any number may encode at once.
class Tokenizer {
 public:
  // Ignores the file's own "truncation" and "padding", which are about how it was once used.
  // Errors: kUnimplemented ("tokenizer_unsupported") naming the part; kInvalidArgument.
  [[nodiscard]] static Result<std::unique_ptr<Tokenizer>> from_json(std::string_view json);
  ~Tokenizer();

  // Replaces `out`, whose memory is reused. Cost: about 0.1 µs for each token.
  // Errors: kInvalidArgument ("invalid_utf8" with the byte's offset; "text_too_large" at 1 GiB).
  Status encode(std::string_view text, const EncodeParams& params, Encoding& out) const;
  // How many tokens the template puts around a text.
  [[nodiscard]] std::uint32_t template_token_count() const noexcept;
  // One more than the largest id: a model needs at least so many rows.
  [[nodiscard]] std::uint32_t ids_end() const noexcept;
  // As encode(), without the fused pass for BERT: slower, for tests to compare it with.
  Status encode_by_parts(std::string_view text, const EncodeParams& params, Encoding& out) const;

 private:
  Tokenizer();
  struct Parts;
  Status encode_with(std::string_view text, const EncodeParams& params, const BertScanner* scanner,
                     Encoding& out) const;
  std::unique_ptr<const Parts> parts_;
};

}  // namespace quipu::text
