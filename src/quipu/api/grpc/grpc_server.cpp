#include "quipu/api/grpc/grpc_server.h"

#include <google/protobuf/stubs/logging.h>
#include <grpc/support/log.h>
#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/impl/codegen/rpc_service_method.h>
#include <grpcpp/impl/codegen/server_callback_handlers.h>
#include <grpcpp/impl/codegen/service_type.h>
#include <grpcpp/resource_quota.h>

#include <atomic>
#include <map>
#include <mutex>
#include <utility>
#include <vector>

#include "quipu/api/grpc/limits.h"
#include "quipu/api/grpc/messages.h"
#include "quipu/api/grpc/stream_call.h"
#include "quipu/api/rpc_table.h"
#include "quipu/base/format.h"
#include "quipu/base/log.h"
#include "quipu/base/quote.h"

namespace quipu::api {
namespace {

constexpr int kStreamsPerConnectionMax = 1'024;
// Peers that vanished without a word are noticed after these two.
constexpr int kKeepaliveMs = 60'000;
constexpr int kKeepaliveTimeoutMs = 20'000;
// Clients may ask as often as this whether the server is alive, calls or none.
constexpr int kPingIntervalMinMs = 10'000;

void log_of_grpc(gpr_log_func_args* line) {
  if (line->severity < GPR_LOG_SEVERITY_ERROR) return;
  // What stops the server is an error of start(); the rest is the affair of single connections.
  log_debug("gRPC", {{"error", line->message}});
}

// Of messages that cannot be read: their senders are told, and may send as many as they like.
void log_of_messages(google::protobuf::LogLevel, const char*, int, const std::string& text) {
  log_debug("a message cannot be read", {{"error", text}});
}

// The methods of one service, as the transport wants them: bytes in, bytes out.
class ByteService final : public ::grpc::Service {
 public:
  explicit ByteService(grpc::Transport transport) : transport_(transport) {}

  void add(const Rpc& rpc) {
    const std::string& path = paths_.emplace_back(rpc.row.pattern);
    const int index = count_++;
    if (rpc.stream) {
      AddMethod(new ::grpc::internal::RpcServiceMethod(
          path.c_str(), ::grpc::internal::RpcMethod::BIDI_STREAMING, nullptr));
      MarkMethodRawCallback(
          index, new ::grpc::internal::CallbackBidiHandler<::grpc::ByteBuffer, ::grpc::ByteBuffer>(
                     [this, &rpc](::grpc::CallbackServerContext* context) {
                       return grpc::make_stream_call(transport_, rpc, *context);
                     }));
      return;
    }
    AddMethod(new ::grpc::internal::RpcServiceMethod(
        path.c_str(), ::grpc::internal::RpcMethod::NORMAL_RPC, nullptr));
    MarkMethodRawCallback(
        index, new ::grpc::internal::CallbackUnaryHandler<::grpc::ByteBuffer, ::grpc::ByteBuffer>(
                   [this, &rpc](::grpc::CallbackServerContext* context,
                                const ::grpc::ByteBuffer* request, ::grpc::ByteBuffer* response) {
                     return grpc::answer_unary(transport_, rpc, *context, *request, *response);
                   }));
  }

 private:
  grpc::Transport transport_;
  std::vector<std::string> paths_;  // borrowed by the methods: reserved once, never moved
  int count_ = 0;

 public:
  // Room for this many methods.
  void reserve(std::size_t methods) { paths_.reserve(methods); }
};

std::string_view service_of(const Rpc& rpc) {
  return rpc.row.name.substr(0, rpc.row.name.find('/'));
}

}  // namespace

struct GrpcServer::State {
  State(GrpcOptions options_in, Service& service, MetricsRegistry& metrics)
      : options(std::move(options_in)),
        limits({.calls_max = options.calls_max, .bytes_max = options.buffered_bytes_max}, metrics),
        transport{.service = &service,
                  .limits = &limits,
                  .authority_allowed = &options.authority_allowed} {}

