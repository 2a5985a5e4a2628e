#include "quipu/embed/embedding_service.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <functional>
#include <thread>
#include <utility>

#include "quipu/base/bytes.h"
#include "quipu/base/format.h"
#include "quipu/base/limits.h"
#include "quipu/base/thread_annotations.h"
#include "quipu/embed/batcher.h"
#include "quipu/embed/model_registry.h"
#include "quipu/embed/vector_cache.h"
#include "quipu/text/chunk/chunker.h"

namespace quipu::embed {
namespace {

constexpr double kLatencyBounds[] = {.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 5};

struct ServiceMetrics {
  explicit ServiceMetrics(MetricsRegistry& metrics)
      : registry(metrics),
        hits(cache_counter("hit")),
        misses(cache_counter("miss")),
        joined(cache_counter("joined")),
        cache_bytes(
            metrics.gauge("quipu_embedding_cache_bytes", "Memory that cached vectors take", {})),
        tokens(metrics.counter("quipu_embedding_tokens_total", "Tokens given to models", {})) {}

  Counter& cache_counter(const char* result) {
    return registry.counter("quipu_embedding_cache_requests_total",
                            "Texts looked for in the cache; joined: already being computed",
                            {{"result", result}});
  }
  void count(const std::string& model, const char* status, double seconds) {
    registry
        .counter("quipu_embedding_requests_total", "Calls to embed texts",
                 {{"model", model}, {"status", status}})
        .add();
    registry
        .histogram("quipu_embedding_latency_seconds", "How long calls to embed texts took",
                   {{"model", model}}, kLatencyBounds)
        .observe(seconds);
  }
  void count_error(const std::string& model, const Error& error) {
    registry
        .counter("quipu_embedding_errors_total", "Texts that could not be embedded",
                 {{"model", model}, {"reason", std::string(error.stable_reason())}})
        .add();
  }

  MetricsRegistry& registry;
  Counter& hits;
  Counter& misses;
  Counter& joined;
  Gauge& cache_bytes;
  Counter& tokens;
};

// All that a vector depends on, but for the text.
std::string key_prefix(const LoadedModel& model, std::string_view prompt) {
  const ModelFolder& folder = model.described->folder;
  std::string prefix;
  ByteWriter writer(prefix);
  writer.sized(model.described->name);
  writer.sized(model.revision);
  writer.sized(model.runtime->info().precision);
  writer.u8(static_cast<std::uint8_t>(folder.pooling));
  writer.u8(folder.normalise ? 1 : 0);
  writer.sized(prompt);
  return prefix;
}

Error wrong_task(const LoadedModel& model) {
  const bool scores = model.described->folder.task == ModelTask::kScore;
  return Error{ErrorCode::kInvalidArgument,
               format("the model '{}' {}", model.described->name,
                      scores ? "scores pairs of texts and makes no vectors"
                             : "makes vectors and does not score pairs of texts"),
               "wrong_task"};
}

// A template may have types that the model has no row for.
Status check_types(const ModelFolder& folder, std::span<const std::uint8_t> types) {
  if (!folder.encoder.has_value() || folder.encoder->token_types == 0) return ok_status();
  const std::uint32_t known = folder.encoder->token_types;
  const auto beyond = std::find_if(types.begin(), types.end(),
                                   [known](std::uint8_t type) { return type >= known; });
  if (beyond == types.end() || known == 1) return ok_status();
  return model_damaged(
      folder.path + "/tokenizer.json",
      format("its template has the type {}; the model has {} types", *beyond, known));
}

Error text_too_long(std::uint32_t count, std::uint32_t max) {
  return Error{
      ErrorCode::kInvalidArgument,
      "the text has " + std::to_string(count) + " tokens; the model takes " + std::to_string(max),
      "text_too_long"};
}

class EmbeddingService final : public Embedder {
 public:
  EmbeddingService(EmbedderOptions options, MetricsRegistry& metrics, Clock& clock)
      : clock_(clock),
        metrics_(metrics),
        registry_(registry_options(options),
                  options.file_system != nullptr ? *options.file_system : posix_file_system(),
                  clock),
        cache_(options.cache_bytes),
        batcher_({.threads = options.threads, .queue_tokens_max = options.queue_tokens_max}, clock,
                 metrics, [this](const Digest128& key, const VectorRef& vector) {
                   cache_.insert(key, vector);
                 }) {}

