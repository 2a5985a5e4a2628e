#include <algorithm>
#include <numeric>
#include <string>
#include <utility>
#include <vector>
#include <openvino/opsets/opset13.hpp>

#include "quipu/embed/openvino/graph_parts.h"
#include "quipu/embed/openvino/openvino_models.h"
#include "quipu/embed/openvino/request_pool.h"

namespace quipu::embed {
namespace {

namespace op = ov::opset13;

constexpr std::size_t kBatchTokens = 512;
constexpr std::size_t kLengthStep = 8;

using Texts = std::span<const ModelInput>;

// What an input of the file is given.
enum class Feed : std::uint8_t { kIds, kMask, kTypes, kPositions, kPool };

struct PaddedGraph {
  std::shared_ptr<ov::Model> model;
  std::vector<Feed> feeds;  // for each input, in order
  std::uint32_t dim = 0;
};

Error unsupported(const RuntimeModelSpec& spec, const std::string& what) {
  return Error{ErrorCode::kUnimplemented, spec.model_file + ": " + what, "model_unsupported"};
}

Result<Feed> feed_of(const RuntimeModelSpec& spec, const ov::Output<const ov::Node>& input) {
  constexpr std::pair<const char*, Feed> kKnown[] = {{"input_ids", Feed::kIds},
                                                     {"attention_mask", Feed::kMask},
                                                     {"token_type_ids", Feed::kTypes},
                                                     {"position_ids", Feed::kPositions}};
  const auto names = input.get_names();
  for (const auto& [name, feed] : kKnown) {
    if (names.count(name) != 0) {
      const ov::element::Type type = input.get_element_type();
      if (type == ov::element::i64 || type == ov::element::i32) return feed;
      return unsupported(
          spec, std::string("the input '") + name + "' is of type " + type.get_type_name());
    }
  }
  return unsupported(spec, "the input '" + input.get_any_name() + "' is not known");
}

// The file's [B, S, H] output, pooled by weights [B, S] that embed() gives, which say for each
// token how much of it goes into the vector; or its own [B, H].
Result<PaddedGraph> read_graph(ov::Core& core, const RuntimeModelSpec& spec) {
  const std::shared_ptr<ov::Model> file = core.read_model(spec.model_file);
  PaddedGraph graph;
  for (const auto& input : std::as_const(*file).inputs()) {
    QUIPU_TRY(const Feed feed, feed_of(spec, input));
    graph.feeds.push_back(feed);
  }
  ov::Output<ov::Node> vectors;
  ov::ParameterVector parameters = file->get_parameters();
  for (const ov::Output<ov::Node>& output : file->outputs()) {
    if (output.get_names().count("sentence_embedding") != 0) {
      vectors = output.get_node()->input_value(0);
    }
  }
  if (spec.task == ModelTask::kScore) {
    vectors = file->output(0).get_node()->input_value(0);
  } else if (vectors.get_node() == nullptr) {
    const ov::Output<ov::Node> hidden = file->output(0).get_node()->input_value(0);
    if (hidden.get_partial_shape().rank() != ov::Rank(3)) {
      return unsupported(spec, "the first output is not [texts, tokens, hidden]");
    }
    const auto pool = std::make_shared<op::Parameter>(ov::element::f32, ov::PartialShape{-1, -1});
    parameters.push_back(pool);
    graph.feeds.push_back(Feed::kPool);
    const auto axis = [](std::int64_t value) {
      return op::Constant::create(ov::element::i64, ov::Shape{1}, {value});
    };
    if (spec.pooling == Pooling::kMax) {
      const auto chosen = std::make_shared<op::Greater>(
          std::make_shared<op::Unsqueeze>(pool, axis(2)),
          op::Constant::create(ov::element::f32, ov::Shape{}, {0.0F}));
      const auto kept = std::make_shared<op::Select>(
          chosen, hidden, op::Constant::create(ov::element::f32, ov::Shape{}, {-1e30F}));
      vectors = std::make_shared<op::ReduceMax>(kept, axis(1), false)->output(0);
    } else {
      const auto product =
          std::make_shared<op::MatMul>(std::make_shared<op::Unsqueeze>(pool, axis(1)), hidden);
      vectors = std::make_shared<op::Squeeze>(product, axis(1))->output(0);
    }
  }
  if (spec.normalise && spec.task == ModelTask::kEmbed) vectors = graph::unit_length(vectors);
  const ov::PartialShape shape = vectors.get_partial_shape();
  if (shape.rank() != ov::Rank(2) || shape[1].is_dynamic()) {
    return unsupported(spec, "the vectors' dimension is not fixed by the file");
  }
  graph.dim = static_cast<std::uint32_t>(shape[1].get_length());
  if (spec.task == ModelTask::kScore && graph.dim != 1) {
    return unsupported(spec, "it gives " + std::to_string(graph.dim) + " scores where one is due");
  }
  graph.model = std::make_shared<ov::Model>(ov::OutputVector{vectors}, parameters, "padded");
  return graph;
}

class PaddedModel final : public RuntimeModel {
 public:
  PaddedModel(ov::CompiledModel model, PaddedGraph graph, const RuntimeModelSpec& spec)
      : info_{.dim = graph.dim, .precision = precision_of(model), .device = "CPU"},
        feeds_(std::move(graph.feeds)),
        pooling_(spec.pooling),
        one_by_one_(spec.one_by_one),
        tokens_max_(spec.tokens_max),
        model_(std::move(model)),
        requests_(model_, spec.threads) {}

