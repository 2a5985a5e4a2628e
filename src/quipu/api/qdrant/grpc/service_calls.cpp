// What this server is.
#include <qdrant_proto/qdrant.pb.h>

#include "quipu/api/call.h"
#include "quipu/api/qdrant/grpc/handlers.h"
#include "quipu/api/qdrant/grpc/rpc_call.h"

namespace quipu::api::qdrant::rpc {

void health_check(const CallPtr& call) {
  ::qdrant::HealthCheckRequest request;
  if (!parse_message(call, request)) return;
  ::qdrant::HealthCheckReply answer;
  answer.set_title("quipu - memory and vector engine, with Qdrant's API");
  answer.set_version(std::string(kApiVersion));
  reply_message(call, answer);
}

}  // namespace quipu::api::qdrant::rpc
