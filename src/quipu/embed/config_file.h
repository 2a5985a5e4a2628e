// A JSON file of a model's folder, read with errors that name file and field.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "quipu/base/json.h"
#include "quipu/result.h"

namespace quipu::embed {

// kCorruption, "model_damaged".
[[nodiscard]] Error model_damaged(const std::string& file, const std::string& what);
// kUnimplemented, "model_unsupported": "`file`: `what` is not supported".
[[nodiscard]] Error model_unsupported(const std::string& file, const std::string& what);

// A field that is null counts as absent.
struct ConfigFile {
  std::string name;  // for messages
  JsonDocument document;

  [[nodiscard]] std::optional<JsonView> find(std::string_view field) const;
  // All: model_damaged() when the field is of another type or out of bounds.
  // From 1 to `max`; required.
  [[nodiscard]] Result<std::uint64_t> number(std::string_view field, std::uint64_t max) const;
  // From 0 to `max`.
  [[nodiscard]] Result<std::uint64_t> number_or(std::string_view field, std::uint64_t max,
                                                std::uint64_t otherwise) const;
  // Above 0 and at most `max`.
  [[nodiscard]] Result<double> real_or(std::string_view field, double max, double otherwise) const;
  [[nodiscard]] Result<std::string> text(std::string_view field, std::string otherwise) const;
  [[nodiscard]] Result<bool> flag(std::string_view field, bool otherwise) const;
};

}  // namespace quipu::embed
