// What the builders of graphs share: the inputs, and the weights by name.
#pragma once

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>
#include <openvino/opsets/opset13.hpp>

#include "quipu/embed/openvino/graph_parts.h"
#include "quipu/embed/runtime.h"

namespace quipu::embed {

// The inputs of a pack that the encoders look at (encoder_graph.h says what they hold).
struct PackInputs {
  graph::Node ids;
  graph::Node positions;
  graph::Node texts;
  graph::Node types;
};

// The first tensor that is not as it should be is remembered and ends the build: what is asked for
// after it is of no use, and nothing that it is put into may look at its shape.
class GraphBuilder {
 public:
  using Node = graph::Node;

  explicit GraphBuilder(const RuntimeModelSpec& spec);

  [[nodiscard]] const RuntimeModelSpec& spec() const noexcept { return spec_; }
  [[nodiscard]] const EncoderShape& shape() const noexcept { return *spec_.encoder; }
  [[nodiscard]] bool failed() const noexcept { return !error_.empty(); }
  [[nodiscard]] const std::string& error() const noexcept { return error_; }
  Node fail(std::string what);

  // Task models keep their encoder below a name of its own ("bert."): names are looked for there
  // first, then as they are.
  void set_prefix(std::string prefix) { prefix_ = std::move(prefix); }
  [[nodiscard]] bool has(const std::string& name) const;
  // As f32, whatever it is stored as.
  [[nodiscard]] Node weight(const std::string& name, const std::vector<std::uint64_t>& shape);

  // x W^T, plus `name`bias where there is one; `name` ends with a dot.
  enum class Bias : std::uint8_t { kNone, kRequired };
  [[nodiscard]] Node linear(const Node& input, const std::string& name, std::uint64_t from,
                            std::uint64_t to, Bias bias);
  // With gain and, if required, bias.
  [[nodiscard]] Node layer_norm(const Node& input, const std::string& name, Bias bias);
  [[nodiscard]] Node rms_norm(const Node& input, const std::string& name, std::uint64_t size);
  // Rows of a table [rows, hidden] by number.
  [[nodiscard]] Node rows_of(const std::string& table, std::uint64_t rows, const Node& which);

 private:
  const RuntimeModelSpec& spec_;
  std::unordered_map<std::string, const WeightView*> by_name_;
  std::string prefix_;
  std::string error_;
};

// The last hidden states, [T, hidden].
// BERT, DistilBERT, RoBERTa and MPNet.
[[nodiscard]] graph::Node build_bert_encoder(GraphBuilder& builder, const PackInputs& inputs);
// Nomic BERT, ModernBERT and Qwen3.
[[nodiscard]] graph::Node build_rotary_encoder(GraphBuilder& builder, const PackInputs& inputs);
// The scores [N, 1] of the pooled states [N, hidden], by the family's sequence classification.
[[nodiscard]] graph::Node build_score_head(GraphBuilder& builder, const graph::Node& pooled);

}  // namespace quipu::embed
