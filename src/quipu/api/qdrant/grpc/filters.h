// Filters of Qdrant's messages.
#pragma once

#include <qdrant_proto/qdrant_common.pb.h>

#include "quipu/api/qdrant/grpc/values.h"
#include "quipu/filter.h"
#include "quipu/result.h"

namespace quipu::api::qdrant::rpc {

// The result satisfies query::check_filter(). Errors: those of query::parse_filter(), with places
// as in the JSON of the same filter.
[[nodiscard]] Result<Filter> read_filter(const pb::Filter& filter, const Place& at);

// The same for one condition alone, as formulas have them; what it holds is not checked yet.
[[nodiscard]] Result<FilterCondition> read_condition(const pb::Condition& condition,
                                                     const Place& at);

}  // namespace quipu::api::qdrant::rpc
