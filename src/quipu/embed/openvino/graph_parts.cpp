#include "quipu/embed/openvino/graph_parts.h"

#include <cmath>
#include <openvino/opsets/opset13.hpp>

namespace quipu::embed::graph {
namespace {

namespace op = ov::opset13;

// [1, T] and [T, 1] of [T]: of the tokens that are seen, and of those that see.
Node as_row(const Node& values) { return make<op::Unsqueeze>(values, numbers({0})); }
Node as_column(const Node& values) { return make<op::Unsqueeze>(values, numbers({1})); }

}  // namespace

Node numbers(const std::vector<std::int64_t>& values) {
  return make<op::Constant>(ov::element::i64, ov::Shape{values.size()}, values);
}

Node number(float value) {
  return make<op::Constant>(ov::element::f32, ov::Shape{}, std::vector<float>{value});
}

Node max_over(const Node& hidden, const Node& pool) {
  const Node chosen = make<op::Unsqueeze>(pool, numbers({2}));  // [N, T, 1]
  const Node rows = make<op::Unsqueeze>(hidden, numbers({0}));  // [1, T, H]
  const Node is_chosen = make<op::Greater>(chosen, number(0.5F));
  const Node kept = make<op::Select>(is_chosen, rows, number(-1e30F));
  return make<op::ReduceMax>(kept, numbers({1}), false);
}

Node unit_length(const Node& rows) {
  return make<op::NormalizeL2>(rows, numbers({-1}), 1e-24F, ov::op::EpsMode::MAX);
}

Node activate(const Node& input, Activation activation) {
  switch (activation) {
    case Activation::kGelu: return make<op::Gelu>(input, ov::op::GeluApproximationMode::ERF);
    case Activation::kGeluTanh: return make<op::Gelu>(input, ov::op::GeluApproximationMode::TANH);
    case Activation::kRelu: return make<op::Relu>(input);
    case Activation::kSilu: return make<op::Swish>(input);
  }
  return input;
}

Node layer_normal(const Node& input, double eps) {
  return make<op::MVN>(input, numbers({-1}), true, static_cast<float>(eps),
                       ov::op::MVNEpsMode::INSIDE_SQRT);
}

Node rms_normal(const Node& input, double eps) {
  const Node mean = make<op::ReduceMean>(make<op::Power>(input, number(2)), numbers({-1}), true);
  const Node root = make<op::Sqrt>(make<op::Add>(mean, number(static_cast<float>(eps))));
  return make<op::Divide>(input, root);
}

Node to_heads(const Node& input, std::uint32_t heads, std::uint32_t size) {
  const Node split = make<op::Reshape>(input, numbers({1, -1, heads, size}), false);
  return make<op::Transpose>(split, numbers({0, 2, 1, 3}));
}

Node from_heads(const Node& input, std::uint32_t heads, std::uint32_t size) {
  return make<op::Reshape>(make<op::Transpose>(input, numbers({0, 2, 1, 3})),
                           numbers({-1, static_cast<std::int64_t>(heads) * size}), false);
}

Rotation rotation(const Node& positions, std::uint32_t positions_max, std::uint32_t size,
                  double base) {
  // A table instead of cosines in the graph: there they would be computed in the model's precision,
  // and bf16 has no room for an angle of thousands.
  const std::uint32_t half = size / 2;
  std::vector<float> cos(std::size_t{positions_max} * size);
  std::vector<float> sin(cos.size());
  for (std::uint32_t pair = 0; pair < half; ++pair) {
    const double frequency = std::pow(base, -2.0 * pair / size);
    for (std::uint32_t position = 0; position < positions_max; ++position) {
      const double angle = position * frequency;
      for (const std::uint32_t column : {pair, pair + half}) {
        cos[std::size_t{position} * size + column] = static_cast<float>(std::cos(angle));
        sin[std::size_t{position} * size + column] = static_cast<float>(std::sin(angle));
      }
    }
  }
  const ov::Shape shape{positions_max, size};
  const Node axis = make<op::Constant>(ov::element::i32, ov::Shape{}, std::vector<int>{0});
  const auto rows = [&](const std::vector<float>& table) {
    return make<op::Gather>(make<op::Constant>(ov::element::f32, shape, table), positions, axis);
  };
  return {rows(cos), rows(sin)};
}

Node rotate(const Node& heads, const Rotation& by, std::uint32_t size) {
  const std::int64_t half = size / 2;
  const auto halves = std::make_shared<op::VariadicSplit>(
      heads, make<op::Constant>(ov::element::i64, ov::Shape{}, std::vector<std::int64_t>{-1}),
      numbers({half, half}));
  const Node turned = make<op::Concat>(
      ov::OutputVector{make<op::Negative>(halves->output(1)), halves->output(0)}, -1);
  return make<op::Add>(make<op::Multiply>(heads, by.cos), make<op::Multiply>(turned, by.sin));
}

Node same_text(const Node& texts) {
  return make<op::Unsqueeze>(make<op::Equal>(as_column(texts), as_row(texts)), numbers({0, 1}));
}

Node not_behind(const Node& mask, const Node& positions) {
  return make<op::LogicalAnd>(mask, make<op::LessEqual>(as_row(positions), as_column(positions)));
}

Node within_reach(const Node& mask, const Node& positions, std::uint32_t reach) {
  const Node distance = make<op::Abs>(make<op::Subtract>(as_row(positions), as_column(positions)));
  const Node limit = make<op::Constant>(ov::element::i32, ov::Shape{},
                                        std::vector<std::int32_t>{static_cast<int>(reach)});
  return make<op::LogicalAnd>(mask, make<op::LessEqual>(distance, limit));
}

}  // namespace quipu::embed::graph
