#include "quipu/text/tokenizer/pattern_field.h"

#include <string>

namespace quipu::text {

Result<std::shared_ptr<const CharPattern>> read_pattern(const JsonPart& part,
                                                        std::string_view field) {
  const std::optional<JsonPart> found = part.find(field);
  if (!found.has_value()) return part.invalid(field, "an object");
  QUIPU_TRY_OK(found->check_fields({"String", "Regex"}));
  const std::optional<JsonPart> regex = found->find("Regex");
  if (regex.has_value() == found->find("String").has_value()) {
    return part.invalid(field, "an object with either 'Regex' or 'String'");
  }
  const std::string_view name = regex.has_value() ? "Regex" : "String";
  QUIPU_TRY(const std::string_view text, found->read_text(name));
  Result<std::shared_ptr<const CharPattern>> pattern =
      regex.has_value() ? CharPattern::compile(text) : CharPattern::literal(text);
  if (pattern.ok()) return pattern;
  Error error = std::move(pattern).error();
  error.message = found->path() + "." + std::string(name) + ": " + error.message;
  return error;
}

}  // namespace quipu::text
