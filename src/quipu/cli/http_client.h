// A small HTTP/1.1 client for talking to one Quipu server: keep-alive, deadlines, bounded answers.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "quipu/api/service.h"
#include "quipu/base/thread_annotations.h"
#include "quipu/result.h"

namespace quipu::cli {

struct ServerAddress {
  std::string host;
  std::uint16_t port = 7333;
  std::string prefix;  // put before every target; "" or "/path"
  [[nodiscard]] std::string url() const;
};
// "http://host[:port][/prefix]", also without the scheme; "[::1]:7333" for IPv6.
// Errors: kInvalidArgument, also for https, which is not built.
[[nodiscard]] Result<ServerAddress> parse_server_address(std::string_view text,
                                                         std::uint16_t default_port = 7333);

struct HttpLimits {
  std::chrono::milliseconds connect_timeout{2'000};
  std::chrono::milliseconds timeout{60'000};  // for a whole exchange
  std::size_t response_bytes_max = 256U << 20;
};

// Threads: any; each call has a connection to itself, and idle ones are kept for the next.
class HttpClient {
 public:
  HttpClient(ServerAddress address, HttpLimits limits);
  ~HttpClient();
  // Sends and waits for the answer, whatever its status. A connection that the server closed while
  // it was idle is opened again when the request may be sent twice. Errors: kUnavailable
  // ("server_unreachable": nobody listens; "connection_lost"), kDeadlineExceeded
  // ("server_timeout"), kResourceExhausted ("response_too_large"), kInternal
  // ("not_http").
  [[nodiscard]] Result<api::Response> send(const api::Request& request);
  [[nodiscard]] const ServerAddress& address() const noexcept { return address_; }

 private:
  class Connection;
  ServerAddress address_;
  HttpLimits limits_;
  Mutex mutex_;
  std::vector<std::unique_ptr<Connection>> idle_ GUARDED_BY(mutex_);
};

// The head of an answer: what HttpClient reads before the body. Exposed for its test.
struct ResponseHead {
  int status = 0;
  std::vector<std::pair<std::string, std::string>> headers;  // names in lower case
  [[nodiscard]] std::string_view header(std::string_view name) const noexcept;
};
// `head` ends with the empty line. Errors: kInternal ("not_http").
[[nodiscard]] Result<ResponseHead> parse_response_head(std::string_view head);

}  // namespace quipu::cli
