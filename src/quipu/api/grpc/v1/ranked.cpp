#include "quipu/api/grpc/v1/ranked.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <memory>
#include <utility>

#include "quipu/base/format.h"
#include "quipu/base/limits.h"

namespace quipu::api::grpc::v1 {
namespace {

constexpr std::size_t kVectorNameBytesMax = 64;

// ---------------------------------------------------------------- reading

Result<FusionKind> read_fusion(pb::Hybrid::Fusion fusion, const std::string& at) {
  switch (fusion) {
    case pb::Hybrid::FUSION_UNSPECIFIED:
    case pb::Hybrid::FUSION_RRF: return FusionKind::kRrf;
    case pb::Hybrid::FUSION_DBSF: return FusionKind::kDbsf;
    case pb::Hybrid::FUSION_WEIGHTED: return FusionKind::kWeighted;
    default: return bad_field(at + "fusion", format("{} is none of its values", int{fusion}));
  }
}

Result<HybridInput> read_hybrid(const pb::Hybrid& from, const std::string& at) {
  HybridInput hybrid;
  QUIPU_TRY(hybrid.fusion, read_fusion(from.fusion(), at));
  if (from.has_k()) hybrid.k = from.k();
  QUIPU_TRY_OK(check_number(hybrid.k, 1, kFusionNumberMax, at + "k"));
  hybrid.weights.assign(from.weights().begin(), from.weights().end());
  if (!hybrid.weights.empty()) {
    QUIPU_TRY_OK(check_items(from.weights_size(), 2, 2, at + "weights"));
  }
  for (const double weight : hybrid.weights) {
    QUIPU_TRY_OK(check_number(weight, 0, kFusionNumberMax, at + "weights"));
  }
  if (from.has_prefetch()) hybrid.prefetch = from.prefetch();
  QUIPU_TRY_OK(check_within(hybrid.prefetch, 1, limits::kSearchHitsMax, at + "prefetch"));
  QUIPU_TRY_OK(check_bytes(from.words(), 0, kVectorNameBytesMax, at + "words"));
  hybrid.words = from.words();
  return hybrid;
}

// The numbers of `vector`, and what the other two fields say that they are.
Result<std::optional<GivenVector>> read_given(const pb::SearchRequest& from,
                                              const std::string& at) {
  if (from.vector().empty()) {
    if (from.indices().empty() && from.rows() == 0) return std::optional<GivenVector>();
    return bad_field(at + "vector", "is missing, though indices or rows say what it is");
  }
  QUIPU_TRY_OK(check_items(from.vector_size(), 1, limits::kVectorValuesMax, at + "vector"));
  GivenVector given;
  given.vector.values.assign(from.vector().begin(), from.vector().end());
  if (!std::ranges::all_of(given.vector.values, [](float value) { return std::isfinite(value); })) {
    return bad_field(at + "vector", "has a value that is not finite (NaN or infinity)",
                     "not_finite");
  }
  const std::size_t size = given.vector.values.size();
  if (!from.indices().empty()) {
    if (from.rows() > 0) return bad_field(at + "rows", "and indices cannot be of one vector");
    QUIPU_TRY_OK(check_items(from.indices_size(), size, size, at + "indices"));
    given.sparse = true;
    given.vector.indices.assign(from.indices().begin(), from.indices().end());
    auto sorted = given.vector.indices;
    std::ranges::sort(sorted);
    if (std::ranges::adjacent_find(sorted) != sorted.end()) {
      return bad_field(at + "indices", "must be distinct");
    }
  } else if (from.rows() > 0) {
    if (size % from.rows() != 0) {
      return bad_field(at + "rows",
                       format("{} rows cannot share {} numbers evenly", from.rows(), size));
    }
    given.row_values = static_cast<std::uint32_t>(size / from.rows());
  }
  if (!given.sparse) {
    const std::size_t row = given.row_values > 0 ? given.row_values : size;
    QUIPU_TRY_OK(check_within(row, 1, from.rows() > 0 ? limits::kDimMax : limits::kVectorValuesMax,
                              at + "vector"));
  }
  return std::optional<GivenVector>(std::move(given));
}

// ---------------------------------------------------------------- answers

pb::SearchResponse search_message(SearchResult found, bool hybrid, double took_ms) {
  pb::SearchResponse response;
  response.mutable_hits()->Reserve(static_cast<int>(found.hits.size()));
  for (SearchHit& hit : found.hits) fill_hit(std::move(hit), hybrid, *response.add_hits());
  response.set_query_truncated(found.query_truncated);
  if (found.explain) fill_explain(*found.explain, *response.mutable_explain());
  response.set_took_ms(took_ms);
  return response;
}

void answer_batch(const CallPtr& call, RankedBatch& batch) {
  const Clock& clock = call->core().clock;
  pb::SearchBatchResponse response;
  for (std::size_t i = 0; i < batch.requests.size(); ++i) {
    RankedRequest& request = batch.requests[i];
    request.query.params = read_params(*call, batch.min_seq, batch.cache);
    const auto begun = clock.steady_now();
    auto found = call->core().engine.query(call->tenant(), batch.collection, request.query);
    if (!found.ok()) return fail_query(call, found.error(), batch.one, i);
    const std::chrono::duration<double, std::milli> took = clock.steady_now() - begun;
    *response.add_results() =
        search_message(std::move(found).value(), request.hybrid, took.count());
  }
  if (batch.one) return reply_message(call, response.results(0));
  reply_message(call, response);
}

}  // namespace

void ask_ranked(const CallPtr& call, RankedBatch batch) {
  const bool waits =
      !batch.min_seq.empty() || std::ranges::any_of(batch.requests, [](const RankedRequest& each) {
        return takes_long(each.query.root);
      });
  const auto shared = std::make_shared<RankedBatch>(std::move(batch));
  run(call, waits, [shared](const CallPtr& self) { answer_batch(self, *shared); });
}

Result<SearchInput> read_search(const pb::SearchRequest& from, const std::string& at) {
  SearchInput input;
  QUIPU_TRY(input.vector, read_given(from, at));
  if (from.has_text()) {
    QUIPU_TRY_OK(check_bytes(from.text(), 1, limits::kTextBytesMax, at + "text"));
    input.text = from.text();
  }
  if (from.has_id()) {
    QUIPU_TRY(input.id, read_id(from.id(), at + "id"));
  }
  QUIPU_TRY_OK(check_bytes(from.vector_name(), 0, kVectorNameBytesMax, at + "vector_name"));
  input.vector_name = from.vector_name();
  if (from.has_k()) input.k = from.k();
  QUIPU_TRY_OK(check_within(input.k, 1, limits::kSearchHitsMax, at + "k"));
  input.offset = from.offset();
  QUIPU_TRY_OK(check_within(input.offset, 0, limits::kSearchHitsMax - 1, at + "offset"));
  input.ef = from.ef();
  QUIPU_TRY_OK(check_within(input.ef, 0, limits::kEfMax, at + "ef"));
  input.exact = from.exact();
  QUIPU_TRY(input.filter, read_filter(from.filter_json()));
  if (from.has_score_threshold()) {
    if (!std::isfinite(from.score_threshold())) {
      return bad_field(at + "score_threshold", "must be a finite number");
    }
    input.score_threshold = from.score_threshold();
  }
  if (from.has_hybrid()) {
    QUIPU_TRY(input.hybrid, read_hybrid(from.hybrid(), at + "hybrid."));
  }
  input.explain = from.explain();
  FieldErrors errors;
  const Path root;
  check_search(input, root, errors);
  if (errors.empty()) return input;
  const FieldError& first = errors.all().front();
  const std::string place = at + first.field;
  return bad_field(place.empty() ? "the message" : place, first.detail, first.code);
}

void fill_hit(SearchHit&& hit, bool hybrid, pb::Hit& out) {
  fill_point(std::move(hit.point), *out.mutable_point());
  if (hit.order_key) fill_order(*hit.order_key, *out.mutable_point()->mutable_order_value());
  out.set_score(hit.score);
  for (const ScorePart& each : hit.parts) {
    pb::ScorePart& part = *out.add_parts();
    part.set_source(source_of(each, hybrid));
    part.set_rank(static_cast<std::uint32_t>(each.rank));
    part.set_score(each.score);
    part.set_share(each.part);
  }
}

}  // namespace quipu::api::grpc::v1
