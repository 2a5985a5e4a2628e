// A search as callers say it, whatever protocol brought it, and the query that it becomes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "quipu/api/call.h"
#include "quipu/api/schema.h"
#include "quipu/engine.h"
#include "quipu/filter.h"
#include "quipu/result.h"

namespace quipu::api {

// The text is searched by meaning (the vector) and by words (BM25), and the rankings are fused.
struct HybridInput {
  FusionKind fusion = FusionKind::kRrf;
  double k = 60;                // 1..1,000,000
  std::vector<double> weights;  // none, or two of 0..1,000,000
  std::size_t prefetch = 100;   // 1..limits::kSearchHitsMax
  std::string words;            // "": the collection's only ones
};
inline constexpr double kFusionNumberMax = 1'000'000;

struct SearchInput {
  std::optional<GivenVector> vector;
  std::optional<std::string> text;
  std::optional<PointId> id;
  std::string vector_name;
  std::size_t k = 10;      // 1..limits::kSearchHitsMax
  std::size_t offset = 0;  // below limits::kSearchHitsMax
  std::uint32_t ef = 0;    // up to limits::kEfMax
  bool exact = false;
  std::optional<Filter> filter;
  std::optional<float> score_threshold;
  std::optional<HybridInput> hybrid;
  bool explain = false;
};

// What concerns several of the members: what is looked for, and k and offset together.
void check_search(const SearchInput& input, const Path& at, FieldErrors& errors);

// A query, ready to be asked.
struct RankedRequest {
  QueryRequest query;   // its params are set when it is asked
  bool hybrid = false;  // a search's fusion: its parts are called "vector" and "words"
};

// What is asked of the engine, of an input that passed check_search(). `collection`: where it will
// be asked. Errors: kInvalidArgument, kNotFound naming the words that are not there.
[[nodiscard]] Result<RankedRequest> to_request(SearchInput input, const Select& select,
                                               const Call& call, std::string_view collection);

// Whether to run it takes long: it waits for the embedder, or looks at every point. Such a query
// must not hold a thread that searches for others.
[[nodiscard]] bool takes_long(const QueryStage& stage);

// The name of the ranking that gave a part to a hit's score: "vector", "words", "prefetch[2]".
[[nodiscard]] std::string source_of(const ScorePart& part, bool hybrid);

// Whether an error of one query of a batch is about that query; others (of the collection, of the
// server) are about the whole request.
[[nodiscard]] bool concerns_item(const Error& error);
// Fails a call that is about several queries, naming the one.
void fail_query(const CallPtr& call, const Error& error, bool one, std::size_t index);

}  // namespace quipu::api
