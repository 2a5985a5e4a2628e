// The server as one object: engine, service and sockets, wired by a configuration.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "quipu/engine.h"
#include "quipu/result.h"
#include "quipu/server/config.h"

namespace quipu::server {

// Threads: reload() and the getters from any; start and stop from one.
class Server {
 public:
  // Opens the engine, then listens: whoever can connect is served. `embedder` null: the engine's
  // own. Errors: those of Engine::open(), HttpServer::start() and
  // GrpcServer::start().
  [[nodiscard]] static Result<std::unique_ptr<Server>> start(ServerConfig config,
                                                             embed::Embedder* embedder = nullptr);
  // stop(), if it was not called.
  ~Server();

  [[nodiscard]] std::uint16_t port() const noexcept;
  // Of gRPC; 0 when that is off.
  [[nodiscard]] std::uint16_t grpc_port() const noexcept;
  [[nodiscard]] Engine& engine() noexcept;
  // "http://127.0.0.1:7333".
  [[nodiscard]] std::string url() const;
  // "127.0.0.1:7334"; "" when gRPC is off.
  [[nodiscard]] std::string grpc_address() const;

  // Takes over the keys that may change while it runs; says in the log what did.
  void reload(const ServerConfig& fresh);

  // Stops accepting, finishes what is in flight within shutdown_timeout_ms, closes the engine (view
  // checkpoints, sync). Errors: those of Engine::close().
  Status stop();

 private:
  struct State;
  explicit Server(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// Runs a server until SIGTERM or SIGINT, then stops it gracefully; a second signal ends the process
// at once. SIGHUP loads the configuration again by `load` and takes over what may change. Call it
// on the main thread, before the program has started others. Returns when the server has stopped.
// `on_ready` is called once, when the server can be reached. Errors: those of start() and stop().
Status run_server(ServerConfig config, const std::function<Result<ServerConfig>()>& load,
                  const std::function<void(const Server&)>& on_ready = {});

}  // namespace quipu::server
