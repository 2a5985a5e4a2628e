// Queries as JSON, in the forms that Qdrant's clients send: the query API's, the older requests'
// (search, recommend, discover), and the form of each for groups.
//
// Members that a form does not have are refused, with the nearest that it has; null is as if
// absent. Sparse vectors may come in any order. What each form says becomes one QueryStage; the
// differences to Qdrant are in query/rank/README.md.
//
// Errors of all: kInvalidArgument, "invalid_query" or, over one of the limits, "query_too_large",
// with the place, the value and what is allowed; of filters those of parse_filter();
// kUnimplemented ("unimplemented_input") for images and objects to be embedded.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "quipu/base/json.h"
#include "quipu/query.h"
#include "quipu/query/filter/filter_check.h"
#include "quipu/result.h"

namespace quipu::query {

struct ReadOptions {
  // What messages put before the places: "searches[2]" in a batch, "" for a request's body.
  std::string_view field;
  // Members that the caller reads by itself: they are allowed in the outermost object, and so is
  // "shard_key" in a "lookup_from" if it is one of them.
  std::span<const std::string_view> others;
};

// What answers are made of, in each form. (with_vectors is an older name of with_vector.)
inline constexpr std::string_view kAnswerMembers[] = {"with_payload", "with_vector", "with_vectors",
                                                      "shard_key"};

struct RankedRequest {
  QueryStage stage;        // satisfies check_query()
  std::size_t offset = 0;  // offset + stage.limit is at most kSearchHitsMax
};
// {"prefetch", "query", "using", "filter", "params", "score_threshold", "limit" (10), "offset",
// "lookup_from"}: POST points/query. Rrf has a k of 2 there, unless it says another.
[[nodiscard]] Result<RankedRequest> read_query(JsonView json, const ReadOptions& options = {});
// {"vector", "filter", "params", "limit" or "top", "offset", "score_threshold"}, where a vector is
// a list of numbers or {"name", "vector"}: POST points/search.
[[nodiscard]] Result<RankedRequest> read_search(JsonView json, const ReadOptions& options = {});
// {"positive", "negative", "strategy", "using", "lookup_from", ...}: POST points/recommend.
[[nodiscard]] Result<RankedRequest> read_recommend(JsonView json, const ReadOptions& options = {});
// {"target", "context", "using", "lookup_from", ...}: POST points/discover.
[[nodiscard]] Result<RankedRequest> read_discover(JsonView json, const ReadOptions& options = {});

struct GroupedRequest {
  QueryStage stage;  // satisfies check_query(); its limit is the number of groups
  std::string group_by;
  std::size_t group_size = 3;  // 1..kSearchHitsMax
};
// The same with "group_by", "group_size" (read_query_groups(): 3) and "limit" (10); without offset.
// "with_lookup" is for the caller, among `others`.
[[nodiscard]] Result<GroupedRequest> read_query_groups(JsonView json,
                                                       const ReadOptions& options = {});
[[nodiscard]] Result<GroupedRequest> read_search_groups(JsonView json,
                                                        const ReadOptions& options = {});
[[nodiscard]] Result<GroupedRequest> read_recommend_groups(JsonView json,
                                                           const ReadOptions& options = {});

// A payload key, or {"key", "direction", "start_from"}: as a scroll has it too.
[[nodiscard]] Result<OrderByQuery> read_order_by(JsonView json, const Place& at);

// Writes the one canonical form, that of read_query(): objects and lists always, nothing that is
// absent or empty. For a query that satisfies check_query(), reading it gives an equal one, if its
// fusions have k and weights only where their kind uses them, its defaults and options are written
// without white space, and no default given as JSON is a number.
void write_query(const QueryStage& query, JsonWriter& out);

}  // namespace quipu::query
