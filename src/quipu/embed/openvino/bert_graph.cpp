#include "quipu/embed/openvino/bert_graph.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <unordered_map>
#include <utility>
#include <openvino/opsets/opset13.hpp>

#include "quipu/embed/openvino/graph_parts.h"

namespace quipu::embed {
namespace {

namespace op = ov::opset13;
using Node = ov::Output<ov::Node>;

template <typename Op, typename... Args>
Node make(Args&&... args) {
  return std::make_shared<Op>(std::forward<Args>(args)...)->output(0);
}

Node numbers(std::vector<std::int64_t> values) {
  const ov::Shape shape{values.size()};
  return make<op::Constant>(ov::element::i64, shape, values);
}

// Builds one model. The first tensor that is not as it should be is remembered and ends the build.
class BertBuilder {
 public:
  explicit BertBuilder(const RuntimeModelSpec& spec) : spec_(spec), shape_(*spec.bert) {
    for (const WeightView& weight : spec.weights) by_name_.emplace(weight.name, &weight);
    // A checkpoint of a whole task model has the encoder below "bert.".
    if (by_name_.count("bert.embeddings.word_embeddings.weight") != 0) prefix_ = "bert.";
  }

  Result<std::shared_ptr<ov::Model>> build() {
    const auto parameter = [](ov::element::Type type, ov::PartialShape partial) {
      return std::make_shared<op::Parameter>(type, std::move(partial));
    };
    const auto ids = parameter(ov::element::i32, {-1});
    const auto positions = parameter(ov::element::i32, {-1});
    const auto texts = parameter(ov::element::i32, {-1});
    const auto pool = parameter(ov::element::f32, {-1, -1});
    const auto scale = parameter(ov::element::f32, {-1, 1});

    Node hidden = embed(ids, positions);
    const Node mask = same_text_mask(texts);
    for (std::uint32_t layer = 0; layer < shape_.layers && error_.empty(); ++layer) {
      hidden = encode(hidden, mask, "encoder.layer." + std::to_string(layer) + ".");
    }
    if (!error_.empty()) {
      return Error{ErrorCode::kCorruption, spec_.name + ": " + error_, "model_damaged"};
    }
    const Node pooled = spec_.pooling == Pooling::kMax
                            ? graph::max_over(hidden, pool)
                            : make<op::Multiply>(make<op::MatMul>(pool, hidden), scale);
    const Node vectors = spec_.normalise ? graph::unit_length(pooled) : pooled;
    return std::make_shared<ov::Model>(
        ov::OutputVector{vectors}, ov::ParameterVector{ids, positions, texts, pool, scale}, "bert");
  }

 private:
  Node weight(const std::string& name, std::vector<std::uint64_t> shape) {
    const auto found = by_name_.find(prefix_ + name);
    if (found == by_name_.end()) return fail("there is no tensor '" + prefix_ + name + "'");
    const WeightView& view = *found->second;
    if (view.shape != shape) {
      return fail("tensor '" + view.name + "' has another shape than config.json gives");
    }
    const ov::Shape ov_shape(shape.begin(), shape.end());
    const ov::element::Type type = view.type == ElementType::kF32    ? ov::element::f32
                                   : view.type == ElementType::kF16  ? ov::element::f16
                                   : view.type == ElementType::kBf16 ? ov::element::bf16
                                                                     : ov::element::dynamic;
    if (type == ov::element::dynamic) return fail("tensor '" + view.name + "' is of no float type");
    // The tensor only refers to the bytes, if their place suits the type.
    const bool aligned = reinterpret_cast<std::uintptr_t>(view.bytes.data()) % type.size() == 0;
    void* const bytes = const_cast<std::byte*>(view.bytes.data());
    const Node constant = aligned
                              ? make<op::Constant>(ov::Tensor(type, ov_shape, bytes))
                              : make<op::Constant>(type, ov_shape, static_cast<const void*>(bytes));
    return type == ov::element::f32 ? constant : make<op::Convert>(constant, ov::element::f32);
  }

  Node fail(std::string what) {
    if (error_.empty()) error_ = std::move(what);
    return make<op::Constant>(ov::element::f32, ov::Shape{}, std::vector<float>{0});
  }

