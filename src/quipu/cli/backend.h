// Where commands send their requests: to a server over HTTP, or to an engine on a data folder in
// this process. Both answer the same requests in the same words, so commands need not know which it
// is.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "quipu/api/service.h"
#include "quipu/cli/http_client.h"
#include "quipu/engine.h"
#include "quipu/result.h"

namespace quipu::cli {

// Threads: call() from any; close() when no call runs.
class Backend {
 public:
  virtual ~Backend() = default;
  // Any answer, whatever its status. Errors: only when there was none, as HttpClient::send().
  [[nodiscard]] virtual Result<api::Response> call(const api::Request& request) = 0;
  [[nodiscard]] virtual bool is_local() const noexcept = 0;
  // "the server at http://127.0.0.1:7333", "the data folder /home/ada/.quipu".
  [[nodiscard]] virtual std::string description() const = 0;
  // Ends what is open: a data folder is synced and released.
  virtual Status close() = 0;
};

[[nodiscard]] std::unique_ptr<Backend> make_remote_backend(ServerAddress address,
                                                           HttpLimits limits);

struct LocalBackendOptions {
  EngineOptions engine;
  api::ServiceOptions service;
  // False: a folder that is not there is an error (kUnavailable, "no_data") and is not made.
  bool create = true;
  // Embeds for the engine; borrowed until the backend is closed. Null: the engine makes its own.
  embed::Embedder* embedder = nullptr;
  // Named in the message about a locked folder.
  std::string server_url;
};
// Errors: as Engine::open(). A folder that another process owns is "data_dir_locked", with how to
// reach that process.
[[nodiscard]] Result<std::unique_ptr<Backend>> open_local_backend(
    const LocalBackendOptions& options);

// Whether a Quipu server answers at the address within `timeout`.
[[nodiscard]] bool server_answers(const ServerAddress& address, std::chrono::milliseconds timeout);

}  // namespace quipu::cli
