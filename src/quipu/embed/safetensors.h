// The safetensors format: a header of names, types, shapes and places, then the numbers.
#pragma once

#include <span>
#include <vector>

#include "quipu/embed/runtime.h"
#include "quipu/result.h"

namespace quipu::embed {

inline constexpr std::size_t kSafetensorsHeaderBytesMax = 64U << 20;

// Reads the table of a whole file; the views borrow from `file`. Every place is checked: inside the
// file, as large as type and shape say, and none over another.
// Errors: kCorruption with what is wrong; the caller adds the file's name.
[[nodiscard]] Result<std::vector<WeightView>> parse_safetensors(std::span<const std::byte> file);

}  // namespace quipu::embed
