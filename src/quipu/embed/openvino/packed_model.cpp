#include <algorithm>
#include <string>
#include <utility>

#include "quipu/embed/openvino/encoder_graph.h"
#include "quipu/embed/openvino/openvino_models.h"
#include "quipu/embed/openvino/request_pool.h"

namespace quipu::embed {
namespace {

// Up to here a call's time grows with its tokens, and beyond attention over the pack begins to
// show.
constexpr std::size_t kPackTokens = 256;
constexpr std::size_t kPackTextsMax = 64;

// Each size of a pack is compiled once (5 to 60 ms), so there are few: steps of 8 up to 64, then
// of an eighth to a sixteenth of the size, so that on average 4 % is padding.
std::size_t round_tokens(std::size_t count) {
  std::size_t step = 8;
  while (count > step * 8) step *= 2;
  return (count + step - 1) / step * step;
}

std::size_t round_texts(std::size_t count) {
  std::size_t size = 1;
  while (size < count) size *= 2;
  return size;
}

using Texts = std::span<const ModelInput>;

class PackedModel final : public RuntimeModel {
 public:
  PackedModel(ov::CompiledModel model, const RuntimeModelSpec& spec)
      : info_{.dim = spec.task == ModelTask::kScore ? 1 : spec.encoder->hidden,
              .precision = precision_of(model),
              .device = "CPU"},
        pooling_(spec.pooling),
        model_(std::move(model)),
        requests_(model_, spec.threads) {}

  [[nodiscard]] const Info& info() const noexcept override { return info_; }
  [[nodiscard]] std::size_t batch_tokens() const noexcept override { return kPackTokens; }

  Status embed(Texts texts, std::span<float> vectors) override {
    std::size_t first = 0;
    while (first < texts.size()) {
      std::size_t tokens = texts[first].ids.size();
      std::size_t end = first + 1;
      while (end < texts.size() && end - first < kPackTextsMax &&
             tokens + texts[end].ids.size() <= kPackTokens) {
        tokens += texts[end++].ids.size();
      }
      run_pack(texts.subspan(first, end - first), tokens,
               vectors.subspan(first * info_.dim, (end - first) * info_.dim));
      first = end;
    }
    return ok_status();
  }

 private:
  void run_pack(Texts texts, std::size_t tokens, std::span<float> vectors) {
    const RequestPool::Lease request(requests_);
    const std::size_t size = round_tokens(tokens);
    const std::size_t rows = round_texts(texts.size());
    const auto input = [&](PackedInput place, ov::Shape shape) {
      ov::Tensor tensor = request->get_input_tensor(place);
      tensor.set_shape(shape);
      return tensor;
    };
    ov::Tensor ids = input(kPackedIds, {size});
    ov::Tensor positions = input(kPackedPositions, {size});
    ov::Tensor owners = input(kPackedTexts, {size});
    ov::Tensor types = input(kPackedTypes, {size});
    ov::Tensor pool = input(kPackedPool, {rows, size});
    ov::Tensor scale = input(kPackedScale, {rows, 1});
    fill(texts, size, rows, ids.data<std::int32_t>(), positions.data<std::int32_t>(),
         owners.data<std::int32_t>(), types.data<std::int32_t>(), pool.data<float>(),
         scale.data<float>());
    request->infer();
    const float* const out = request->get_output_tensor().data<const float>();
    std::copy_n(out, vectors.size(), vectors.data());
  }

  void fill(Texts texts, std::size_t size, std::size_t rows, std::int32_t* ids,
            std::int32_t* positions, std::int32_t* owners, std::int32_t* types, float* pool,
            float* scale) const {
    std::fill_n(pool, rows * size, 0.0F);
    std::fill_n(scale, rows, 0.0F);
    std::size_t at = 0;
    for (std::size_t text = 0; text < texts.size(); ++text) {
      const std::size_t count = texts[text].ids.size();
      const std::span<const std::uint8_t> of_types = texts[text].types;
      for (std::size_t i = 0; i < count; ++i) {
        ids[at + i] = static_cast<std::int32_t>(texts[text].ids[i]);
        positions[at + i] = static_cast<std::int32_t>(i);
        owners[at + i] = static_cast<std::int32_t>(text);
        types[at + i] = of_types.empty() ? 0 : of_types[i];
      }
      float* const chosen = pool + text * size + at;
      if (pooling_ == Pooling::kCls) {
        chosen[0] = 1;
      } else if (pooling_ == Pooling::kLast) {
        chosen[count - 1] = 1;
      } else {
        std::fill_n(chosen, count, 1.0F);
      }
      scale[text] = pooling_ == Pooling::kMean ? 1.0F / static_cast<float>(count) : 1.0F;
      at += count;
    }
    for (; at < size; ++at) {
      ids[at] = 0;
      positions[at] = 0;
      types[at] = 0;
      owners[at] = -1;  // Padding sees only padding, and no text's vector has any of it.
    }
  }

  Info info_;
  Pooling pooling_;
  ov::CompiledModel model_;
  RequestPool requests_;
};

}  // namespace

Result<std::unique_ptr<RuntimeModel>> make_packed_model(ov::Core& core,
                                                        const RuntimeModelSpec& spec,
                                                        const ov::AnyMap& options) {
  QUIPU_TRY(const std::shared_ptr<ov::Model> graph, build_encoder_graph(spec));
  return std::unique_ptr<RuntimeModel>(
      std::make_unique<PackedModel>(core.compile_model(graph, "CPU", options), spec));
}

}  // namespace quipu::embed
