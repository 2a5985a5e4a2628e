// The options that every command takes, and what they, the environment and the configuration file
// come to together.
#pragma once

#include <string>
#include <vector>

#include "quipu/api/service.h"
#include "quipu/cli/http_client.h"
#include "quipu/engine.h"
#include "quipu/result.h"
#include "quipu/server/config.h"

namespace quipu::cli {

struct GlobalOptions {
  std::string server;            // "": not given
  std::string data;              // "": not given
  std::string config;            // file; "": the usual places
  std::vector<std::string> set;  // "key=value" over everything else
  double timeout_s = 60;
  bool json = false;
  bool quiet = false;
};

struct Settings {
  server::ServerConfig config;
  ServerAddress server;  // where the configuration says that the server listens
  EngineOptions engine;
  api::ServiceOptions service;
};

// Errors: kInvalidArgument naming the key or option, kNotFound for a named file that is not there.
[[nodiscard]] Result<server::ServerConfig> load_server_config(const GlobalOptions& globals,
                                                              server::Overrides more = {});
[[nodiscard]] Result<Settings> load_settings(const GlobalOptions& globals);

}  // namespace quipu::cli
