// A gRPC server over the methods of rpc_table.h, with the standard health service and server
// reflection. It knows no method: messages go to Service::handle_rpc() as bytes.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "quipu/api/service.h"
#include "quipu/base/metrics.h"
#include "quipu/result.h"

namespace quipu::api {

struct GrpcOptions {
  std::string host = "127.0.0.1";              // an IP address, or "localhost" (127.0.0.1)
  std::uint16_t port = 0;                      // 0: any free one
  std::size_t message_bytes_max = 64U << 20;   // of one message, uncompressed
  std::size_t metadata_bytes_max = 16U << 10;  // of one call
  std::size_t connections_max = 10'000;        // beyond, they are closed at once
  std::size_t streams_max = 1'024;             // calls of one connection at once; more wait
  // Beyond either, a call is refused (RESOURCE_EXHAUSTED, UNAVAILABLE) with retry-after.
  std::size_t calls_max = 10'000;
  std::uint64_t buffered_bytes_max = 512U << 20;   // messages of all calls together
  std::chrono::milliseconds idle_timeout{75'000};  // of a connection without calls
  // For how long a new connection may say nothing that is HTTP/2.
  std::chrono::milliseconds handshake_timeout{10'000};
  // Whether this server answers to a call's :authority (DNS rebinding); empty: to every one.
  std::function<bool(std::string_view authority)> authority_allowed;
};

// Threads: stop() from one thread, once; the rest from any.
class GrpcServer {
 public:
  // Listens and begins to serve. `service` and `metrics` are borrowed.
  // Errors: kUnavailable ("address_in_use") when the address cannot be had.
  [[nodiscard]] static Result<std::unique_ptr<GrpcServer>> start(GrpcOptions options,
                                                                 Service& service,
                                                                 MetricsRegistry& metrics);
  // stop(0 ms), if it was not called.
  ~GrpcServer();

  [[nodiscard]] std::uint16_t port() const noexcept;
  [[nodiscard]] std::size_t open_connections() const noexcept;

  // Says NOT_SERVING, takes no new calls, lets those in flight finish until the deadline, then
  // cancels them; returns when all are over, and whether none was cut off.
  bool stop(std::chrono::milliseconds deadline);

 private:
  struct State;
  explicit GrpcServer(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace quipu::api
