// The first line of the input is a request's body, the rest a payload. Properties: JSON is refused
// with a reason, in every form of request, or is a query that satisfies check_query() and reads
// back from what it is written as, which is canonical; its formulas compile, and judging any
// payload by them ends in a finite number or an error; its order finds the first of all values.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "quipu/assert.h"
#include "quipu/base/json.h"
#include "quipu/query/rank/examples.h"
#include "quipu/query/rank/formula.h"
#include "quipu/query/rank/order_values.h"
#include "quipu/query/request/query_check.h"
#include "quipu/query/request/query_json.h"

namespace {

using quipu::JsonDocument;
using quipu::JsonView;
using quipu::QueryStage;

std::string written(const QueryStage& stage) {
  std::string json;
  quipu::JsonWriter out(json);
  quipu::query::write_query(stage, out);
  return json;
}

void check_formula(const quipu::FormulaQuery& query, JsonView payload) {
  const auto compiled = quipu::query::CompiledFormula::compile(query);
  if (!compiled.ok()) {
    QUIPU_ASSERT(compiled.error().reason == "filter_too_large");  // too many words in a text
    return;
  }
  const std::vector<float> scores = {0.5F, std::numeric_limits<float>::quiet_NaN(), -2};
  const auto score = compiled.value().score({.payload = payload}, scores);
  if (score.ok()) {
    QUIPU_ASSERT(std::isfinite(score.value()));
  } else {
    QUIPU_ASSERT(score.error().reason == "formula_value");
  }
}

void check_order(const quipu::OrderByQuery& query, JsonView payload) {
  const auto order = quipu::query::PayloadOrder::compile(query);
  QUIPU_ASSERT(order.ok());
  std::vector<quipu::query::OrderValue> values;
  order.value().all(payload, values);
  const auto first = order.value().first(payload);
  QUIPU_ASSERT(first.has_value() == !values.empty());
  if (first.has_value()) QUIPU_ASSERT(*first == values.front());
}

void check_stage(const QueryStage& stage, JsonView payload) {
  for (const QueryStage& inner : stage.prefetch) check_stage(inner, payload);
  if (!stage.query.has_value()) return;
  const auto scorer = quipu::query::ExampleScorer::make(*stage.query);
  if (scorer.ok()) {
    const std::vector<float> similarities(scorer.value().examples().size(), 0.5F);
    QUIPU_ASSERT(std::isfinite(scorer.value().score(similarities)));
  }
  if (const auto* formula = std::get_if<quipu::FormulaQuery>(&*stage.query)) {
    check_formula(*formula, payload);
  } else if (const auto* order = std::get_if<quipu::OrderByQuery>(&*stage.query)) {
    check_order(*order, payload);
  }
}

void check_query(const QueryStage& stage, JsonView payload) {
  QUIPU_ASSERT(quipu::query::check_query(stage).ok());
  const std::string json = written(stage);
  const auto document = JsonDocument::parse(json);
  QUIPU_ASSERT(document.ok());
  const auto again = quipu::query::read_query(document.value().root());
  QUIPU_ASSERT(again.ok());
  QUIPU_ASSERT(again.value().stage == stage);
  QUIPU_ASSERT(written(again.value().stage) == json);
  check_stage(stage, payload);
}

template <typename Request>
void check_form(const quipu::Result<Request>& read, JsonView payload) {
  if (read.ok()) {
    check_query(read.value().stage, payload);
  } else {
    QUIPU_ASSERT(!read.error().message.empty());
    QUIPU_ASSERT(!read.error().reason.empty());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::size_t line = text.find('\n');
  const std::string_view rest = line == std::string_view::npos ? "" : text.substr(line + 1);
  const auto document = JsonDocument::parse(text.substr(0, line));
  if (!document.ok()) return 0;
  const auto other = JsonDocument::parse(rest);
  const JsonView payload = other.ok() ? other.value().root() : JsonView();
  const JsonView body = document.value().root();
  const quipu::query::ReadOptions options{.others = quipu::query::kAnswerMembers};
  check_form(quipu::query::read_query(body, options), payload);
  check_form(quipu::query::read_search(body, options), payload);
  check_form(quipu::query::read_recommend(body, options), payload);
  check_form(quipu::query::read_discover(body, options), payload);
  check_form(quipu::query::read_query_groups(body, options), payload);
  check_form(quipu::query::read_search_groups(body, options), payload);
  check_form(quipu::query::read_recommend_groups(body, options), payload);
  return 0;
}
