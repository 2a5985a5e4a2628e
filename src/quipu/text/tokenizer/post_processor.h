// The "post_processor" part of a tokenizer.json: the tokens that a model wants around a text.
#pragma once

#include <cstdint>
#include <vector>

#include "quipu/base/json.h"
#include "quipu/result.h"

namespace quipu::text {

// Threads: immutable once read.
class PostProcessor {
 public:
  // Puts nothing around.
  PostProcessor() = default;
  // Errors: kUnimplemented naming the type or option; kInvalidArgument.
  [[nodiscard]] static Result<PostProcessor> read(JsonView json);

  [[nodiscard]] const std::vector<std::uint32_t>& before() const noexcept { return before_; }
  [[nodiscard]] const std::vector<std::uint32_t>& after() const noexcept { return after_; }
  [[nodiscard]] std::uint32_t ids_end() const noexcept;

 private:
  Status read_template(JsonView json);
  Status read_bert(JsonView json);
  std::vector<std::uint32_t> before_;
  std::vector<std::uint32_t> after_;
};

}  // namespace quipu::text
