#include "quipu/embed/openvino/graph_parts.h"

#include <openvino/opsets/opset13.hpp>

namespace quipu::embed::graph {
namespace {

namespace op = ov::opset13;

Node axes(std::vector<std::int64_t> values) {
  const ov::Shape shape{values.size()};
  return std::make_shared<op::Constant>(ov::element::i64, shape, values)->output(0);
}

Node number(float value) {
  return std::make_shared<op::Constant>(ov::element::f32, ov::Shape{}, std::vector<float>{value})
      ->output(0);
}

}  // namespace

Node max_over(const Node& hidden, const Node& pool) {
  const auto chosen = std::make_shared<op::Unsqueeze>(pool, axes({2}));  // [N, T, 1]
  const auto rows = std::make_shared<op::Unsqueeze>(hidden, axes({0}));  // [1, T, H]
  const auto is_chosen = std::make_shared<op::Greater>(chosen, number(0.5F));
  const auto kept = std::make_shared<op::Select>(is_chosen, rows, number(-1e30F));
  return std::make_shared<op::ReduceMax>(kept, axes({1}), false)->output(0);
}

Node unit_length(const Node& rows) {
  return std::make_shared<op::NormalizeL2>(rows, axes({-1}), 1e-24F, ov::op::EpsMode::MAX)
      ->output(0);
}

}  // namespace quipu::embed::graph
