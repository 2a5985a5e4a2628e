// WordPiece: the longest token first, from the word's start (Wu et al.: Google's Neural Machine
// Translation System, 2016, section 4.1).
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "quipu/text/tokenizer/token_model.h"

namespace quipu::text {

// Threads: immutable.
class WordPiece final : public TokenModel {
 public:
  [[nodiscard]] static Result<std::unique_ptr<WordPiece>> read(const JsonPart& part);

  [[nodiscard]] bool tokenize(std::string_view word, Scratch& scratch,
                              std::vector<Piece>& out) const override;
  [[nodiscard]] const Vocabulary& vocabulary() const noexcept override { return vocabulary_; }
  [[nodiscard]] const WordPiece* as_word_piece() const noexcept override { return this; }

  // Calls add(id, begin, end) for each token of a word of at most word_chars_max() characters;
  // returns false as soon as no token fits: then the word is unknown as a whole.
  template <typename Add>
  bool split(std::string_view word, Add add) const {
    std::size_t start = 0;
    while (start < word.size()) {
      const std::uint32_t node = start == 0 ? DoubleArray::root() : continuing_node_;
      if (node == DoubleArray::npos()) return false;
      const DoubleArray::Match match = vocabulary_.trie().longest_match(node, word.substr(start));
      if (match.size == 0) return false;
      add(match.value, start, start + match.size);
      start += match.size;
    }
    return true;
  }
  [[nodiscard]] std::uint32_t unknown_id() const noexcept { return unknown_id_; }
  [[nodiscard]] std::size_t word_chars_max() const noexcept { return word_chars_max_; }

 private:
  WordPiece() = default;
  Vocabulary vocabulary_;
  std::uint32_t continuing_node_ = 0;  // where the prefix of continuing tokens leads
  std::uint32_t unknown_id_ = 0;
  std::size_t word_chars_max_ = 100;
};

}  // namespace quipu::text
