// Goal: whatever bytes a peer sends or keeps back, the server answers as HTTP says, stays within
// its limits, and serves the others. Method: raw sockets against a handler that says what it was
// given.
#include "quipu/server/http/http_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <thread>
#include <vector>

#include "quipu/base/metrics.h"
#include "quipu/base/rng.h"
#include "tests/support/raw_client.h"

namespace quipu::server {
namespace {

using quipu::testing_support::body_of;
using quipu::testing_support::get_request;
using quipu::testing_support::header_of;
using quipu::testing_support::post_request;
using quipu::testing_support::RawClient;
using quipu::testing_support::status_of;
using ::testing::HasSubstr;

using Done = std::function<void(api::Response)>;

// Answers with method, target and body. "/hold" is answered when the test says so.
class Echo {
 public:
  HttpHandler handler() {
    return [this](api::Request request, Done done) {
      ++seen_;
      api::Response response;
      response.content_type = "text/plain";
      response.body = request.method + " " + request.target + " " + request.body;
      if (request.target == "/big") response.body.assign(std::size_t{8} << 20, 'x');
      if (request.target == "/empty") {
        response.status = 204;
        response.body.clear();
      }
      if (request.target != "/hold") return done(std::move(response));
      const std::lock_guard lock(mutex_);
      held_.emplace_back(std::move(done), std::move(response));
      changed_.notify_all();
    };
  }
  [[nodiscard]] int seen() const { return seen_.load(); }
  void wait_for_held(std::size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return held_.size() >= count; });
  }
  void release() {
    std::vector<std::pair<Done, api::Response>> held;
    {
      const std::lock_guard lock(mutex_);
      held.swap(held_);
    }
    for (auto& [done, response] : held) done(std::move(response));
  }

 private:
  std::atomic<int> seen_{0};
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::pair<Done, api::Response>> held_;
};

class HttpServerTest : public ::testing::Test {
 protected:
  void start(const std::function<void(HttpOptions&)>& change = {}) {
    HttpOptions options;
    if (change) change(options);
    auto started = HttpServer::start(options, echo_.handler(), null_metrics());
    ASSERT_TRUE(started.ok()) << started.error().message;
    server_ = std::move(started).value();
  }
  void TearDown() override { echo_.release(); }
  [[nodiscard]] RawClient connect() const { return RawClient(server_->port()); }
  // The answer to `bytes` on a connection of their own.
  [[nodiscard]] std::string exchange(std::string_view bytes) const {
    RawClient client = connect();
    client.send(bytes);
    return client.read_answer();
  }

  Echo echo_;
  std::unique_ptr<HttpServer> server_;
};

TEST_F(HttpServerTest, AnswersAndKeepsAlive) {
  start();
  RawClient client = connect();
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(client.send(post_request("/a?b=c", "hello")));
    const std::string answer = client.read_answer();
    EXPECT_EQ(status_of(answer), 200);
    EXPECT_EQ(body_of(answer), "POST /a?b=c hello");
    EXPECT_EQ(header_of(answer, "Connection"), "");
    EXPECT_THAT(header_of(answer, "Date"), ::testing::EndsWith(" GMT"));
  }
  EXPECT_EQ(server_->connections(), 1U);
}

TEST_F(HttpServerTest, PipelinedRequestsAreAnsweredInOrder) {
  start();
  RawClient client = connect();
  std::string all;
  for (int i = 0; i < 50; ++i) all += post_request("/" + std::to_string(i), std::to_string(i * i));
  ASSERT_TRUE(client.send(all));
  for (int i = 0; i < 50; ++i) {
    const std::string n = std::to_string(i);
    EXPECT_EQ(body_of(client.read_answer()), "POST /" + n + " " + std::to_string(i * i));
  }
}

TEST_F(HttpServerTest, ARequestWaitsForTheOneBefore) {
  start();
  RawClient client = connect();
  client.send(get_request("/hold") + get_request("/next"));
  echo_.wait_for_held(1);
  EXPECT_EQ(echo_.seen(), 1);
  echo_.release();
  EXPECT_EQ(body_of(client.read_answer()), "GET /hold ");
  EXPECT_EQ(body_of(client.read_answer()), "GET /next ");
}

