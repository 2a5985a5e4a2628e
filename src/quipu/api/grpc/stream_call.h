// A call whose both sides stream: each message is a call of the service, answered in order.
#pragma once

#include <grpcpp/grpcpp.h>

#include "quipu/api/grpc/messages.h"
#include "quipu/api/rpc.h"

namespace quipu::api::grpc {

// One message at a time: the next is read when the answer before it was sent, so that a slow reader
// holds one message and one answer, whatever it sends. An error ends the call with its status. The
// call as a whole has no limit in time but the caller's; each message has the service's. It belongs
// to the transport, and deletes itself.
[[nodiscard]] ::grpc::ServerBidiReactor<::grpc::ByteBuffer, ::grpc::ByteBuffer>* make_stream_call(
    const Transport& transport, const Rpc& rpc, ::grpc::CallbackServerContext& context);

}  // namespace quipu::api::grpc
