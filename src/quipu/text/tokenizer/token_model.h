// The "model" part of a tokenizer.json: from a word to tokens. WordPiece now; BPE and Unigram will
// be further ones.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "quipu/base/json.h"
#include "quipu/result.h"

namespace quipu::text {

class WordPiece;

// Threads: immutable once read.
class TokenModel {
 public:
  // One token of a word: its bytes go from the end of the one before to `end`.
  struct Piece {
    std::uint32_t id = 0;
    std::uint32_t end = 0;
  };
  virtual ~TokenModel() = default;
  // Errors: kUnimplemented naming the model or option; kInvalidArgument.
  [[nodiscard]] static Result<std::unique_ptr<TokenModel>> read(JsonView json);

  // Appends the tokens of a normalized word, which is not empty and well-formed UTF-8.
  virtual void tokenize(std::string_view word, std::vector<Piece>& out) const = 0;
  [[nodiscard]] virtual std::optional<std::uint32_t> token_id(std::string_view token) const = 0;
  [[nodiscard]] virtual std::uint32_t vocabulary_size() const noexcept = 0;
  // One more than the largest id.
  [[nodiscard]] virtual std::uint32_t ids_end() const noexcept = 0;
  // This, if it is a WordPiece; for the faster way of BERT's tokenizers (bert_scanner.h).
  [[nodiscard]] virtual const WordPiece* as_word_piece() const noexcept { return nullptr; }
};

}  // namespace quipu::text
