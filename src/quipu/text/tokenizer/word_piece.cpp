#include "quipu/text/tokenizer/word_piece.h"

#include <algorithm>
#include <string>
#include <utility>

#include "quipu/text/unicode/utf8.h"

namespace quipu::text {
namespace {

constexpr std::uint64_t kWordCharsLimit = 100'000;

}  // namespace

Result<std::unique_ptr<WordPiece>> WordPiece::read(const JsonPart& part) {
  QUIPU_TRY_OK(part.check_fields(
      {"type", "unk_token", "continuing_subword_prefix", "max_input_chars_per_word", "vocab"}));
  QUIPU_TRY(const std::string_view unknown, part.read_string("unk_token", "[UNK]"));
  QUIPU_TRY(const std::string_view prefix, part.read_string("continuing_subword_prefix", "##"));
  QUIPU_TRY(const std::uint64_t chars_max, part.read_number("max_input_chars_per_word", 100));
  if (chars_max == 0 || chars_max > kWordCharsLimit) {
    return part.invalid("max_input_chars_per_word", "from 1 to " + std::to_string(kWordCharsLimit));
  }
  std::unique_ptr<WordPiece> model(new WordPiece());
  model->word_chars_max_ = static_cast<std::size_t>(chars_max);
  QUIPU_TRY(model->vocabulary_, Vocabulary::read(part));
  model->continuing_node_ = model->vocabulary_.trie().find_node(prefix);
  const std::optional<std::uint32_t> unknown_id = model->vocabulary_.find(unknown);
  if (!unknown_id.has_value()) {
    return part.invalid("unk_token",
                        "a token of the vocabulary, which lacks '" + std::string(unknown) + "'");
  }
  model->unknown_id_ = *unknown_id;
  return model;
}

bool WordPiece::tokenize(std::string_view word, Scratch&, std::vector<Piece>& out) const {
  const std::size_t before = out.size();
  const auto chars = static_cast<std::size_t>(
      std::count_if(word.begin(), word.end(), [](char c) { return !is_utf8_continuation(c); }));
  const auto add = [&](std::uint32_t id, std::size_t, std::size_t end) {
    out.push_back({id, static_cast<std::uint32_t>(end)});
  };
  if (chars <= word_chars_max_ && split(word, add)) return true;
  out.resize(before);
  out.push_back({unknown_id_, static_cast<std::uint32_t>(word.size())});
  return true;
}

}  // namespace quipu::text
