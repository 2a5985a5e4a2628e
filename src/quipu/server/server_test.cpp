// Goal: the parts together are a server: it serves, refuses, stops and comes back with everything.
#include "quipu/server/server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pthread.h>
#include <signal.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "quipu/base/bytes.h"
#include "quipu/base/json.h"
#include "quipu/base/log.h"
#include "quipu/telemetry/request_id.h"
#include "tests/support/fake_embedder.h"
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

class ServerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ =
        std::filesystem::temp_directory_path() / ("quipu-server-" + telemetry::make_request_id());
    ASSERT_TRUE(std::filesystem::create_directory(folder_));
  }
  void TearDown() override {
    server_.reset();
    std::filesystem::remove_all(folder_);
  }
  [[nodiscard]] ServerConfig config() const {
    const Environment environment = {{"HOME", folder_.string()}};
    auto loaded = load_config("", environment,
                              {{"server.port", "0"},
                               {"server.compute_threads", "2"},
                               {"data.dir", (folder_ / "data").string()}});
    EXPECT_TRUE(loaded.ok());
    return std::move(loaded).value();
  }
  void start() {
    auto started = Server::start(config(), &embedder_);
    ASSERT_TRUE(started.ok()) << started.error().message;
    server_ = std::move(started).value();
  }
  [[nodiscard]] std::string exchange(std::string_view bytes) const {
    RawClient client(server_->port());
    client.send(bytes);
    return client.read_answer();
  }

  std::filesystem::path folder_;
  quipu::testing_support::FakeEmbedder embedder_;
  std::unique_ptr<Server> server_;
};

TEST_F(ServerTest, RemembersOverRestarts) {
  start();
  const std::string kept = exchange(
      post_request("/v1/memory/records", R"({"text":"The spare key is under the flowerpot."})",
                   "Content-Type: application/json\r\n"));
  EXPECT_EQ(status_of(kept), 200) << kept;
  EXPECT_NE(header_of(kept, "Quipu-Seq"), "");
  EXPECT_NE(header_of(kept, "X-Request-Id"), "");
  ASSERT_TRUE(server_->stop().ok());
  server_.reset();
  start();
  const std::string found =
      exchange(post_request("/v1/memory/recall", R"({"query":"where is the spare key"})"));
  EXPECT_EQ(status_of(found), 200);
  EXPECT_THAT(body_of(found), HasSubstr("flowerpot"));
}

// A snapshot may be larger than any body that is kept in memory, and than the answers that are.
TEST_F(ServerTest, SnapshotsAreSentAndFetchedInBlocks) {
  ServerConfig small = config();
  small.http.body_bytes_max = 4'096;
  small.upload_bytes_max = std::uint64_t{1} << 20;
  auto started = Server::start(small, &embedder_);
  ASSERT_TRUE(started.ok()) << started.error().message;
  server_ = std::move(started).value();
  const std::string json = "Content-Type: application/json\r\n";
  const auto request = [](std::string_view method, std::string_view path, std::string_view body,
                          std::string_view lines) {
    const std::string post = post_request(path, body, lines);
    return std::string(method) + post.substr(post.find(' '));
  };
  ASSERT_EQ(status_of(exchange(
                request("PUT", "/v1/collections/notes", R"({"vectors":[{"dim":2}]})", json))),
            201);
  constexpr int kPoints = 300;
  for (int i = 0; i < kPoints; ++i) {
    // Text that packs badly, so that the file is larger than a body may be.
    const std::string point = R"({"id":)" + std::to_string(i) + R"(,"vector":[1,)" +
                              std::to_string(i) + R"(],"payload":{"a":")" +
                              telemetry::make_request_id() + telemetry::make_request_id() + "\"}}";
    ASSERT_EQ(status_of(exchange(request("PUT", "/v1/collections/notes/points", point, json))),
              200);
  }
  const std::string path = "/v1/collections/notes/snapshots";
  const std::string made = exchange(request("POST", path, "", ""));
  ASSERT_EQ(status_of(made), 201) << made;
  const auto described = JsonDocument::parse(body_of(made));
  ASSERT_TRUE(described.ok());
  const std::string name(*described.value().root().find("name")->as_string());
  const std::string fetched = exchange(get_request(path + "/" + name));
  ASSERT_EQ(status_of(fetched), 200) << fetched.substr(0, 300);
  const std::string file = body_of(fetched);
  EXPECT_GT(file.size(), small.http.body_bytes_max);
  EXPECT_EQ(file.size(), described.value().root().find("size_bytes")->as_uint64());
  EXPECT_EQ(header_of(fetched, "Quipu-Sha256"), sha256_hex(file));
  const std::string binary = "Content-Type: application/octet-stream\r\n";
  const std::string sent =
      exchange(request("PUT", "/v1/collections/copy/snapshots/sent.snapshot", file, binary));
  EXPECT_EQ(status_of(sent), 201) << sent;
  const std::string recovered = exchange(request("POST", "/v1/collections/copy/snapshots:recover",
                                                 R"({"snapshot":"sent.snapshot"})", json));
  EXPECT_EQ(status_of(recovered), 200) << recovered;
  EXPECT_THAT(body_of(recovered), HasSubstr("\"points\":" + std::to_string(kPoints)));
  // A body that is no snapshot, one that is too long, and one to a route that takes none so long.
  const std::string damaged = exchange(
      request("PUT", "/v1/collections/copy/snapshots/bad.snapshot", file.substr(1), binary));
  EXPECT_EQ(status_of(damaged), 422) << damaged;
  const std::string long_path = "/v1/collections/copy/snapshots/long.snapshot";
  const std::string too_long =
      exchange("PUT " + long_path + " HTTP/1.1\r\nHost: localhost\r\n" + binary +
               "Content-Length: " + std::to_string((1U << 20) + 1) + "\r\n\r\n");
  EXPECT_EQ(status_of(too_long), 413) << too_long;
  EXPECT_EQ(status_of(exchange(request("PUT", "/v1/collections/notes/points", file, json))), 413);
  // What was sent is not left behind.
  EXPECT_TRUE(std::filesystem::is_empty(folder_ / "data" / "collection-snapshots" / ".uploads"));
}

