// Every surface of Quipu that speaks HTTP, without the network: requests in, responses out. The
// server feeds it from sockets; the command line calls it in process on a data folder of its own.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "quipu/base/clock.h"
#include "quipu/base/metrics.h"
#include "quipu/base/thread_pool.h"
#include "quipu/engine.h"
#include "quipu/result.h"

namespace quipu::api {

struct Rpc;

// A body that was written to a file, because it may be larger than memory. The file goes with it.
struct Upload {
  explicit Upload(std::string path_in) : path(std::move(path_in)) {}
  ~Upload();
  Upload(const Upload&) = delete;
  Upload& operator=(const Upload&) = delete;
  const std::string path;
};

struct Request {
  std::string method;  // upper case
  std::string target;  // path and query as sent, percent-encoded
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  std::string peer;                                // the client's address, "" in process
  std::shared_ptr<const Upload> upload = nullptr;  // in place of `body`; see Service::upload_plan()
};

struct Response {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;  // besides type and length
  std::string file_path = {};                                // not empty: the body is this file
};

struct ServiceOptions {
  std::string tenant = "default";
  std::string default_model = "all-MiniLM-L6-v2";
  std::string memory_collection = "memories";
  std::size_t request_bytes_max = 64U << 20;
  std::chrono::milliseconds request_timeout{30'000};
  // Threads of the service's own for what waits: writes for the log, texts for the embedder, reads
  // for a moment that is not there yet. 1..256.
  std::size_t waiting_threads = 16;
  // The folder for POST /v1/snapshots; "": snapshots are refused.
  std::string snapshots_dir;
  // The folder for snapshots of collections; "": they are refused.
  std::string collection_snapshots_dir;
  std::uint64_t upload_bytes_max = std::uint64_t{1} << 40;  // of a snapshot that is sent
  // The text of /metrics, in the Prometheus format; null: the path answers 501.
  std::function<std::string()> metrics_text;
  // The JSON of /v1/config, without secrets; null: the path answers 501.
  std::function<std::string()> config_json;
};

// Routes of the one table (docs/api.md): validation, OpenAPI, metric labels and the 405
// and 501 answers all come from it. Threads: any.
class Service {
 public:
  // Borrows all of them. `compute` runs what takes longer than a few microseconds.
  Service(Engine& engine, ThreadPool& compute, MetricsRegistry& metrics, Clock& clock,
          ServiceOptions options);
  // Waits for the calls that it accepted.
  ~Service();

  // Calls `done` exactly once, on the calling thread, a thread of `compute` or one of the engine.
  using Done = std::function<void(Response)>;
  void handle(Request request, Done done);
  // The same for a message of a gRPC method (rpc.h): `request.target` is the method's path,
  // `request.body` the message. The response's status is a gRPC status: of 0 the body is the
  // answer's message, of others the error's text; its headers are trailing metadata. `deadline` is
  // the caller's own.
  void handle_rpc(const Rpc& rpc, Request request,
                  std::optional<std::chrono::steady_clock::time_point> deadline, Done done);
  // Waits for the answer; not from a thread of `compute`.
  [[nodiscard]] Response handle_and_wait(Request request);

  // Where the body of such a request is to be written to while it is received, and how long it may
  // be; nothing when it is to be kept in memory. The file's name is a new one.
  struct UploadPlan {
    std::string path;
    std::uint64_t bytes_max = 0;
  };
  [[nodiscard]] std::optional<UploadPlan> upload_plan(std::string_view method,
                                                      std::string_view target) const;

  // The OpenAPI 3.1 document of everything that is built.
  [[nodiscard]] const std::string& openapi() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace quipu::api