  [[nodiscard]] const Info& info() const noexcept override { return info_; }
  [[nodiscard]] std::size_t batch_tokens() const noexcept override { return kBatchTokens; }

  Status embed(Texts texts, std::span<float> vectors) override {
    std::vector<std::size_t> order(texts.size());
    std::iota(order.begin(), order.end(), 0U);
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
      return texts[a].ids.size() < texts[b].ids.size();
    });
    for (std::size_t first = 0; first < order.size();) {
      const std::size_t length = padded(texts[order[first]].ids.size());
      std::size_t end = first + 1;
      while (!one_by_one_ && end < order.size() && padded(texts[order[end]].ids.size()) == length &&
             (end - first + 1) * length <= kBatchTokens) {
        ++end;
      }
      run(texts, std::span(order).subspan(first, end - first), length, vectors);
      first = end;
    }
    return ok_status();
  }

 private:
  // Texts of one padded length go together: less than a step of padding for each.
  [[nodiscard]] std::size_t padded(std::size_t length) const {
    if (one_by_one_) return length;
    const std::size_t rounded = (length + kLengthStep - 1) / kLengthStep * kLengthStep;
    return std::max(length, std::min<std::size_t>(rounded, tokens_max_));
  }

  void run(Texts texts, std::span<const std::size_t> rows, std::size_t length,
           std::span<float> vectors) {
    const RequestPool::Lease request(requests_);
    for (std::size_t i = 0; i < feeds_.size(); ++i) {
      ov::Tensor tensor = request->get_input_tensor(i);
      tensor.set_shape({rows.size(), length});
      for (std::size_t row = 0; row < rows.size(); ++row) {
        const ModelInput& text = texts[rows[row]];
        for (std::size_t at = 0; at < length; ++at) {
          put(tensor, row * length + at, feeds_[i], text, at);
        }
      }
    }
    request->infer();
    const float* const out = request->get_output_tensor().data<const float>();
    for (std::size_t row = 0; row < rows.size(); ++row) {
      std::copy_n(out + row * info_.dim, info_.dim, vectors.data() + rows[row] * info_.dim);
    }
  }

  void put(ov::Tensor& tensor, std::size_t place, Feed feed, const ModelInput& text,
           std::size_t at) const {
    const bool inside = at < text.ids.size();
    if (feed == Feed::kPool) {
      tensor.data<float>()[place] = inside ? pool_weight(text.ids.size(), at) : 0.0F;
      return;
    }
    std::int64_t value = 0;
    if (feed == Feed::kIds && inside) value = text.ids[at];
    if (feed == Feed::kMask && inside) value = 1;
    if (feed == Feed::kTypes && inside && !text.types.empty()) value = text.types[at];
    if (feed == Feed::kPositions) value = static_cast<std::int64_t>(at);
    if (tensor.get_element_type() == ov::element::i32) {
      tensor.data<std::int32_t>()[place] = static_cast<std::int32_t>(value);
    } else {
      tensor.data<std::int64_t>()[place] = value;
    }
  }

  [[nodiscard]] float pool_weight(std::size_t count, std::size_t at) const {
    switch (pooling_) {
      case Pooling::kMean: return 1.0F / static_cast<float>(count);
      case Pooling::kCls: return at == 0 ? 1.0F : 0.0F;
      case Pooling::kLast: return at + 1 == count ? 1.0F : 0.0F;
      case Pooling::kMax: return 1.0F;
    }
    return 0;
  }

  Info info_;
  std::vector<Feed> feeds_;
  Pooling pooling_;
  bool one_by_one_;
  std::uint32_t tokens_max_;
  ov::CompiledModel model_;
  RequestPool requests_;
};

}  // namespace

Result<std::unique_ptr<RuntimeModel>> make_padded_model(ov::Core& core,
                                                        const RuntimeModelSpec& spec,
                                                        const ov::AnyMap& options) {
  QUIPU_TRY(PaddedGraph graph, read_graph(core, spec));
  ov::CompiledModel model = core.compile_model(graph.model, "CPU", options);
  return std::unique_ptr<RuntimeModel>(
      std::make_unique<PaddedModel>(std::move(model), std::move(graph), spec));
}

}  // namespace quipu::embed
