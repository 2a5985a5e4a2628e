// Goal: no more connections than may be, whoever opens and closes them, and the count is right.
// Method: the gate alone, with a hand-over that keeps the sockets; then in front of a real server.
#include "quipu/api/grpc/connection_gate.h"

#include <google/protobuf/empty.pb.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "quipu/telemetry/prometheus_registry.h"
#include "tests/support/grpc_fixture.h"
#include "tests/support/raw_client.h"

namespace quipu::api::grpc {
namespace {

using quipu::testing_support::RawClient;

// Looks until it holds, for 20 seconds at most.
template <typename Condition>
bool eventually(const Condition& condition) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::yield();
  }
  return true;
}

// Stands for the transport.
class Sockets {
 public:
  ~Sockets() {
    while (!empty()) close_one();
  }
  void add(int socket) {
    const std::lock_guard lock(mutex_);
    sockets_.push_back(socket);
  }
  // As the transport closes them.
  void close_one() {
    const std::lock_guard lock(mutex_);
    ::shutdown(sockets_.back(), SHUT_RDWR);
    ::close(sockets_.back());
    sockets_.pop_back();
  }
  bool empty() {
    const std::lock_guard lock(mutex_);
    return sockets_.empty();
  }

 private:
  std::mutex mutex_;
  std::vector<int> sockets_;
};

class ConnectionGateTest : public ::testing::Test {
 protected:
  void open_gate(std::size_t connections_max) {
    auto gate =
        ConnectionGate::listen({.host = "127.0.0.1", .connections_max = connections_max}, metrics_);
    ASSERT_TRUE(gate.ok()) << gate.error().message;
    gate_ = std::move(gate).value();
    gate_->start([this](int, int socket) { sockets_.add(socket); });
  }
  bool has_open(std::size_t count) {
    return eventually([&] { return gate_->open_connections() == count; });
  }

  telemetry::PrometheusRegistry metrics_;
  Sockets sockets_;
  std::unique_ptr<ConnectionGate> gate_;
};

TEST_F(ConnectionGateTest, RefusesWhatIsOverTheLimitAndOnlyThat) {
  open_gate(2);
  RawClient first(gate_->port());
  RawClient second(gate_->port());
  ASSERT_TRUE(has_open(2));
  RawClient third(gate_->port());
  EXPECT_EQ(third.read_all(), "");  // closed at once
  EXPECT_EQ(gate_->open_connections(), 2U);
  EXPECT_NE(metrics_.render().find("quipu_grpc_connections_refused_total 1"), std::string::npos);
  sockets_.close_one();
  ASSERT_TRUE(has_open(1));
  RawClient fourth(gate_->port());
  ASSERT_TRUE(has_open(2));
  EXPECT_NE(metrics_.render().find("quipu_grpc_connections 2"), std::string::npos);
}

TEST_F(ConnectionGateTest, CountsRightWhileManyComeAndGo) {
  open_gate(8);
  for (int round = 0; round < 50; ++round) {
    std::vector<std::unique_ptr<RawClient>> clients;
    for (int i = 0; i < 6; ++i) clients.push_back(std::make_unique<RawClient>(gate_->port()));
    ASSERT_TRUE(has_open(6)) << round;
    clients.clear();
    // The transport ends them when it reads that they are over.
    for (int i = 0; i < 6; ++i) {
      ASSERT_TRUE(eventually([&] { return !sockets_.empty(); }));
      sockets_.close_one();
    }
    ASSERT_TRUE(has_open(0)) << round;
  }
}

TEST_F(ConnectionGateTest, AfterStoppingNobodyIsLetIn) {
  open_gate(8);
  const std::uint16_t port = gate_->port();
  RawClient before(port);
  ASSERT_TRUE(has_open(1));
  gate_->stop();
  gate_->stop();
  EXPECT_EQ(gate_->open_connections(), 0U);
  RawClient after(port);
  EXPECT_FALSE(after.connected());
}

TEST_F(ConnectionGateTest, AddressesThatCannotBeHadAreNamed) {
  open_gate(1);
  const auto taken = ConnectionGate::listen({.host = "127.0.0.1", .port = gate_->port()}, metrics_);
  ASSERT_FALSE(taken.ok());
  EXPECT_EQ(taken.error().reason, "address_in_use");
  EXPECT_NE(taken.error().message.find(std::to_string(gate_->port())), std::string::npos);
  const auto name = ConnectionGate::listen({.host = "example.org"}, metrics_);
  ASSERT_FALSE(name.ok());
  EXPECT_EQ(name.error().code, ErrorCode::kInvalidArgument);
  EXPECT_NE(name.error().message.find("example.org"), std::string::npos);
  const auto foreign = ConnectionGate::listen({.host = "192.0.2.1"}, metrics_);
  ASSERT_FALSE(foreign.ok());
  EXPECT_EQ(foreign.error().code, ErrorCode::kIo);
}

// ---------------------------------------------------------------- in front of a server

class GatedServerTest : public GrpcFixture {
 protected:
  // Of the answer nothing is read.
  RpcAnswer<google::protobuf::Empty> health(const RpcOptions& options = {}) {
    return rpc<google::protobuf::Empty>("/quipu.v1.System/Health", google::protobuf::Empty(),
                                        options);
  }
};

TEST_F(GatedServerTest, ConnectionsOverTheLimitAreUnavailable) {
  start({.connections_max = 1});
  ASSERT_TRUE(health().ok());
  EXPECT_EQ(server_->open_connections(), 1U);
  // Another authority is another channel, with a connection of its own.
  const auto refused = health({.authority = "127.0.0.1"});
  EXPECT_EQ(refused.status, GrpcStatus::kUnavailable) << refused.message;
  EXPECT_TRUE(health().ok());
  channel_.reset();
  ASSERT_TRUE(eventually([&] { return server_->open_connections() == 0; }));
  channel_ = connect("");
  EXPECT_TRUE(health().ok());
}

TEST_F(GatedServerTest, ThoseWhoSayNothingAreDisconnected) {
  start({.handshake_timeout = std::chrono::milliseconds(200)});
  RawClient silent(server_->port());
  ASSERT_TRUE(eventually([&] { return server_->open_connections() == 1; }));
  static_cast<void>(silent.read_all());  // the server's settings, then the end
  EXPECT_TRUE(eventually([&] { return server_->open_connections() == 0; }));
}

TEST_F(GatedServerTest, ThoseWhoSpeakSomethingElseAreDisconnected) {
  for (int i = 0; i < 20; ++i) {
    RawClient client(server_->port());
    client.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    static_cast<void>(client.read_all());
  }
  EXPECT_TRUE(eventually([&] { return server_->open_connections() == 0; }));
  EXPECT_TRUE(health().ok());
}

}  // namespace
}  // namespace quipu::api::grpc
