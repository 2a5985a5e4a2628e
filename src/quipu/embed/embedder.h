// Text to vectors: what the engine sees of the embedding half. Behind it: registry, tokenizer,
// cache, batching queue and a runtime that is loaded when a model is first needed.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "quipu/result.h"

namespace quipu::embed {

// Models with prompts or prefixes treat the two differently.
enum class TextKind : std::uint8_t { kQuery, kPassage };

struct ModelInfo {
  std::string name;
  std::string revision;  // digest of the weights, 16 hexadecimal digits
  std::string path;
  std::string architecture;  // "bert", ...
  std::string format;        // "safetensors", "onnx", "openvino"
  std::string task;          // "embed", or "score": pairs of texts, by a cross-encoder
  std::uint32_t dim = 0;
  std::uint32_t tokens_max = 0;  // special tokens included
  std::string pooling;           // "mean", "cls", "max", "last"
  bool normalised = true;
  std::string query_prefix;
  std::string passage_prefix;
  std::string precision;  // as it runs or would run here: "f32", "bf16"
  bool loaded = false;
  std::uint64_t file_bytes = 0;
};

struct Embedding {
  std::vector<float> values;
  std::uint32_t token_count = 0;  // of the whole text, special tokens included
  bool truncated = false;         // token_count was over the model's maximum; the rest was left out
};

struct EmbedParams {
  std::string model;
  TextKind kind = TextKind::kPassage;
  bool interactive = true;  // passes ahead of bulk work
  // Refuse texts over the model's maximum (kInvalidArgument, "text_too_long", with both numbers)
  // instead of truncating and saying so.
  bool refuse_long = false;
  std::chrono::steady_clock::time_point deadline = std::chrono::steady_clock::time_point::max();
};

// How well a text answers a query, by a cross-encoder that reads both at once.
struct PairScore {
  float logit = 0;                // any number; larger is better. relevance() makes it one in 0..1
  std::uint32_t token_count = 0;  // of the whole pair, special tokens included
  bool truncated = false;         // the longer of the two was cut to fit the model
};
// 1 / (1 + e^-logit), as models with one label are trained to be read.
[[nodiscard]] double relevance(float logit) noexcept;

struct ScoreParams {
  std::string model;
  bool interactive = true;
  std::chrono::steady_clock::time_point deadline = std::chrono::steady_clock::time_point::max();
};

// A stretch of a text that fits a model.
struct TextChunk {
  std::size_t offset = 0;  // bytes
  std::size_t size = 0;
  std::uint32_t token_count = 0;
};

// Threads: any.
class Embedder {
 public:
  virtual ~Embedder() = default;
  // Errors: kNotFound ("model_not_found") listing the models that are there; kCorruption
  // ("model_damaged") naming the file.
  [[nodiscard]] virtual Result<ModelInfo> model(std::string_view name) = 0;
  [[nodiscard]] virtual std::vector<ModelInfo> models() = 0;
  // One result for each text, in order: a text that fails fails alone. Blocks.
  // Errors for each: as model(); kInvalidArgument, also of a model that scores ("wrong_task");
  // kResourceExhausted ("embedding_queue_full"); kDeadlineExceeded; kUnavailable (runtime missing).
  [[nodiscard]] virtual std::vector<Result<Embedding>> embed(
      std::span<const std::string_view> texts, const EmbedParams& params) = 0;
  // How well each text answers the query: one result for each, in order. Errors: as embed().
  [[nodiscard]] virtual std::vector<Result<PairScore>> score(
      std::string_view query, std::span<const std::string_view> texts,
      const ScoreParams& params) = 0;
  // Cuts a text into pieces of at most `tokens_max` tokens (0: the model's maximum), at sentence or
  // line ends where there are any, each sharing about `overlap_tokens` with the one before.
  [[nodiscard]] virtual Result<std::vector<TextChunk>> chunk(std::string_view model,
                                                             std::string_view text,
                                                             std::uint32_t tokens_max,
                                                             std::uint32_t overlap_tokens) = 0;
  // Drops cached vectors until at most `bytes` are held; returns how many bytes it freed.
  virtual std::uint64_t shrink_cache(std::uint64_t bytes) = 0;
};

}  // namespace quipu::embed
