// Unigram: the most probable way to cut a word into tokens (Kudo: Subword Regularization, 2018),
// found by Viterbi's algorithm.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "quipu/text/tokenizer/token_model.h"

namespace quipu::text {

// Threads: immutable.
class Unigram final : public TokenModel {
 public:
  [[nodiscard]] static Result<std::unique_ptr<Unigram>> read(const JsonPart& part);
  [[nodiscard]] bool tokenize(std::string_view word, Scratch& scratch,
                              std::vector<Piece>& out) const override;
  // A token's text is the word's, also where it is unknown.
  [[nodiscard]] std::string token_text(const Piece& piece, std::string_view bytes) const override;
  [[nodiscard]] bool text_by_id() const noexcept override { return false; }
  [[nodiscard]] const Vocabulary& vocabulary() const noexcept override { return vocabulary_; }

 private:
  Unigram() = default;
  Status read_vocabulary(const JsonPart& part);
  void add_piece(std::string_view word, std::size_t begin, std::size_t end,
                 std::vector<Piece>& out) const;

  Vocabulary vocabulary_;
  std::vector<double> scores_;  // by id
  double unknown_score_ = 0;
  std::optional<std::uint32_t> unknown_id_;
  std::array<std::optional<std::uint32_t>, 256> byte_ids_;
  bool byte_fallback_ = false;
};

}  // namespace quipu::text
