// All methods of all gRPC services.
#pragma once

#include <span>

#include "quipu/api/rpc.h"

namespace quipu::api {

// Service by service. Made on first use; it lives as long as the process.
[[nodiscard]] std::span<const Rpc> rpc_table();

}  // namespace quipu::api