  Result<ModelInfo> model(std::string_view name) override { return registry_.info(name); }
  std::vector<ModelInfo> models() override { return registry_.list(); }

  std::vector<Result<Embedding>> embed(std::span<const std::string_view> texts,
                                       const EmbedParams& params) override {
    return run<Embedding>(params.model, ModelTask::kEmbed, texts.size(),
                          [&](LoadedModel& model, std::vector<Result<Embedding>>& out) {
                            embed_with(model, texts, params, out);
                          });
  }

  std::vector<Result<PairScore>> score(std::string_view query,
                                       std::span<const std::string_view> texts,
                                       const ScoreParams& params) override {
    return run<PairScore>(params.model, ModelTask::kScore, texts.size(),
                          [&](LoadedModel& model, std::vector<Result<PairScore>>& out) {
                            score_with(model, query, texts, params, out);
                          });
  }

  Result<std::vector<TextChunk>> chunk(std::string_view model, std::string_view text,
                                       std::uint32_t tokens_max,
                                       std::uint32_t overlap_tokens) override {
    QUIPU_TRY(const DescribedModel* const described, registry_.describe(model));
    const std::uint32_t limit = described->folder.tokens_max;
    if (tokens_max > limit) {
      return Error{ErrorCode::kInvalidArgument, "tokens_max is " + std::to_string(tokens_max) +
                                                    "; the model takes " + std::to_string(limit)};
    }
    // The passage prefix is put before each chunk when it is embedded and takes room there too.
    text::Encoding prefix;
    QUIPU_TRY_OK(described->tokenizer->encode(described->folder.passage_prefix,
                                              {.template_tokens = false}, prefix));
    const std::uint32_t wanted = tokens_max == 0 ? limit : tokens_max;
    if (prefix.token_count >= wanted) {
      return Error{ErrorCode::kInvalidArgument, "tokens_max is " + std::to_string(wanted) +
                                                    "; the model's passage prefix has " +
                                                    std::to_string(prefix.token_count)};
    }
    QUIPU_TRY(const std::vector<text::Chunk> chunks,
              text::chunk_text(
                  *described->tokenizer, text,
                  {.tokens_max = wanted - prefix.token_count, .overlap_tokens = overlap_tokens}));
    std::vector<TextChunk> out;
    out.reserve(chunks.size());
    for (const text::Chunk& chunk : chunks) {
      out.push_back({.offset = chunk.offset,
                     .size = chunk.size,
                     .token_count = chunk.token_count + prefix.token_count});
    }
    return out;
  }

  std::uint64_t shrink_cache(std::uint64_t bytes) override { return cache_.shrink(bytes); }

 private:
  // Loads the model and does `work` with it, or gives each of `count` texts the same error.
  template <typename T, typename Work>
  std::vector<Result<T>> run(const std::string& name, ModelTask task, std::size_t count,
                             const Work& work) {
    const auto start = clock_.steady_now();
    std::vector<Result<T>> out;
    out.reserve(count);
    const Result<LoadedModel*> loaded = registry_.load(name);
    if (!loaded.ok()) {
      // A name that is no model's does not become a label: callers choose names.
      for (std::size_t i = 0; i < count; ++i) out.emplace_back(loaded.error());
      metrics_.count_error("", loaded.error());
      return out;
    }
    if (loaded.value()->described->folder.task != task) {
      for (std::size_t i = 0; i < count; ++i) out.emplace_back(wrong_task(*loaded.value()));
    } else {
      work(*loaded.value(), out);
    }
    count_call(name, out, start);
    return out;
  }

