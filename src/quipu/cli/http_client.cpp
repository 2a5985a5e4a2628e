#include "quipu/cli/http_client.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <optional>
#include <utility>

#include "quipu/base/format.h"
#include "quipu/base/quote.h"

namespace quipu::cli {
namespace {

using SteadyClock = std::chrono::steady_clock;
constexpr std::size_t kHeadBytesMax = 64U << 10;
constexpr std::size_t kIdleMax = 8;

Error not_http(std::string_view what) {
  return {ErrorCode::kInternal, quipu::format("the answer is no HTTP: {}", what), "not_http"};
}

std::string_view trim(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

template <typename Number>
std::optional<Number> number(std::string_view text, int base = 10) {
  Number value{};
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (code != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// Whether sending the request a second time changes nothing that the first did not.
bool may_repeat(const api::Request& request) {
  if (request.method != "POST" && request.method != "PATCH") return true;
  for (const std::string_view reading : {":get", ":scroll", ":count", "/search", "/recall"}) {
    if (request.target.find(reading) != std::string::npos) return true;
  }
  return std::any_of(request.headers.begin(), request.headers.end(),
                     [](const auto& header) { return lower(header.first) == "idempotency-key"; });
}

std::string encode(const api::Request& request, const ServerAddress& address) {
  const bool ipv6 = address.host.find(':') != std::string::npos;
  std::string bytes = quipu::format(
      "{} {}{} HTTP/1.1\r\nHost: {}{}{}:{}\r\nUser-Agent: quipu/{}\r\nAccept: application/json\r\n",
      request.method, address.prefix, request.target, ipv6 ? "[" : "", address.host,
      ipv6 ? "]" : "", address.port, QUIPU_VERSION);
  for (const auto& [name, value] : request.headers) bytes += name + ": " + value + "\r\n";
  if (!request.body.empty() || request.method == "POST" || request.method == "PUT" ||
      request.method == "PATCH") {
    bytes += quipu::format("Content-Length: {}\r\n", request.body.size());
  }
  bytes += "\r\n";
  bytes += request.body;
  return bytes;
}

}  // namespace

std::string ServerAddress::url() const {
  const bool ipv6 = host.find(':') != std::string::npos;
  return quipu::format("http://{}{}{}:{}{}", ipv6 ? "[" : "", host, ipv6 ? "]" : "", port, prefix);
}

Result<ServerAddress> parse_server_address(std::string_view text, std::uint16_t default_port) {
  const auto refuse = [&](std::string_view why) {
    return Error{ErrorCode::kInvalidArgument,
                 quipu::format("the server's address {} {}; it looks like http://127.0.0.1:{}",
                               in_quotes(text), why, default_port),
                 "bad_server_address"};
  };
  std::string_view rest = text;
  if (lower(rest.substr(0, 8)) == "https://") {
    return refuse("uses TLS, which this version does not speak");
  }
  if (lower(rest.substr(0, 7)) == "http://") rest.remove_prefix(7);
  if (rest.find("://") != std::string_view::npos) return refuse("has a scheme that is not http");
  ServerAddress address;
  address.port = default_port;
  if (const std::size_t slash = rest.find('/'); slash != std::string_view::npos) {
    address.prefix = std::string(rest.substr(slash));
    while (!address.prefix.empty() && address.prefix.back() == '/') address.prefix.pop_back();
    rest = rest.substr(0, slash);
  }
  const bool bracketed = rest.starts_with('[');
  const std::size_t close = rest.find(']');
  if (bracketed && close == std::string_view::npos) return refuse("lacks a ']'");
  const std::size_t colon = bracketed ? rest.find(':', close) : rest.find(':');
  if (colon != std::string_view::npos) {
    const auto port = number<std::uint16_t>(rest.substr(colon + 1));
    if (!port || *port == 0) return refuse("has a port that is not 1 to 65535");
    address.port = *port;
  }
  address.host = std::string(bracketed ? rest.substr(1, close - 1) : rest.substr(0, colon));
  const bool odd = std::any_of(text.begin(), text.end(), [](char c) {
    return static_cast<unsigned char>(c) <= ' ' || static_cast<unsigned char>(c) == 0x7f;
  });
  if (address.host.empty() || odd) return refuse("names no host");
  return address;
}

std::string_view ResponseHead::header(std::string_view name) const noexcept {
  for (const auto& [key, value] : headers) {
    if (key == name) return value;
  }
  return {};
}

Result<ResponseHead> parse_response_head(std::string_view head) {
  ResponseHead parsed;
  std::size_t end = head.find("\r\n");
  const std::string_view line = head.substr(0, end);
  if (end == std::string_view::npos || !line.starts_with("HTTP/1.") || line.size() < 12) {
    return not_http(in_quotes(line));
  }
  const auto status = number<int>(line.substr(9, 3));
  if (!status || *status < 100) return not_http(in_quotes(line));
  parsed.status = *status;
  for (std::size_t at = end + 2; at < head.size(); at = end + 2) {
    end = head.find("\r\n", at);
    if (end == std::string_view::npos || end == at) break;
    const std::string_view field = head.substr(at, end - at);
    const std::size_t colon = field.find(':');
    if (colon == std::string_view::npos || colon == 0) return not_http(in_quotes(field));
    parsed.headers.emplace_back(lower(field.substr(0, colon)),
                                std::string(trim(field.substr(colon + 1))));
  }
  return parsed;
}

// One TCP connection with a buffer of what was read ahead.
class HttpClient::Connection {
 public:
  explicit Connection(int fd) : fd_(fd) {}
  ~Connection() { ::close(fd_); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  static Result<std::unique_ptr<Connection>> open(const ServerAddress& address,
                                                  std::chrono::milliseconds timeout);
  Result<api::Response> exchange(std::string_view bytes, bool head_only, const HttpLimits& limits);

  bool reused = false;
  bool keep = false;      // the server leaves it open
  bool answered = false;  // a byte of the answer came

 private:
  Status wait(short events);
  Status write(std::string_view bytes);
  Result<std::size_t> read_more();
  Result<std::string> read_until(std::string_view mark, std::size_t size_max);
  Status read_exactly(std::size_t size, std::string& into);
  Status read_chunked(std::string& into, std::size_t size_max);
  Status read_to_end(std::string& into, std::size_t size_max);

  int fd_;
  std::string ahead_;
  SteadyClock::time_point deadline_;
};

Status HttpClient::Connection::wait(short events) {
  while (true) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline_ - SteadyClock::now());
    pollfd poller{fd_, events, 0};
    const int ready =
        left.count() <= 0 ? 0 : ::poll(&poller, 1, static_cast<int>(left.count()) + 1);
    if (ready > 0) return ok_status();
    if (ready < 0 && errno == EINTR) continue;
    if (ready < 0) return Error{ErrorCode::kIo, std::strerror(errno)};
    return Error{ErrorCode::kDeadlineExceeded, "the server did not answer in time",
                 "server_timeout"};
  }
}

Result<std::unique_ptr<HttpClient::Connection>> HttpClient::Connection::open(
    const ServerAddress& address, std::chrono::milliseconds timeout) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int failed =
      ::getaddrinfo(address.host.c_str(), std::to_string(address.port).c_str(), &hints, &found);
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> list(found, &::freeaddrinfo);
  std::string why = failed != 0 ? ::gai_strerror(failed) : "no address";
  for (const addrinfo* at = failed != 0 ? nullptr : list.get(); at != nullptr; at = at->ai_next) {
    const int fd = ::socket(at->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) continue;
    auto connection = std::make_unique<Connection>(fd);
    connection->deadline_ = SteadyClock::now() + timeout;
    if (::connect(fd, at->ai_addr, at->ai_addrlen) != 0 && errno != EINPROGRESS) {
      why = std::strerror(errno);
      continue;
    }
    if (!connection->wait(POLLOUT).ok()) {
      why = "no answer in time";
      continue;
    }
    int state = 0;
    socklen_t size = sizeof(state);
    if (::getsockopt(fd, SOL_SOCKET, SO_ERROR, &state, &size) != 0 || state != 0) {
      why = std::strerror(state);
      continue;
    }
    const int on = 1;
    // Without it small requests wait for nothing; a failure costs only that.
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    return connection;
  }
  return Error{ErrorCode::kUnavailable,
               quipu::format("no server answers at {} ({}); 'quipu serve' starts a Quipu server",
                             address.url(), why),
               "server_unreachable"};
}

Status HttpClient::Connection::write(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent > 0) {
      bytes.remove_prefix(static_cast<std::size_t>(sent));
      continue;
    }
    if (errno == EINTR) continue;
    if (errno != EAGAIN) {
      return Error{ErrorCode::kUnavailable,
                   quipu::format("the connection to the server broke: {}", std::strerror(errno)),
                   "connection_lost"};
    }
    QUIPU_TRY_OK(wait(POLLOUT));
  }
  return ok_status();
}

