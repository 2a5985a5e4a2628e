#include "quipu/text/tokenizer/json_fields.h"

#include <algorithm>

#include "quipu/text/unicode/utf8.h"

namespace quipu::text {

std::string JsonPart::place(std::string_view field) const {
  if (field.empty()) return path_;
  return path_.empty() ? std::string(field) : path_ + "." + std::string(field);
}

Error JsonPart::unsupported(const std::string& what, std::string_view field) const {
  return Error{ErrorCode::kUnimplemented, place(field) + ": " + what + " is not supported",
               "tokenizer_unsupported"};
}

Error JsonPart::invalid(std::string_view field, std::string_view expected) const {
  return Error{ErrorCode::kInvalidArgument, place(field) + ": must be " + std::string(expected)};
}

Result<std::string_view> JsonPart::type() const {
  if (const std::optional<JsonView> type = json_.find("type")) {
    if (const std::optional<std::string_view> name = type->as_string()) return *name;
  }
  return invalid("type", "a string");
}

Status JsonPart::check_fields(std::initializer_list<std::string_view> known) const {
  if (!json_.is_object()) return invalid("", "an object");
  std::string unknown;
  bool found = false;
  json_.for_each_member([&](std::string_view key, JsonView) {
    found = std::find(known.begin(), known.end(), key) == known.end();
    if (found) unknown = key;
    return !found;
  });
  if (found) return unsupported("option '" + unknown + "'");
  return ok_status();
}

std::optional<JsonPart> JsonPart::find(std::string_view field) const {
  const std::optional<JsonView> found = json_.find(field);
  if (!found.has_value() || found->is_null()) return std::nullopt;
  return JsonPart(*found, place(field));
}

Result<bool> JsonPart::read_bool(std::string_view field, bool otherwise) const {
  const std::optional<JsonPart> found = find(field);
  if (!found.has_value()) return otherwise;
  if (const std::optional<bool> value = found->json().as_bool()) return *value;
  return invalid(field, "true or false");
}

Result<std::string_view> JsonPart::read_string(std::string_view field,
                                               std::string_view otherwise) const {
  const std::optional<JsonPart> found = find(field);
  if (!found.has_value()) return otherwise;
  if (const std::optional<std::string_view> value = found->json().as_string()) return *value;
  return invalid(field, "a string");
}

Result<std::uint64_t> JsonPart::read_number(std::string_view field, std::uint64_t otherwise) const {
  const std::optional<JsonPart> found = find(field);
  if (!found.has_value()) return otherwise;
  if (const std::optional<std::uint64_t> value = found->json().as_uint64()) return *value;
  return invalid(field, "a whole number, 0 or more");
}

Result<std::string_view> JsonPart::read_text(std::string_view field) const {
  if (!find(field).has_value()) return invalid(field, "a string");
  return read_string(field, "");
}

Result<char32_t> JsonPart::read_character(std::string_view field) const {
  QUIPU_TRY(const std::string_view text, read_text(field));
  if (text.empty() || find_invalid_utf8(text) != std::string_view::npos ||
      decode_utf8(text.data()).size != text.size()) {
    return invalid(field, "a string of one character");
  }
  return decode_utf8(text.data()).value;
}

Status JsonPart::for_each(std::string_view field, std::size_t count_max,
                          const std::function<Status(const JsonPart&)>& visit) const {
  const std::optional<JsonView> found = json_.find(field);
  if (!found.has_value() || !found->is_array() || found->size() > count_max) {
    return invalid(field, "an array of at most " + std::to_string(count_max) + " elements");
  }
  const std::string name = place(field);
  Status status = ok_status();
  std::size_t index = 0;
  found->for_each_element([&](JsonView part) {
    status = visit(JsonPart(part, name + "[" + std::to_string(index++) + "]"));
    return status.ok();
  });
  return status;
}

}  // namespace quipu::text
