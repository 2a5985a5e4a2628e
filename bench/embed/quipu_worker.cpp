// Our embedder as a peer: the same texts, the same model, the same cores as the others.
#include <algorithm>
#include <fstream>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bench/common/measure.h"
#include "bench/common/npy.h"
#include "bench/common/serve.h"
#include "quipu/base/clock.h"
#include "quipu/base/metrics.h"
#include "quipu/embed/embedder.h"
#include "quipu/embed/embedding_service.h"
#include "quipu/telemetry/prometheus_registry.h"

namespace quipu::bench {
namespace {

// Texts handed over at once, as a bulk caller would: the embedder sorts and batches by itself.
constexpr std::size_t kTextsPerCall = 1'000;

Result<std::vector<std::string>> read_lines(const std::string& path, std::size_t count) {
  std::ifstream in(path);
  std::vector<std::string> lines;
  for (std::string line; lines.size() < count && std::getline(in, line);) {
    lines.push_back(std::move(line));
  }
  if (lines.size() == count) return lines;
  return Error{ErrorCode::kInvalidArgument, "'" + path + "' has " + std::to_string(lines.size()) +
                                                " of " + std::to_string(count) + " lines"};
}

class EmbedPeer {
 public:
  Result<std::string> load(JsonView request) {
    QUIPU_TRY(const std::string models, text_of(request, "models"));
    QUIPU_TRY(model_, text_of(request, "model"));
    QUIPU_TRY(const std::uint64_t threads, number_of(request, "threads"));
    embed::EmbedderOptions options;
    options.model_dirs = {models};
    options.cache_bytes = 0;  // The same texts come again in every round.
    options.threads = threads;
    QUIPU_TRY(embedder_, embed::make_embedder(std::move(options), metrics_, system_clock()));
    // The runtime is loaded by the first text, which is not what is measured.
    const std::int64_t start = wall_ns();
    std::vector<Result<embed::Embedding>> first = embed({"a first text"});
    if (!first[0].ok()) return std::move(first[0]).error();
    const std::int64_t first_ns = wall_ns() - start;
    QUIPU_TRY(const embed::ModelInfo info, embedder_->model(model_));
    std::string reply;
    JsonWriter writer(reply);
    writer.begin_object();
    writer.key("revision").value(info.revision);
    writer.key("precision").value(info.precision);
    writer.key("first_text_ms").value(static_cast<double>(first_ns) / 1e6);
    writer.end_object();
    return reply;
  }

  Result<std::string> embed_file(JsonView request) {
    QUIPU_TRY(const std::string texts, text_of(request, "texts"));
    QUIPU_TRY(const std::uint64_t count, number_of(request, "count"));
    QUIPU_TRY(const std::string out, text_of(request, "out"));
    QUIPU_TRY(const std::vector<std::string> lines, read_lines(texts, count));
    if (embedder_ == nullptr || lines.empty()) {
      return Error{ErrorCode::kInvalidArgument, "nothing loaded, or nothing to embed"};
    }
    std::vector<float> vectors;
    std::uint64_t tokens = 0;
    std::uint64_t truncated = 0;
    const std::int64_t wall = wall_ns();
    const std::int64_t cpu = process_cpu_ns();
    for (std::size_t first = 0; first < lines.size(); first += kTextsPerCall) {
      const std::size_t last = std::min(first + kTextsPerCall, lines.size());
      for (Result<embed::Embedding>& each :
           embed({lines.begin() + static_cast<std::ptrdiff_t>(first),
                  lines.begin() + static_cast<std::ptrdiff_t>(last)})) {
        QUIPU_TRY(const embed::Embedding embedding, std::move(each));
        vectors.insert(vectors.end(), embedding.values.begin(), embedding.values.end());
        tokens += embedding.token_count;
        truncated += embedding.truncated ? 1 : 0;
      }
    }
    const std::int64_t cpu_ns = process_cpu_ns() - cpu;
    const std::int64_t taken_ns = wall_ns() - wall;
    QUIPU_TRY_OK(write_npy(out, vectors, vectors.size() / lines.size()));
    std::string reply;
    JsonWriter writer(reply);
    writer.begin_object();
    writer.key("wall_ns").value(taken_ns);
    writer.key("cpu_ns").value(cpu_ns);
    writer.key("count").value(static_cast<std::uint64_t>(lines.size()));
    writer.key("tokens").value(tokens);
    writer.key("truncated").value(truncated);
    writer.end_object();
    return reply;
  }

 private:
  std::vector<Result<embed::Embedding>> embed(const std::vector<std::string_view>& texts) {
    return embedder_->embed(texts, {.model = model_, .interactive = false});
  }

  telemetry::PrometheusRegistry metrics_;
  std::string model_;
  std::unique_ptr<embed::Embedder> embedder_;
};

}  // namespace
}  // namespace quipu::bench

int main() {
  quipu::bench::EmbedPeer peer;
  return quipu::bench::serve(
      [&peer](std::string_view op, quipu::JsonView request) -> quipu::Result<std::string> {
        if (op == "load") return peer.load(request);
        if (op == "embed") return peer.embed_file(request);
        return quipu::bench::unknown_op(op);
      });
}
