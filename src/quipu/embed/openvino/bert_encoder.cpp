// Encoders that normalise after each part and know their positions from a table: BERT (Devlin et
// al., 2018), RoBERTa (Liu et al., 2019), DistilBERT (Sanh et al., 2019), MPNet (Song et al.,
// 2020).
#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "quipu/embed/openvino/graph_builder.h"

namespace quipu::embed {
namespace {

namespace op = ov::opset13;
using graph::make;
using graph::Node;
using Bias = GraphBuilder::Bias;

constexpr int kBucketDistanceMax = 128;  // MPNet: all distances from here on share a bucket

// The names of a layer's parts, each behind the layer's own.
struct LayerNames {
  const char* layer;
  const char* query;
  const char* key;
  const char* value;
  const char* mix;
  const char* mix_norm;
  const char* widen;
  const char* narrow;
  const char* norm;
};

constexpr LayerNames kBertNames = {
    "encoder.layer.",        "attention.self.query.",   "attention.self.key.",
    "attention.self.value.", "attention.output.dense.", "attention.output.LayerNorm.",
    "intermediate.dense.",   "output.dense.",           "output.LayerNorm."};
constexpr LayerNames kMpnetNames = {
    "encoder.layer.",      "attention.attn.q.", "attention.attn.k.",
    "attention.attn.v.",   "attention.attn.o.", "attention.LayerNorm.",
    "intermediate.dense.", "output.dense.",     "output.LayerNorm."};
constexpr LayerNames kDistilNames = {
    "transformer.layer.", "attention.q_lin.",   "attention.k_lin.",
    "attention.v_lin.",   "attention.out_lin.", "sa_layer_norm.",
    "ffn.lin1.",          "ffn.lin2.",          "output_layer_norm."};

const LayerNames& names_of(Architecture architecture) {
  switch (architecture) {
    case Architecture::kMpnet: return kMpnetNames;
    case Architecture::kDistilBert: return kDistilNames;
    default: return kBertNames;
  }
}

Node embed_tokens(GraphBuilder& builder, const PackInputs& inputs) {
  const EncoderShape& shape = builder.shape();
  const Node words =
      builder.rows_of("embeddings.word_embeddings.weight", shape.vocabulary, inputs.ids);
  const Node first = make<op::Constant>(
      ov::element::i32, ov::Shape{},
      std::vector<std::int32_t>{static_cast<std::int32_t>(shape.first_position)});
  const Node places = builder.rows_of("embeddings.position_embeddings.weight", shape.positions,
                                      make<op::Add>(inputs.positions, first));
  if (builder.failed()) return words;
  Node sum = make<op::Add>(words, places);
  if (shape.token_types > 0) {
    // RoBERTa has one type for both texts of a pair.
    const Node type = shape.token_types > 1
                          ? inputs.types
                          : make<op::Constant>(ov::element::i32, ov::Shape{1}, std::vector<int>{0});
    const Node types =
        builder.rows_of("embeddings.token_type_embeddings.weight", shape.token_types, type);
    if (builder.failed()) return words;
    sum = make<op::Add>(sum, types);
  }
  return builder.layer_norm(sum, "embeddings.LayerNorm.", Bias::kRequired);
}

// MPNet's bucket of a distance: half of them for each direction; of a half, half for the distances
// themselves and the others for ever wider ranges (Raffel et al., 2020, T5).
std::int32_t bucket_of(int distance, int buckets) {
  const int half = buckets / 2;
  const int exact = half / 2;
  const int far = std::abs(distance);
  int bucket = distance > 0 ? half : 0;
  if (far < exact) return bucket + far;
  // In 32 bits, as the models were trained: at a bucket's edge the last bit decides.
  const float share = std::log(static_cast<float>(far) / static_cast<float>(exact)) /
                      static_cast<float>(std::log(static_cast<double>(kBucketDistanceMax) / exact));
  bucket += std::min(half - 1, exact + static_cast<int>(share * static_cast<float>(half - exact)));
  return bucket;
}

// What is added to attention: f32 [1, heads, T, T], by distance, and -1e9 between texts.
Node distance_bias(GraphBuilder& builder, const PackInputs& inputs, const Node& mask) {
  const EncoderShape& shape = builder.shape();
  const auto reach = static_cast<int>(shape.positions);
  std::vector<std::int32_t> buckets;
  for (int distance = -reach; distance <= reach; ++distance) {
    buckets.push_back(bucket_of(distance, static_cast<int>(shape.relative_buckets)));
  }
  const Node table = builder.weight("encoder.relative_attention_bias.weight",
                                    {shape.relative_buckets, shape.heads});
  if (builder.failed()) return mask;
  const Node axis = make<op::Constant>(ov::element::i32, ov::Shape{}, std::vector<int>{0});
  const Node all = make<op::Constant>(ov::element::i32, ov::Shape{buckets.size()}, buckets);
  const Node offset = make<op::Constant>(ov::element::i32, ov::Shape{}, std::vector<int>{reach});
  const Node seen = make<op::Unsqueeze>(inputs.positions, graph::numbers({0}));
  const Node sees = make<op::Unsqueeze>(inputs.positions, graph::numbers({1}));
  const Node distance = make<op::Add>(make<op::Subtract>(seen, sees), offset);
  const Node bias = make<op::Gather>(table, make<op::Gather>(all, distance, axis), axis);
  const Node by_head = make<op::Unsqueeze>(make<op::Transpose>(bias, graph::numbers({2, 0, 1})),
                                           graph::numbers({0}));
  return make<op::Select>(mask, by_head, graph::number(-1e9F));
}

Node layer(GraphBuilder& builder, const LayerNames& names, std::uint32_t number, const Node& input,
           const Node& mask) {
  const EncoderShape& shape = builder.shape();
  const std::uint64_t hidden = shape.hidden;
  const std::string at = names.layer + std::to_string(number) + ".";
  const auto linear = [&](const Node& in, const char* name, std::uint64_t from, std::uint64_t to) {
    return builder.linear(in, at + name, from, to, Bias::kRequired);
  };
  const Node query = linear(input, names.query, hidden, hidden);
  const Node key = linear(input, names.key, hidden, hidden);
  const Node value = linear(input, names.value, hidden, hidden);
  if (builder.failed()) return input;
  const auto split = [&](const Node& in) {
    return graph::to_heads(in, shape.heads, shape.head_size);
  };
  const Node attention =
      make<op::ScaledDotProductAttention>(split(query), split(key), split(value), mask, false);
  const Node joined = graph::from_heads(attention, shape.heads, shape.head_size);
  const Node mixed = linear(joined, names.mix, hidden, hidden);
  if (builder.failed()) return input;
  const Node first =
      builder.layer_norm(make<op::Add>(mixed, input), at + names.mix_norm, Bias::kRequired);
  const Node wide = linear(first, names.widen, hidden, shape.intermediate);
  if (builder.failed()) return input;
  const Node narrow =
      linear(graph::activate(wide, shape.activation), names.narrow, shape.intermediate, hidden);
  if (builder.failed()) return input;
  return builder.layer_norm(make<op::Add>(narrow, first), at + names.norm, Bias::kRequired);
}

}  // namespace

Node build_bert_encoder(GraphBuilder& builder, const PackInputs& inputs) {
  const EncoderShape& shape = builder.shape();
  switch (shape.architecture) {
    case Architecture::kDistilBert: builder.set_prefix("distilbert."); break;
    case Architecture::kRoberta: builder.set_prefix("roberta."); break;
    case Architecture::kMpnet: builder.set_prefix("mpnet."); break;
    default: builder.set_prefix("bert."); break;
  }
  const LayerNames& names = names_of(shape.architecture);
  Node hidden = embed_tokens(builder, inputs);
  Node mask = graph::same_text(inputs.texts);
  if (shape.architecture == Architecture::kMpnet && !builder.failed()) {
    mask = distance_bias(builder, inputs, mask);
  }
  for (std::uint32_t number = 0; number < shape.layers && !builder.failed(); ++number) {
    hidden = layer(builder, names, number, hidden, mask);
  }
  return hidden;
}

}  // namespace quipu::embed
