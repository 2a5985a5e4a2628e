#include <span>
#include <string_view>
#include <variant>

#include "quipu/query/filter/filter_json.h"
#include "quipu/query/request/query_json.h"

namespace quipu::query {
namespace {

using Kind = Expression::Kind;

void write_id(const PointId& id, JsonWriter& out) {
  if (id.is_uuid()) {
    out.value(std::string_view(id.to_string()));
  } else {
    out.value(id.as_number());
  }
}

struct InputWriter {
  JsonWriter& out;

  void operator()(const std::vector<float>& dense) const { out.floats(dense); }
  void operator()(const SparseValues& sparse) const {
    out.begin_object().key("indices").begin_array();
    for (const std::uint32_t index : sparse.indices) out.value(index);
    out.end_array().key("values").floats(sparse.values).end_object();
  }
  void operator()(const MultiValues& multi) const {
    const std::size_t dim = multi.values.size() / multi.rows;
    out.begin_array();
    for (std::size_t row = 0; row < multi.rows; ++row) {
      out.floats(std::span(multi.values).subspan(row * dim, dim));
    }
    out.end_array();
  }
  void operator()(const PointId& id) const { write_id(id, out); }
  void operator()(const TextInput& text) const {
    out.begin_object().key("text").value(std::string_view(text.text));
    if (!text.model.empty()) out.key("model").value(std::string_view(text.model));
    if (!text.options.empty()) out.key("options").raw(text.options);
    out.end_object();
  }
};

void write_input(const VectorInput& input, JsonWriter& out) { std::visit(InputWriter{out}, input); }

void write_inputs(std::string_view name, const std::vector<VectorInput>& inputs, JsonWriter& out) {
  if (inputs.empty()) return;
  out.key(name).begin_array();
  for (const VectorInput& input : inputs) write_input(input, out);
  out.end_array();
}

void write_context(const std::vector<ContextPair>& context, JsonWriter& out) {
  out.key("context").begin_array();
  for (const ContextPair& pair : context) {
    out.begin_object().key("positive");
    write_input(pair.positive, out);
    out.key("negative");
    write_input(pair.negative, out);
    out.end_object();
  }
  out.end_array();
}

// ---------------------------------------------------------------- formulas

std::string_view function_name(Kind kind) {
  switch (kind) {
    case Kind::kSum: return "sum";
    case Kind::kProduct: return "mult";
    case Kind::kMax: return "max";
    case Kind::kMin: return "min";
    case Kind::kNegate: return "neg";
    case Kind::kAbs: return "abs";
    case Kind::kSqrt: return "sqrt";
    case Kind::kExp: return "exp";
    case Kind::kLn: return "ln";
    case Kind::kLog10: return "log10";
    case Kind::kAcosh: return "acosh";
    case Kind::kDivide: return "div";
    case Kind::kPower: return "pow";
    case Kind::kLinearDecay: return "lin_decay";
    case Kind::kGaussDecay: return "gauss_decay";
    case Kind::kExpDecay: return "exp_decay";
    case Kind::kGeoDistance: return "geo_distance";
    case Kind::kDatetime: return "datetime";
    case Kind::kDatetimeKey: return "datetime_key";
    default: return "";
  }
}

void write_expression(const Expression& expression, JsonWriter& out);

// What is the value of the function's member.
void write_operands(const Expression& expression, JsonWriter& out) {
  const auto member = [&](std::string_view name, const Expression& operand) {
    out.key(name);
    write_expression(operand, out);
  };
  switch (expression.kind) {
    case Kind::kSum:
    case Kind::kProduct:
    case Kind::kMax:
    case Kind::kMin:
      out.begin_array();
      for (const Expression& operand : expression.operands) write_expression(operand, out);
      out.end_array();
      return;
    case Kind::kDivide:
      out.begin_object();
      member("left", expression.operands[0]);
      member("right", expression.operands[1]);
      if (expression.number.has_value()) out.key("by_zero_default").value(*expression.number);
      out.end_object();
      return;
    case Kind::kPower:
      out.begin_object();
      member("base", expression.operands[0]);
      member("exponent", expression.operands[1]);
      out.end_object();
      return;
    case Kind::kLinearDecay:
    case Kind::kGaussDecay:
    case Kind::kExpDecay:
      out.begin_object();
      member("x", expression.operands[0]);
      if (!expression.target.empty()) member("target", expression.target.front());
      out.key("scale").value(expression.scale).key("midpoint").value(expression.midpoint);
      out.end_object();
      return;
    case Kind::kGeoDistance:
      out.begin_object().key("origin").begin_object();
      out.key("lon").value(expression.origin.lon).key("lat").value(expression.origin.lat);
      out.end_object().key("to").value(std::string_view(expression.name)).end_object();
      return;
    case Kind::kDatetime:
    case Kind::kDatetimeKey: out.value(std::string_view(expression.name)); return;
    default: write_expression(expression.operands[0], out); return;
  }
}

void write_expression(const Expression& expression, JsonWriter& out) {
  switch (expression.kind) {
    case Kind::kNumber: out.value(expression.number.value_or(0)); return;
    case Kind::kVariable: out.value(std::string_view(expression.name)); return;
    case Kind::kCondition: write_condition(expression.condition.front(), out); return;
    default:
      out.begin_object().key(function_name(expression.kind));
      write_operands(expression, out);
      out.end_object();
  }
}

// ---------------------------------------------------------------- queries

// Writes the members of a query's object.
struct QueryWriter {
  JsonWriter& out;

