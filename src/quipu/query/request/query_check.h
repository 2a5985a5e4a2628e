// What every query must satisfy, whether it was read or made by hand; with the place of a mistake,
// as the query's JSON has it ("prefetch[1].query.recommend.positive[0]").
//
// Errors of all: kInvalidArgument, "invalid_query" or, over one of the limits (kQuery...Max and
// those beside them), "query_too_large"; of filters those of check_filter().
#pragma once

#include <cstddef>
#include <string_view>

#include "quipu/query.h"
#include "quipu/query/filter/filter_check.h"
#include "quipu/result.h"

namespace quipu::query {

// All that can be said without knowing the collection. `field` is what messages call the query; ""
// for a request's whole body.
[[nodiscard]] Status check_query(const QueryStage& query, std::string_view field = "");

// Its parts, for readers.

// What one query has used of its limits so far.
struct QueryBudget {
  std::size_t stages = 0;
  std::size_t vectors = 0;
  std::size_t numbers = 0;
};

[[nodiscard]] Status count_stage(std::size_t depth, QueryBudget& budget, const Place& at);
[[nodiscard]] Status count_vector(QueryBudget& budget, const Place& at);
[[nodiscard]] Status count_numbers(std::size_t count, QueryBudget& budget, const Place& at);
// Kind by kind: not empty, finite, ascending, of one length; texts and ids too. Counts it.
[[nodiscard]] Status check_input(const VectorInput& input, QueryBudget& budget, const Place& at);
// The numbers, names and texts of a query, but not its inputs. `at` is the place of "query".
[[nodiscard]] Status check_query_values(const StageQuery& query, const Place& at);
// What a stage's members say of each other, and those that are no query and no prefetch.
[[nodiscard]] Status check_stage_members(const QueryStage& stage, const Place& at);
// Whether the query, as write_query() writes it, is within kJsonDepthMax.
[[nodiscard]] Status check_json_depth(const QueryStage& query, const Place& at);

}  // namespace quipu::query
