#include "quipu/embed/openvino/encoder_graph.h"

#include <string>
#include <utility>

#include "quipu/embed/openvino/graph_builder.h"

namespace quipu::embed {
namespace {

namespace op = ov::opset13;
using graph::make;
using graph::Node;
using Bias = GraphBuilder::Bias;

bool is_rotary(Architecture architecture) {
  return architecture == Architecture::kNomicBert || architecture == Architecture::kModernBert ||
         architecture == Architecture::kQwen3;
}

}  // namespace

Node build_score_head(GraphBuilder& builder, const Node& pooled) {
  const std::uint64_t hidden = builder.shape().hidden;
  const auto dense = [&](const char* name, const Node& input, Bias bias) {
    return builder.linear(input, name, hidden, hidden, bias);
  };
  const auto last = [&](const char* name, const Node& input) {
    return builder.failed() ? input : builder.linear(input, name, hidden, 1, Bias::kRequired);
  };
  switch (builder.shape().architecture) {
    case Architecture::kBert:
      return last("classifier.", make<op::Tanh>(dense("pooler.dense.", pooled, Bias::kRequired)));
    case Architecture::kRoberta:
    case Architecture::kMpnet:
      return last("classifier.out_proj.",
                  make<op::Tanh>(dense("classifier.dense.", pooled, Bias::kRequired)));
    case Architecture::kDistilBert:
      return last("classifier.", make<op::Relu>(dense("pre_classifier.", pooled, Bias::kRequired)));
    case Architecture::kModernBert: {
      const Node first = dense("head.dense.", pooled, Bias::kNone);
      if (builder.failed()) return pooled;
      const Node normal =
          builder.layer_norm(graph::activate(first, Activation::kGelu), "head.norm.", Bias::kNone);
      return last("classifier.", normal);
    }
    case Architecture::kNomicBert:
    case Architecture::kQwen3: break;
  }
  return builder.fail("models of this architecture do not score here");
}

Result<std::shared_ptr<ov::Model>> build_encoder_graph(const RuntimeModelSpec& spec) {
  const auto parameter = [](ov::element::Type type, ov::PartialShape partial) {
    return std::make_shared<op::Parameter>(type, std::move(partial));
  };
  const auto ids = parameter(ov::element::i32, {-1});
  const auto positions = parameter(ov::element::i32, {-1});
  const auto texts = parameter(ov::element::i32, {-1});
  const auto types = parameter(ov::element::i32, {-1});
  const auto pool = parameter(ov::element::f32, {-1, -1});
  const auto scale = parameter(ov::element::f32, {-1, 1});

  GraphBuilder builder(spec);
  const PackInputs inputs{ids, positions, texts, types};
  const Node hidden = is_rotary(spec.encoder->architecture) ? build_rotary_encoder(builder, inputs)
                                                            : build_bert_encoder(builder, inputs);
  Node out = hidden;
  if (!builder.failed()) {
    out = spec.pooling == Pooling::kMax ? graph::max_over(hidden, pool)
                                        : make<op::Multiply>(make<op::MatMul>(pool, hidden), scale);
    if (spec.task == ModelTask::kScore) {
      out = build_score_head(builder, out);
    } else if (spec.normalise) {
      out = graph::unit_length(out);
    }
  }
  if (builder.failed()) {
    return Error{ErrorCode::kCorruption, spec.name + ": " + builder.error(), "model_damaged"};
  }
  return std::make_shared<ov::Model>(ov::OutputVector{out},
                                     ov::ParameterVector{ids, positions, texts, types, pool, scale},
                                     "encoder");
}

}  // namespace quipu::embed
