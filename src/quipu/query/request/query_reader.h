// Reads the parts of a query; query_json.h's forms are made of them.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

#include "quipu/base/json.h"
#include "quipu/query.h"
#include "quipu/query/filter/filter_check.h"
#include "quipu/query/request/query_check.h"
#include "quipu/result.h"

namespace quipu::query {

// One request's reading. Errors: those of query_json.h. Recursion is bounded by kJsonDepthMax, and
// that of prefetches by count_stage(). Threads: one.
class QueryReader {
 public:
  explicit QueryReader(bool shard_keys_allowed) : shard_keys_allowed_(shard_keys_allowed) {}

  // A dense or sparse vector, a multivector, an id, or a text to be embedded.
  [[nodiscard]] Result<VectorInput> input(JsonView json, const Place& at);
  // The members "positive", "negative" and "strategy" of `object`.
  [[nodiscard]] Result<RecommendQuery> recommend(JsonView object, const Place& at);
  // A pair or a list of them.
  [[nodiscard]] Result<std::vector<ContextPair>> context(JsonView json, const Place& at);
  [[nodiscard]] Result<StageQuery> query(JsonView json, const Place& at);
  // The members "prefetch" and "query" of `object` into `stage`.
  [[nodiscard]] Status prefetch_and_query(JsonView object, const Place& at, std::size_t depth,
                                          QueryStage& stage);
  // Whichever of using, filter, params, score_threshold, limit and lookup_from there are.
  [[nodiscard]] Status stage_members(JsonView object, const Place& at, QueryStage& stage);
  [[nodiscard]] Status count_stage(std::size_t depth, const Place& at);

 private:
  [[nodiscard]] Result<VectorInput> list(JsonView json, const Place& at);
  [[nodiscard]] Result<VectorInput> multivector(JsonView json, const Place& at);
  [[nodiscard]] Result<VectorInput> sparse(JsonView json, const Place& at);
  [[nodiscard]] Result<VectorInput> text(JsonView json, const Place& at);
  [[nodiscard]] Result<VectorInput> object(JsonView json, const Place& at);
  [[nodiscard]] Result<std::vector<VectorInput>> inputs(JsonView object, std::string_view name,
                                                        const Place& at);
  [[nodiscard]] Result<StageQuery> named_query(std::string_view name, JsonView object,
                                               const Place& at);
  [[nodiscard]] Result<StageQuery> nearest(JsonView object, const Place& at);
  [[nodiscard]] Result<StageQuery> discover(JsonView json, const Place& at);
  [[nodiscard]] Result<StageQuery> feedback(JsonView json, const Place& at);
  [[nodiscard]] Result<QueryStage> prefetch(JsonView json, const Place& at, std::size_t depth);
  [[nodiscard]] Result<LookupFrom> lookup_from(JsonView json, const Place& at,
                                               std::string_view using_name) const;

  bool shard_keys_allowed_;
  QueryBudget budget_;
};

// {"formula", "defaults"}: the members of `object`.
[[nodiscard]] Result<FormulaQuery> read_formula(JsonView object, const Place& at);
[[nodiscard]] Result<StageParams> read_params(JsonView json, const Place& at);

}  // namespace quipu::query
