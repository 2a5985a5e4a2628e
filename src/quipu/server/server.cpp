#include "quipu/server/server.h"

#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>

#include <atomic>
#include <future>
#include <optional>
#include <utility>

#include "quipu/api/grpc/grpc_server.h"
#include "quipu/api/service.h"
#include "quipu/base/clock.h"
#include "quipu/base/log.h"
#include "quipu/base/thread_annotations.h"
#include "quipu/base/thread_pool.h"
#include "quipu/server/http/host_check.h"
#include "quipu/server/http/http_server.h"
#include "quipu/telemetry/prometheus_registry.h"

namespace quipu::server {
namespace {

// A connection takes a descriptor, and systems start programs with few.
void raise_descriptor_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max) return;
  limit.rlim_cur = limit.rlim_max;
  if (setrlimit(RLIMIT_NOFILE, &limit) != 0) {
    log_warning("cannot raise the limit of open files",
                {{"limit", std::to_string(limit.rlim_max)}});
  }
}

std::string joined(const std::vector<std::string>& names) {
  std::string out;
  for (const std::string& name : names) out += (out.empty() ? "" : ", ") + name;
  return out;
}

// "127.0.0.1:7333", "[::1]:7333".
std::string address(const std::string& host, std::uint16_t port) {
  const bool v6 = host.find(':') != std::string::npos;
  return (v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

api::GrpcOptions grpc_options(const ServerConfig& config) {
  return {.host = config.http.host,
          .port = config.grpc_port,
          .message_bytes_max = config.http.body_bytes_max,
          .metadata_bytes_max = config.http.header_bytes_max,
          .connections_max = config.grpc_connections_max,
          .streams_max = config.grpc_streams_max,
          .calls_max = config.grpc_calls_max,
          .buffered_bytes_max = config.http.buffered_bytes_max,
          .idle_timeout = config.http.idle_timeout,
          .handshake_timeout = config.http.header_timeout,
          .authority_allowed =
              [check = HostCheck(config.http.allowed_hosts)](std::string_view authority) {
                return check.host_allowed(authority);
              }};
}

}  // namespace

struct Server::State {
  explicit State(ServerConfig config_in)
      : config(std::move(config_in)),
        compute({.name = "quipu-compute",
                 .thread_count = config.compute_threads,
                 .queue_tasks_max = 4096}) {}

  // Destroyed from the last to the first: sockets, service, pool, engine.
  Mutex mutex;
  ServerConfig config GUARDED_BY(mutex);
  telemetry::PrometheusRegistry metrics;
  std::unique_ptr<Engine> engine;
  ThreadPool compute;
  std::unique_ptr<api::Service> service;
  std::unique_ptr<HttpServer> http;
  std::unique_ptr<api::GrpcServer> grpc;
  std::string url;
  std::string grpc_address;
  std::chrono::milliseconds shutdown_timeout{0};
  bool stopped = false;

  api::ServiceOptions service_options(const ServerConfig& from);
};

api::ServiceOptions Server::State::service_options(const ServerConfig& from) {
  api::ServiceOptions options;
  options.tenant = from.tenant;
  options.default_model = from.default_model;
  options.memory_collection = from.memory_collection;
  options.request_bytes_max = from.http.body_bytes_max;
  options.request_timeout = std::chrono::milliseconds(from.request_timeout_ms);
  options.waiting_threads = from.waiting_threads;
  options.snapshots_dir = from.engine.data_dir + "/snapshots";
  options.collection_snapshots_dir = from.collection_snapshots_dir.empty()
                                         ? from.engine.data_dir + "/collection-snapshots"
                                         : from.collection_snapshots_dir;
  options.upload_bytes_max = from.upload_bytes_max;
  options.metrics_text = [this] { return metrics.render(); };
  options.config_json = [this] {
    MutexLock lock(mutex);
    return config_json(config);
  };
  return options;
}

Server::Server(std::unique_ptr<State> state) : state_(std::move(state)) {}

Result<std::unique_ptr<Server>> Server::start(ServerConfig config, embed::Embedder* embedder) {
  // An address that will be refused must not cost the opening of a large folder first.
  QUIPU_TRY_OK(check_address(config.http));
  const ServerConfig used = config;
  auto state = std::make_unique<State>(std::move(config));
  EngineEnvironment environment;
  environment.metrics = &state->metrics;
  environment.embedder = embedder;
  QUIPU_TRY(state->engine, Engine::open(used.engine, environment));
  state->shutdown_timeout = std::chrono::milliseconds(used.shutdown_timeout_ms);
  state->service = std::make_unique<api::Service>(*state->engine, state->compute, state->metrics,
                                                  system_clock(), state->service_options(used));
  raise_descriptor_limit();
  api::Service* const service = state->service.get();
  HttpOptions http = used.http;
  http.upload_plan = [service](std::string_view method, std::string_view target) {
    return service->upload_plan(method, target);
  };
  QUIPU_TRY(state->http,
            HttpServer::start(
                std::move(http),
                [service](api::Request request, std::function<void(api::Response)> done) {
                  service->handle(std::move(request), std::move(done));
                },
                state->metrics));
  state->url = "http://" + address(used.http.host, state->http->port());
  if (used.grpc) {
    QUIPU_TRY(state->grpc, api::GrpcServer::start(grpc_options(used), *service, state->metrics));
    state->grpc_address = address(used.http.host, state->grpc->port());
  }
  return std::unique_ptr<Server>(new Server(std::move(state)));
}

Server::~Server() {
  // Whoever wants to know whether closing worked calls stop(); the data is safe without it.
  if (const Status stopped = stop(); !stopped.ok()) {
    log_error("the engine did not close cleanly", {{"error", stopped.error().message}});
  }
}

std::uint16_t Server::port() const noexcept { return state_->http->port(); }
std::uint16_t Server::grpc_port() const noexcept {
  return state_->grpc == nullptr ? 0 : state_->grpc->port();
}
Engine& Server::engine() noexcept { return *state_->engine; }
std::string Server::url() const { return state_->url; }
std::string Server::grpc_address() const { return state_->grpc_address; }

void Server::reload(const ServerConfig& fresh) {
  std::vector<std::string> need_restart;
  std::vector<std::string> taken;
  {
    MutexLock lock(state_->mutex);
    taken = take_reloadable(state_->config, fresh, need_restart);
    set_log_level(state_->config.log_level);
  }
  log_info("configuration read again",
           {{"changed", joined(taken)}, {"need_restart", joined(need_restart)}});
}

Status Server::stop() {
  if (state_->stopped) return ok_status();
  state_->stopped = true;
  const auto begun = std::chrono::steady_clock::now();
  // Both at once: each takes no new requests from the first moment on.
  std::future<bool> grpc_finished;
  if (state_->grpc != nullptr) {
    grpc_finished = std::async(std::launch::async, [state = state_.get()] {
      return state->grpc->stop(state->shutdown_timeout);
    });
  }
  bool finished = state_->http->stop(state_->shutdown_timeout);
  if (grpc_finished.valid()) finished = grpc_finished.get() && finished;
  if (!finished) {
    log_warning("requests were cut off",
                {{"after_ms", std::to_string(state_->shutdown_timeout.count())}});
  }
  // Waits for calls whose connections were cut off: they use the engine.
  state_->service.reset();
  const auto used = std::chrono::duration_cast<std::chrono::milliseconds>(
      std::chrono::steady_clock::now() - begun);
  const auto left = std::max(state_->shutdown_timeout - used, std::chrono::milliseconds(1000));
  return state_->engine->close(left);
}

Status run_server(ServerConfig config, const std::function<Result<ServerConfig>()>& load,
                  const std::function<void(const Server&)>& on_ready) {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&signals, signal);
  // All threads that start from here on leave these to the loop below.
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  QUIPU_TRY_OK(telemetry::install_log_output(config.log));
  set_log_level(config.log_level);
  const std::string data_dir = config.engine.data_dir;
  const auto begun = std::chrono::steady_clock::now();
  QUIPU_TRY(const std::unique_ptr<Server> server, Server::start(std::move(config)));
  const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(
      std::chrono::steady_clock::now() - begun);
  log_info("ready", {{"url", server->url()},
                     {"grpc", server->grpc_address()},
                     {"data", data_dir},
                     {"version", QUIPU_VERSION},
                     {"ms", std::to_string(took.count())}});
  if (on_ready) on_ready(*server);
  int signal = 0;
  while (sigwait(&signals, &signal) == 0 && signal == SIGHUP) {
    Result<ServerConfig> fresh = load();
    if (fresh.ok()) {
      server->reload(fresh.value());
    } else {
      log_error("configuration not taken", {{"error", fresh.error().message}});
    }
  }
  log_info("stopping", {{"signal", signal == SIGTERM ? "SIGTERM" : "SIGINT"}});
  // From here on a second signal does what it does by itself: it ends the process.
  pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
  Status stopped = server->stop();
  log_info("stopped", {{"clean", stopped.ok() ? "true" : "false"}});
  return stopped;
}

}  // namespace quipu::server
