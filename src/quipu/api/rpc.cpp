#include "quipu/api/rpc.h"

namespace quipu::api {

void add_rpc_rows(const RpcPackage& package, const RpcKind& kind, std::span<const RpcRow> of,
                  std::vector<Rpc>& rows) {
  for (const RpcRow& row : of) {
    Rpc& made = rows.emplace_back();
    made.row.method = Method::kPost;
    made.row.pattern = row.pattern;
    made.row.name = row.pattern.substr(1);
    made.row.permission = kind.permission;
    made.row.tag = package.tag;
    made.row.summary = row.summary;
    made.row.handler = row.handler;
    made.row.execution = kind.execution;
    made.row.idempotent = kind.idempotent;
    made.row.body_bytes_max = kind.body_bytes_max;
    made.row.dialect = package.dialect;
    made.stream = row.stream;
  }
}

}  // namespace quipu::api
