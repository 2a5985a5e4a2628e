// WordPiece: the longest token first, from the word's start (Wu et al.: Google's Neural Machine
// Translation System, 2016, section 4.1).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "quipu/text/tokenizer/double_array.h"
#include "quipu/text/tokenizer/token_model.h"

namespace quipu::text {

// Threads: immutable.
class WordPiece final : public TokenModel {
 public:
  [[nodiscard]] static Result<std::unique_ptr<WordPiece>> read(JsonView json);

  void tokenize(std::string_view word, std::vector<Piece>& out) const override;
  [[nodiscard]] std::optional<std::uint32_t> token_id(std::string_view token) const override;
  [[nodiscard]] std::uint32_t vocabulary_size() const noexcept override { return size_; }
  [[nodiscard]] std::uint32_t ids_end() const noexcept override { return ids_end_; }
  [[nodiscard]] const WordPiece* as_word_piece() const noexcept override { return this; }

  // Calls add(id, begin, end) for each token of a word of at most word_chars_max() characters;
  // returns false as soon as no token fits: then the word is unknown as a whole.
  template <typename Add>
  bool split(std::string_view word, Add add) const {
    std::size_t start = 0;
    while (start < word.size()) {
      const std::uint32_t node = start == 0 ? DoubleArray::root() : continuing_node_;
      if (node == DoubleArray::npos()) return false;
      const DoubleArray::Match match = vocabulary_.longest_match(node, word.substr(start));
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
  DoubleArray vocabulary_;
  std::uint32_t continuing_node_ = 0;  // where the prefix of continuing tokens leads
  std::uint32_t unknown_id_ = 0;
  std::uint32_t size_ = 0;
  std::uint32_t ids_end_ = 0;
  std::size_t word_chars_max_ = 100;
};

}  // namespace quipu::text