  GrpcOptions options;
  grpc::Limits limits;
  grpc::Transport transport;
  std::map<std::string_view, std::unique_ptr<ByteService>> services;
  std::unique_ptr<::grpc::Server> server;
  int port = 0;

  void add_services(::grpc::ServerBuilder& builder);
};

void GrpcServer::State::add_services(::grpc::ServerBuilder& builder) {
  for (const Rpc& rpc : rpc_table()) {
    auto& service = services[service_of(rpc)];
    if (service == nullptr) {
      service = std::make_unique<ByteService>(transport);
      service->reserve(rpc_table().size());
    }
    service->add(rpc);
  }
  for (const auto& [name, service] : services) builder.RegisterService(service.get());
}

GrpcServer::GrpcServer(std::unique_ptr<State> state) : state_(std::move(state)) {}

Result<std::unique_ptr<GrpcServer>> GrpcServer::start(GrpcOptions options, Service& service,
                                                      MetricsRegistry& metrics) {
  // Both are for the whole process, and say nothing to servers that are there already.
  static std::once_flag once;
  std::call_once(once, [] {
    gpr_set_log_function(log_of_grpc);
    google::protobuf::SetLogHandler(log_of_messages);
    ::grpc::EnableDefaultHealthCheckService(true);
    ::grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  });
  auto state = std::make_unique<State>(std::move(options), service, metrics);
  const GrpcOptions& used = state->options;
  ::grpc::ServerBuilder builder;
  const bool v6 = used.host.find(':') != std::string::npos;
  const std::string address =
      (v6 ? "[" + used.host + "]" : used.host) + ":" + std::to_string(used.port);
  builder.AddListeningPort(address, ::grpc::InsecureServerCredentials(), &state->port);
  builder.SetMaxReceiveMessageSize(static_cast<int>(used.message_bytes_max));
  // A second server on the same port would take half of the first one's connections.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, kStreamsPerConnectionMax);
  builder.AddChannelArgument(GRPC_ARG_MAX_METADATA_SIZE, static_cast<int>(used.metadata_bytes_max));
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_IDLE_MS,
                             static_cast<int>(used.idle_timeout.count()));
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveMs);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveTimeoutMs);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
                             kPingIntervalMinMs);
  // A small compressed message may become a large one before its size is known.
  builder.SetCompressionAlgorithmSupportStatus(GRPC_COMPRESS_DEFLATE, false);
  builder.SetCompressionAlgorithmSupportStatus(GRPC_COMPRESS_GZIP, false);
  ::grpc::ResourceQuota quota("quipu");
  quota.Resize(used.buffered_bytes_max);
  builder.SetResourceQuota(quota);
  state->add_services(builder);
  state->server = builder.BuildAndStart();
  if (state->server == nullptr || state->port == 0) {
    return Error{ErrorCode::kUnavailable,
                 format("cannot listen on {} for gRPC: the address is in use, or this machine does "
                        "not have it",
                        in_quotes(address)),
                 "address_in_use"};
  }
  return std::unique_ptr<GrpcServer>(new GrpcServer(std::move(state)));
}

GrpcServer::~GrpcServer() { stop(std::chrono::milliseconds(0)); }

std::uint16_t GrpcServer::port() const noexcept { return static_cast<std::uint16_t>(state_->port); }

bool GrpcServer::stop(std::chrono::milliseconds deadline) {
  if (state_->server == nullptr) return true;
  if (auto* const health = state_->server->GetHealthCheckService()) health->Shutdown();
  const auto end = std::chrono::system_clock::now() + deadline;
  state_->server->Shutdown(end);
  const bool finished = state_->limits.calls() == 0 && std::chrono::system_clock::now() < end;
  state_->server->Wait();
  state_->server.reset();
  return finished;
}

}  // namespace quipu::api
