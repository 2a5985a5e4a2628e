// What queries compare with: their vectors, points and texts.
#pragma once

#include <functional>

#include "quipu/query.h"

namespace quipu::query {

// Calls `visit` for each input of the query, in a fixed order; not those of prefetches.
void for_each_input(const StageQuery& query, const std::function<void(const VectorInput&)>& visit);

// Whether one of them is a text, which a model must embed or words be made of first.
[[nodiscard]] bool has_text(const StageQuery& query);

}  // namespace quipu::query
