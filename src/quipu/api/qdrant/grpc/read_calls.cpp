// Reads of points that rank nothing: by id, page by page, counts, facets, matrices.
#include <utility>

#include "quipu/api/call.h"
#include "quipu/api/qdrant/grpc/answers.h"
#include "quipu/api/qdrant/grpc/filters.h"
#include "quipu/api/qdrant/grpc/handlers.h"
#include "quipu/api/qdrant/grpc/queries.h"
#include "quipu/api/qdrant/grpc/rpc_call.h"
#include "quipu/api/qdrant/pages.h"
#include "quipu/base/format.h"
#include "quipu/base/limits.h"
#include "quipu/query/request/json_reading.h"

namespace quipu::api::qdrant::rpc {
namespace {

ReadParams params_of(const Terms& terms) { return {.min_seq = "", .timeout = terms.timeout}; }

// Reads a message, lets `answer(request, terms, response)` fill in the response, and sends it.
template <typename Request, typename Response, typename Answer>
void answer_with(const CallPtr& call, const Answer& answer) {
  Request request;
  if (!parse_message(call, request)) return;
  call->set_parameters({request.collection_name()});
  Response response;
  const auto done = [&]() -> Status {
    QUIPU_TRY(const Terms terms, terms_of(*call, request));
    QUIPU_TRY_OK(refuse_shard_keys(request.shard_key_selector(), Place("")));
    return answer(request, terms, response);
  };
  const Status status = done();
  if (!status.ok()) return call->fail(status.error());
  reply_timed(call, response);
}

template <typename Request>
Status filter_of(const Request& request, std::optional<Filter>& into) {
  if (!request.has_filter()) return ok_status();
  QUIPU_TRY(into, read_filter(request.filter(), Place("filter")));
  return ok_status();
}

Status check_count(std::uint64_t count, std::uint64_t least, std::uint64_t most,
                   std::string_view name) {
  if (count >= least && count <= most) return ok_status();
  return Place(name).error(format("{} is not within {} to {}", count, least, most),
                           query::kInvalidQuery);
}

// Adds points to an answer until it is as large as it may be.
class RecordAdder {
 public:
  RecordAdder(const PointFiller& filler,
              google::protobuf::RepeatedPtrField<pb::RetrievedPoint>& records)
      : filler_(filler), records_(records) {}
  Status operator()(const Point& point, const OrderKey* order) {
    bytes_ += bytes_of(point);
    filler_.record(point, order, *records_.Add());
    return check_answer_size(bytes_);
  }