// 0 at the end.
Result<std::size_t> HttpClient::Connection::read_more() {
  std::array<char, 65536> buffer;
  while (true) {
    const ssize_t got = ::recv(fd_, buffer.data(), buffer.size(), 0);
    if (got >= 0) {
      ahead_.append(buffer.data(), static_cast<std::size_t>(got));
      answered = answered || got > 0;
      return static_cast<std::size_t>(got);
    }
    if (errno == EINTR) continue;
    if (errno != EAGAIN) {
      return Error{ErrorCode::kUnavailable,
                   quipu::format("the connection to the server broke: {}", std::strerror(errno)),
                   "connection_lost"};
    }
    QUIPU_TRY_OK(wait(POLLIN));
  }
}

Error connection_ended() {
  return {ErrorCode::kUnavailable, "the server closed the connection before it answered",
          "connection_lost"};
}

// Everything up to and with the mark.
Result<std::string> HttpClient::Connection::read_until(std::string_view mark,
                                                       std::size_t size_max) {
  while (true) {
    const std::size_t at = ahead_.find(mark);
    if (at != std::string::npos) {
      std::string taken = ahead_.substr(0, at + mark.size());
      ahead_.erase(0, at + mark.size());
      return taken;
    }
    if (ahead_.size() > size_max) return not_http("its head does not end");
    QUIPU_TRY(const std::size_t got, read_more());
    if (got == 0) return connection_ended();
  }
}

