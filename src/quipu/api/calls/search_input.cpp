#include "quipu/api/calls/search_input.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "quipu/base/limits.h"
#include "quipu/base/quote.h"
#include "quipu/query/request/inputs.h"

namespace quipu::api {
namespace {

void check_looked_for(const SearchInput& input, const Path& at, FieldErrors& errors) {
  const int given = (input.vector ? 1 : 0) + (input.text ? 1 : 0) + (input.id ? 1 : 0);
  if (!input.hybrid) {
    if (given == 1) return;
    errors.add(at, given == 0 ? "missing_field" : "bad_value",
               "must have exactly one of vector, text and id, has " + std::to_string(given));
    return;
  }
  if (!input.text) errors.add(Path(at, "text"), "missing_field", "is what hybrid looks for");
  if (input.vector && input.id) {
    errors.add(Path(at, "id"), "bad_value", "and vector cannot both stand for the text's meaning");
  }
}

// ---------------------------------------------------------------- translation

VectorInput input_of(GivenVector given) {
  NamedVector& vector = given.vector;
  if (given.row_values > 0) {
    const auto rows = static_cast<std::uint32_t>(vector.values.size() / given.row_values);
    return MultiValues{.rows = rows, .values = std::move(vector.values)};
  }
  if (!given.sparse) return std::move(vector.values);
  std::vector<std::size_t> order(vector.indices.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::ranges::sort(order, {}, [&vector](std::size_t i) { return vector.indices[i]; });
  SparseValues sparse;
  for (const std::size_t i : order) {
    sparse.indices.push_back(vector.indices[i]);
    sparse.values.push_back(vector.values[i]);
  }
  return sparse;
}

// What the vector is searched by.
VectorInput meaning_of(SearchInput& input) {
  if (input.vector) return input_of(std::move(*input.vector));
  if (input.id) return *input.id;
  return TextInput{.text = *input.text, .model = "", .options = ""};
}

QueryStage nearest_stage(VectorInput input, std::string using_name, std::size_t limit) {
  QueryStage stage;
  stage.query = NearestQuery{.input = std::move(input), .mmr = std::nullopt};
  stage.using_name = std::move(using_name);
  stage.limit = limit;
  return stage;
}

// The words that a hybrid search means.
Result<std::string> words_of(const Call& call, std::string_view collection,
                             const HybridInput& hybrid) {
  QUIPU_TRY(const CollectionInfo info, call.core().engine.collection(call.tenant(), collection));
  std::string known;
  for (const WordsConfig& words : info.config.words) {
    if (words.name == hybrid.words) return words.name;
    known += (known.empty() ? "" : ", ") + in_quotes(words.name);
  }
  const std::string where = "the collection " + in_quotes(info.name);
  if (known.empty()) {
    return Error{ErrorCode::kInvalidArgument,
                 "hybrid: " + where + " has no words to search; add them with add_words",
                 "no_words"};
  }
  if (!hybrid.words.empty()) {
    return Error{
        ErrorCode::kNotFound,
        "hybrid.words: " + where + " has no words " + in_quotes(hybrid.words) + "; it has " + known,
        "words_not_found"};
  }
  if (info.config.words.size() == 1) return info.config.words.front().name;
  return Error{ErrorCode::kInvalidArgument,
               "hybrid.words: " + where + " has several words (" + known + "); name one of them",
               "words_ambiguous"};
}

Result<QueryStage> hybrid_stage(SearchInput& input, const Call& call, std::string_view collection) {
  QUIPU_TRY(std::string words, words_of(call, collection, *input.hybrid));
  const std::size_t limit = std::max(input.hybrid->prefetch, input.k + input.offset);
  QueryStage dense = nearest_stage(meaning_of(input), std::move(input.vector_name), limit);
  dense.params.ef = input.ef;
  dense.params.exact = input.exact;
  QueryStage stage;
  stage.prefetch.push_back(std::move(dense));
  stage.prefetch.push_back(
      nearest_stage(TextInput{.text = std::move(*input.text), .model = "", .options = ""},
                    std::move(words), limit));
  stage.query = FusionQuery{.kind = input.hybrid->fusion,
                            .k = input.hybrid->k,
                            .weights = std::move(input.hybrid->weights)};
  stage.limit = input.k;
  return stage;
}

// ---------------------------------------------------------------- what takes long

// Those that score every vector, or read every record, if no prefetch says which.
bool looks_at_all(const StageQuery& query) {
  if (const auto* const recommend = std::get_if<RecommendQuery>(&query)) {
    return recommend->strategy != RecommendStrategy::kAverageVector;
  }
  return std::holds_alternative<DiscoverQuery>(query) ||
         std::holds_alternative<ContextQuery>(query) ||
         std::holds_alternative<FeedbackQuery>(query) ||
         std::holds_alternative<OrderByQuery>(query) || std::holds_alternative<SampleQuery>(query);
}

}  // namespace

void check_search(const SearchInput& input, const Path& at, FieldErrors& errors) {
  check_looked_for(input, at, errors);
  if (input.k + input.offset > limits::kSearchHitsMax) {
    errors.add(Path(at, "offset"), "out_of_range",
               "and k must be at most " + std::to_string(limits::kSearchHitsMax) +
                   " together, are " + std::to_string(input.k + input.offset));
  }
}

Result<RankedRequest> to_request(SearchInput input, const Select& select, const Call& call,
                                 std::string_view collection) {
  RankedRequest request;
  request.hybrid = input.hybrid.has_value();
  if (request.hybrid) {
    QUIPU_TRY(request.query.root, hybrid_stage(input, call, collection));
  } else {
    request.query.root = nearest_stage(meaning_of(input), std::move(input.vector_name), input.k);
    request.query.root.params.ef = input.ef;
    request.query.root.params.exact = input.exact;
  }
  request.query.root.filter = std::move(input.filter);
  request.query.root.score_threshold = input.score_threshold;
  request.query.offset = input.offset;
  request.query.select = select;
  request.query.explain = input.explain;
  return request;
}

// Recursion is bounded by limits::kQueryDepthMax. With prefetches only their points are scored, but
// examples may still be texts.
bool takes_long(const QueryStage& stage) {
  if (stage.query) {
    const StageQuery& asked = *stage.query;
    if (looks_at_all(asked) || query::has_text(asked)) return true;
    if (std::holds_alternative<RerankQuery>(asked)) return true;  // waits for its model
  }
  return std::ranges::any_of(stage.prefetch, takes_long);
}

std::string source_of(const ScorePart& part, bool hybrid) {
  if (!hybrid) return "prefetch[" + std::to_string(part.prefetch) + "]";
  return part.prefetch == 0 ? "vector" : "words";
}

bool concerns_item(const Error& error) {
  return error.code == ErrorCode::kInvalidArgument || error.stable_reason() == "point_not_found" ||
         error.stable_reason() == "vector_not_found" || error.stable_reason() == "words_not_found";
}

void fail_query(const CallPtr& call, const Error& error, bool one, std::size_t index) {
  if (one || !concerns_item(error)) return call->fail(error);
  call->fail(error, {{.field = "queries[" + std::to_string(index) + "]",
                      .code = std::string(error.stable_reason()),
                      .detail = error.message}});
}

}  // namespace quipu::api