TEST_F(ServerTest, ServesItsOwnDescription) {
  start();
  EXPECT_EQ(server_->url(), "http://127.0.0.1:" + std::to_string(server_->port()));
  EXPECT_THAT(body_of(exchange(get_request("/openapi.json"))), HasSubstr("\"openapi\":\"3.1.0\""));
  EXPECT_THAT(body_of(exchange(get_request("/v1/config"))), HasSubstr("\"server.port\""));
  const std::string metrics = body_of(exchange(get_request("/metrics")));
  EXPECT_THAT(metrics, HasSubstr("quipu_http_connections "));
  EXPECT_THAT(metrics, HasSubstr("quipu_process_resident_bytes "));
  RawClient head(server_->port());
  head.send("HEAD /health HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_EQ(status_of(head.read_answer(true)), 200);
  EXPECT_EQ(status_of(exchange("OPTIONS /health HTTP/1.1\r\nHost: localhost\r\n\r\n")), 204);
}

TEST_F(ServerTest, ServesGrpcUnlessTold) {
  start();
  const std::uint16_t port = server_->grpc_port();
  EXPECT_EQ(server_->grpc_address(), "127.0.0.1:" + std::to_string(port));
  EXPECT_NE(port, server_->port());
  {
    // HTTP/2's preface and an empty SETTINGS frame; the answer is a SETTINGS frame (type 4).
    RawClient client(port);
    ASSERT_TRUE(client.send(std::string("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n") +
                            std::string("\0\0\0\4\0\0\0\0\0", 9)));
    client.finish_sending();
    const std::string answer = client.read_all();
    ASSERT_GE(answer.size(), 9U);
    EXPECT_EQ(answer[3], 4);
  }
  EXPECT_TRUE(server_->stop().ok());
  EXPECT_FALSE(RawClient(port).connected());
  server_.reset();
  ServerConfig without = config();
  without.grpc = false;
  auto started = Server::start(without, &embedder_);
  ASSERT_TRUE(started.ok()) << started.error().message;
  EXPECT_EQ(started.value()->grpc_port(), 0);
  EXPECT_EQ(started.value()->grpc_address(), "");
}

TEST_F(ServerTest, APortOfGrpcThatIsTakenStopsTheStart) {
  start();
  ServerConfig second = config();
  second.engine.data_dir = (folder_ / "second").string();
  second.grpc_port = server_->port();
  const auto started = Server::start(second, &embedder_);
  ASSERT_FALSE(started.ok());
  EXPECT_EQ(started.error().reason, "address_in_use");
  EXPECT_THAT(started.error().message, HasSubstr(std::to_string(server_->port())));
}

TEST_F(ServerTest, OneProcessOwnsAFolder) {
  start();
  const auto second = Server::start(config(), &embedder_);
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().stable_reason(), "data_dir_locked");
}

