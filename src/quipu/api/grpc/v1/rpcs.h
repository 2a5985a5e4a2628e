// The rows of the services quipu.v1 (proto/quipu/v1).
#pragma once

#include <vector>

#include "quipu/api/rpc.h"

namespace quipu::api::grpc::v1 {

void add_rpcs(std::vector<Rpc>& rows);

}  // namespace quipu::api::grpc::v1