  template <typename T>
  void count_call(const std::string& model, const std::vector<Result<T>>& results,
                  std::chrono::steady_clock::time_point start) {
    bool all_ok = true;
    for (const Result<T>& result : results) {
      if (result.ok()) continue;
      all_ok = false;
      metrics_.count_error(model, result.error());
    }
    const std::chrono::duration<double> spent = clock_.steady_now() - start;
    metrics_.count(model, all_ok ? "ok" : "error", spent.count());
    metrics_.cache_bytes.set(static_cast<double>(cache_.bytes_used()));
  }

  // Where the result of one text will come from.
  struct Pending {
    VectorRef ready;
    std::optional<std::size_t> place;  // in the call
    std::optional<Error> error;
  };

  static RegistryOptions registry_options(const EmbedderOptions& options) {
    return {.model_dirs = options.model_dirs,
            .threads = options.threads,
            .precision = options.precision,
            .runtime_dir = options.runtime_dir,
            .compile_cache_dir = options.compile_cache_dir,
            .runtime = options.runtime};
  }

  // What waits for one vector, or one score, in the order of the texts.
  static Result<VectorRef> finish(Pending& one, Batcher::Call& call, Batcher::Deadline deadline) {
    if (one.place.has_value()) return call.wait(*one.place, deadline);
    if (one.error.has_value()) return std::move(*one.error);
    return std::move(one.ready);
  }

  void embed_with(LoadedModel& model, std::span<const std::string_view> texts,
                  const EmbedParams& params, std::vector<Result<Embedding>>& out) {
    const ModelFolder& folder = model.described->folder;
    const std::string& prompt =
        params.kind == TextKind::kQuery ? folder.query_prefix : folder.passage_prefix;
    const std::string prefix = key_prefix(model, prompt);
    Batcher::Call call(batcher_);
    std::vector<Pending> pending;
    pending.reserve(texts.size());
    for (const std::string_view text : texts) {
      const Encode encode = [&](text::Encoding& encoding) -> Status {
        std::string prompted;
        if (!prompt.empty()) prompted.append(prompt).append(text);
        QUIPU_TRY_OK(model.described->tokenizer->encode(
            prompt.empty() ? text : prompted, {.tokens_max = folder.tokens_max}, encoding));
        if (params.refuse_long && encoding.truncated) {
          return text_too_long(encoding.token_count, folder.tokens_max);
        }
        return ok_status();
      };
      pending.push_back(begin(model, prefix, text,
                              {.interactive = params.interactive, .deadline = params.deadline},
                              encode, call));
    }
    for (Pending& one : pending) {
      const Result<VectorRef> result = finish(one, call, params.deadline);
      if (!result.ok()) {
        out.emplace_back(result.error());
      } else if (params.refuse_long && result.value()->truncated) {
        out.emplace_back(text_too_long(result.value()->token_count, folder.tokens_max));
      } else {
        const CachedVector& vector = *result.value();
        out.emplace_back(Embedding{vector.values, vector.token_count, vector.truncated});
      }
    }
  }

  void score_with(LoadedModel& model, std::string_view query,
                  std::span<const std::string_view> texts, const ScoreParams& params,
                  std::vector<Result<PairScore>>& out) {
    std::string prefix = key_prefix(model, "");
    ByteWriter(prefix).sized(query);
    Batcher::Call call(batcher_);
    std::vector<Pending> pending;
    pending.reserve(texts.size());
    for (const std::string_view text : texts) {
      const Encode encode = [&](text::Encoding& encoding) {
        return model.described->tokenizer->encode_pair(
            query, text, {.tokens_max = model.described->folder.tokens_max}, encoding);
      };
      pending.push_back(begin(model, prefix, text,
                              {.interactive = params.interactive, .deadline = params.deadline},
                              encode, call));
    }
    for (Pending& one : pending) {
      const Result<VectorRef> result = finish(one, call, params.deadline);
      if (!result.ok()) {
        out.emplace_back(result.error());
      } else {
        const CachedVector& score = *result.value();
        out.emplace_back(PairScore{score.values.front(), score.token_count, score.truncated});
      }
    }
  }

