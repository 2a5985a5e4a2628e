#include "quipu/text/tokenizer/token_model.h"

#include "quipu/text/tokenizer/bpe.h"
#include "quipu/text/tokenizer/unigram.h"
#include "quipu/text/tokenizer/word_level.h"
#include "quipu/text/tokenizer/word_piece.h"

namespace quipu::text {
namespace {

template <typename Model>
Result<std::unique_ptr<TokenModel>> read_as(const JsonPart& part) {
  QUIPU_TRY(std::unique_ptr<Model> model, Model::read(part));
  return std::unique_ptr<TokenModel>(std::move(model));
}

}  // namespace

std::string TokenModel::token_text(const Piece& piece, std::string_view) const {
  return vocabulary().token(piece.id);
}

Result<std::unique_ptr<TokenModel>> TokenModel::read(const JsonPart& parent) {
  const std::optional<JsonPart> part = parent.find("model");
  if (!part.has_value() || !part->json().is_object()) return parent.invalid("model", "an object");
  // Files older than the "type" member are told apart by what only one kind has.
  if (!part->json().find("type").has_value()) {
    if (part->find("merges").has_value()) return read_as<Bpe>(*part);
    if (part->find("max_input_chars_per_word").has_value()) return read_as<WordPiece>(*part);
  }
  QUIPU_TRY(const std::string_view type, part->type());
  if (type == "WordPiece") return read_as<WordPiece>(*part);
  if (type == "BPE") return read_as<Bpe>(*part);
  if (type == "Unigram") return read_as<Unigram>(*part);
  if (type == "WordLevel") return read_as<WordLevel>(*part);
  return part->unsupported("'" + std::string(type) + "'", "type");
}

}  // namespace quipu::text
