// How two vectors are compared.
#pragma once

#include <cstdint>
#include <string_view>

#include "quipu/result.h"

namespace quipu {

// Stored in checkpoints and the catalogue: append only.
enum class Metric : std::uint8_t { kCosine, kDot, kEuclidean, kManhattan };

// "cosine", "dot", "euclidean", "manhattan".
[[nodiscard]] std::string_view metric_name(Metric metric) noexcept;
// Errors: kInvalidArgument naming the text and the four names.
[[nodiscard]] Result<Metric> parse_metric(std::string_view name);

}  // namespace quipu
