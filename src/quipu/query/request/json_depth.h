// How deep the canonical JSON of a query is.
#pragma once

#include <cstddef>

#include "quipu/query.h"

namespace quipu::query {

// An upper bound of the nesting of what write_query() writes: 1 for an object without any inside.
// `query` satisfies the other checks, which bound the recursion.
[[nodiscard]] std::size_t json_depth(const QueryStage& query);

}  // namespace quipu::query