  void operator()(const NearestQuery& query) const {
    out.key("nearest");
    write_input(query.input, out);
    if (!query.mmr.has_value()) return;
    out.key("mmr").begin_object().key("diversity").value(query.mmr->diversity);
    if (query.mmr->candidates > 0) {
      out.key("candidates_limit").value(std::uint64_t{query.mmr->candidates});
    }
    out.end_object();
  }
  void operator()(const RecommendQuery& query) const {
    constexpr std::string_view kStrategies[] = {"average_vector", "best_score", "sum_scores"};
    out.key("recommend").begin_object();
    write_inputs("positive", query.positive, out);
    write_inputs("negative", query.negative, out);
    out.key("strategy").value(kStrategies[static_cast<std::size_t>(query.strategy)]).end_object();
  }
  void operator()(const DiscoverQuery& query) const {
    out.key("discover").begin_object().key("target");
    write_input(query.target, out);
    if (!query.context.empty()) write_context(query.context, out);
    out.end_object();
  }
  void operator()(const ContextQuery& query) const { write_context(query.context, out); }
  void operator()(const FeedbackQuery& query) const {
    out.key("relevance_feedback").begin_object().key("target");
    write_input(query.target, out);
    out.key("feedback").begin_array();
    for (const Feedback& feedback : query.feedback) {
      out.begin_object().key("example");
      write_input(feedback.example, out);
      out.key("score").value(feedback.score).end_object();
    }
    out.end_array().key("strategy").begin_object().key("naive").begin_object();
    out.key("a").value(query.a).key("b").value(query.b).key("c").value(query.c);
    out.end_object().end_object().end_object();
  }
  void operator()(const OrderByQuery& query) const {
    out.key("order_by").begin_object().key("key").value(std::string_view(query.key));
    out.key("direction").value(query.descending ? "desc" : "asc");
    if (query.start_from.has_value()) {
      out.key("start_from");
      const auto* const number = std::get_if<double>(&*query.start_from);
      if (number != nullptr) {
        out.value(*number);
      } else {
        out.value(std::string_view(std::get<std::string>(*query.start_from)));
      }
    }
    out.end_object();
  }
  void operator()(const FusionQuery& query) const {
    const bool rrf = query.kind == FusionKind::kRrf;
    const std::string_view name = query.kind == FusionKind::kDbsf ? "dbsf" : "weighted";
    if (!rrf && query.weights.empty()) {
      out.key("fusion").value(name);
      return;
    }
    out.key(rrf ? "rrf" : name).begin_object();
    if (rrf) out.key("k").value(query.k);
    if (!query.weights.empty()) {
      out.key("weights").begin_array();
      for (const double weight : query.weights) out.value(weight);
      out.end_array();
    }
    out.end_object();
  }
  void operator()(const FormulaQuery& query) const {
    out.key("formula");
    write_expression(query.formula, out);
    if (query.defaults.empty()) return;
    out.key("defaults").begin_object();
    for (const auto& [name, value] : query.defaults) {
      out.key(name);
      const auto* const number = std::get_if<double>(&value);
      if (number != nullptr) {
        out.value(*number);
      } else {
        out.raw(std::get<std::string>(value));
      }
    }
    out.end_object();
  }
  void operator()(const SampleQuery&) const { out.key("sample").value("random"); }
  void operator()(const RerankQuery& query) const {
    out.key("rerank").begin_object().key("text").value(std::string_view(query.text));
    out.key("model").value(std::string_view(query.model));
    if (!query.key.empty()) out.key("key").value(std::string_view(query.key));
    out.end_object();
  }
  void operator()(const WordsQuery& query) const {
    out.key("text").begin_object().key("query").value(std::string_view(query.text));
    out.key("scoring").begin_object().key("bm25").begin_object();
    out.key("k").value(query.k1).key("b").value(query.b);
    out.end_object().end_object().end_object();
  }
};

void write_params(const StageParams& params, JsonWriter& out) {
  const QuantizationParams& quantization = params.quantization;
  const bool quantized = quantization.ignore || quantization.rescore.has_value() ||
                         quantization.oversampling.has_value();
  const bool none = params.ef == 0 && !params.exact && !quantized && !params.idf_corpus.has_value();
  if (none) return;
  out.key("params").begin_object();
  if (params.ef > 0) out.key("hnsw_ef").value(params.ef);
  if (params.exact) out.key("exact").value(true);
  if (quantized) {
    out.key("quantization").begin_object();
    if (quantization.ignore) out.key("ignore").value(true);
    if (quantization.rescore.has_value()) out.key("rescore").value(*quantization.rescore);
    if (quantization.oversampling.has_value()) {
      out.key("oversampling").value(*quantization.oversampling);
    }
    out.end_object();
  }
  if (params.idf_corpus.has_value()) {
    out.key("idf").begin_object().key("corpus");
    write_filter(*params.idf_corpus, out);
    out.end_object();
  }
  out.end_object();
}

}  // namespace

// Recursion is bounded by kQueryDepthMax.
void write_query(const QueryStage& query, JsonWriter& out) {
  out.begin_object();
  if (!query.prefetch.empty()) {
    out.key("prefetch").begin_array();
    for (const QueryStage& stage : query.prefetch) write_query(stage, out);
    out.end_array();
  }
  if (query.query.has_value()) {
    out.key("query").begin_object();
    std::visit(QueryWriter{out}, *query.query);
    out.end_object();
  }
  if (!query.using_name.empty()) out.key("using").value(std::string_view(query.using_name));
  if (query.filter.has_value()) {
    out.key("filter");
    write_filter(*query.filter, out);
  }
  write_params(query.params, out);
  if (query.score_threshold.has_value()) out.key("score_threshold").value(*query.score_threshold);
  out.key("limit").value(std::uint64_t{query.limit});
  if (query.lookup_from.has_value()) {
    out.key("lookup_from").begin_object();
    out.key("collection").value(std::string_view(query.lookup_from->collection));
    out.key("vector").value(std::string_view(query.lookup_from->vector_name)).end_object();
  }
  out.end_object();
}

}  // namespace quipu::query
