// Strict reading of the objects of a tokenizer.json: what is unknown is refused by name, because
// ignoring it would give other tokens than the file's author had.
#pragma once

#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>

#include "quipu/base/json.h"
#include "quipu/result.h"

namespace quipu::text {

// kUnimplemented: "normalizer: type 'Replace' is not supported".
[[nodiscard]] Error unimplemented(std::string_view part, std::string_view type);
[[nodiscard]] Error invalid_field(std::string_view field, std::string_view expected);

// The string member "type". Errors: kInvalidArgument.
[[nodiscard]] Result<std::string_view> read_type(JsonView json, std::string_view part);
// Refuses an object with a member that is not in `known`. Errors: kUnimplemented naming it.
Status check_fields(JsonView json, std::string_view part,
                    std::initializer_list<std::string_view> known);
// A bool member; `otherwise` when it is absent or null. Errors: kInvalidArgument for another kind.
[[nodiscard]] Result<bool> read_bool(JsonView json, std::string_view field, bool otherwise);
// As read_bool(), for text (borrowed from the document) and numbers.
[[nodiscard]] Result<std::string_view> read_string(JsonView json, std::string_view field,
                                                   std::string_view otherwise);
[[nodiscard]] Result<std::uint64_t> read_number(JsonView json, std::string_view field,
                                                std::uint64_t otherwise);
// Calls `visit` for each element of an array member. Errors: its first; kInvalidArgument when the
// member is no array.
Status for_each_part(JsonView json, std::string_view field,
                     const std::function<Status(JsonView)>& visit);

}  // namespace quipu::text