Status HttpClient::Connection::read_exactly(std::size_t size, std::string& into) {
  while (ahead_.size() < size) {
    QUIPU_TRY(const std::size_t got, read_more());
    if (got == 0) return connection_ended();
  }
  into.append(ahead_, 0, size);
  ahead_.erase(0, size);
  return ok_status();
}

Error response_too_large(std::size_t limit) {
  return {ErrorCode::kResourceExhausted,
          quipu::format("the server's answer is over {} bytes; ask for less at once", limit),
          "response_too_large"};
}

Status HttpClient::Connection::read_chunked(std::string& into, std::size_t size_max) {
  while (true) {
    QUIPU_TRY(const std::string line, read_until("\r\n", kHeadBytesMax));
    std::string_view digits = line;
    digits = trim(digits.substr(0, digits.find_first_of(";\r")));
    const auto size = number<std::size_t>(digits, 16);
    if (!size) return not_http("a chunk without a size");
    if (*size > size_max || into.size() + *size > size_max) return response_too_large(size_max);
    if (*size == 0) break;
    QUIPU_TRY_OK(read_exactly(*size, into));
    QUIPU_TRY(const std::string end, read_until("\r\n", kHeadBytesMax));
    if (end.size() != 2) return not_http("a chunk longer than it says");
  }
  while (true) {  // trailers
    QUIPU_TRY(const std::string line, read_until("\r\n", kHeadBytesMax));
    if (line.size() == 2) return ok_status();
  }
}

Status HttpClient::Connection::read_to_end(std::string& into, std::size_t size_max) {
  while (true) {
    into += ahead_;
    ahead_.clear();
    if (into.size() > size_max) return response_too_large(size_max);
    QUIPU_TRY(const std::size_t got, read_more());
    if (got == 0) return ok_status();
  }
}

Result<api::Response> HttpClient::Connection::exchange(std::string_view bytes, bool head_only,
                                                       const HttpLimits& limits) {
  deadline_ = SteadyClock::now() + limits.timeout;
  keep = false;
  answered = false;
  QUIPU_TRY_OK(write(bytes));
  ResponseHead head;
  do {  // 100 Continue and its like come before the answer
    QUIPU_TRY(const std::string text, read_until("\r\n\r\n", kHeadBytesMax));
    QUIPU_TRY(head, parse_response_head(text));
  } while (head.status < 200);
  api::Response response;
  response.status = head.status;
  response.content_type = std::string(head.header("content-type"));
  bool framed = true;
  const std::string_view length = head.header("content-length");
  if (head_only || head.status == 204 || head.status == 304) {
    // No body, whatever the headers say of one.
  } else if (lower(head.header("transfer-encoding")) == "chunked") {
    QUIPU_TRY_OK(read_chunked(response.body, limits.response_bytes_max));
  } else if (!length.empty()) {
    const auto size = number<std::size_t>(length);
    if (!size) return not_http("a Content-Length that is no number");
    if (*size > limits.response_bytes_max) return response_too_large(limits.response_bytes_max);
    QUIPU_TRY_OK(read_exactly(*size, response.body));
  } else {
    framed = false;
    QUIPU_TRY_OK(read_to_end(response.body, limits.response_bytes_max));
  }
  keep = framed && ahead_.empty() && lower(head.header("connection")) != "close";
  response.headers = std::move(head.headers);
  return response;
}

HttpClient::HttpClient(ServerAddress address, HttpLimits limits)
    : address_(std::move(address)), limits_(limits) {}
HttpClient::~HttpClient() = default;

Result<api::Response> HttpClient::send(const api::Request& request) {
  const std::string bytes = encode(request, address_);
  while (true) {
    std::unique_ptr<Connection> connection;
    {
      const MutexLock lock(mutex_);
      if (!idle_.empty()) {
        connection = std::move(idle_.back());
        idle_.pop_back();
      }
    }
    if (connection == nullptr) {
      QUIPU_TRY(connection, Connection::open(address_, limits_.connect_timeout));
    } else {
      connection->reused = true;
    }
    Result<api::Response> response = connection->exchange(bytes, request.method == "HEAD", limits_);
    const bool stale = !response.ok() && connection->reused && !connection->answered &&
                       response.error().stable_reason() == "connection_lost";
    if (stale && may_repeat(request)) continue;
    if (response.ok() && connection->keep) {
      const MutexLock lock(mutex_);
      if (idle_.size() < kIdleMax) idle_.push_back(std::move(connection));
    }
    return response;
  }
}

}  // namespace quipu::cli
