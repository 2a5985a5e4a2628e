// From the transport's buffers to the service, and back.
#pragma once

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "quipu/api/grpc/limits.h"
#include "quipu/api/rpc.h"
#include "quipu/api/service.h"

namespace quipu::api::grpc {

// What all calls of a server share; borrowed by each.
struct Transport {
  Service* service = nullptr;
  Limits* limits = nullptr;
  const std::function<bool(std::string_view)>* authority_allowed = nullptr;
};

// A message's bytes in one piece. False for a buffer that cannot be read.
[[nodiscard]] bool to_bytes(const ::grpc::ByteBuffer& buffer, std::string& bytes);
// Takes the bytes over; nothing is copied.
[[nodiscard]] ::grpc::ByteBuffer to_buffer(std::string bytes);

// The status of an answer of Service::handle_rpc().
[[nodiscard]] ::grpc::Status status_of(const Response& response);

// Whether the call was meant for this server. Errors: kInvalidArgument ("host_forbidden").
[[nodiscard]] quipu::Status check_authority(const Transport& transport,
                                            const ::grpc::CallbackServerContext& context);
// The request for the service, with the metadata that it reads.
[[nodiscard]] Request make_request(const Rpc& rpc, const ::grpc::CallbackServerContext& context,
                                   std::string bytes);
// The caller's deadline, in the service's clock.
[[nodiscard]] std::optional<std::chrono::steady_clock::time_point> deadline_of(
    const ::grpc::CallbackServerContext& context);

// Ends a call that no handler saw: quipu-code, and retry-after where trying again makes sense.
[[nodiscard]] ::grpc::Status refuse(::grpc::CallbackServerContext& context, const Error& error);

// Answers a call of one message. `response` and `context` live until the reactor is finished.
[[nodiscard]] ::grpc::ServerUnaryReactor* answer_unary(const Transport& transport, const Rpc& rpc,
                                                       ::grpc::CallbackServerContext& context,
                                                       const ::grpc::ByteBuffer& request,
                                                       ::grpc::ByteBuffer& response);

}  // namespace quipu::api::grpc
