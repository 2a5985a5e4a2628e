#include "quipu/text/tokenizer/json_fields.h"

#include <algorithm>

namespace quipu::text {

Error unimplemented(std::string_view part, std::string_view type) {
  return Error{ErrorCode::kUnimplemented,
               std::string(part) + ": type '" + std::string(type) + "' is not supported",
               "tokenizer_unsupported"};
}

Error invalid_field(std::string_view field, std::string_view expected) {
  return Error{ErrorCode::kInvalidArgument,
               "'" + std::string(field) + "' must be " + std::string(expected)};
}

Result<std::string_view> read_type(JsonView json, std::string_view part) {
  const std::optional<JsonView> type = json.find("type");
  if (type.has_value()) {
    if (const std::optional<std::string_view> name = type->as_string()) return *name;
  }
  return Error{ErrorCode::kInvalidArgument, std::string(part) + ": 'type' must be a string"};
}

Status check_fields(JsonView json, std::string_view part,
                    std::initializer_list<std::string_view> known) {
  std::string unknown;
  json.for_each_member([&](std::string_view key, JsonView) {
    if (std::find(known.begin(), known.end(), key) == known.end()) unknown = key;
    return unknown.empty();
  });
  if (unknown.empty()) return ok_status();
  return Error{ErrorCode::kUnimplemented,
               std::string(part) + ": option '" + unknown + "' is not supported",
               "tokenizer_unsupported"};
}

Result<bool> read_bool(JsonView json, std::string_view field, bool otherwise) {
  const std::optional<JsonView> found = json.find(field);
  if (!found.has_value() || found->is_null()) return otherwise;
  if (const std::optional<bool> value = found->as_bool()) return *value;
  return invalid_field(field, "true or false");
}

Result<std::string_view> read_string(JsonView json, std::string_view field,
                                     std::string_view otherwise) {
  const std::optional<JsonView> found = json.find(field);
  if (!found.has_value() || found->is_null()) return otherwise;
  if (const std::optional<std::string_view> value = found->as_string()) return *value;
  return invalid_field(field, "a string");
}

Result<std::uint64_t> read_number(JsonView json, std::string_view field, std::uint64_t otherwise) {
  const std::optional<JsonView> found = json.find(field);
  if (!found.has_value() || found->is_null()) return otherwise;
  if (const std::optional<std::uint64_t> value = found->as_uint64()) return *value;
  return invalid_field(field, "a whole number, 0 or more");
}

Status for_each_part(JsonView json, std::string_view field,
                     const std::function<Status(JsonView)>& visit) {
  const std::optional<JsonView> found = json.find(field);
  if (!found.has_value() || !found->is_array()) return invalid_field(field, "an array");
  Status status = ok_status();
  found->for_each_element([&](JsonView part) {
    status = visit(part);
    return status.ok();
  });
  return status;
}

}  // namespace quipu::text
