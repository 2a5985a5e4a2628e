// The OpenAPI 3.1 document of the route table.
#pragma once

#include <span>
#include <string>

#include "quipu/api/route.h"

namespace quipu::api {

// Everything that is built, in the table's order; rows that are not built are left out.
[[nodiscard]] std::string openapi_document(std::span<const Route> routes);

}  // namespace quipu::api