 private:
  const PointFiller& filler_;
  google::protobuf::RepeatedPtrField<pb::RetrievedPoint>& records_;
  std::size_t bytes_ = 0;
};

Result<MatrixResult> matrix(const CallPtr& call, const pb::SearchMatrixPoints& request,
                            const Terms& terms) {
  MatrixRequest asked;
  asked.params = params_of(terms);
  QUIPU_TRY_OK(filter_of(request, asked.filter));
  asked.vector_name = request.using_();
  if (request.has_sample()) {
    QUIPU_TRY_OK(check_count(request.sample(), 2, 1'000, "sample"));
    asked.sample = request.sample();
  }
  if (request.has_limit()) {
    QUIPU_TRY_OK(check_count(request.limit(), 1, 999, "limit"));
    asked.limit = request.limit();
  }
  return call->core().engine.matrix(call->tenant(), call->parameter(0), asked);
}

}  // namespace

void get_points(const CallPtr& call) {
  const auto answer = [&call](const pb::GetPoints& request, const Terms& terms,
                              pb::GetResponse& response) -> Status {
    Engine& engine = call->core().engine;
    QUIPU_TRY(const std::vector<PointId> ids, read_ids(request.ids(), Place("ids")));
    QUIPU_TRY(const Selection selection, selection_of(request, true, Place("")));
    QUIPU_TRY(const PointFiller filler,
              PointFiller::make(engine, call->tenant(), call->parameter(0), selection));
    return read_points(engine, call->tenant(), call->parameter(0), ids,
                       {.ids = {}, .select = selection.select, .params = params_of(terms)},
                       RecordAdder(filler, *response.mutable_result()));
  };
  answer_with<pb::GetPoints, pb::GetResponse>(call, answer);
}

void scroll(const CallPtr& call) {
  const auto answer = [&call](const pb::ScrollPoints& request, const Terms& terms,
                              pb::ScrollResponse& response) -> Status {
    Engine& engine = call->core().engine;
    PageAsked asked;
    QUIPU_TRY(const Selection selection, selection_of(request, true, Place("")));
    asked.request.select = selection.select;
    asked.request.params = params_of(terms);
    QUIPU_TRY_OK(filter_of(request, asked.request.filter));
    if (request.has_order_by()) {
      QUIPU_TRY(asked.request.order_by, read_order_by(request.order_by(), Place("order_by")));
    }
    if (request.has_limit()) asked.limit = request.limit();
    if (request.has_offset()) {
      QUIPU_TRY(asked.first, read_id(request.offset(), Place("offset")));
    }
    QUIPU_TRY_OK(check_page(asked, Place("")));
    QUIPU_TRY(const PointFiller filler,
              PointFiller::make(engine, call->tenant(), call->parameter(0), selection));
    QUIPU_TRY(const std::optional<PointId> next,
              read_page(engine, call->tenant(), call->parameter(0), std::move(asked),
                        RecordAdder(filler, *response.mutable_result())));
    if (next) write_id(*next, *response.mutable_next_page_offset());
    return ok_status();
  };
  answer_with<pb::ScrollPoints, pb::ScrollResponse>(call, answer);
}

void count(const CallPtr& call) {
  const auto answer = [&call](const pb::CountPoints& request, const Terms& terms,
                              pb::CountResponse& response) -> Status {
    CountRequest asked{.filter = {}, .params = params_of(terms)};
    QUIPU_TRY_OK(filter_of(request, asked.filter));
    QUIPU_TRY(const std::uint64_t points,
              call->core().engine.count(call->tenant(), call->parameter(0), asked));
    response.mutable_result()->set_count(points);
    return ok_status();
  };
  answer_with<pb::CountPoints, pb::CountResponse>(call, answer);
}

void facet(const CallPtr& call) {
  const auto answer = [&call](const pb::FacetCounts& request, const Terms& terms,
                              pb::FacetResponse& response) -> Status {
    FacetRequest asked{.key = request.key(), .filter = {}, .params = params_of(terms)};
    QUIPU_TRY_OK(filter_of(request, asked.filter));
    if (request.has_limit()) {
      QUIPU_TRY_OK(check_count(request.limit(), 1, limits::kSearchHitsMax, "limit"));
      asked.limit = request.limit();
    }
    QUIPU_TRY(const std::vector<FacetValue> values,
              call->core().engine.facet(call->tenant(), call->parameter(0), asked));
    for (const FacetValue& each : values) {
      pb::FacetHit& hit = *response.add_hits();
      hit.set_count(each.count);
      if (const auto* text = std::get_if<std::string>(&each.value)) {
        hit.mutable_value()->set_string_value(*text);
      } else if (const auto* flag = std::get_if<bool>(&each.value)) {
        hit.mutable_value()->set_bool_value(*flag);
      } else {
        hit.mutable_value()->set_integer_value(std::get<std::int64_t>(each.value));
      }
    }
    return ok_status();
  };
  answer_with<pb::FacetCounts, pb::FacetResponse>(call, answer);
}

void matrix_pairs(const CallPtr& call) {
  const auto answer = [&call](const pb::SearchMatrixPoints& request, const Terms& terms,
                              pb::SearchMatrixPairsResponse& response) -> Status {
    QUIPU_TRY(const MatrixResult found, matrix(call, request, terms));
    for (const MatrixResult::Pair& pair : found.pairs) {
      pb::SearchMatrixPair& out = *response.mutable_result()->add_pairs();
      write_id(found.ids[pair.a], *out.mutable_a());
      write_id(found.ids[pair.b], *out.mutable_b());
      out.set_score(pair.score);
    }
    return ok_status();
  };
  answer_with<pb::SearchMatrixPoints, pb::SearchMatrixPairsResponse>(call, answer);
}

void matrix_offsets(const CallPtr& call) {
  const auto answer = [&call](const pb::SearchMatrixPoints& request, const Terms& terms,
                              pb::SearchMatrixOffsetsResponse& response) -> Status {
    QUIPU_TRY(const MatrixResult found, matrix(call, request, terms));
    pb::SearchMatrixOffsets& out = *response.mutable_result();
    for (const MatrixResult::Pair& pair : found.pairs) {
      out.add_offsets_row(pair.a);
      out.add_offsets_col(pair.b);
      out.add_scores(pair.score);
    }
    for (const PointId& id : found.ids) write_id(id, *out.add_ids());
    return ok_status();
  };
  answer_with<pb::SearchMatrixPoints, pb::SearchMatrixOffsetsResponse>(call, answer);
}

}  // namespace quipu::api::qdrant::rpc
