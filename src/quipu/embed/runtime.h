// What runs a model: token ids to vectors. Implementations live in shared modules of their own
// (libquipu_openvino.so), loaded when a model is first needed, so that a process that embeds
// nothing neither needs nor pays for them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "quipu/result.h"

namespace quipu::embed {

enum class Pooling : std::uint8_t { kMean, kCls, kMax, kLast };
[[nodiscard]] std::string_view pooling_name(Pooling pooling) noexcept;  // "mean", ...

enum class Activation : std::uint8_t { kGelu, kGeluTanh, kRelu, kSilu };

// How the layers of an encoder are built and its tensors named.
enum class Architecture : std::uint8_t {
  kBert,
  kDistilBert,
  kRoberta,     // and XLM-RoBERTa, CamemBERT
  kMpnet,       // relative positions in buckets, beside absolute ones
  kNomicBert,   // rotary positions, gated layers
  kModernBert,  // rotary positions, gated layers, normalised before, most layers local
  kQwen3,       // a decoder: a token sees what is before it
};

// An encoder, as its config.json has it.
struct EncoderShape {
  Architecture architecture = Architecture::kBert;
  std::uint32_t layers = 0;
  std::uint32_t hidden = 0;
  std::uint32_t heads = 0;
  std::uint32_t key_value_heads = 0;  // divides `heads`
  std::uint32_t head_size = 0;        // even where positions are rotary
  std::uint32_t intermediate = 0;
  std::uint32_t positions = 0;
  std::uint32_t first_position = 0;  // the table's row for a text's first token
  std::uint32_t vocabulary = 0;
  std::uint32_t token_types = 0;
  double norm_eps = 1e-12;
  Activation activation = Activation::kGelu;
  double rope_base = 0;                    // of layers that see the whole text
  double local_rope_base = 0;              // of those that see only what is near
  std::uint32_t local_reach = 0;           // how far those see, in tokens, each way
  std::vector<std::uint8_t> local_layers;  // for each layer 1 where it is local; empty: none is
  std::uint32_t relative_buckets = 0;
};

// What comes out of a model for a text.
enum class ModelTask : std::uint8_t {
  kEmbed,  // a vector
  kScore,  // of a pair of texts, one number: how well the second answers the first (a logit)
};
[[nodiscard]] std::string_view model_task_name(ModelTask task) noexcept;  // "embed", "score"

enum class ElementType : std::uint8_t { kF32, kF16, kBf16, kOther };

// One tensor of a weights file, as it lies in the file.
struct WeightView {
  std::string name;
  ElementType type = ElementType::kOther;
  std::vector<std::uint64_t> shape;
  std::span<const std::byte> bytes;  // as many as type and shape say
};

struct RuntimeModelSpec {
  std::string name;  // for messages
  // Either a model file that the runtime reads by itself (ONNX, OpenVINO IR) ...
  std::string model_file;
  // ... or an encoder and its weights, which outlive the model.
  std::optional<EncoderShape> encoder;
  std::span<const WeightView> weights;

  ModelTask task = ModelTask::kEmbed;
  Pooling pooling = Pooling::kMean;
  bool normalise = true;
  std::uint32_t tokens_max = 512;
  // The file quantizes activations over a whole call, so a text's vector depends on what else is in
  // it: one text a call, without padding.
  bool one_by_one = false;
  std::string precision;    // "f32", "bf16", or "" for the best that this CPU has
  std::size_t threads = 1;  // callers of embed() at one time, each computing on its own thread
  std::string compile_cache_dir;  // where compiled models may be kept; "" for nowhere
};

// One text, or a pair in one.
struct ModelInput {
  std::span<const std::uint32_t> ids;
  std::span<const std::uint8_t> types = {};  // of each token ("token_type_ids"); empty: all 0
};

// Threads: up to RuntimeModelSpec::threads may call embed() at once; more wait for one another.
class RuntimeModel {
 public:
  struct Info {
    std::uint32_t dim = 0;  // numbers for each text: 1 of a model that scores
    std::string precision;  // as it runs
    std::string device;
  };
  virtual ~RuntimeModel() = default;
  [[nodiscard]] virtual const Info& info() const noexcept = 0;
  // How many tokens a call is best given together: more makes it longer without making it cheaper.
  [[nodiscard]] virtual std::size_t batch_tokens() const noexcept = 0;
  // Writes the vector of each text (1..tokens_max ids below the vocabulary's size) to `vectors`,
  // dim floats each, in order. Computes on the calling thread.
  // Errors: kInternal with what the runtime said.
  virtual Status embed(std::span<const ModelInput> texts, std::span<float> vectors) = 0;
};

// Threads: any. Lives as long as the process.
class Runtime {
 public:
  virtual ~Runtime() = default;
  [[nodiscard]] virtual std::string version() const = 0;
  // Errors: kCorruption ("model_damaged") when weights are missing or of another shape;
  // kUnimplemented ("model_unsupported"); kInternal.
  [[nodiscard]] virtual Result<std::unique_ptr<RuntimeModel>> load(
      const RuntimeModelSpec& spec) = 0;
};

// A module exports `quipu_create_runtime`, which returns a Runtime, or null when it was built for
// another number. Raise it with any change to this header.
inline constexpr std::uint32_t kRuntimeInterface = 2;
using CreateRuntime = Runtime* (*)(std::uint32_t runtime_interface);
inline constexpr char kCreateRuntimeSymbol[] = "quipu_create_runtime";

}  // namespace quipu::embed
