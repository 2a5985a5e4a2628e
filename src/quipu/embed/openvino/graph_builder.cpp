#include "quipu/embed/openvino/graph_builder.h"

#include <utility>

namespace quipu::embed {
namespace {

namespace op = ov::opset13;
using graph::make;

}  // namespace

GraphBuilder::GraphBuilder(const RuntimeModelSpec& spec) : spec_(spec) {
  for (const WeightView& weight : spec.weights) by_name_.emplace(weight.name, &weight);
}

GraphBuilder::Node GraphBuilder::fail(std::string what) {
  if (error_.empty()) error_ = std::move(what);
  return graph::number(0);
}

bool GraphBuilder::has(const std::string& name) const {
  return by_name_.count(prefix_ + name) != 0 || by_name_.count(name) != 0;
}

GraphBuilder::Node GraphBuilder::weight(const std::string& name,
                                        const std::vector<std::uint64_t>& shape) {
  auto found = by_name_.find(prefix_ + name);
  if (found == by_name_.end()) found = by_name_.find(name);
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

GraphBuilder::Node GraphBuilder::linear(const Node& input, const std::string& name,
                                        std::uint64_t from, std::uint64_t to, Bias bias) {
  const Node matrix = weight(name + "weight", {to, from});
  if (failed()) return input;
  const Node product = make<op::MatMul>(input, matrix, false, true);
  if (bias == Bias::kNone) return product;
  const Node added = weight(name + "bias", {to});
  return failed() ? input : make<op::Add>(product, added);
}

GraphBuilder::Node GraphBuilder::layer_norm(const Node& input, const std::string& name, Bias bias) {
  const Node gain = weight(name + "weight", {shape().hidden});
  if (failed()) return input;
  const Node normal = make<op::Multiply>(graph::layer_normal(input, shape().norm_eps), gain);
  if (bias == Bias::kNone) return normal;
  const Node added = weight(name + "bias", {shape().hidden});
  return failed() ? input : make<op::Add>(normal, added);
}

GraphBuilder::Node GraphBuilder::rms_norm(const Node& input, const std::string& name,
                                          std::uint64_t size) {
  const Node gain = weight(name + "weight", {size});
  if (failed()) return input;
  return make<op::Multiply>(graph::rms_normal(input, shape().norm_eps), gain);
}

GraphBuilder::Node GraphBuilder::rows_of(const std::string& table, std::uint64_t rows,
                                         const Node& which) {
  const Node values = weight(table, {rows, shape().hidden});
  if (failed()) return values;
  const Node axis = make<op::Constant>(ov::element::i32, ov::Shape{}, std::vector<int>{0});
  return make<op::Gather>(values, which, axis);
}

}  // namespace quipu::embed
