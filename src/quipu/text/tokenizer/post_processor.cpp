#include "quipu/text/tokenizer/post_processor.h"

#include <algorithm>
#include <string>

#include "quipu/text/tokenizer/json_fields.h"

namespace quipu::text {
namespace {

constexpr std::uint64_t kIdMax = 0x7FFFFFFE;
constexpr std::size_t kTemplateTokensMax = 64;

Status add_id(JsonView json, std::vector<std::uint32_t>& ids) {
  const std::optional<std::uint64_t> id = json.as_uint64();
  if (!id.has_value() || *id > kIdMax) {
    return invalid_field("post_processor: an id",
                         "a whole number of at most " + std::to_string(kIdMax));
  }
  if (ids.size() >= kTemplateTokensMax) {
    return invalid_field("post_processor",
                         "a template of at most " + std::to_string(kTemplateTokensMax) + " tokens");
  }
  ids.push_back(static_cast<std::uint32_t>(*id));
  return ok_status();
}

// The ids of a template's special token, which the file lists apart.
Status add_special(JsonView json, std::string_view name, std::vector<std::uint32_t>& ids) {
  const std::optional<JsonView> tokens = json.find("special_tokens");
  const std::optional<JsonView> token = tokens.has_value() ? tokens->find(name) : std::nullopt;
  if (!token.has_value()) {
    return Error{ErrorCode::kInvalidArgument, "post_processor: the template's token '" +
                                                  std::string(name) +
                                                  "' is not in 'special_tokens'"};
  }
  return for_each_part(*token, "ids", [&](JsonView id) { return add_id(id, ids); });
}

}  // namespace

std::uint32_t PostProcessor::ids_end() const noexcept {
  std::uint32_t end = 0;
  for (const std::uint32_t id : before_) end = std::max(end, id + 1);
  for (const std::uint32_t id : after_) end = std::max(end, id + 1);
  return end;
}

Status PostProcessor::read_template(JsonView json) {
  QUIPU_TRY_OK(check_fields(json, "post_processor", {"type", "single", "pair", "special_tokens"}));
  bool seen_text = false;
  QUIPU_TRY_OK(for_each_part(json, "single", [&](JsonView piece) -> Status {
    const std::optional<JsonView> special = piece.find("SpecialToken");
    const std::optional<JsonView> sequence = piece.find("Sequence");
    if (special.has_value() == sequence.has_value()) {
      return invalid_field("post_processor.single", "a list of SpecialToken and Sequence");
    }
    const JsonView part = special.has_value() ? *special : *sequence;
    QUIPU_TRY(const std::string_view id, read_string(part, "id", ""));
    QUIPU_TRY(const std::uint64_t type_id, read_number(part, "type_id", 0));
    if (type_id != 0) {
      return unimplemented("post_processor with type_id", std::to_string(type_id));
    }
    if (special.has_value()) return add_special(json, id, seen_text ? after_ : before_);
    if (id != "A" || seen_text) {
      return invalid_field("post_processor.single", "a template with the sequence A once");
    }
    seen_text = true;
    return ok_status();
  }));
  if (!seen_text) {
    return invalid_field("post_processor.single", "a template with the sequence A once");
  }
  return ok_status();
}

// {"sep": ["[SEP]", 102], "cls": ["[CLS]", 101]}
Status PostProcessor::read_bert(JsonView json) {
  QUIPU_TRY_OK(check_fields(json, "post_processor", {"type", "sep", "cls"}));
  const auto read_pair = [&](std::string_view field, std::vector<std::uint32_t>& ids) {
    std::size_t index = 0;
    Status status = for_each_part(json, field, [&](JsonView part) -> Status {
      if (index++ == 0) return ok_status();
      return add_id(part, ids);
    });
    if (status.ok() && index != 2) return Status(invalid_field(field, "a token and its id"));
    return status;
  };
  QUIPU_TRY_OK(read_pair("cls", before_));
  return read_pair("sep", after_);
}

Result<PostProcessor> PostProcessor::read(JsonView json) {
  PostProcessor out;
  if (json.is_null()) return out;
  QUIPU_TRY(const std::string_view type, read_type(json, "post_processor"));
  if (type == "TemplateProcessing") {
    QUIPU_TRY_OK(out.read_template(json));
  } else if (type == "BertProcessing") {
    QUIPU_TRY_OK(out.read_bert(json));
  } else {
    return unimplemented("post_processor", type);
  }
  return out;
}

}  // namespace quipu::text
