#include "quipu/api/rpc_table.h"

#include <vector>

#include "quipu/api/grpc/v1/rpcs.h"
#include "quipu/api/qdrant/grpc/rpcs.h"

namespace quipu::api {

std::span<const Rpc> rpc_table() {
  static const std::vector<Rpc> table = [] {
    std::vector<Rpc> rows;
    grpc::v1::add_rpcs(rows);
    qdrant::add_rpcs(rows);
    return rows;
  }();
  return table;
}

}  // namespace quipu::api
