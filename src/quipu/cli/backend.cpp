#include "quipu/cli/backend.h"

#include <algorithm>
#include <thread>
#include <utility>

#include "quipu/base/clock.h"
#include "quipu/base/file_system.h"
#include "quipu/base/format.h"
#include "quipu/base/metrics.h"
#include "quipu/base/quote.h"
#include "quipu/base/thread_pool.h"

namespace quipu::cli {
namespace {

constexpr std::chrono::milliseconds kCloseDeadline{30'000};

class RemoteBackend final : public Backend {
 public:
  RemoteBackend(ServerAddress address, HttpLimits limits) : client_(std::move(address), limits) {}
  Result<api::Response> call(const api::Request& request) override { return client_.send(request); }
  [[nodiscard]] bool is_local() const noexcept override { return false; }
  [[nodiscard]] std::string description() const override {
    return "the server at " + client_.address().url();
  }
  Status close() override { return ok_status(); }

 private:
  HttpClient client_;
};

class LocalBackend final : public Backend {
 public:
  LocalBackend(std::unique_ptr<Engine> engine, const LocalBackendOptions& options)
      : data_dir_(options.engine.data_dir),
        engine_(std::move(engine)),
        compute_({.name = "quipu-compute",
                  .thread_count = std::max(1U, std::thread::hardware_concurrency())}),
        service_(std::make_unique<api::Service>(*engine_, compute_, null_metrics(), system_clock(),
                                                options.service)) {}
  ~LocalBackend() override {
    // Errors were told by close(), if it was called; here is nobody to tell.
    (void)close();
  }
  Result<api::Response> call(const api::Request& request) override {
    return service_->handle_and_wait(request);
  }
  [[nodiscard]] bool is_local() const noexcept override { return true; }
  [[nodiscard]] std::string description() const override { return "the data folder " + data_dir_; }
  Status close() override {
    if (engine_ == nullptr) return ok_status();
    compute_.stop();
    service_.reset();
    Status closed = engine_->close(kCloseDeadline);
    engine_.reset();
    return closed;
  }

 private:
  std::string data_dir_;
  std::unique_ptr<Engine> engine_;
  ThreadPool compute_;
  std::unique_ptr<api::Service> service_;
};

}  // namespace

std::unique_ptr<Backend> make_remote_backend(ServerAddress address, HttpLimits limits) {
  return std::make_unique<RemoteBackend>(std::move(address), limits);
}

Result<std::unique_ptr<Backend>> open_local_backend(const LocalBackendOptions& options) {
  const std::string& folder = options.engine.data_dir;
  if (!options.create && !posix_file_system().exists(folder)) {
    return Error{
        ErrorCode::kUnavailable,
        quipu::format("no server answers at {}, and there is no data folder {}; start with "
                      "'quipu serve', 'quipu remember' or 'quipu ingest'",
                      options.server_url, in_quotes(folder, 4096)),
        "no_data"};
  }
  Result<std::unique_ptr<Engine>> engine =
      Engine::open(options.engine, {.embedder = options.embedder});
  if (!engine.ok()) {
    Error error = std::move(engine).error();
    if (error.stable_reason() == "data_dir_locked") {
      error.message = quipu::format(
          "the data folder {} is in use by another process, and one process owns a folder at a "
          "time. If that is a server, send the command to it: --server {}",
          in_quotes(folder, 4096), options.server_url);
    }
    return error;
  }
  return std::unique_ptr<Backend>(
      std::make_unique<LocalBackend>(std::move(engine).value(), options));
}

bool server_answers(const ServerAddress& address, std::chrono::milliseconds timeout) {
  HttpClient client(address, {.connect_timeout = timeout, .timeout = timeout});
  const Result<api::Response> answer = client.send({.method = "GET", .target = "/health/live"});
  return answer.ok() && answer.value().status == 200;
}

}  // namespace quipu::cli
