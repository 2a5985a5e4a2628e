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
#include <grpcpp/server_builder.h>

#include <atomic>
#include <map>
#include <mutex>
#include <utility>
#include <vector>

#include "quipu/api/grpc/connection_gate.h"
#include "quipu/api/grpc/limits.h"
#include "quipu/api/grpc/messages.h"
#include "quipu/api/grpc/stream_call.h"
#include "quipu/api/rpc_table.h"
#include "quipu/base/format.h"
#include "quipu/base/log.h"
#include "quipu/base/quote.h"

namespace quipu::api {
namespace {

// Peers that vanished without a word are noticed after these two.
constexpr int kKeepaliveMs = 60'000;
constexpr int kKeepaliveTimeoutMs = 20'000;
// Clients may ask as often as this whether the server is alive, calls or none.
constexpr int kPingIntervalMinMs = 10'000;
constexpr int kPingStrikesMax = 2;

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
  std::unique_ptr<grpc::ConnectionGate> gate;
  std::unique_ptr<::grpc::experimental::ExternalConnectionAcceptor> acceptor;
  std::unique_ptr<::grpc::Server> server;

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
  QUIPU_TRY(state->gate,
            grpc::ConnectionGate::listen(
                {.host = used.host, .port = used.port, .connections_max = used.connections_max},
                metrics));
  ::grpc::ServerBuilder builder;
  state->acceptor = builder.experimental().AddExternalConnectionAcceptor(
      ::grpc::ServerBuilder::experimental_type::ExternalConnectionType::FROM_FD,
      ::grpc::InsecureServerCredentials());
  builder.SetMaxReceiveMessageSize(static_cast<int>(used.message_bytes_max));
  const auto set = [&builder](const char* argument, auto value) {
    builder.AddChannelArgument(argument, static_cast<int>(value));
  };
  set(GRPC_ARG_MAX_CONCURRENT_STREAMS, used.streams_max);
  set(GRPC_ARG_MAX_METADATA_SIZE, used.metadata_bytes_max);
  set(GRPC_ARG_MAX_CONNECTION_IDLE_MS, used.idle_timeout.count());
  set(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, used.handshake_timeout.count());
  set(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveMs);
  set(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveTimeoutMs);
  set(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  // Those who ask more often are told to calm down, and disconnected when they do not.
  set(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, kPingIntervalMinMs);
  set(GRPC_ARG_HTTP2_MAX_PING_STRIKES, kPingStrikesMax);
  // A small compressed message may become a large one before its size is known.
  builder.SetCompressionAlgorithmSupportStatus(GRPC_COMPRESS_DEFLATE, false);
  builder.SetCompressionAlgorithmSupportStatus(GRPC_COMPRESS_GZIP, false);
  ::grpc::ResourceQuota quota("quipu");
  quota.Resize(used.buffered_bytes_max);
  builder.SetResourceQuota(quota);
  state->add_services(builder);
  state->server = builder.BuildAndStart();
  if (state->server == nullptr) {
    return Error{ErrorCode::kInternal, "the gRPC server could not be started"};
  }
  state->gate->start([acceptor = state->acceptor.get()](int listener, int socket) {
    ::grpc::experimental::ExternalConnectionAcceptor::NewConnectionParameters connection;
    connection.listener_fd = listener;
    connection.fd = socket;
    acceptor->HandleNewConnection(&connection);
  });
  return std::unique_ptr<GrpcServer>(new GrpcServer(std::move(state)));
}

GrpcServer::~GrpcServer() { stop(std::chrono::milliseconds(0)); }

std::uint16_t GrpcServer::port() const noexcept { return state_->gate->port(); }

std::size_t GrpcServer::open_connections() const noexcept {
  return state_->gate->open_connections();
}

bool GrpcServer::stop(std::chrono::milliseconds deadline) {
  if (state_->server == nullptr) return true;
  if (auto* const health = state_->server->GetHealthCheckService()) health->Shutdown();
  state_->gate->stop();
  const auto end = std::chrono::system_clock::now() + deadline;
  state_->server->Shutdown(end);
  const bool finished = state_->limits.calls() == 0 && std::chrono::system_clock::now() < end;
  state_->server->Wait();
  state_->server.reset();
  return finished;
}

}  // namespace quipu::api
