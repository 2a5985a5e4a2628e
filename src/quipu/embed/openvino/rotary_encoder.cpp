// Encoders that know positions by rotation and have gated layers: Nomic BERT (Nussbaum et al.,
// 2024), ModernBERT (Warner et al., 2024), and the decoder Qwen3 as an encoder (Zhang et al.,
// 2025).
#include "quipu/embed/openvino/graph_builder.h"

namespace quipu::embed {
namespace {

namespace op = ov::opset13;
using graph::make;
using graph::Node;
using Bias = GraphBuilder::Bias;

// How a layer sees: whom, and how positions turn.
struct Sight {
  Node mask;
  graph::Rotation rotation;
};

struct Qkv {
  Node query;
  Node key;
  Node value;
};

// Query, key and value of one matrix [3 * heads * size, hidden], as heads.
Qkv fused(GraphBuilder& builder, const Node& input, const std::string& name) {
  const EncoderShape& shape = builder.shape();
  const std::uint64_t width = std::uint64_t{shape.heads} * shape.head_size;
  const Node all = builder.linear(input, name, shape.hidden, 3 * width, Bias::kNone);
  if (builder.failed()) return {input, input, input};
  const auto parts = std::make_shared<op::VariadicSplit>(
      all, make<op::Constant>(ov::element::i64, ov::Shape{}, std::vector<std::int64_t>{-1}),
      graph::numbers(std::vector<std::int64_t>(3, static_cast<std::int64_t>(width))));
  const auto heads = [&](std::size_t part) {
    return graph::to_heads(parts->output(part), shape.heads, shape.head_size);
  };
  return {heads(0), heads(1), heads(2)};
}

Node attend(const EncoderShape& shape, const Qkv& qkv, const Sight& sight) {
  const Node query = graph::rotate(qkv.query, sight.rotation, shape.head_size);
  const Node key = graph::rotate(qkv.key, sight.rotation, shape.head_size);
  // Several heads of queries may share one of keys and values.
  const auto shared = [&](const Node& heads) {
    if (shape.key_value_heads == shape.heads) return heads;
    std::vector<std::int64_t> which;
    for (std::uint32_t head = 0; head < shape.heads; ++head) {
      which.push_back(head / (shape.heads / shape.key_value_heads));
    }
    const Node axis = make<op::Constant>(ov::element::i32, ov::Shape{}, std::vector<int>{1});
    return make<op::Gather>(heads, graph::numbers(which), axis);
  };
  const Node seen =
      make<op::ScaledDotProductAttention>(query, shared(key), shared(qkv.value), sight.mask, false);
  return graph::from_heads(seen, shape.heads, shape.head_size);
}

Node gated(GraphBuilder& builder, const Node& input, const std::string& gate, const std::string& up,
           const std::string& down) {
  const EncoderShape& shape = builder.shape();
  const Node opened = builder.linear(input, gate, shape.hidden, shape.intermediate, Bias::kNone);
  const Node wide = builder.linear(input, up, shape.hidden, shape.intermediate, Bias::kNone);
  if (builder.failed()) return input;
  return builder.linear(make<op::Multiply>(graph::activate(opened, shape.activation), wide), down,
                        shape.intermediate, shape.hidden, Bias::kNone);
}

Node nomic(GraphBuilder& builder, const PackInputs& inputs, const Sight& sight) {
  const EncoderShape& shape = builder.shape();
  const Node words =
      builder.rows_of("embeddings.word_embeddings.weight", shape.vocabulary, inputs.ids);
  if (builder.failed()) return words;
  Node hidden = words;
  if (shape.token_types > 0) {
    const Node types =
        builder.rows_of("embeddings.token_type_embeddings.weight", shape.token_types, inputs.types);
    if (builder.failed()) return words;
    hidden = make<op::Add>(words, types);
  }
  // As published, and as transformers names the parts since its version 5.
  const bool published = builder.has("emb_ln.weight");
  hidden =
      builder.layer_norm(hidden, published ? "emb_ln." : "embeddings.LayerNorm.", Bias::kRequired);
  const std::uint64_t width = std::uint64_t{shape.heads} * shape.head_size;
  for (std::uint32_t number = 0; number < shape.layers && !builder.failed(); ++number) {
    const std::string at =
        (published ? "encoder.layers." : "layers.") + std::to_string(number) + ".";
    const auto heads = [&](const char* name) {
      const Node all = builder.linear(hidden, at + name, shape.hidden, width, Bias::kNone);
      return builder.failed() ? all : graph::to_heads(all, shape.heads, shape.head_size);
    };
    const Qkv qkv = published ? fused(builder, hidden, at + "attn.Wqkv.")
                              : Qkv{heads("self_attn.q_proj."), heads("self_attn.k_proj."),
                                    heads("self_attn.v_proj.")};
    if (builder.failed()) break;
    const Node mixed = builder.linear(attend(shape, qkv, sight),
                                      at + (published ? "attn.out_proj." : "self_attn.o_proj."),
                                      width, shape.hidden, Bias::kNone);
    if (builder.failed()) break;
    const Node first = builder.layer_norm(make<op::Add>(mixed, hidden),
                                          at + (published ? "norm1." : "post_attention_layernorm."),
                                          Bias::kRequired);
    const Node deep =
        published ? gated(builder, first, at + "mlp.fc12.", at + "mlp.fc11.", at + "mlp.fc2.")
                  : gated(builder, first, at + "mlp.gate_proj.", at + "mlp.up_proj.",
                          at + "mlp.down_proj.");
    if (builder.failed()) break;
    hidden =
        builder.layer_norm(make<op::Add>(deep, first),
                           at + (published ? "norm2." : "post_mlp_layernorm."), Bias::kRequired);
  }
  return hidden;
}

Node modern(GraphBuilder& builder, const PackInputs& inputs, const Sight& wide, const Sight& near) {
  const EncoderShape& shape = builder.shape();
  Node hidden = builder.rows_of("embeddings.tok_embeddings.weight", shape.vocabulary, inputs.ids);
  if (builder.failed()) return hidden;
  hidden = builder.layer_norm(hidden, "embeddings.norm.", Bias::kNone);
  for (std::uint32_t number = 0; number < shape.layers && !builder.failed(); ++number) {
    const std::string at = "layers." + std::to_string(number) + ".";
    // The first layer's input is normalised already.
    const Node normal =
        number == 0 ? hidden : builder.layer_norm(hidden, at + "attn_norm.", Bias::kNone);
    const Qkv qkv = fused(builder, normal, at + "attn.Wqkv.");
    if (builder.failed()) break;
    const bool local = !shape.local_layers.empty() && shape.local_layers[number] != 0;
    const Node mixed = builder.linear(attend(shape, qkv, local ? near : wide), at + "attn.Wo.",
                                      shape.hidden, shape.hidden, Bias::kNone);
    if (builder.failed()) break;
    const Node first = make<op::Add>(hidden, mixed);
    const Node inner = builder.layer_norm(first, at + "mlp_norm.", Bias::kNone);
    const Node both = builder.linear(inner, at + "mlp.Wi.", shape.hidden,
                                     std::uint64_t{shape.intermediate} * 2, Bias::kNone);
    if (builder.failed()) break;
    const auto parts = std::make_shared<op::VariadicSplit>(
        both, make<op::Constant>(ov::element::i64, ov::Shape{}, std::vector<std::int64_t>{-1}),
        graph::numbers({shape.intermediate, shape.intermediate}));
    const Node opened =
        make<op::Multiply>(graph::activate(parts->output(0), shape.activation), parts->output(1));
    const Node deep =
        builder.linear(opened, at + "mlp.Wo.", shape.intermediate, shape.hidden, Bias::kNone);
    if (builder.failed()) break;
    hidden = make<op::Add>(first, deep);
  }
  return builder.failed() ? hidden : builder.layer_norm(hidden, "final_norm.", Bias::kNone);
}

Node qwen(GraphBuilder& builder, const PackInputs& inputs, const Sight& sight) {
  const EncoderShape& shape = builder.shape();
  Node hidden = builder.rows_of("embed_tokens.weight", shape.vocabulary, inputs.ids);
  for (std::uint32_t number = 0; number < shape.layers && !builder.failed(); ++number) {
    const std::string at = "layers." + std::to_string(number) + ".";
    const Node normal = builder.rms_norm(hidden, at + "input_layernorm.", shape.hidden);
    const auto heads = [&](const char* name, std::uint32_t count) {
      const Node all = builder.linear(normal, at + name, shape.hidden,
                                      std::uint64_t{count} * shape.head_size, Bias::kNone);
      return builder.failed() ? all : graph::to_heads(all, count, shape.head_size);
    };
    Qkv qkv{heads("self_attn.q_proj.", shape.heads),
            heads("self_attn.k_proj.", shape.key_value_heads),
            heads("self_attn.v_proj.", shape.key_value_heads)};
    if (builder.failed()) break;
    qkv.query = builder.rms_norm(qkv.query, at + "self_attn.q_norm.", shape.head_size);
    qkv.key = builder.rms_norm(qkv.key, at + "self_attn.k_norm.", shape.head_size);
    if (builder.failed()) break;
    const Node mixed =
        builder.linear(attend(shape, qkv, sight), at + "self_attn.o_proj.",
                       std::uint64_t{shape.heads} * shape.head_size, shape.hidden, Bias::kNone);
    if (builder.failed()) break;
    const Node first = make<op::Add>(hidden, mixed);
    const Node inner = builder.rms_norm(first, at + "post_attention_layernorm.", shape.hidden);
    const Node deep =
        gated(builder, inner, at + "mlp.gate_proj.", at + "mlp.up_proj.", at + "mlp.down_proj.");
    if (builder.failed()) break;
    hidden = make<op::Add>(first, deep);
  }
  return builder.failed() ? hidden : builder.rms_norm(hidden, "norm.", shape.hidden);
}

}  // namespace

Node build_rotary_encoder(GraphBuilder& builder, const PackInputs& inputs) {
  const EncoderShape& shape = builder.shape();
  const std::uint32_t positions = builder.spec().tokens_max;
  const Node mask = graph::same_text(inputs.texts);
  const auto turned = [&](double base) {
    return graph::rotation(inputs.positions, positions, shape.head_size, base);
  };
  switch (shape.architecture) {
    case Architecture::kNomicBert:
      builder.set_prefix("nomic_bert.");
      return nomic(builder, inputs, {mask, turned(shape.rope_base)});
    case Architecture::kModernBert:
      builder.set_prefix("model.");
      return modern(builder, inputs, {mask, turned(shape.rope_base)},
                    {graph::within_reach(mask, inputs.positions, shape.local_reach),
                     turned(shape.local_rope_base)});
    default:
      builder.set_prefix("model.");
      return qwen(builder, inputs,
                  {graph::not_behind(mask, inputs.positions), turned(shape.rope_base)});
  }
}

}  // namespace quipu::embed
