#include "quipu/text/tokenizer/word_level.h"

namespace quipu::text {

Result<std::unique_ptr<WordLevel>> WordLevel::read(const JsonPart& part) {
  QUIPU_TRY_OK(part.check_fields({"type", "vocab", "unk_token"}));
  QUIPU_TRY(const std::string_view unknown, part.read_text("unk_token"));
  std::unique_ptr<WordLevel> model(new WordLevel());
  QUIPU_TRY(model->vocabulary_, Vocabulary::read(part));
  model->unknown_id_ = model->vocabulary_.find(unknown);
  return model;
}

bool WordLevel::tokenize(std::string_view word, Scratch&, std::vector<Piece>& out) const {
  std::optional<std::uint32_t> id = vocabulary_.find(word);
  if (!id.has_value()) id = unknown_id_;
  if (!id.has_value()) return false;
  out.push_back({*id, static_cast<std::uint32_t>(word.size())});
  return true;
}

}  // namespace quipu::text
