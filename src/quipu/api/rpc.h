// One method of a gRPC service.
//
// Its row is that of a route: the handler gets a Call whose body is the bytes of one message, and
// replies with a Response whose status is gRPC's and whose body is the bytes of the answer. So
// limits, deadlines, pools, metrics and permissions are the same for both protocols, and no handler
// sees the network. Calls name their collection in the body: handlers say it by
// Call::set_parameters().
#pragma once

#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

#include "quipu/api/route.h"

namespace quipu::api {

// A header that the transport alone makes, for each message of a stream: its number, from 0.
inline constexpr std::string_view kStreamMessageHeader = "quipu-stream-message";

struct Rpc {
  // pattern "/qdrant.Points/Upsert", name "qdrant.Points/Upsert"; body, query and response are
  // unused.
  Route row;
  // Both sides stream: each message in is a call of its own, answered by one message out, in order.
  bool stream = false;
};

// What a table of methods says of one, and what it says of several together.
struct RpcRow {
  std::string_view pattern;
  std::string_view summary;
  Handler handler = nullptr;  // null: planned, not built yet
  bool stream = false;
};
struct RpcKind {
  std::string_view permission;
  Execution execution = Execution::kInline;
  std::size_t body_bytes_max = 0;
  bool idempotent = false;
};
// What all methods of a package have.
struct RpcPackage {
  std::string_view tag;
  const Dialect* dialect = nullptr;
};
void add_rpc_rows(const RpcPackage& package, const RpcKind& kind, std::span<const RpcRow> of,
                  std::vector<Rpc>& rows);

}  // namespace quipu::api
