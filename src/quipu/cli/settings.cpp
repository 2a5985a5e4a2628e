#include "quipu/cli/settings.h"

#include <chrono>

#include "quipu/base/format.h"
#include "quipu/base/quote.h"

namespace quipu::cli {
namespace {

// Where a client finds what listens on `host`: on "any address" this machine's own.
std::string reachable(const std::string& host) {
  if (host == "0.0.0.0" || host == "localhost") return "127.0.0.1";
  return host == "::" ? "::1" : host;
}

}  // namespace

Result<server::ServerConfig> load_server_config(const GlobalOptions& globals,
                                                server::Overrides more) {
  server::Overrides overrides;
  for (const std::string& assignment : globals.set) {
    const std::size_t equals = assignment.find('=');
    if (equals == std::string::npos || equals == 0) {
      return Error{ErrorCode::kInvalidArgument,
                   quipu::format("--set takes KEY=VALUE, got {}", in_quotes(assignment)),
                   "bad_assignment"};
    }
    overrides.emplace_back(assignment.substr(0, equals), assignment.substr(equals + 1));
  }
  if (!globals.data.empty()) overrides.emplace_back("data.dir", globals.data);
  for (auto& override : more) overrides.push_back(std::move(override));
  // QUIPU_SERVER is the address that commands talk to, and no key of the configuration.
  return server::load_config(globals.config, server::process_environment(), overrides);
}

Result<Settings> load_settings(const GlobalOptions& globals) {
  Settings settings;
  QUIPU_TRY(settings.config, load_server_config(globals));
  const server::ServerConfig& config = settings.config;
  settings.server.host = reachable(config.http.host);
  settings.server.port = config.http.port;
  settings.engine = config.engine;
  settings.service.tenant = config.tenant;
  settings.service.default_model = config.default_model;
  settings.service.memory_collection = config.memory_collection;
  settings.service.request_timeout = std::chrono::milliseconds(config.request_timeout_ms);
  settings.service.snapshots_dir = config.engine.data_dir + "/snapshots";
  settings.service.collection_snapshots_dir = config.collection_snapshots_dir.empty()
                                                  ? config.engine.data_dir + "/collection-snapshots"
                                                  : config.collection_snapshots_dir;
  return settings;
}

}  // namespace quipu::cli
