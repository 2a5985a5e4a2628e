// The vector that a recommendation by average searches for.
//
// Threads: pure functions.
#pragma once

#include <span>
#include <variant>
#include <vector>

#include "quipu/query.h"
#include "quipu/result.h"

namespace quipu::query {

using VectorValue = std::variant<std::vector<float>, SparseValues, MultiValues>;

// Dense and sparse vectors: the mean of `positive`, plus how far it is from the mean of `negative`
// (mean(positive) + mean(positive) - mean(negative)); a sparse vector has 0 where it has no weight.
// Multivectors: the rows of all, those of `negative` negated.
// Errors: kInvalidArgument ("invalid_query") without a positive one, or when they are of several
// kinds or dimensions; it says which two.
[[nodiscard]] Result<VectorValue> recommended_average(std::span<const VectorValue> positive,
                                                      std::span<const VectorValue> negative);

}  // namespace quipu::query