  struct Urgency {
    bool interactive = true;
    Batcher::Deadline deadline = Batcher::Deadline::max();
  };
  using Encode = std::function<Status(text::Encoding&)>;

  // `prefix` holds all that the result depends on, but for the text.
  Pending begin(LoadedModel& model, const std::string& prefix, std::string_view text,
                const Urgency& urgency, const Encode& encode, Batcher::Call& call) {
    Pending out;
    if (text.size() > limits::kTextBytesMax) {
      out.error = Error{
          ErrorCode::kInvalidArgument,
          format("the text has {} bytes; the limit is {}", text.size(), limits::kTextBytesMax),
          "text_too_large"};
      return out;
    }
    std::string bytes = prefix;
    bytes.append(text);
    const Digest128 key = digest128(bytes);
    out.ready = cache_.find(key);
    if (out.ready != nullptr) {
      metrics_.hits.add();
      return out;
    }
    out.place = call.join(key, urgency.interactive, urgency.deadline);
    if (out.place.has_value()) {
      metrics_.joined.add();
      return out;
    }
    metrics_.misses.add();
    Result<std::size_t> place = submit(model, key, urgency, encode, call);
    if (place.ok()) {
      out.place = place.value();
    } else {
      out.error = std::move(place).error();
    }
    return out;
  }

  Result<std::size_t> submit(LoadedModel& model, const Digest128& key, const Urgency& urgency,
                             const Encode& encode, Batcher::Call& call) {
    text::Encoding encoding;
    QUIPU_TRY_OK(encode(encoding));
    if (encoding.ids.empty()) {
      return Error{ErrorCode::kInvalidArgument, "the text has no tokens", "text_empty"};
    }
    QUIPU_TRY_OK(check_types(model.described->folder, encoding.type_ids));
    metrics_.tokens.add(static_cast<double>(encoding.ids.size()));
    return call.submit({.model = model.runtime.get(),
                        .key = key,
                        .ids = std::move(encoding.ids),
                        .types = std::move(encoding.type_ids),
                        .token_count = encoding.token_count,
                        .truncated = encoding.truncated,
                        .interactive = urgency.interactive,
                        .deadline = urgency.deadline});
  }

  Clock& clock_;
  ServiceMetrics metrics_;
  ModelRegistry registry_;
  VectorCache cache_;
  Batcher batcher_;  // last: its workers use the others until they are joined
};

}  // namespace

double relevance(float logit) noexcept { return 1 / (1 + std::exp(-static_cast<double>(logit))); }

Result<std::string> chosen_precision(const EmbedderOptions& options) {
  std::string precision = options.precision;
  if (precision.empty()) {
    const char* const set = std::getenv("QUIPU_PRECISION");
    precision = set == nullptr ? "" : set;
  }
  if (precision.empty() || precision == "f32" || precision == "bf16") return precision;
  return Error{ErrorCode::kInvalidArgument,
               "the embedding precision is '" + precision + "'; known are f32 and bf16"};
}

Result<std::unique_ptr<Embedder>> make_embedder(EmbedderOptions options, MetricsRegistry& metrics,
                                                Clock& clock) {
  QUIPU_TRY(options.precision, chosen_precision(options));
  if (options.threads == 0) {
    options.threads = std::max<std::size_t>(std::thread::hardware_concurrency(), 1);
  }
  return std::unique_ptr<Embedder>(
      std::make_unique<EmbeddingService>(std::move(options), metrics, clock));
}

}  // namespace quipu::embed
