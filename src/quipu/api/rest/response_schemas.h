// The JSON Schemas of answers. The contract test holds every answer against them.
#pragma once

#include <span>
#include <string_view>
#include <utility>

namespace quipu::api::rest {

// (name, JSON Schema), by name.
[[nodiscard]] std::span<const std::pair<std::string_view, std::string_view>> response_schemas();

}  // namespace quipu::api::rest
