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
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "quipu/result.h"
#include "quipu/text/tokenizer/token_sink.h"
#include "quipu/text/tokenizer/truncation.h"

namespace quipu::text {

class BertScanner;

struct EncodeParams {
  // What is beyond is left out; template tokens are part of it.
  std::uint32_t tokens_max = std::numeric_limits<std::uint32_t>::max();
  // Whether to put the template's tokens ([CLS], [SEP]) around the text.
  bool template_tokens = true;
  // Where tokens are left out and, of two texts, of which; the file's own when not set.
  std::optional<TruncationSide> side;
  std::optional<TruncationStrategy> strategy;
};

struct Encoding {
  std::vector<std::uint32_t> ids;
  std::vector<TokenSpan> spans;             // one for each id; {0, 0} for template tokens
  std::vector<std::uint8_t> type_ids;       // one for each id: the model's "token_type_ids"
  std::vector<std::uint8_t> template_mask;  // one for each id: 1 for template tokens
  // The ids of the second text, from `second_begin` on; their spans are bytes of it.
  std::uint32_t second_begin = 0;
  std::uint32_t second_end = 0;
  std::uint32_t token_count = 0;  // of all text, template tokens included
  bool truncated = false;         // token_count is larger than ids.size()
};

// Threads: immutable; any number may encode at once.
class Tokenizer {
 public:
  // Of the file's own "truncation" only the side and the strategy count, of "padding" nothing: the
  // lengths are about how it was once used.
  // Errors: kUnimplemented ("tokenizer_unsupported") naming the part; kInvalidArgument.
  [[nodiscard]] static Result<std::unique_ptr<Tokenizer>> from_json(std::string_view json);
  ~Tokenizer();

  // Replaces `out`, whose memory is reused. Cost: about 0.1 µs for each token.
  // Errors: kInvalidArgument ("invalid_utf8" with the byte's offset; "text_too_large" at 1 GiB;
  // "unknown_token" when the model has no token for what is in the text, nor one for unknowns);
  // kResourceExhausted ("regex_limit", "text_too_large") for files with patterns that explode.
  Status encode(std::string_view text, const EncodeParams& params, Encoding& out) const;
  // Two texts that belong together, as cross-encoders take them. Errors: as encode(), and
  // kInvalidArgument ("text_too_long" when the one text that may be cut would lose all), and
  // kUnimplemented when the file has no template for pairs.
  Status encode_pair(std::string_view first, std::string_view second, const EncodeParams& params,
                     Encoding& out) const;
  // How many tokens the template puts around a text.
  [[nodiscard]] std::uint32_t template_token_count() const noexcept;
  // How many it puts around and between two.
  [[nodiscard]] std::uint32_t pair_template_token_count() const noexcept;
  // One more than the largest id: a model needs at least so many rows.
  [[nodiscard]] std::uint32_t ids_end() const noexcept;
  // The token of an id as the file spells it; empty when there is none.
  [[nodiscard]] std::string token(std::uint32_t id) const;
  // As encode(), without the fused pass for BERT, the words known from before, and cuts of long
  // words: slower, for tests to compare it with.
  Status encode_by_parts(std::string_view text, const EncodeParams& params, Encoding& out) const;

 private:
  Tokenizer();
  struct Parts;
  struct Scratch;
  class ScratchPool;
  class ScratchLease;
  Status encode_with(std::string_view text, const EncodeParams& params, bool by_parts,
                     Encoding& out) const;
  Status add_sequence(std::string_view text, bool by_parts, ScratchLease& lease,
                      TokenSink& sink) const;
  std::unique_ptr<const Parts> parts_;
  std::unique_ptr<ScratchPool> pool_;
};

}  // namespace quipu::text