TEST_F(HttpServerTest, BytesMayComeOneByOne) {
  start();
  RawClient client = connect();
  for (const char c : post_request("/slow", "body")) ASSERT_TRUE(client.send({&c, 1}));
  EXPECT_EQ(body_of(client.read_answer()), "POST /slow body");
}

// Property: however a stream of requests is cut, the answers are the same.
TEST_F(HttpServerTest, CutsDoNotMatter) {
  start();
  Rng rng(5);
  const std::string stream =
      post_request("/1", "first") + get_request("/2") +
      "POST /3 HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
      "3\r\nabc\r\n4;x=y\r\ndefg\r\n0\r\nTrailer: t\r\n\r\n" +
      post_request("/4", "");
  for (int round = 0; round < 60; ++round) {
    RawClient client = connect();
    for (std::size_t at = 0; at < stream.size();) {
      const std::size_t size = 1 + static_cast<std::size_t>(rng.below(40));
      ASSERT_TRUE(client.send(std::string_view(stream).substr(at, size)));
      at += size;
    }
    EXPECT_EQ(body_of(client.read_answer()), "POST /1 first");
    EXPECT_EQ(body_of(client.read_answer()), "GET /2 ");
    EXPECT_EQ(body_of(client.read_answer()), "POST /3 abcdefg");
    EXPECT_EQ(body_of(client.read_answer()), "POST /4 ");
  }
}

TEST_F(HttpServerTest, HeadHasALengthAndNoBody) {
  start();
  RawClient client = connect();
  client.send("HEAD /x HTTP/1.1\r\nHost: localhost\r\n\r\n" + get_request("/y"));
  const std::string head = client.read_answer(true);
  EXPECT_EQ(status_of(head), 200);
  EXPECT_EQ(header_of(head, "Content-Length"), "8");
  EXPECT_EQ(body_of(head), "");
  EXPECT_EQ(body_of(client.read_answer()), "GET /y ");
}

TEST_F(HttpServerTest, NoContentHasNoLength) {
  start();
  RawClient client = connect();
  client.send(get_request("/empty") + get_request("/y"));
  const std::string answer = client.read_answer();
  EXPECT_EQ(status_of(answer), 204);
  EXPECT_EQ(header_of(answer, "Content-Length"), "");
  EXPECT_EQ(body_of(client.read_answer()), "GET /y ");
}