TEST_F(ServerTest, ManyClientsWriteAtOnce) {
  start();
  const std::string json = "Content-Type: application/json\r\n";
  const std::string create = "PUT /v1/collections/c HTTP/1.1\r\nHost: localhost\r\n" + json +
                             "Content-Length: 23\r\n\r\n{\"vectors\":[{\"dim\":4}]}";
  ASSERT_EQ(status_of(exchange(create)), 201);
  constexpr int kClients = 64;
  constexpr int kEach = 5;
  std::vector<RawClient> clients;
  for (int i = 0; i < kClients; ++i) clients.emplace_back(server_->port());
  for (int round = 0; round < kEach; ++round) {
    for (int i = 0; i < kClients; ++i) {
      const std::string body =
          "{\"id\":" + std::to_string(round * kClients + i) + ",\"vector\":[1,2,3,4]}";
      ASSERT_TRUE(clients[static_cast<std::size_t>(i)].send(
          "PUT /v1/collections/c/points HTTP/1.1\r\nHost: localhost\r\n" + json +
          "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body));
    }
    for (RawClient& client : clients) EXPECT_EQ(status_of(client.read_answer()), 200);
  }
  EXPECT_THAT(exchange(post_request("/v1/collections/c/points:count", "{}")),
              HasSubstr("{\"count\":320}"));
}

TEST_F(ServerTest, ReloadChangesTheLogLevel) {
  start();
  const LogLevel before = log_level();
  ServerConfig fresh = config();
  fresh.log_level = LogLevel::kError;
  server_->reload(fresh);
  EXPECT_EQ(log_level(), LogLevel::kError);
  set_log_level(before);
}

// Reads the log until it has `text`; the process writes it on other threads.
std::string wait_for_line(const std::filesystem::path& file, std::string_view text) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (std::chrono::steady_clock::now() < end) {
    std::ifstream stream(file);
    const std::string content((std::istreambuf_iterator<char>(stream)),
                              std::istreambuf_iterator<char>());
    const std::size_t at = content.find(text);
    const std::size_t line_end = content.find('\n', at == std::string::npos ? 0 : at);
    if (at != std::string::npos && line_end != std::string::npos) return content;
    std::this_thread::yield();
  }
  ADD_FAILURE() << "no line with " << text;
  return "";
}

TEST_F(ServerTest, SignalsReloadAndStop) {
  sigset_t signals;
  sigset_t before;
  sigemptyset(&signals);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&signals, signal);
  pthread_sigmask(SIG_BLOCK, &signals, &before);
  ServerConfig used = config();
  used.log.file = (folder_ / "log").string();
  used.log_level = LogLevel::kWarning;  // lines of this level are flushed at once
  int loads = 0;
  Status stopped = ok_status();
  std::thread runner([&] {
    stopped = run_server(used, [&]() -> Result<ServerConfig> {
      ++loads;
      if (loads == 1) {
        return Error{ErrorCode::kInvalidArgument, "line 3 is wrong", "bad_value"};
      }
      ServerConfig fresh = used;
      fresh.log_level = LogLevel::kInfo;
      return fresh;
    });
  });
  // A broken configuration is said so, and the server goes on.
  ASSERT_EQ(pthread_kill(runner.native_handle(), SIGHUP), 0);
  EXPECT_THAT(wait_for_line(used.log.file, "configuration not taken"),
              HasSubstr("line 3 is wrong"));
  ASSERT_EQ(pthread_kill(runner.native_handle(), SIGHUP), 0);
  ASSERT_EQ(pthread_kill(runner.native_handle(), SIGTERM), 0);
  runner.join();
  EXPECT_TRUE(stopped.ok());
  telemetry::remove_log_output();
  set_log_level(LogLevel::kInfo);
  // A HUP and a TERM that wait together may come in either order: the lower number first.
  EXPECT_EQ(loads, 2);
  EXPECT_THAT(wait_for_line(used.log.file, "stopped"), HasSubstr("clean=true"));
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

}  // namespace
}  // namespace quipu::server
