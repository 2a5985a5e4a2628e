// The tokens of a model and their ids.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "quipu/result.h"
#include "quipu/text/tokenizer/double_array.h"
#include "quipu/text/tokenizer/json_fields.h"

namespace quipu::text {

// Threads: immutable once read.
class Vocabulary {
 public:
  static constexpr std::uint64_t kIdMax = 0x7FFFFFFE;

  Vocabulary() = default;
  // {"token": id, ...}: the member "vocab" of `model`. Errors: kInvalidArgument.
  [[nodiscard]] static Result<Vocabulary> read(const JsonPart& model);
  // Tokens by id; of equal ones the last counts.
  [[nodiscard]] static Result<Vocabulary> of(std::vector<std::string> tokens);

  [[nodiscard]] const DoubleArray& trie() const noexcept { return trie_; }
  [[nodiscard]] std::optional<std::uint32_t> find(std::string_view token) const noexcept {
    const std::uint32_t id = trie_.find(token);
    return id == DoubleArray::npos() ? std::nullopt : std::optional(id);
  }
  // Empty when there is none.
  [[nodiscard]] std::string token(std::uint32_t id) const;
  // How many tokens the file has: the ids of added ones follow.
  [[nodiscard]] std::uint32_t size() const noexcept { return size_; }
  // One more than the largest id.
  [[nodiscard]] std::uint32_t ids_end() const noexcept { return ids_end_; }

 private:
  [[nodiscard]] Status build(std::vector<DoubleArray::Entry> entries);
  DoubleArray trie_;
  std::vector<std::pair<std::uint32_t, std::uint32_t>> nodes_;  // by id
  std::uint32_t size_ = 0;
  std::uint32_t ids_end_ = 0;
};

}  // namespace quipu::text