TEST_F(HttpServerTest, Http10ClosesUnlessAskedNotTo) {
  start();
  RawClient old = connect();
  old.send("GET /a HTTP/1.0\r\n\r\n");
  EXPECT_EQ(header_of(old.read_answer(), "Connection"), "close");
  EXPECT_TRUE(old.closed_by_peer());
  RawClient kept = connect();
  kept.send("GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  EXPECT_EQ(header_of(kept.read_answer(), "Connection"), "keep-alive");
  kept.send("GET /b HTTP/1.0\r\n\r\n");
  EXPECT_EQ(body_of(kept.read_answer()), "GET /b ");
}

TEST_F(HttpServerTest, ClosesWhenAsked) {
  start();
  RawClient client = connect();
  client.send(get_request("/", "Connection: close\r\n"));
  EXPECT_EQ(header_of(client.read_answer(), "Connection"), "close");
  EXPECT_TRUE(client.closed_by_peer());
}

TEST_F(HttpServerTest, ExpectContinue) {
  start();
  RawClient client = connect();
  client.send(
      "POST /e HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(client.read_answer(), "HTTP/1.1 100 Continue\r\n\r\n");
  client.send("body");
  EXPECT_EQ(body_of(client.read_answer()), "POST /e body");
  // The server may leave out the interim answer when the body is there already.
  client.send(
      "POST /e HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\nExpect: "
      "100-continue\r\n\r\nbody");
  EXPECT_EQ(body_of(client.read_answer()), "POST /e body");
  EXPECT_EQ(status_of(exchange("POST /e HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n"
                               "Expect: 200-ok\r\n\r\n")),
            417);
}

TEST_F(HttpServerTest, ExpectContinueIsRefusedBeforeTheBody) {
  start([](HttpOptions& options) { options.body_bytes_max = 100; });
  RawClient client = connect();
  client.send(
      "POST /e HTTP/1.1\r\nHost: localhost\r\nContent-Length: 101\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(status_of(client.read_answer()), 413);
  EXPECT_EQ(echo_.seen(), 0);
}

TEST_F(HttpServerTest, MalformedRequestsAre400) {
  start();
  const std::map<std::string, std::string> bad = {
      {"garbage", "\x01\x02\x03\r\n\r\n"},
      {"no version", "GET /\r\n\r\n"},
      {"bad header", "GET / HTTP/1.1\r\nHost: localhost\r\nno colon\r\n\r\n"},
      {"bad name", "GET / HTTP/1.1\r\nHost: localhost\r\nA b: c\r\n\r\n"},
      {"no host", "GET / HTTP/1.1\r\n\r\n"},
      {"two hosts", "GET / HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n"},
      {"bad length", "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n"},
      {"two lengths",
       "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"},
      {"length and chunks",
       "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n"
       "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
      {"bad chunk",
       "POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"},
  };
  for (const auto& [name, bytes] : bad) {
    const std::string answer = exchange(bytes);
    EXPECT_EQ(status_of(answer), 400) << name << ": " << answer;
    EXPECT_EQ(header_of(answer, "Content-Type"), "application/problem+json") << name;
    EXPECT_EQ(header_of(answer, "Connection"), "close") << name;
  }
  EXPECT_EQ(echo_.seen(), 0);
}

TEST_F(HttpServerTest, OtherVersionsAreRefused) {
  start();
  EXPECT_EQ(status_of(exchange("GET / HTTP/2.0\r\nHost: localhost\r\n\r\n")), 505);
  EXPECT_EQ(status_of(exchange("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")), 505);
}

TEST_F(HttpServerTest, HostAndOriginAreChecked) {
  start([](HttpOptions& options) { options.allowed_hosts = {"quipu.example"}; });
  const auto ask = [&](const std::string& lines) {
    return status_of(exchange("GET / HTTP/1.1\r\n" + lines + "\r\n"));
  };
  EXPECT_EQ(ask("Host: localhost:1\r\n"), 200);
  EXPECT_EQ(ask("Host: [::1]\r\n"), 200);
  EXPECT_EQ(ask("Host: quipu.example\r\n"), 200);
  EXPECT_EQ(ask("Host: evil.example\r\n"), 403);
  EXPECT_EQ(ask("Host: \r\n"), 403);
  EXPECT_EQ(ask("Host: localhost\r\nOrigin: http://localhost\r\n"), 200);
  EXPECT_EQ(ask("Host: localhost\r\nOrigin: https://quipu.example\r\n"), 200);
  EXPECT_EQ(ask("Host: localhost\r\nOrigin: http://evil.example\r\n"), 403);
  EXPECT_EQ(ask("Host: localhost\r\nOrigin: null\r\n"), 403);
  EXPECT_EQ(ask("Host: localhost\r\nOrigin: http://localhost\r\nOrigin: http://evil.example\r\n"),
            403);
  EXPECT_EQ(echo_.seen(), 5);
  EXPECT_THAT(exchange("GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n"),
              HasSubstr("\"code\":\"host_forbidden\""));
}

TEST_F(HttpServerTest, HeadsHaveALimit) {
  start([](HttpOptions& options) { options.header_bytes_max = 2048; });
  const std::string fixed = get_request("/", "X: \r\n");
  EXPECT_EQ(
      status_of(exchange(get_request("/", "X: " + std::string(2000 - fixed.size(), 'a') + "\r\n"))),
      200);
  EXPECT_EQ(status_of(exchange(get_request("/", "X: " + std::string(4000, 'a') + "\r\n"))), 431);
  // Also one that never ends.
  RawClient client = connect();
  client.send("GET /");
  for (int i = 0; i < 100; ++i) client.send(std::string(100, 'a'));
  EXPECT_EQ(status_of(client.read_answer()), 431);
}

TEST_F(HttpServerTest, BodiesHaveALimit) {
  start([](HttpOptions& options) { options.body_bytes_max = 1000; });
  EXPECT_EQ(status_of(exchange(post_request("/", std::string(1000, 'a')))), 200);
  EXPECT_EQ(status_of(exchange(post_request("/", std::string(1001, 'a')))), 413);
  std::string chunks = "POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (int i = 0; i < 20; ++i) chunks += "64\r\n" + std::string(100, 'a') + "\r\n";
  EXPECT_EQ(status_of(exchange(chunks + "0\r\n\r\n")), 413);
  EXPECT_EQ(echo_.seen(), 1);
}

TEST_F(HttpServerTest, BodiesTogetherHaveALimit) {
  start([](HttpOptions& options) { options.buffered_bytes_max = 10'000; });
  // When the first one's bytes are counted is the server's affair: a probe may come before them,
  // and then it is the first one that finds no room. So: try until the probes are the ones refused.
  for (int round = 0; round < 100; ++round) {
    RawClient first = connect();
    first.send("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9001\r\n\r\n" +
               std::string(9000, 'a'));
    int status = 200;
    for (int attempt = 0; status == 200 && attempt < 1'000; ++attempt) {
      status = status_of(exchange(post_request("/", std::string(2000, 'b'))));
    }
    if (status == 200) {
      EXPECT_EQ(status_of(first.read_answer()), 503);
      continue;
    }
    EXPECT_EQ(status, 503);
    first.send("a");
    EXPECT_EQ(status_of(first.read_answer()), 200);
    EXPECT_EQ(status_of(exchange(post_request("/", std::string(2000, 'b')))), 200);
    return;
  }
  FAIL() << "no probe was ever refused";
}

TEST_F(HttpServerTest, HalfSentRequestsTimeOut) {
  start([](HttpOptions& options) {
    options.header_timeout = std::chrono::milliseconds(1);
    options.body_timeout = std::chrono::milliseconds(1);
  });
  RawClient head = connect();
  head.send("GET / HTTP/1.1\r\nHost: loc");
  RawClient body = connect();
  body.send("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nhalf");
  EXPECT_EQ(status_of(head.read_answer()), 408);
  EXPECT_TRUE(head.closed_by_peer());
  EXPECT_EQ(status_of(body.read_answer()), 408);
  EXPECT_TRUE(body.closed_by_peer());
  EXPECT_EQ(echo_.seen(), 0);
}

TEST_F(HttpServerTest, IdleConnectionsAreClosed) {
  start([](HttpOptions& options) { options.idle_timeout = std::chrono::milliseconds(1); });
  RawClient client = connect();
  EXPECT_TRUE(client.closed_by_peer());
}

TEST_F(HttpServerTest, APeerThatDoesNotReadIsClosed) {
  start([](HttpOptions& options) { options.write_timeout = std::chrono::milliseconds(1); });
  std::vector<RawClient> clients;
  // More than the sockets' buffers take; 8 MiB get 128 s by their size alone, so the limit that
  // ends this test is stop()'s: what matters is that such peers do not keep it from ending.
  clients.push_back(connect());
  clients.back().send(get_request("/big"));
  while (echo_.seen() == 0) std::this_thread::yield();
  EXPECT_FALSE(server_->stop(std::chrono::milliseconds(50)));
}

TEST_F(HttpServerTest, BigAnswersArriveWhole) {
  start();
  const std::string answer = exchange(get_request("/big"));
  EXPECT_EQ(body_of(answer).size(), std::size_t{8} << 20);
}

TEST_F(HttpServerTest, ConnectionsHaveALimit) {
  start([](HttpOptions& options) { options.connections_max = 3; });
  std::vector<RawClient> clients;
  for (int i = 0; i < 3; ++i) {
    clients.push_back(connect());
    clients.back().send(get_request("/"));
    EXPECT_EQ(status_of(clients.back().read_answer()), 200);
  }
  RawClient more = connect();
  const std::string answer = more.read_answer();
  EXPECT_EQ(status_of(answer), 503);
  EXPECT_EQ(header_of(answer, "Retry-After"), "1");
  EXPECT_TRUE(more.closed_by_peer());
  clients.pop_back();
  // The place is free when the server has noticed.
  int status = 0;
  while (status != 200) status = status_of(exchange(get_request("/")));
}

TEST_F(HttpServerTest, AThousandConnections) {
  start([](HttpOptions& options) { options.connections_max = 2000; });
  std::vector<RawClient> clients;
  for (int i = 0; i < 1000; ++i) {
    clients.push_back(connect());
    ASSERT_TRUE(clients.back().connected()) << i;
  }
  for (int round = 0; round < 2; ++round) {
    for (std::size_t i = 0; i < clients.size(); ++i) {
      ASSERT_TRUE(clients[i].send(get_request("/" + std::to_string(i))));
    }
    for (std::size_t i = 0; i < clients.size(); ++i) {
      ASSERT_EQ(body_of(clients[i].read_answer()), "GET /" + std::to_string(i) + " ");
    }
  }
  EXPECT_EQ(server_->connections(), 1000U);
}

TEST_F(HttpServerTest, StopFinishesWhatIsInFlight) {
  start();
  RawClient busy = connect();
  RawClient idle = connect();
  busy.send(get_request("/hold"));
  idle.send(get_request("/"));
  EXPECT_EQ(status_of(idle.read_answer()), 200);
  echo_.wait_for_held(1);
  bool clean = false;
  std::thread stopper([&] { clean = server_->stop(std::chrono::seconds(20)); });
  // The idle one is closed at once, which shows that the stop has begun.
  EXPECT_TRUE(idle.closed_by_peer());
  EXPECT_FALSE(RawClient(server_->port()).connected() &&
               status_of(exchange(get_request("/late"))) == 200);
  echo_.release();
  const std::string answer = busy.read_answer();
  EXPECT_EQ(body_of(answer), "GET /hold ");
  EXPECT_EQ(header_of(answer, "Connection"), "close");
  stopper.join();
  EXPECT_TRUE(clean);
}

TEST_F(HttpServerTest, StopCutsOffAfterItsDeadline) {
  start();
  RawClient busy = connect();
  busy.send(get_request("/hold"));
  echo_.wait_for_held(1);
  EXPECT_FALSE(server_->stop(std::chrono::milliseconds(20)));
  EXPECT_EQ(busy.read_all(), "");
  // A late answer has nowhere to go, and does no harm.
  echo_.release();
  server_.reset();
}

TEST_F(HttpServerTest, AnswersFromOtherThreads) {
  std::vector<std::thread> threads;
  std::mutex mutex;
  HttpOptions options;
  auto started = HttpServer::start(
      options,
      [&](api::Request request, Done done) {
        const std::lock_guard lock(mutex);
        threads.emplace_back([request = std::move(request), done = std::move(done)] {
          api::Response response;
          response.body = request.target;
          done(std::move(response));
        });
      },
      null_metrics());
  ASSERT_TRUE(started.ok());
  server_ = std::move(started).value();
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(body_of(exchange(get_request("/" + std::to_string(i)))), "/" + std::to_string(i));
  }
  server_.reset();
  for (std::thread& thread : threads) thread.join();
}

TEST_F(HttpServerTest, OpenAddressesNeedInsecure) {
  HttpOptions options;
  options.host = "0.0.0.0";
  const auto refused = HttpServer::start(options, echo_.handler(), null_metrics());
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().stable_reason(), "not_loopback");
  options.insecure = true;
  EXPECT_TRUE(HttpServer::start(options, echo_.handler(), null_metrics()).ok());
  options.host = "not-an-address";
  const auto bad = HttpServer::start(options, echo_.handler(), null_metrics());
  ASSERT_FALSE(bad.ok());
  EXPECT_THAT(bad.error().message, HasSubstr("not-an-address"));
}

TEST_F(HttpServerTest, ATakenPortIsNamed) {
  start();
  HttpOptions options;
  options.port = server_->port();
  const auto second = HttpServer::start(options, echo_.handler(), null_metrics());
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().stable_reason(), "address_in_use");
  EXPECT_THAT(second.error().message, HasSubstr(std::to_string(options.port)));
}

}  // namespace
}  // namespace quipu::server
