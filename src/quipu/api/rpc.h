// One method of a gRPC service.
//
// Its row is that of a route: the handler gets a Call whose body is the bytes of one message, and
// replies with a Response whose status is gRPC's and whose body is the bytes of the answer. So
// limits, deadlines, pools, metrics and permissions are the same for both protocols, and no handler
// sees the network. Calls name their collection in the body: handlers say it by
// Call::set_parameters().
#pragma once

#include <string_view>

#include "quipu/api/route.h"

namespace quipu::api {

struct Rpc {
  // pattern "/qdrant.Points/Upsert", name "qdrant.Points/Upsert"; body, query and response are
  // unused.
  Route row;
  // Both sides stream: each message in is a call of its own, answered by one message out, in order.
  bool stream = false;
};

}  // namespace quipu::api
