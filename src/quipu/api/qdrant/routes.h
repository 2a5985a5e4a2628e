// The rows of Qdrant's REST API (docs/qdrant.md).
#pragma once

#include <vector>

#include "quipu/api/route.h"

namespace quipu::api::qdrant {

// Those without a handler are not built: they answer 501.
void add_routes(std::vector<Route>& routes);

}  // namespace quipu::api::qdrant
