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

// A BERT encoder, as its config.json has it.
struct BertShape {
  std::uint32_t layers = 0;
  std::uint32_t hidden = 0;
  std::uint32_t heads = 0;
  std::uint32_t intermediate = 0;
  std::uint32_t positions = 0;
  std::uint32_t vocabulary = 0;
  std::uint32_t token_types = 0;
  double layer_norm_eps = 1e-12;
  Activation activation = Activation::kGelu;
};

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
  // ... or a BERT encoder and its weights, which outlive the model.
  std::optional<BertShape> bert;
  std::span<const WeightView> weights;

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

// Threads: up to RuntimeModelSpec::threads may call embed() at once; more wait for one another.
class RuntimeModel {
 public:
  struct Info {
    std::uint32_t dim = 0;
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
  virtual Status embed(std::span<const std::span<const std::uint32_t>> texts,
                       std::span<float> vectors) = 0;
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
inline constexpr std::uint32_t kRuntimeInterface = 1;
using CreateRuntime = Runtime* (*)(std::uint32_t runtime_interface);
inline constexpr char kCreateRuntimeSymbol[] = "quipu_create_runtime";

}  // namespace quipu::embed
