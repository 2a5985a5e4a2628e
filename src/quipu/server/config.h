// The configuration of a server: a TOML file, then the environment, then flags; later ones win. One
// table of keys parses it, checks it, shows it and documents it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "quipu/base/log.h"
#include "quipu/engine.h"
#include "quipu/result.h"
#include "quipu/server/http/http_server.h"
#include "quipu/telemetry/log_output.h"

namespace quipu::server {

struct ServerConfig {
  HttpOptions http;  // its port is 7333 unless configured
  // gRPC: at the same address, with the same limits on messages.
  bool grpc = true;
  std::uint16_t grpc_port = 0;  // 0: any free one; after load_config() the one after http.port
  std::size_t grpc_connections_max = 10'000;
  std::size_t grpc_streams_max = 1'024;
  std::size_t grpc_calls_max = 10'000;
  std::uint64_t request_timeout_ms = 30'000;
  std::uint64_t shutdown_timeout_ms = 10'000;
  std::size_t compute_threads = 0;  // 0 here only before load_config()
  std::size_t waiting_threads = 16;

  EngineOptions engine;                  // data_dir and model_dirs included
  std::string collection_snapshots_dir;  // "": collection-snapshots in the data folder
  std::uint64_t upload_bytes_max = std::uint64_t{1} << 40;
  std::string default_model = "all-MiniLM-L6-v2";
  std::string tenant = "default";
  std::string memory_collection = "memories";

  LogLevel log_level = LogLevel::kInfo;
  telemetry::LogOutputOptions log;

  // Where each key's value comes from: "default", "FILE:LINE", "QUIPU_SERVER_PORT", "flag".
  std::map<std::string, std::string, std::less<>> sources;
  std::string file;  // the file that was read; "" for none
};

using Environment = std::map<std::string, std::string, std::less<>>;
using Overrides = std::vector<std::pair<std::string, std::string>>;  // key, value as text

// The variables of this process.
[[nodiscard]] Environment process_environment();

// Reads `path` (which must exist; "" means $QUIPU_CONFIG, which must exist too, or
// $XDG_CONFIG_HOME/quipu/quipu.toml if that is there), then variables QUIPU_<SECTION>_<KEY>, and
// QUIPU_DATA and QUIPU_MODELS, then `overrides`. Lists are separated by commas in variables and
// overrides, paths in QUIPU_MODELS by colons.
//
// Errors: kInvalidArgument naming file and line (or variable, or flag), key, value and limits, and
// for an unknown key the nearest known one ("unknown_key", "bad_value", "malformed_toml");
// kNotFound for a file that is not there; kFailedPrecondition ("not_loopback").
[[nodiscard]] Result<ServerConfig> load_config(const std::string& path,
                                               const Environment& environment,
                                               const Overrides& overrides);

// Takes over from `fresh` what may change while the server runs; returns the keys that changed, and
// adds those that would but need a restart to `need_restart`.
std::vector<std::string> take_reloadable(ServerConfig& running, const ServerConfig& fresh,
                                         std::vector<std::string>& need_restart);

// "key = value  # source" for each key, as TOML.
[[nodiscard]] std::string show_config(const ServerConfig& config);
// {"key": {"value": ..., "source": "..."}, ...}.
[[nodiscard]] std::string config_json(const ServerConfig& config);
// docs/configuration.md.
[[nodiscard]] std::string config_docs();

}  // namespace quipu::server
