// Formulas of Qdrant's messages.
#pragma once

#include <qdrant_proto/points.pb.h>

#include "quipu/api/qdrant/grpc/values.h"
#include "quipu/query.h"
#include "quipu/result.h"

namespace quipu::api::qdrant::rpc {

// What it says is checked by query::check_query(). `at` is the place of the query.
[[nodiscard]] Result<FormulaQuery> read_formula(const pb::Formula& from, const Place& at);

}  // namespace quipu::api::qdrant::rpc
