// Goal: the transport keeps its promises whatever is called: limits, deadlines, hosts, health,
// reflection, metrics, a clean stop.
// Method: a real server on a free port, called through a channel; Qdrant's methods stand for all.
#include <gmock/gmock.h>
#include <google/protobuf/descriptor.h>
#include <gtest/gtest.h>
#include <qdrant_proto/collections_service.pb.h>
#include <qdrant_proto/points_service.pb.h>
#include <qdrant_proto/qdrant.pb.h>
#include <qdrant_proto/snapshots_service.pb.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <future>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "quipu/api/qdrant/grpc/values.h"
#include "quipu/api/rpc_table.h"
#include "tests/support/grpc_fixture.h"

namespace quipu::api::qdrant::rpc {
namespace {

using ::testing::HasSubstr;

class TransportTest : public GrpcFixture {
 protected:
  RpcAnswer<::qdrant::HealthCheckReply> health(const RpcOptions& options = {}) {
    return rpc<::qdrant::HealthCheckReply>("/qdrant.Qdrant/HealthCheck",
                                           ::qdrant::HealthCheckRequest(), options);
  }
  void make_collection() {
    pb::CreateCollection request;
    request.set_collection_name("c");
    request.mutable_vectors_config()->mutable_params()->set_size(2);
    request.mutable_vectors_config()->mutable_params()->set_distance(pb::Dot);
    const auto made = rpc<pb::CollectionOperationResponse>("/qdrant.Collections/Create", request);
    ASSERT_TRUE(made.ok()) << made.message;
  }
};

TEST_F(TransportTest, EveryMethodOfEveryServiceHasARow) {
  std::set<std::string> rows;
  for (const Rpc& rpc : rpc_table()) {
    EXPECT_TRUE(rows.insert(std::string(rpc.row.name)).second) << rpc.row.name;
    EXPECT_EQ(rpc.row.pattern, "/" + std::string(rpc.row.name));
    EXPECT_FALSE(rpc.row.summary.empty());
    EXPECT_NE(rpc.row.dialect, nullptr);
  }
  // Names of messages are used, so that the linker keeps their files.
  static_cast<void>(pb::CreateSnapshotRequest());
  for (const char* const name : {"Qdrant", "Collections", "Points", "Snapshots"}) {
    const auto* const service =
        google::protobuf::DescriptorPool::generated_pool()->FindServiceByName(
            std::string("qdrant.") + name);
    ASSERT_NE(service, nullptr) << name;
    for (int i = 0; i < service->method_count(); ++i) {
      const std::string method = std::string("qdrant.") + name + "/" + service->method(i)->name();
      EXPECT_EQ(rows.erase(method), 1U) << method;
    }
  }
  for (const std::string& left : rows) EXPECT_FALSE(left.starts_with("qdrant.")) << left;
}

TEST_F(TransportTest, SaysWhatItIs) {
  const auto answer = health();
  ASSERT_TRUE(answer.ok()) << answer.message;
  EXPECT_EQ(answer.answer.version(), "1.20.0");
  EXPECT_EQ(answer.trailing.count("x-request-id"), 1U);
  const auto named = health({.metadata = {{"x-request-id", "my-own-id-1"}}});
  EXPECT_EQ(named.trailing.at("x-request-id"), "my-own-id-1");
}

TEST_F(TransportTest, UnknownMethodsAndUnreadableMessagesAreRefused) {
  const auto unknown =
      rpc<::qdrant::HealthCheckReply>("/qdrant.Points/Nothing", ::qdrant::HealthCheckRequest());
  EXPECT_EQ(unknown.status, GrpcStatus::kUnimplemented);
  // Its field 3 is a list of points, which these bytes are not.
  pb::IsEmptyCondition message;
  message.set_key("c");
  message.GetReflection()->MutableUnknownFields(&message)->AddLengthDelimited(3, "\x0a\xff");
  const auto unreadable = rpc<pb::PointsOperationResponse>("/qdrant.Points/Upsert", message);
  EXPECT_EQ(unreadable.status, GrpcStatus::kInvalidArgument);
  EXPECT_THAT(unreadable.message, HasSubstr("qdrant.UpsertPoints"));
}

TEST_F(TransportTest, ErrorsKeepTheirCodesAndWords) {
  make_collection();
  pb::GetCollectionInfoRequest none;
  none.set_collection_name("none");
  const auto missing = rpc<pb::GetCollectionInfoResponse>("/qdrant.Collections/Get", none);
  EXPECT_EQ(missing.status, GrpcStatus::kNotFound);
  EXPECT_EQ(missing.message, "Not found: Collection `none` doesn't exist!");
  pb::CountPoints count;
  count.set_collection_name("none");
  const auto typed = rpc<pb::CountResponse>("/qdrant.Points/Count", count);
  EXPECT_EQ(typed.status, GrpcStatus::kNotFound);
  EXPECT_EQ(typed.message, missing.message);
  pb::ListShardKeysRequest shards;
  shards.set_collection_name("c");
  const auto unbuilt = rpc<pb::ListShardKeysResponse>("/qdrant.Collections/ListShardKeys", shards);
  EXPECT_EQ(unbuilt.status, GrpcStatus::kUnimplemented);
  EXPECT_THAT(unbuilt.message, HasSubstr("not built"));
}

TEST_F(TransportTest, InternalErrorsTellNothingOfTheInside) {
  make_collection();
  embedder_.set_error({ErrorCode::kIo, "/secret/path is gone", ""});
  const Response made =
      call("PUT", "/v1/collections/t", R"({"vectors":[{"model":"all-MiniLM-L6-v2"}]})");
  ASSERT_EQ(made.status, 201) << made.body;
  pb::QueryPoints query;
  query.set_collection_name("t");
  query.mutable_query()->mutable_nearest()->mutable_document()->set_text("rivers");
  const auto failed = rpc<pb::QueryResponse>("/qdrant.Points/Query", query);
  EXPECT_EQ(failed.status, GrpcStatus::kInternal);
  EXPECT_THAT(failed.message, HasSubstr("request id"));
  EXPECT_THAT(failed.message, ::testing::Not(HasSubstr("secret")));
}

TEST_F(TransportTest, TheCallersDeadlineAndTheServersHold) {
  make_collection();
  pb::CountPoints count;
  count.set_collection_name("c");
  const auto late = rpc<pb::CountResponse>("/qdrant.Points/Count", count,
                                           {.timeout = std::chrono::milliseconds(-1000)});
  EXPECT_EQ(late.status, GrpcStatus::kDeadlineExceeded);
  // The engine is told, not only the caller: this is what comes of a deadline that is over.
  const auto row = std::ranges::find_if(
      rpc_table(), [](const Rpc& one) { return one.row.name == "qdrant.Points/Count"; });
  std::promise<Response> answered;
  service_->handle_rpc(*row, {.method = "POST", .body = count.SerializeAsString(), .peer = "test"},
                       std::chrono::steady_clock::now() - std::chrono::seconds(1),
                       [&](Response answer) { answered.set_value(std::move(answer)); });
  EXPECT_EQ(answered.get_future().get().status, static_cast<int>(GrpcStatus::kDeadlineExceeded));
  restart_service({.request_timeout = std::chrono::milliseconds(0)});
  const auto over = rpc<pb::CountResponse>("/qdrant.Points/Count", count);
  EXPECT_EQ(over.status, GrpcStatus::kDeadlineExceeded);
  EXPECT_THAT(over.message, HasSubstr("limit of 0 ms"));
}

TEST_F(TransportTest, MessagesOverALimitAreRefused) {
  make_collection();
  start({.message_bytes_max = 1000});
  pb::GetCollectionInfoRequest long_name;
  long_name.set_collection_name(std::string(2000, 'x'));
  const auto large = rpc<pb::GetCollectionInfoResponse>("/qdrant.Collections/Get", long_name);
  EXPECT_EQ(large.status, GrpcStatus::kResourceExhausted);
  // A row's own limit, which is below the transport's.
  start({});
  long_name.set_collection_name(std::string(std::size_t{3} << 20, 'x'));
  const auto row = rpc<pb::GetCollectionInfoResponse>("/qdrant.Collections/Get", long_name);
  EXPECT_EQ(row.status, GrpcStatus::kInvalidArgument);
  EXPECT_THAT(row.message, HasSubstr("2097152"));
}

TEST_F(TransportTest, LongErrorsArriveShortened) {
  pb::GetCollectionInfoRequest long_name;
  for (int i = 0; i < 500'000; ++i) *long_name.mutable_collection_name() += "\xc3\xa4";
  const auto missing = rpc<pb::GetCollectionInfoResponse>("/qdrant.Collections/Get", long_name);
  EXPECT_EQ(missing.status, GrpcStatus::kNotFound);
  EXPECT_THAT(missing.message, ::testing::StartsWith("Not found: Collection `\xc3\xa4"));
  EXPECT_THAT(missing.message, ::testing::EndsWith("\xc3\xa4..."));
  EXPECT_LT(missing.message.size(), 2100U);
}

TEST_F(TransportTest, TooManyCallsAndBytesAtOnceAreRefused) {
  start({.calls_max = 0});
  const auto calls = health();
  EXPECT_EQ(calls.status, GrpcStatus::kResourceExhausted);
  EXPECT_EQ(calls.trailing.at("retry-after"), "1");
  pb::GetCollectionInfoRequest request;
  request.set_collection_name(std::string(600'000, 'x'));
  start({.buffered_bytes_max = 500'000});
  const auto bytes = rpc<pb::GetCollectionInfoResponse>("/qdrant.Collections/Get", request);
  EXPECT_FALSE(bytes.ok());
}

TEST_F(TransportTest, AHostThatIsNotOursIsRefused) {
  start(
      {.authority_allowed = [](std::string_view name) { return name.starts_with("127.0.0.1:"); }});
  EXPECT_TRUE(health().ok());
  const auto other = health({.authority = "evil.example:80"});
  EXPECT_EQ(other.status, GrpcStatus::kPermissionDenied);
  EXPECT_THAT(other.message, HasSubstr("evil.example:80"));
}

TEST_F(TransportTest, MetricsCountByMethodAndStatus) {
  EXPECT_TRUE(health().ok());
  pb::GetCollectionInfoRequest none;
  none.set_collection_name("none");
  EXPECT_FALSE(rpc<pb::GetCollectionInfoResponse>("/qdrant.Collections/Get", none).ok());
  const std::string text = metrics_.render();
  EXPECT_THAT(
      text,
      HasSubstr(R"(quipu_grpc_requests_total{method="qdrant.Qdrant/HealthCheck",status="OK"} 1)"));
  EXPECT_THAT(
      text,
      HasSubstr(
          R"(quipu_grpc_requests_total{method="qdrant.Collections/Get",status="NOT_FOUND"} 1)"));
  EXPECT_THAT(text, HasSubstr("quipu_grpc_request_seconds_bucket"));
  // What the REST handlers did for a gRPC call is not counted as HTTP's.
  EXPECT_THAT(text,
              ::testing::Not(HasSubstr(R"(quipu_http_requests_total{route="qdrant_collection")")));
}

TEST_F(TransportTest, StoppingTwiceAndCallingAfterwards) {
  EXPECT_TRUE(health().ok());
  EXPECT_TRUE(server_->stop(std::chrono::seconds(10)));
  EXPECT_TRUE(server_->stop(std::chrono::seconds(10)));
  const auto after = health({.timeout = std::chrono::milliseconds(300)});
  EXPECT_FALSE(after.ok());
}

TEST_F(TransportTest, StoppingLetsCallsFinish) {
  make_collection();
  std::atomic<int> answered{0};
  std::atomic<int> refused{0};
  std::atomic<bool> begun{false};
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&, thread] {
      for (std::uint64_t i = 0; i < 200; ++i) {
        pb::UpsertPoints request;
        request.set_collection_name("c");
        request.set_wait(true);
        pb::PointStruct& point = *request.add_points();
        point.mutable_id()->set_num(static_cast<std::uint64_t>(thread) * 1000 + i);
        auto& data = *point.mutable_vectors()->mutable_vector()->mutable_dense()->mutable_data();
        data.Add(1);
        data.Add(2);
        const auto done = rpc<pb::PointsOperationResponse>("/qdrant.Points/Upsert", request,
                                                           {.timeout = std::chrono::seconds(5)});
        if (!done.ok()) {
          // A call that arrives while the server closes its doors is cancelled by the transport.
          EXPECT_TRUE(done.status == GrpcStatus::kUnavailable ||
                      done.status == GrpcStatus::kCancelled)
              << grpc_status_name(done.status) << ": " << done.message;
          ++refused;
          return;
        }
        ++answered;
        begun = true;
      }
    });
  }
  while (!begun) std::this_thread::yield();
  EXPECT_TRUE(server_->stop(std::chrono::seconds(10)));
  for (std::thread& thread : threads) thread.join();
  // Every acknowledged point is there, and none but those that may have been on their way.
  const auto count = engine_->count("default", "c", {});
  ASSERT_TRUE(count.ok());
  EXPECT_GE(count.value(), static_cast<std::uint64_t>(answered.load()));
  EXPECT_LE(count.value(), static_cast<std::uint64_t>(answered.load() + refused.load()));
}

TEST_F(TransportTest, ASecondServerOnThePortIsRefused) {
  const auto second = GrpcServer::start({.port = server_->port()}, *service_, metrics_);
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().reason, "address_in_use");
}

}  // namespace
}  // namespace quipu::api::qdrant::rpc
