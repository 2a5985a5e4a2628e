// A gRPC server over the service of ServiceFixture, on a free port, and a client for it.
#pragma once

#include <google/protobuf/message.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/impl/codegen/client_unary_call.h>
#include <grpcpp/impl/codegen/proto_utils.h>
#include <gtest/gtest.h>

#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "quipu/api/grpc/grpc_server.h"
#include "quipu/api/status_map.h"
#include "tests/support/service_fixture.h"

namespace quipu::api {

template <typename Answer>
struct RpcAnswer {
  GrpcStatus status = GrpcStatus::kOk;
  std::string message;
  std::map<std::string, std::string> trailing;
  Answer answer;
  [[nodiscard]] bool ok() const { return status == GrpcStatus::kOk; }
};

struct RpcOptions {
  std::chrono::milliseconds timeout{30'000};
  std::string authority;  // "": the address
  std::map<std::string, std::string> metadata;
};

class GrpcFixture : public ServiceFixture {
 protected:
  void SetUp() override {
    ServiceFixture::SetUp();
    start({});
  }
  void TearDown() override {
    channel_.reset();
    if (server_ != nullptr) {
      EXPECT_TRUE(server_->stop(std::chrono::seconds(10)));
    }
    server_.reset();
    ServiceFixture::TearDown();
  }
  // Another server in the place of the one before; of the service as it is now.
  void start(GrpcOptions options) {
    channel_.reset();
    server_.reset();
    options.port = 0;
    auto server = GrpcServer::start(std::move(options), *service_, metrics_);
    ASSERT_TRUE(server.ok()) << server.error().message;
    server_ = std::move(server).value();
    channel_ = connect("");
  }
  void restart_service(ServiceOptions service, GrpcOptions options = {}) {
    channel_.reset();
    server_.reset();
    make_service(std::move(service));
    start(std::move(options));
  }
  std::shared_ptr<::grpc::Channel> connect(const std::string& authority) {
    ::grpc::ChannelArguments arguments;
    arguments.SetMaxReceiveMessageSize(-1);
    // Channels of one address share their connections else.
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    if (!authority.empty()) arguments.SetString(GRPC_ARG_DEFAULT_AUTHORITY, authority);
    return ::grpc::CreateCustomChannel("127.0.0.1:" + std::to_string(server_->port()),
                                       ::grpc::InsecureChannelCredentials(), arguments);
  }

  // Calls "/package.Service/Method" and waits for the answer.
  template <typename Answer>
  RpcAnswer<Answer> rpc(const std::string& method, const google::protobuf::Message& request,
                        const RpcOptions& options = {}) {
    const auto channel = options.authority.empty() ? channel_ : connect(options.authority);
    ::grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + options.timeout);
    for (const auto& [name, value] : options.metadata) context.AddMetadata(name, value);
    const ::grpc::internal::RpcMethod called(method.c_str(),
                                             ::grpc::internal::RpcMethod::NORMAL_RPC, channel);
    RpcAnswer<Answer> got;
    const ::grpc::Status status =
        ::grpc::internal::BlockingUnaryCall<google::protobuf::Message, Answer,
                                            google::protobuf::MessageLite,
                                            google::protobuf::MessageLite>(
            channel.get(), called, &context, request, &got.answer);
    got.status = static_cast<GrpcStatus>(status.error_code());
    got.message = status.error_message();
    for (const auto& [name, value] : context.GetServerTrailingMetadata()) {
      got.trailing.emplace(std::string(name.data(), name.size()),
                           std::string(value.data(), value.size()));
    }
    return got;
  }

  std::unique_ptr<GrpcServer> server_;
  std::shared_ptr<::grpc::Channel> channel_;
};

}  // namespace quipu::api
