// The rows of Qdrant's gRPC services.
#pragma once

#include <vector>

#include "quipu/api/rpc.h"

namespace quipu::api::qdrant {

void add_rpcs(std::vector<Rpc>& rows);

}  // namespace quipu::api::qdrant
