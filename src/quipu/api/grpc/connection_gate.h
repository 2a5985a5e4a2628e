// Listens for a gRPC server and counts its connections. The transport has no limit on them of its
// own: the gate accepts, refuses what is over the limit, hands over the rest, and notices their
// end.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "quipu/base/metrics.h"
#include "quipu/result.h"

namespace quipu::api::grpc {

// How it notices: the gate keeps a copy of each descriptor that it hands over, and asks nothing of
// it but a hang-up. The transport shuts a connection down in both directions before it closes its
// own descriptor, which shows on the copy; so does a peer's reset.
//
// Threads: open_connections() and port() from any; the rest from one.
class ConnectionGate {
 public:
  struct Options {
    std::string host;        // an IP address, or "localhost", which is 127.0.0.1
    std::uint16_t port = 0;  // 0: any free one
    std::size_t connections_max = 0;
  };
  // Takes over a connected socket, which does not block. Called by the gate's thread.
  using HandOver = std::function<void(int listener, int socket)>;

  // Listens; nothing is accepted before start(). Errors: kInvalidArgument (the host), kUnavailable
  // ("address_in_use"), kIo.
  [[nodiscard]] static Result<std::unique_ptr<ConnectionGate>> listen(const Options& options,
                                                                      MetricsRegistry& metrics);
  // stop(), if it was not called.
  ~ConnectionGate();

  void start(HandOver hand_over);
  // No connection is accepted, nor handed over, after it. Those that are there stay.
  void stop();

  [[nodiscard]] std::uint16_t port() const noexcept;
  [[nodiscard]] std::size_t open_connections() const noexcept;

 private:
  struct State;
  explicit ConnectionGate(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace quipu::api::grpc
