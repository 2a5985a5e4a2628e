// The one route table: the rows of all surfaces together.
#pragma once

#include <span>

#include "quipu/api/route.h"

namespace quipu::api {

[[nodiscard]] std::span<const Route> route_table();

}  // namespace quipu::api
