// The member `filter` of request bodies.
#pragma once

#include "quipu/api/schema.h"
#include "quipu/filter.h"

namespace quipu::api::rest {

// Reads query/filter's JSON form; a mistake is named by its place in the filter.
[[nodiscard]] SchemaPtr<Filter> filter_schema();

}  // namespace quipu::api::rest
