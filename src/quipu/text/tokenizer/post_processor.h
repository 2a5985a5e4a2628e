// The "post_processor" part of a tokenizer.json: the tokens that a model wants around one text, or
// around and between two.
#pragma once

#include <cstdint>
#include <vector>

#include "quipu/result.h"
#include "quipu/text/tokenizer/json_fields.h"

namespace quipu::text {

// Threads: immutable once read.
class PostProcessor {
 public:
  // A part of the result: a text's tokens, or tokens of the template.
  struct Piece {
    int text = -1;  // 0 or 1; -1 for the template's own
    std::vector<std::uint32_t> ids;
    std::uint8_t type_id = 0;
  };
  // ByteLevel's and RoBERTa's: spaces are left out of the bytes that tokens stand for.
  struct Trim {
    bool prefix_space = true;  // one that begins the first token was added, and stays
  };

  // Puts nothing around; the second text's type is 1.
  PostProcessor();
  // `parent` is what has the member "post_processor", or has none. Errors: kUnimplemented naming
  // the type or option; kInvalidArgument.
  [[nodiscard]] static Result<PostProcessor> read(const JsonPart& parent);

  // One text; it is in it once.
  [[nodiscard]] const std::vector<Piece>& single() const noexcept { return single_; }
  // Two texts, each in it once; empty when the file's template has them otherwise.
  [[nodiscard]] const std::vector<Piece>& pair() const noexcept { return pair_; }
  // Done in order, before the template.
  [[nodiscard]] const std::vector<Trim>& trims() const noexcept { return trims_; }
  // How many tokens a template adds.
  [[nodiscard]] static std::uint32_t added(const std::vector<Piece>& pieces) noexcept;
  [[nodiscard]] std::uint32_t ids_end() const noexcept;

 private:
  Status add(const JsonPart& part, bool& has_template, std::size_t depth);
  Status read_template(const JsonPart& part);
  Status read_bert(const JsonPart& part, bool is_roberta);
  Status add_trim(const JsonPart& part);
  std::vector<Piece> single_;
  std::vector<Piece> pair_;
  std::vector<Trim> trims_;
};

}  // namespace quipu::text
