// WordLevel: a word is a token or it is unknown.
#pragma once

#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "quipu/text/tokenizer/token_model.h"

namespace quipu::text {

// Threads: immutable.
class WordLevel final : public TokenModel {
 public:
  [[nodiscard]] static Result<std::unique_ptr<WordLevel>> read(const JsonPart& part);
  [[nodiscard]] bool tokenize(std::string_view word, Scratch& scratch,
                              std::vector<Piece>& out) const override;
  [[nodiscard]] const Vocabulary& vocabulary() const noexcept override { return vocabulary_; }

 private:
  WordLevel() = default;
  Vocabulary vocabulary_;
  std::optional<std::uint32_t> unknown_id_;
};

}  // namespace quipu::text
