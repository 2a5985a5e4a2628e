#include "quipu/text/tokenizer/word_piece.h"

#include <algorithm>
#include <string>
#include <utility>

#include "quipu/text/tokenizer/json_fields.h"
#include "quipu/text/unicode/utf8.h"

namespace quipu::text {
namespace {

constexpr std::uint64_t kIdMax = 0x7FFFFFFE;
constexpr std::uint64_t kWordCharsMax = 100'000;

Result<std::vector<DoubleArray::Entry>> read_vocabulary(JsonView json) {
  const std::optional<JsonView> found = json.find("vocab");
  if (!found.has_value() || !found->is_object()) {
    return invalid_field("model.vocab", "an object of tokens and ids");
  }
  std::vector<DoubleArray::Entry> entries;
  entries.reserve(found->size());
  std::string wrong;
  found->for_each_member([&](std::string_view token, JsonView value) {
    const std::optional<std::uint64_t> id = value.as_uint64();
    if (!id.has_value() || *id > kIdMax) {
      wrong = token;
      return false;
    }
    // The reference keeps such a token, but no text can ever give it.
    if (!token.empty()) entries.emplace_back(token, static_cast<std::uint32_t>(*id));
    return true;
  });
  if (!wrong.empty()) {
    return invalid_field("model.vocab['" + wrong + "']",
                         "a whole number of at most " + std::to_string(kIdMax));
  }
  return entries;
}

}  // namespace

Result<std::unique_ptr<TokenModel>> TokenModel::read(JsonView json) {
  if (!json.is_object()) return invalid_field("model", "an object");
  // Files older than the "type" member are told apart by what only WordPiece has.
  if (!json.find("type").has_value() && json.find("max_input_chars_per_word").has_value()) {
    QUIPU_TRY(std::unique_ptr<WordPiece> model, WordPiece::read(json));
    return std::unique_ptr<TokenModel>(std::move(model));
  }
  QUIPU_TRY(const std::string_view type, read_type(json, "model"));
  if (type == "WordPiece") {
    QUIPU_TRY(std::unique_ptr<WordPiece> model, WordPiece::read(json));
    return std::unique_ptr<TokenModel>(std::move(model));
  }
  return unimplemented("model", type);
}

Result<std::unique_ptr<WordPiece>> WordPiece::read(JsonView json) {
  QUIPU_TRY_OK(check_fields(
      json, "model",
      {"type", "unk_token", "continuing_subword_prefix", "max_input_chars_per_word", "vocab"}));
  QUIPU_TRY(const std::string_view unknown, read_string(json, "unk_token", "[UNK]"));
  QUIPU_TRY(const std::string_view prefix, read_string(json, "continuing_subword_prefix", "##"));
  QUIPU_TRY(const std::uint64_t chars_max, read_number(json, "max_input_chars_per_word", 100));
  if (chars_max == 0 || chars_max > kWordCharsMax) {
    return invalid_field("model.max_input_chars_per_word",
                         "from 1 to " + std::to_string(kWordCharsMax));
  }
  QUIPU_TRY(std::vector<DoubleArray::Entry> entries, read_vocabulary(json));
  std::unique_ptr<WordPiece> model(new WordPiece());
  model->word_chars_max_ = static_cast<std::size_t>(chars_max);
  model->size_ = static_cast<std::uint32_t>(entries.size());
  for (const DoubleArray::Entry& entry : entries) {
    model->ids_end_ = std::max(model->ids_end_, entry.second + 1);
  }
  QUIPU_TRY(model->vocabulary_, DoubleArray::build(std::move(entries)));
  model->continuing_node_ = model->vocabulary_.find_node(prefix);
  model->unknown_id_ = model->vocabulary_.find(unknown);
  if (model->unknown_id_ == DoubleArray::npos()) {
    return Error{ErrorCode::kInvalidArgument, "model: the unknown token '" + std::string(unknown) +
                                                  "' is not in the vocabulary"};
  }
  return model;
}

void WordPiece::tokenize(std::string_view word, std::vector<Piece>& out) const {
  const std::size_t before = out.size();
  const auto chars = static_cast<std::size_t>(
      std::count_if(word.begin(), word.end(), [](char c) { return !is_utf8_continuation(c); }));
  const auto add = [&](std::uint32_t id, std::size_t, std::size_t end) {
    out.push_back({id, static_cast<std::uint32_t>(end)});
  };
  if (chars <= word_chars_max_ && split(word, add)) return;
  out.resize(before);
  out.push_back({unknown_id_, static_cast<std::uint32_t>(word.size())});
}

std::optional<std::uint32_t> WordPiece::token_id(std::string_view token) const {
  const std::uint32_t id = vocabulary_.find(token);
  if (id == DoubleArray::npos()) return std::nullopt;
  return id;
}

}  // namespace quipu::text
