// Goal: every way in which a server can answer, or fail to, becomes a response or a clear error in
// bounded time.
#include "quipu/cli/http_client.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <thread>

namespace quipu::cli {
namespace {

// Accepts connections on a free port of the loopback and answers each request with the next of the
// given texts; "" closes the connection instead.
class ScriptedServer {
 public:
  explicit ScriptedServer(std::vector<std::string> answers) : answers_(std::move(answers)) {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    EXPECT_EQ(::bind(listener_, reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(::listen(listener_, 8), 0);
    EXPECT_EQ(::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size), 0);
    port = ntohs(address.sin_port);
    thread_ = std::thread([this] { serve(); });
  }
  ~ScriptedServer() {
    ::shutdown(listener_, SHUT_RDWR);
    thread_.join();
    ::close(listener_);
  }
  std::uint16_t port = 0;
  std::atomic<int> connections{0};
  std::atomic<int> requests{0};

 private:
  void serve() {
    while (true) {
      const int fd = ::accept(listener_, nullptr, nullptr);
      if (fd < 0) return;
      ++connections;
      talk(fd);
      ::close(fd);
    }
  }
  // Requests of these tests have no body.
  void talk(int fd) {
    std::string read;
    while (next_ < answers_.size()) {
      while (read.find("\r\n\r\n") == std::string::npos) {
        char buffer[4096];
        const ssize_t got = ::recv(fd, buffer, sizeof(buffer), 0);
        if (got <= 0) return;
        read.append(buffer, static_cast<std::size_t>(got));
      }
      read.clear();
      ++requests;
      const std::string& answer = answers_[next_++];
      if (answer.empty()) return;
      if (::send(fd, answer.data(), answer.size(), MSG_NOSIGNAL) < 0) return;
      if (answer.find("close") != std::string::npos) return;
    }
    // Holds the line, silent, until the client leaves.
    char byte = 0;
    while (::recv(fd, &byte, 1, 0) > 0) {
    }
  }
  std::vector<std::string> answers_;
  std::size_t next_ = 0;
  int listener_ = -1;
  std::thread thread_;
};

constexpr const char* kFine =
    "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 4\r\n\r\nfine";

Result<api::Response> get(HttpClient& client) {
  return client.send({.method = "GET", .target = "/x"});
}

TEST(ServerAddress, IsReadInAllItsForms) {
  const auto url = [](std::string_view text) { return parse_server_address(text).value().url(); };
  EXPECT_EQ(url("http://127.0.0.1:7333"), "http://127.0.0.1:7333");
  EXPECT_EQ(url("example.org"), "http://example.org:7333");
  EXPECT_EQ(url("HTTP://example.org:80/quipu/"), "http://example.org:80/quipu");
  EXPECT_EQ(url("[::1]:9"), "http://[::1]:9");
  for (const char* bad : {"", "http://", "https://x", "ftp://x", "x:0", "x:70000", "x:a", "[::1",
                          "a b", "x\r\nHost: y"}) {
    const auto address = parse_server_address(bad);
    ASSERT_FALSE(address.ok()) << bad;
    EXPECT_EQ(address.error().stable_reason(), "bad_server_address");
  }
}

TEST(ResponseHead, RefusesWhatIsNoHttp) {
  EXPECT_TRUE(parse_response_head("HTTP/1.1 200 OK\r\nA: b\r\n\r\n").ok());
  EXPECT_EQ(parse_response_head("HTTP/1.1 200 OK\r\nA:  b \r\n\r\n").value().header("a"), "b");
  for (const char* bad : {"", "SSH-2.0-x\r\n\r\n", "HTTP/1.1 abc OK\r\n\r\n", "HTTP/1.1 20\r\n\r\n",
                          "HTTP/1.1 200 OK\r\nno colon\r\n\r\n"}) {
    EXPECT_FALSE(parse_response_head(bad).ok()) << bad;
  }
}

TEST(HttpClient, KeepsItsConnection) {
  ScriptedServer server({kFine, kFine});
  HttpClient client({.host = "127.0.0.1", .port = server.port}, {});
  for (int i = 0; i < 2; ++i) {
    const auto response = get(client);
    ASSERT_TRUE(response.ok()) << response.error().message;
    EXPECT_EQ(response.value().status, 200);
    EXPECT_EQ(response.value().body, "fine");
    EXPECT_EQ(response.value().content_type, "text/plain");
  }
  EXPECT_EQ(server.connections.load(), 1);
}

TEST(HttpClient, ReadsChunksContinuesAndBodiesToTheEnd) {
  ScriptedServer server(
      {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
       "3;x=y\r\nabc\r\nA\r\n0123456789\r\n0\r\nTrailer: 1\r\n\r\n",
       "HTTP/1.1 204 No Content\r\n\r\n",
       "HTTP/1.0 200 OK\r\nConnection: close\r\n\r\nto the end"});
  HttpClient client({.host = "127.0.0.1", .port = server.port}, {});
  EXPECT_EQ(get(client).value().body, "abc0123456789");
  EXPECT_EQ(get(client).value().status, 204);
  EXPECT_EQ(get(client).value().body, "to the end");
}

TEST(HttpClient, OpensAStaleConnectionAgain) {
  ScriptedServer server({kFine, "", kFine, kFine, "", kFine});
  HttpClient client({.host = "127.0.0.1", .port = server.port}, {});
  EXPECT_TRUE(get(client).ok());
  EXPECT_TRUE(get(client).ok());
  EXPECT_EQ(server.connections.load(), 2);
  EXPECT_EQ(server.requests.load(), 3);
  // A request that may have taken effect is not sent again behind its sender's back.
  EXPECT_TRUE(get(client).ok());
  const auto posted = client.send({.method = "POST", .target = "/v1/memory/records"});
  ASSERT_FALSE(posted.ok());
  EXPECT_EQ(posted.error().stable_reason(), "connection_lost");
}

TEST(HttpClient, SaysThatNobodyListens) {
  std::uint16_t port = 0;
  {
    const ScriptedServer server({});
    port = server.port;
  }
  HttpClient client({.host = "127.0.0.1", .port = port}, {});
  const auto response = get(client);
  ASSERT_FALSE(response.ok());
  EXPECT_EQ(response.error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(response.error().stable_reason(), "server_unreachable");
  EXPECT_NE(response.error().message.find("http://127.0.0.1:"), std::string::npos);
}

TEST(HttpClient, HoldsItsLimits) {
  ScriptedServer silent({});
  HttpClient patient({.host = "127.0.0.1", .port = silent.port},
                     {.timeout = std::chrono::milliseconds(50)});
  EXPECT_EQ(get(patient).error().stable_reason(), "server_timeout");
  ScriptedServer large({"HTTP/1.1 200 OK\r\nContent-Length: 101\r\n\r\n",
                        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFF\r\n",
                        "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + std::string(101, 'x')});
  HttpClient small({.host = "127.0.0.1", .port = large.port}, {.response_bytes_max = 100});
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(get(small).error().stable_reason(), "response_too_large") << i;
  }
}

TEST(HttpClient, RefusesNonsense) {
  ScriptedServer server({"SSH-2.0-OpenSSH_9.2\r\n\r\n",
                         "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
                         "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
                         "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nclose"});
  HttpClient client({.host = "127.0.0.1", .port = server.port}, {});
  for (int i = 0; i < 3; ++i) EXPECT_EQ(get(client).error().stable_reason(), "not_http") << i;
  EXPECT_EQ(get(client).error().stable_reason(), "connection_lost");
}

}  // namespace
}  // namespace quipu::cli
