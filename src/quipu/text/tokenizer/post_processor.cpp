#include "quipu/text/tokenizer/post_processor.h"

#include <algorithm>
#include <string>

#include "quipu/text/tokenizer/vocabulary.h"

namespace quipu::text {
namespace {

using Piece = PostProcessor::Piece;

constexpr std::size_t kTemplatePiecesMax = 64;
constexpr std::size_t kPieceIdsMax = 64;
constexpr std::size_t kProcessorDepthMax = 4;
constexpr std::uint64_t kTypeIdMax = 255;

Result<std::uint32_t> read_template_id(const JsonPart& part) {
  const std::optional<std::uint64_t> id = part.json().as_uint64();
  if (!id.has_value() || *id > Vocabulary::kIdMax) {
    return part.invalid("", "a whole number of at most " + std::to_string(Vocabulary::kIdMax));
  }
  return static_cast<std::uint32_t>(*id);
}

// The ids of a template's special token, which the file lists apart.
Status add_special_ids(const JsonPart& processor, std::string_view name,
                       std::vector<std::uint32_t>& ids) {
  const std::optional<JsonPart> tokens = processor.find("special_tokens");
  const std::optional<JsonPart> token =
      tokens.has_value() ? tokens->find(name) : std::optional<JsonPart>();
  if (!token.has_value()) {
    return processor.invalid("special_tokens",
                             "a list with the template's token '" + std::string(name) + "'");
  }
  return token->for_each("ids", kPieceIdsMax, [&](const JsonPart& id) -> Status {
    QUIPU_TRY(const std::uint32_t value, read_template_id(id));
    ids.push_back(value);
    return ok_status();
  });
}

Result<std::vector<Piece>> read_pieces(const JsonPart& processor, std::string_view field) {
  std::vector<Piece> pieces;
  Status status =
      processor.for_each(field, kTemplatePiecesMax, [&](const JsonPart& part) -> Status {
        const std::optional<JsonPart> special = part.find("SpecialToken");
        const std::optional<JsonPart> sequence = part.find("Sequence");
        if (special.has_value() == sequence.has_value()) {
          return part.invalid("", "a SpecialToken or a Sequence");
        }
        const JsonPart& inner = special.has_value() ? *special : *sequence;
        Piece piece;
        QUIPU_TRY(const std::string_view id, inner.read_text("id"));
        QUIPU_TRY(const std::uint64_t type_id, inner.read_number("type_id", 0));
        if (type_id > kTypeIdMax) {
          return inner.invalid("type_id", "at most " + std::to_string(kTypeIdMax));
        }
        piece.type_id = static_cast<std::uint8_t>(type_id);
        if (special.has_value()) {
          QUIPU_TRY_OK(add_special_ids(processor, id, piece.ids));
        } else if (id == "A" || id == "B") {
          piece.text = id == "A" ? 0 : 1;
        } else {
          return inner.invalid("id", "A or B");
        }
        pieces.push_back(std::move(piece));
        return ok_status();
      });
  QUIPU_TRY_OK(std::move(status));
  return pieces;
}

std::ptrdiff_t count_text(const std::vector<Piece>& pieces, int text) {
  return std::count_if(pieces.begin(), pieces.end(),
                       [text](const Piece& piece) { return piece.text == text; });
}

// ["[SEP]", 102]
Result<std::uint32_t> read_named_id(const JsonPart& part, std::string_view field) {
  std::vector<std::uint32_t> ids;
  std::size_t index = 0;
  QUIPU_TRY_OK(part.for_each(field, 2, [&](const JsonPart& value) -> Status {
    if (index++ == 0) return ok_status();
    QUIPU_TRY(const std::uint32_t id, read_template_id(value));
    ids.push_back(id);
    return ok_status();
  }));
  if (ids.size() != 1) return part.invalid(field, "a token and its id");
  return ids[0];
}

}  // namespace

PostProcessor::PostProcessor() : single_{{.text = 0}}, pair_{{.text = 0}, {1, {}, 1}} {}

std::uint32_t PostProcessor::added(const std::vector<Piece>& pieces) noexcept {
  std::size_t count = 0;
  for (const Piece& piece : pieces) count += piece.ids.size();
  return static_cast<std::uint32_t>(count);
}

std::uint32_t PostProcessor::ids_end() const noexcept {
  std::uint32_t end = 0;
  for (const std::vector<Piece>* pieces : {&single_, &pair_}) {
    for (const Piece& piece : *pieces) {
      for (const std::uint32_t id : piece.ids) end = std::max(end, id + 1);
    }
  }
  return end;
}

Status PostProcessor::read_template(const JsonPart& part) {
  QUIPU_TRY_OK(part.check_fields({"type", "single", "pair", "special_tokens"}));
  QUIPU_TRY(single_, read_pieces(part, "single"));
  if (count_text(single_, 0) != 1 || count_text(single_, 1) != 0) {
    return part.invalid("single", "a template with the sequence A once");
  }
  QUIPU_TRY(pair_, read_pieces(part, "pair"));
  // Many files have a template for pairs that nobody looked at: it is refused when it is used.
  if (count_text(pair_, 0) != 1 || count_text(pair_, 1) != 1) pair_.clear();
  return ok_status();
}

// {"sep": ["[SEP]", 102], "cls": ["[CLS]", 101]}, and RoBERTa's with a second separator.
Status PostProcessor::read_bert(const JsonPart& part, bool is_roberta) {
  if (is_roberta) {
    QUIPU_TRY_OK(part.check_fields({"type", "sep", "cls", "trim_offsets", "add_prefix_space"}));
    QUIPU_TRY_OK(add_trim(part));
  } else {
    QUIPU_TRY_OK(part.check_fields({"type", "sep", "cls"}));
  }
  QUIPU_TRY(const std::uint32_t cls, read_named_id(part, "cls"));
  QUIPU_TRY(const std::uint32_t sep, read_named_id(part, "sep"));
  single_ = {{-1, {cls}, 0}, {0, {}, 0}, {-1, {sep}, 0}};
  pair_ = single_;
  const std::uint8_t second = is_roberta ? 0 : 1;
  if (is_roberta) pair_.push_back({-1, {sep}, 0});
  pair_.push_back({1, {}, second});
  pair_.push_back({-1, {sep}, second});
  return ok_status();
}

Status PostProcessor::add_trim(const JsonPart& part) {
  QUIPU_TRY(const bool trims, part.read_bool("trim_offsets", true));
  QUIPU_TRY(const bool prefix_space, part.read_bool("add_prefix_space", true));
  if (trims) trims_.push_back({prefix_space});
  return ok_status();
}

Status PostProcessor::add(const JsonPart& part, bool& has_template, std::size_t depth) {
  QUIPU_TRY(const std::string_view type, part.type());
  if (type == "Sequence") {
    if (depth > kProcessorDepthMax) {
      return part.invalid("", "nested at most " + std::to_string(kProcessorDepthMax) + " deep");
    }
    QUIPU_TRY_OK(part.check_fields({"type", "processors"}));
    return part.for_each("processors", kTemplatePiecesMax, [&](const JsonPart& inner) {
      return add(inner, has_template, depth + 1);
    });
  }
  // What comes behind a template would see its pieces for texts.
  if (has_template) return part.unsupported("'" + std::string(type) + "' behind a template");
  if (type == "ByteLevel") {
    QUIPU_TRY_OK(part.check_fields({"type", "add_prefix_space", "trim_offsets", "use_regex"}));
    return add_trim(part);
  }
  has_template = true;
  if (type == "TemplateProcessing") return read_template(part);
  if (type == "BertProcessing") return read_bert(part, false);
  if (type == "RobertaProcessing") return read_bert(part, true);
  return part.unsupported("'" + std::string(type) + "'", "type");
}

Result<PostProcessor> PostProcessor::read(const JsonPart& parent) {
  PostProcessor out;
  const std::optional<JsonPart> part = parent.find("post_processor");
  if (!part.has_value()) return out;
  bool has_template = false;
  QUIPU_TRY_OK(out.add(*part, has_template, 0));
  return out;
}

}  // namespace quipu::text
