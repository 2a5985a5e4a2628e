// An HTTP/1.1 server: sockets in, api::Request out, and back. It knows no route.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "quipu/api/service.h"
#include "quipu/base/metrics.h"
#include "quipu/result.h"

namespace quipu::server {

struct HttpOptions {
  std::string host = "127.0.0.1";  // an address, or "localhost"
  std::uint16_t port = 0;          // 0: any free one
  bool insecure = false;           // allows an address that is not loopback
  // Names besides localhost, 127.0.0.1 and [::1] that Host and Origin may have; "*" allows all.
  std::vector<std::string> allowed_hosts;
  std::size_t threads = 2;                        // 1..256
  std::size_t connections_max = 10'000;           // beyond, 503 and closed
  std::size_t header_bytes_max = 16U << 10;       // request line included; beyond, 431
  std::size_t body_bytes_max = 64U << 20;         // beyond, 413
  std::uint64_t buffered_bytes_max = 512U << 20;  // bodies of all requests; beyond, 503
  // Limits in time are checked once a second.
  std::chrono::milliseconds idle_timeout{75'000};    // between requests; then closed
  std::chrono::milliseconds header_timeout{10'000};  // from a head's first byte to its last
  std::chrono::milliseconds body_timeout{30'000};    // plus 1 s for each 64 KiB
  std::chrono::milliseconds write_timeout{30'000};   // plus 1 s for each 64 KiB
  // Which bodies go to files, by method and target; null: none. Called on a thread of the server.
  std::function<std::optional<api::Service::UploadPlan>(std::string_view, std::string_view)>
      upload_plan = nullptr;
};

// Whether the server may listen on options.host. Errors: kFailedPrecondition ("not_loopback") for
// an open address without `insecure`; kInvalidArgument for an address that is none.
Status check_address(const HttpOptions& options);

// Answers a request by calling `done` exactly once, on any thread. Called on a thread of the
// server: it must not block.
using HttpHandler = std::function<void(api::Request, std::function<void(api::Response)> done)>;

// Before the handler sees a request: the limits above hold; it is HTTP/1.0 or 1.1; Host is one that
// this server answers to, and Origin, where there is one, is the same host (DNS rebinding, strange
// web pages). What fails is answered with a problem, and the connection closed where its state is
// unsure.
//
// Threads: stop() from one thread, once; the rest as said.
class HttpServer {
 public:
  // Listens and begins to serve.
  // Errors: those of check_address(); kUnavailable ("address_in_use") and kIo from the system.
  [[nodiscard]] static Result<std::unique_ptr<HttpServer>> start(HttpOptions options,
                                                                 HttpHandler handler,
                                                                 MetricsRegistry& metrics);
  // stop(0 ms), if it was not called; then waits until the handler has answered what it was given.
  ~HttpServer();

  [[nodiscard]] std::uint16_t port() const noexcept;
  [[nodiscard]] std::size_t connections() const noexcept;

  // Stops listening, closes idle connections, lets requests in flight finish until the deadline,
  // then closes what is left and ends the threads. Returns whether all of them finished.
  bool stop(std::chrono::milliseconds deadline);

 private:
  struct Core;
  explicit HttpServer(std::unique_ptr<Core> core);
  std::unique_ptr<Core> core_;
};

}  // namespace quipu::server
