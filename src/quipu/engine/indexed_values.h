// A payload key's values as a payload index has them: facets and orders without reading payloads.
//
// An index answers only where it holds every value that the points have at the key; otherwise the
// caller reads the payloads, and the answer is the same. Threads: as StageFilters.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "quipu/engine/stage_filter.h"
#include "quipu/index/payload/payload_index.h"
#include "quipu/query/filter/payload_path.h"
#include "quipu/query/rank/order_values.h"
#include "quipu/result.h"

namespace quipu::engine {

// How many points of one shard that pass have each value; the `k` most frequent, equal counts by
// ascending value. Nothing when no index can tell. Errors: those of filters, kDeadlineExceeded.
[[nodiscard]] Result<std::optional<std::vector<index::FacetHit>>> indexed_facet(
    StageFilters& filters, const FilterChain& chain, std::size_t shard_index,
    const query::PayloadPath& path, std::size_t k);

// Calls `visit` for each value within the order of the points of one shard that pass, in its
// direction, until it returns false; equal values in no particular order, a point once for each of
// its values. False, and nothing was visited, when no index can tell. Errors: as above.
using ValueVisit = std::function<bool(const query::OrderValue& value, const PointId& id)>;
[[nodiscard]] Result<bool> walk_indexed(StageFilters& filters, const FilterChain& chain,
                                        std::size_t shard_index, const query::PayloadOrder& order,
                                        const ValueVisit& visit);

}  // namespace quipu::engine
