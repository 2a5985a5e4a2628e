#include "quipu/api/rest/search_body.h"

#include <algorithm>

#include "quipu/base/quote.h"

namespace quipu::api::rest {
namespace {

void check_inputs(const SearchBody& body, const Path& at, FieldErrors& errors) {
  const int given = (body.vector ? 1 : 0) + (body.text ? 1 : 0) + (body.id ? 1 : 0);
  if (!body.hybrid) {
    if (given == 1) return;
    errors.add(at, given == 0 ? "missing_field" : "bad_value",
               "must have exactly one of vector, text and id, has " + std::to_string(given));
    return;
  }
  if (!body.text) errors.add(Path(at, "text"), "missing_field", "is what hybrid looks for");
  if (body.vector && body.id) {
    errors.add(Path(at, "id"), "bad_value", "and vector cannot both stand for the text's meaning");
  }
}

}  // namespace

void check_search(const SearchBody& body, const Path& at, FieldErrors& errors) {
  check_inputs(body, at, errors);
  if (body.k + body.offset > limits::kSearchHitsMax) {
    errors.add(Path(at, "offset"), "out_of_range",
               "and k must be at most " + std::to_string(limits::kSearchHitsMax) +
                   " together, are " + std::to_string(body.k + body.offset));
  }
}

SchemaPtr<HybridBody> hybrid_schema() {
  return Object<HybridBody>("Hybrid",
                            "The text is searched by meaning (the vector) and by words (BM25), and "
                            "the two rankings are fused into one.")
      .optional("fusion", &HybridBody::fusion,
                names<FusionKind>({{"rrf", FusionKind::kRrf},
                                   {"dbsf", FusionKind::kDbsf},
                                   {"weighted", FusionKind::kWeighted}}),
                "By places (rrf, unless given), by scores and their deviation, or by scores scaled "
                "to 0..1.")
      .optional("k", &HybridBody::k, number(1, 1'000'000),
                "rrf: a point at place r, from 0, gets 1 / (k + r); 60 unless given.")
      .optional("weights", &HybridBody::weights, array(number(0, 1'000'000), 2, 2),
                "Of the vector and of the words; 1 and 1 unless given.")
      .optional("prefetch", &HybridBody::prefetch, integer<std::size_t>(1, limits::kSearchHitsMax),
                "How many points each of the two finds, k + offset at least; 100 unless given.")
      .optional("words", &HybridBody::words, text(1, 64),
                "The name of the words; the collection's only ones unless given.")
      .done();
}

// ---------------------------------------------------------------- translation

namespace {

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
VectorInput meaning_of(SearchBody& body) {
  if (body.vector) return input_of(std::move(*body.vector));
  if (body.id) return *body.id;
  return TextInput{.text = *body.text, .model = "", .options = ""};
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
                             const HybridBody& hybrid) {
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

Result<QueryStage> hybrid_stage(SearchBody& body, const Call& call, std::string_view collection) {
  QUIPU_TRY(std::string words, words_of(call, collection, *body.hybrid));
  const std::size_t limit = std::max(body.hybrid->prefetch, body.k + body.offset);
  QueryStage dense = nearest_stage(meaning_of(body), std::move(body.vector_name), limit);
  dense.params.ef = body.ef;
  dense.params.exact = body.exact;
  QueryStage stage;
  stage.prefetch.push_back(std::move(dense));
  stage.prefetch.push_back(
      nearest_stage(TextInput{.text = std::move(*body.text), .model = "", .options = ""},
                    std::move(words), limit));
  stage.query = FusionQuery{
      .kind = body.hybrid->fusion, .k = body.hybrid->k, .weights = std::move(body.hybrid->weights)};
  stage.limit = body.k;
  return stage;
}

}  // namespace

Result<RankedRequest> to_request(SearchBody body, const Call& call, std::string_view collection) {
  RankedRequest request;
  request.hybrid = body.hybrid.has_value();
  if (request.hybrid) {
    QUIPU_TRY(request.query.root, hybrid_stage(body, call, collection));
  } else {
    request.query.root = nearest_stage(meaning_of(body), std::move(body.vector_name), body.k);
    request.query.root.params.ef = body.ef;
    request.query.root.params.exact = body.exact;
  }
  request.query.root.filter = std::move(body.filter);
  request.query.root.score_threshold = body.score_threshold;
  request.query.offset = body.offset;
  request.query.select = body.select();
  request.query.explain = body.explain;
  return request;
}

}  // namespace quipu::api::rest
