// The "added_tokens" part of a tokenizer.json: strings that are one token wherever they stand.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "quipu/result.h"
#include "quipu/text/tokenizer/double_array.h"
#include "quipu/text/tokenizer/json_fields.h"
#include "quipu/text/tokenizer/normalizer.h"
#include "quipu/text/tokenizer/token_model.h"

namespace quipu::text {

// Finds the added tokens of one kind: those looked for in the text as it is, or in the normalized
// one. Threads: immutable once built.
class AddedTokenFinder {
 public:
  struct Token {
    std::string content;  // as it is looked for
    std::uint32_t id = 0;
    bool single_word = false;
    bool strip_left = false;
    bool strip_right = false;
  };
  // A stretch of the text that is a token, stripped white space included.
  struct Found {
    std::size_t begin = 0;
    std::size_t end = 0;
    std::uint32_t id = 0;
  };
  AddedTokenFinder() = default;
  // Errors: kInvalidArgument when two tokens are looked for by one string.
  [[nodiscard]] static Result<AddedTokenFinder> build(std::vector<Token> tokens);

  [[nodiscard]] bool empty() const noexcept { return tokens_.empty(); }
  // The tokens in `text`, in order: the leftmost first, the longest of those that begin there.
  void find(std::string_view text, std::vector<Found>& found) const;

 private:
  std::vector<Token> tokens_;
  DoubleArray contents_;  // to an index into tokens_
  std::array<bool, 256> first_bytes_{};
  int only_first_byte_ = -1;  // when all tokens begin with one
};

struct AddedTokens {
  AddedTokenFinder raw;
  AddedTokenFinder normalized;
  std::vector<std::pair<std::string, std::uint32_t>> ids;
  std::uint32_t ids_end = 0;

  // `parent` is what has the member "added_tokens", or has none. Errors: kInvalidArgument naming
  // the token when its id is not the one that the vocabulary, or its place after it, gives.
  [[nodiscard]] static Result<AddedTokens> read(const JsonPart& parent, const TokenModel& model,
                                                const Normalizer& normalizer);
  // Empty when no added token has the id.
  [[nodiscard]] std::string token(std::uint32_t id) const;
};

}  // namespace quipu::text
