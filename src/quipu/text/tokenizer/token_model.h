// The "model" part of a tokenizer.json: from a word to tokens.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "quipu/result.h"
#include "quipu/text/tokenizer/json_fields.h"
#include "quipu/text/tokenizer/vocabulary.h"

namespace quipu::text {

class WordPiece;

// Threads: immutable once read.
class TokenModel {
 public:
  // One token of a word: its bytes go from the end of the one before to `end`.
  struct Piece {
    std::uint32_t id = 0;
    std::uint32_t end = 0;
    friend bool operator==(const Piece&, const Piece&) = default;
  };
  // What a thread needs for a word; the models' own.
  struct Scratch {
    struct Symbol {
      std::uint32_t id = 0;
      std::uint32_t size = 0;  // bytes; 0 when it went into the one before
      std::uint32_t previous = 0;
      std::uint32_t next = 0;
    };
    struct Merge {
      std::uint32_t rank = 0;
      std::uint32_t at = 0;
      std::uint32_t id = 0;
    };
    struct Best {
      double score = 0;
      std::uint32_t begin = 0;
      std::uint32_t id = 0;
    };
    std::vector<Symbol> symbols;
    std::vector<Merge> merges;
    std::vector<Best> best;
    std::string bytes;
  };
  virtual ~TokenModel() = default;
  // `parent` has the member "model". Errors: kUnimplemented naming the model or option;
  // kInvalidArgument.
  [[nodiscard]] static Result<std::unique_ptr<TokenModel>> read(const JsonPart& parent);

  // Appends the tokens of a normalized word, which is not empty and well-formed UTF-8. Returns
  // false when the word holds what no token stands for, and there is no unknown token.
  [[nodiscard]] virtual bool tokenize(std::string_view word, Scratch& scratch,
                                      std::vector<Piece>& out) const = 0;
  // Where a word may be cut so that its parts give its tokens, the first place behind `from`, or
  // its size. For long words, of which the parts come again where the whole does not.
  [[nodiscard]] virtual std::size_t next_cut(std::string_view word, std::size_t) const noexcept {
    return word.size();
  }
  // The text of a token that stands for `bytes` of a word, as the reference has it.
  [[nodiscard]] virtual std::string token_text(const Piece& piece, std::string_view bytes) const;
  // Whether token_text() depends on the id alone.
  [[nodiscard]] virtual bool text_by_id() const noexcept { return true; }
  [[nodiscard]] virtual const Vocabulary& vocabulary() const noexcept = 0;
  // This, if it is a WordPiece; for the faster way of BERT's tokenizers (bert_scanner.h).
  [[nodiscard]] virtual const WordPiece* as_word_piece() const noexcept { return nullptr; }
};

}  // namespace quipu::text
