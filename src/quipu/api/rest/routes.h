// The route table.
#pragma once

#include <span>

#include "quipu/api/route.h"

namespace quipu::api::rest {

// Every path of the design; those without a handler are not built yet. Made once, never changed.
[[nodiscard]] std::span<const Route> routes();

}  // namespace quipu::api::rest