  Node embed(const std::shared_ptr<op::Parameter>& ids,
             const std::shared_ptr<op::Parameter>& positions) {
    const std::uint64_t hidden = shape_.hidden;
    const Node words = weight("embeddings.word_embeddings.weight", {shape_.vocabulary, hidden});
    const Node places = weight("embeddings.position_embeddings.weight", {shape_.positions, hidden});
    const Node types =
        weight("embeddings.token_type_embeddings.weight", {shape_.token_types, hidden});
    if (!error_.empty()) return words;
    const Node axis = make<op::Constant>(ov::element::i32, ov::Shape{}, std::vector<int>{0});
    const Node first = make<op::Constant>(ov::element::i32, ov::Shape{1}, std::vector<int>{0});
    const Node sum = make<op::Add>(
        make<op::Add>(make<op::Gather>(words, ids, axis), make<op::Gather>(types, first, axis)),
        make<op::Gather>(places, positions, axis));
    return layer_norm(sum, "embeddings.LayerNorm.");
  }

  // [T, T]: true where two tokens are of one text.
  static Node same_text_mask(const std::shared_ptr<op::Parameter>& texts) {
    const Node column = make<op::Unsqueeze>(texts, numbers({1}));
    const Node row = make<op::Unsqueeze>(texts, numbers({0}));
    return make<op::Unsqueeze>(make<op::Equal>(column, row), numbers({0, 1}));
  }

  Node linear(const Node& input, const std::string& name, std::uint64_t from, std::uint64_t to) {
    const Node matrix = weight(name + "weight", {to, from});
    const Node bias = weight(name + "bias", {to});
    if (!error_.empty()) return input;
    return make<op::Add>(make<op::MatMul>(input, matrix, false, true), bias);
  }

  Node layer_norm(const Node& input, const std::string& name) {
    const Node gain = weight(name + "weight", {shape_.hidden});
    const Node bias = weight(name + "bias", {shape_.hidden});
    if (!error_.empty()) return input;
    const Node normal =
        make<op::MVN>(input, numbers({-1}), true, static_cast<float>(shape_.layer_norm_eps),
                      ov::op::MVNEpsMode::INSIDE_SQRT);
    return make<op::Add>(make<op::Multiply>(normal, gain), bias);
  }

  // [T, hidden] to [1, heads, T, hidden / heads].
  Node to_heads(const Node& input) const {
    const auto heads = static_cast<std::int64_t>(shape_.heads);
    const auto size = static_cast<std::int64_t>(shape_.hidden / shape_.heads);
    const Node split = make<op::Reshape>(input, numbers({1, -1, heads, size}), false);
    return make<op::Transpose>(split, numbers({0, 2, 1, 3}));
  }

  Node activate(const Node& input) const {
    switch (shape_.activation) {
      case Activation::kGelu: return make<op::Gelu>(input, ov::op::GeluApproximationMode::ERF);
      case Activation::kGeluTanh: return make<op::Gelu>(input, ov::op::GeluApproximationMode::TANH);
      case Activation::kRelu: return make<op::Relu>(input);
      case Activation::kSilu: return make<op::Swish>(input);
    }
    return input;
  }

  Node encode(const Node& input, const Node& mask, const std::string& name) {
    const std::uint64_t hidden = shape_.hidden;
    const Node query = linear(input, name + "attention.self.query.", hidden, hidden);
    const Node key = linear(input, name + "attention.self.key.", hidden, hidden);
    const Node value = linear(input, name + "attention.self.value.", hidden, hidden);
    if (!error_.empty()) return input;
    const Node attention = make<op::ScaledDotProductAttention>(to_heads(query), to_heads(key),
                                                               to_heads(value), mask, false);
    const Node joined = make<op::Reshape>(make<op::Transpose>(attention, numbers({0, 2, 1, 3})),
                                          numbers({-1, static_cast<std::int64_t>(hidden)}), false);
    const Node mixed = linear(joined, name + "attention.output.dense.", hidden, hidden);
    const Node first =
        layer_norm(make<op::Add>(mixed, input), name + "attention.output.LayerNorm.");
    const Node wide = linear(first, name + "intermediate.dense.", hidden, shape_.intermediate);
    if (!error_.empty()) return input;
    const Node narrow = linear(activate(wide), name + "output.dense.", shape_.intermediate, hidden);
    if (!error_.empty()) return input;
    return layer_norm(make<op::Add>(narrow, first), name + "output.LayerNorm.");
  }

  const RuntimeModelSpec& spec_;
  const BertShape& shape_;
  std::unordered_map<std::string, const WeightView*> by_name_;
  std::string prefix_;
  std::string error_;
};

}  // namespace

Result<std::shared_ptr<ov::Model>> build_bert_graph(const RuntimeModelSpec& spec) {
  return BertBuilder(spec).build();
}

}  // namespace quipu::embed
