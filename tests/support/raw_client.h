// A client for tests that says exactly what it is told to, right or wrong. Header only.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <charconv>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace quipu::testing_support {

// The three digits of an answer; 0 when there are none.
[[nodiscard]] inline int status_of(std::string_view answer) {
  if (answer.size() < 12 || !answer.starts_with("HTTP/1.1 ")) return 0;
  int status = 0;
  std::from_chars(answer.data() + 9, answer.data() + 12, status);
  return status;
}
[[nodiscard]] inline std::string body_of(std::string_view answer) {
  const std::size_t end = answer.find("\r\n\r\n");
  return end == std::string_view::npos ? "" : std::string(answer.substr(end + 4));
}
// The value of a header as the server writes it; "" when it is absent.
[[nodiscard]] inline std::string header_of(std::string_view answer, std::string_view name) {
  const std::string_view head = answer.substr(0, answer.find("\r\n\r\n"));
  const std::size_t at = head.find("\r\n" + std::string(name) + ": ");
  if (at == std::string_view::npos) return "";
  const std::string_view rest = head.substr(at + name.size() + 4);
  return std::string(rest.substr(0, rest.find("\r\n")));
}

// A request with Host: localhost, and whatever lines are given ("A: b\r\n").
[[nodiscard]] inline std::string get_request(std::string_view path, std::string_view lines = "") {
  return "GET " + std::string(path) + " HTTP/1.1\r\nHost: localhost\r\n" + std::string(lines) +
         "\r\n";
}
[[nodiscard]] inline std::string post_request(std::string_view path, std::string_view body,
                                              std::string_view lines = "") {
  return "POST " + std::string(path) +
         " HTTP/1.1\r\nHost: localhost\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" +
         std::string(lines) + "\r\n" + std::string(body);
}

// One TCP connection to 127.0.0.1. Every wait ends after 20 seconds, which a test then sees as what
// it got so far. Threads: one.
class RawClient {
 public:
  explicit RawClient(std::uint16_t port) : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    timeval limit{};
    limit.tv_sec = 20;
    ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    ::setsockopt(socket_, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    if (::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
      ::close(socket_);
      socket_ = -1;
    }
  }
  ~RawClient() {
    if (socket_ >= 0) ::close(socket_);
  }
  RawClient(RawClient&& other) noexcept
      : socket_(std::exchange(other.socket_, -1)), received_(std::move(other.received_)) {}
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;

  [[nodiscard]] bool connected() const noexcept { return socket_ >= 0; }

  // Returns whether all of it went out.
  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }
  void finish_sending() { ::shutdown(socket_, SHUT_WR); }

  // What arrives until the peer closes.
  [[nodiscard]] std::string read_all() {
    while (read_more()) {
    }
    return std::exchange(received_, "");
  }
  // One whole answer (head and Content-Length bytes), and only that; "" when the peer closed
  // before. Answers to HEAD have a length but no body.
  [[nodiscard]] std::string read_answer(bool head_only = false) {
    std::size_t end = 0;
    while ((end = received_.find("\r\n\r\n")) == std::string::npos) {
      if (!read_more()) return "";
    }
    end += 4;
    const std::string length = header_of(received_.substr(0, end), "Content-Length");
    if (!length.empty() && !head_only) end += static_cast<std::size_t>(std::stoull(length));
    while (received_.size() < end) {
      if (!read_more()) return "";
    }
    std::string answer = received_.substr(0, end);
    received_.erase(0, end);
    return answer;
  }
  // Whether the peer closes, within the time limit, without sending more.
  [[nodiscard]] bool closed_by_peer() {
    if (!received_.empty()) return false;
    char byte = 0;
    return ::recv(socket_, &byte, 1, 0) == 0;
  }

 private:
  // False at the end.
  bool read_more() {
    char bytes[16384];
    const ssize_t size = ::recv(socket_, bytes, sizeof bytes, 0);
    if (size <= 0) return false;
    received_.append(bytes, static_cast<std::size_t>(size));
    return true;
  }
  int socket_ = -1;
  std::string received_;
};

}  // namespace quipu::testing_support
