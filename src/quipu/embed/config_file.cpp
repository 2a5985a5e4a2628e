#include "quipu/embed/config_file.h"

#include <cmath>

#include "quipu/base/format.h"

namespace quipu::embed {

Error model_damaged(const std::string& file, const std::string& what) {
  return Error{ErrorCode::kCorruption, file + ": " + what, "model_damaged"};
}

Error model_unsupported(const std::string& file, const std::string& what) {
  return Error{ErrorCode::kUnimplemented, file + ": " + what + " is not supported",
               "model_unsupported"};
}

std::optional<JsonView> ConfigFile::find(std::string_view field) const {
  const std::optional<JsonView> found = document.root().find(field);
  return found.has_value() && found->is_null() ? std::nullopt : found;
}

Result<std::uint64_t> ConfigFile::number(std::string_view field, std::uint64_t max) const {
  const std::optional<JsonView> found = find(field);
  const std::optional<std::uint64_t> value = found.has_value() ? found->as_uint64() : std::nullopt;
  if (!value.has_value() || *value == 0 || *value > max) {
    return model_damaged(name, format("'{}' must be from 1 to {}", field, max));
  }
  return *value;
}

Result<std::uint64_t> ConfigFile::number_or(std::string_view field, std::uint64_t max,
                                            std::uint64_t otherwise) const {
  const std::optional<JsonView> found = find(field);
  if (!found.has_value()) return otherwise;
  const std::optional<std::uint64_t> value = found->as_uint64();
  if (!value.has_value() || *value > max) {
    return model_damaged(name, format("'{}' must be from 0 to {}", field, max));
  }
  return *value;
}

Result<double> ConfigFile::real_or(std::string_view field, double max, double otherwise) const {
  const std::optional<JsonView> found = find(field);
  if (!found.has_value()) return otherwise;
  const std::optional<double> value = found->as_double();
  if (!value.has_value() || !(*value > 0 && *value <= max)) {
    return model_damaged(name, format("'{}' must be above 0 and at most {}", field, max));
  }
  return *value;
}

Result<std::string> ConfigFile::text(std::string_view field, std::string otherwise) const {
  const std::optional<JsonView> found = find(field);
  if (!found.has_value()) return otherwise;
  if (const std::optional<std::string_view> value = found->as_string()) return std::string(*value);
  return model_damaged(name, format("'{}' must be a string", field));
}

Result<bool> ConfigFile::flag(std::string_view field, bool otherwise) const {
  const std::optional<JsonView> found = find(field);
  if (!found.has_value()) return otherwise;
  if (const std::optional<bool> value = found->as_bool()) return *value;
  return model_damaged(name, format("'{}' must be true or false", field));
}

}  // namespace quipu::embed
