// The patterns of tokenizer.json files: {"Regex": "\\s+"} or {"String": " "}.
#pragma once

#include <memory>
#include <string_view>

#include "quipu/result.h"
#include "quipu/text/regex/char_pattern.h"
#include "quipu/text/tokenizer/json_fields.h"

namespace quipu::text {

// Errors: kInvalidArgument; kUnimplemented naming what of the regular expression is not understood.
[[nodiscard]] Result<std::shared_ptr<const CharPattern>> read_pattern(const JsonPart& part,
                                                                      std::string_view field);

}  // namespace quipu::text
