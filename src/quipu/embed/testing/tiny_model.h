// For tests: a whole model folder of a few kilobytes with random weights, and a runtime that
// computes nothing.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "quipu/embed/runtime.h"

namespace quipu::embed::testing_support {

// A directory that is gone, with all in it, when this is.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  [[nodiscard]] const std::string& path() const noexcept { return path_; }

 private:
  std::string path_;
};

void write_file(const std::string& path, std::string_view content);

// Tensors of 32-bit floats, by name.
struct Tensor {
  std::vector<std::uint64_t> shape;
  std::vector<float> values;
};
using Tensors = std::map<std::string, Tensor>;
// `type`: "F32", "F16" or "BF16", to which the numbers are rounded (towards zero).
[[nodiscard]] std::string make_safetensors(const Tensors& tensors, const std::string& type);

struct TinyModelOptions {
  std::uint64_t seed = 1;
  std::uint32_t layers = 2;
  std::string pooling = "mean";  // "mean_tokens" is written as pooling_mode_mean_tokens, and so on
  bool normalise = true;
  std::uint32_t tokens_max = 24;
  std::string weight_type = "F32";
  std::string query_prefix;
  bool scores = false;  // a cross-encoder with one label
};
inline constexpr std::uint32_t kTinyHidden = 16;
inline constexpr std::uint32_t kTinyHeads = 4;
inline constexpr std::uint32_t kTinyPositions = 32;
[[nodiscard]] EncoderShape tiny_shape(const TinyModelOptions& options);
[[nodiscard]] Tensors tiny_weights(const TinyModelOptions& options);
// Writes the folder `path`, complete.
void write_tiny_model(const std::string& path, const TinyModelOptions& options);

// A text's vector by the plainest loops: the twin of every runtime.
[[nodiscard]] std::vector<float> naive_bert(const EncoderShape& shape, const Tensors& weights,
                                            const std::vector<std::uint32_t>& ids, Pooling pooling,
                                            bool normalise);

// Vectors are made from the ids alone; tests may look at and change what calls do.
class FakeRuntime final : public Runtime {
 public:
  using Texts = std::span<const ModelInput>;
  [[nodiscard]] std::string version() const override { return "fake"; }
  Result<std::unique_ptr<RuntimeModel>> load(const RuntimeModelSpec& spec) override;
  // What a text's vector is.
  [[nodiscard]] static std::vector<float> vector_of(std::span<const std::uint32_t> ids,
                                                    std::uint32_t dim);

  std::function<Status(Texts texts)> before_embed;  // runs in each call; its error is the call's
  std::size_t batch_tokens = 64;
  std::atomic<int> loads{0};
  std::atomic<int> calls{0};
  std::atomic<int> texts{0};
};
[[nodiscard]] std::unique_ptr<RuntimeModel> make_fake_model(FakeRuntime& runtime,
                                                            std::uint32_t dim);

}  // namespace quipu::embed::testing_support
