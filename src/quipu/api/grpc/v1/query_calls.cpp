// The query language, groups, facets and the matrix of distances.
#include <quipu_proto/quipu/v1/search.pb.h>

#include <memory>
#include <string>
#include <utility>
#include <variant>

#include "quipu/api/grpc/v1/handlers.h"
#include "quipu/api/grpc/v1/messages.h"
#include "quipu/api/grpc/v1/ranked.h"
#include "quipu/base/format.h"
#include "quipu/base/json.h"
#include "quipu/base/limits.h"
#include "quipu/query/request/query_json.h"

namespace quipu::api::grpc::v1 {
namespace {

constexpr std::size_t kMatrixSampleMax = 1'000;

Result<RankedRequest> read_ranked_query(const pb::QueryRequest& from, const std::string& field) {
  const auto parsed = JsonDocument::parse(from.query_json());
  if (!parsed.ok()) return bad_field(field, parsed.error().message, "malformed_json");
  auto read = query::read_query(parsed.value().root(), {.field = field, .others = {}});
  if (!read.ok()) return reading_error(read.error());
  query::RankedRequest ranked = std::move(read).value();
  RankedRequest request;
  request.query.root = std::move(ranked.stage);
  request.query.offset = ranked.offset;
  QUIPU_TRY(request.query.select, read_select(from.select()));
  request.query.explain = from.explain();
  return request;
}

// ---------------------------------------------------------------- groups

Result<GroupRequest> read_groups(const Call& call, const pb::QueryGroupsRequest& from) {
  const auto parsed = JsonDocument::parse(from.query_json());
  if (!parsed.ok()) return bad_field("query_json", parsed.error().message, "malformed_json");
  auto read =
      query::read_query_groups(parsed.value().root(), {.field = "query_json", .others = {}});
  if (!read.ok()) return reading_error(read.error());
  query::GroupedRequest grouped = std::move(read).value();
  GroupRequest request;
  request.root = std::move(grouped.stage);
  request.group_by = std::move(grouped.group_by);
  request.group_size = grouped.group_size;
  QUIPU_TRY(request.select, read_select(from.select()));
  request.explain = from.explain();
  request.params = read_params(call, from.min_seq(), !from.has_cache() || from.cache());
  return request;
}

Result<pb::QueryGroupsResponse> do_groups(const CallPtr& call, const pb::QueryGroupsRequest& from) {
  QUIPU_TRY(const GroupRequest request, read_groups(*call, from));
  QUIPU_TRY(GroupResult found,
            call->core().engine.query_groups(call->tenant(), from.collection(), request));
  pb::QueryGroupsResponse response;
  for (HitGroup& group : found.groups) {
    pb::HitGroup& to = *response.add_groups();
    if (const auto* const text = std::get_if<std::string>(&group.value)) {
      to.set_text(*text);
    } else {
      to.set_number(std::get<std::int64_t>(group.value));
    }
    for (SearchHit& hit : group.hits) fill_hit(std::move(hit), false, *to.add_hits());
  }
  if (found.explain) fill_explain(*found.explain, *response.mutable_explain());
  response.set_took_ms(ms_since_start(*call));
  return response;
}

// ---------------------------------------------------------------- facets, the matrix

Result<pb::FacetResponse> do_facet(const CallPtr& call, const pb::FacetRequest& from) {
  FacetRequest request{.key = {}, .filter = {}, .params = read_params(*call, from.min_seq())};
  QUIPU_TRY(request.key, read_path(from.key(), "key"));
  QUIPU_TRY(request.filter, read_filter(from.filter_json()));
  if (from.has_limit()) request.limit = from.limit();
  QUIPU_TRY_OK(check_within(request.limit, 1, limits::kSearchHitsMax, "limit"));
  QUIPU_TRY(const std::vector<FacetValue> values,
            call->core().engine.facet(call->tenant(), from.collection(), request));
  pb::FacetResponse response;
  for (const FacetValue& each : values) {
    pb::FacetValue& to = *response.add_values();
    to.set_count(each.count);
    if (const auto* const text = std::get_if<std::string>(&each.value)) {
      to.set_text(*text);
    } else if (const auto* const flag = std::get_if<bool>(&each.value)) {
      to.set_flag(*flag);
    } else {
      to.set_number(std::get<std::int64_t>(each.value));
    }
  }
  response.set_took_ms(ms_since_start(*call));
  return response;
}

Result<pb::MatrixResponse> do_matrix(const CallPtr& call, const pb::MatrixRequest& from) {
  MatrixRequest request{.vector_name = from.vector_name(),
                        .filter = {},
                        .params = read_params(*call, from.min_seq())};
  QUIPU_TRY(request.filter, read_filter(from.filter_json()));
  if (from.has_sample()) request.sample = from.sample();
  QUIPU_TRY_OK(check_within(request.sample, 2, kMatrixSampleMax, "sample"));
  if (from.has_limit()) request.limit = from.limit();
  QUIPU_TRY_OK(check_within(request.limit, 1, kMatrixSampleMax - 1, "limit"));
  QUIPU_TRY(const MatrixResult found,
            call->core().engine.matrix(call->tenant(), from.collection(), request));
  pb::MatrixResponse response;
  for (const PointId& id : found.ids) fill_id(id, *response.add_ids());
  for (const MatrixResult::Pair& each : found.pairs) {
    pb::MatrixPair& pair = *response.add_pairs();
    pair.set_a(static_cast<std::uint32_t>(each.a));
    pair.set_b(static_cast<std::uint32_t>(each.b));
    pair.set_score(each.score);
  }
  response.set_took_ms(ms_since_start(*call));
  return response;
}

// Reads a message and answers by `work`. Its row says where: these may read every record.
template <typename Request, typename Work>
void answer_by(const CallPtr& call, const Work& work) {
  Request message;
  if (parse_message(call, message)) reply_or_fail(call, work(call, message));
}

}  // namespace

void query(const CallPtr& call) {
  pb::QueryRequest message;
  if (!parse_message(call, message)) return;
  auto request = read_ranked_query(message, "query_json");
  if (!request.ok()) return call->fail(request.error());
  RankedBatch batch{.collection = std::move(*message.mutable_collection()),
                    .min_seq = std::move(*message.mutable_min_seq()),
                    .cache = !message.has_cache() || message.cache(),
                    .requests = {},
                    .one = true};
  batch.requests.push_back(std::move(request).value());
  ask_ranked(call, std::move(batch));
}

void query_batch(const CallPtr& call) {
  pb::QueryBatchRequest message;
  if (!parse_message(call, message)) return;
  const Status count = check_items(message.queries_size(), 1, limits::kSearchBatchMax, "queries");
  if (!count.ok()) return call->fail(count.error());
  RankedBatch batch{.collection = message.collection(),
                    .min_seq = message.min_seq(),
                    .cache = !message.has_cache() || message.cache(),
                    .requests = {}};
  for (const pb::QueryRequest& each : message.queries()) {
    const std::string at = format("queries[{}]", batch.requests.size());
    const Status inner = check_inner(each, at);
    if (!inner.ok()) return call->fail(inner.error());
    auto request = read_ranked_query(each, at + ".query_json");
    if (!request.ok()) return call->fail(request.error());
    batch.requests.push_back(std::move(request).value());
  }
  ask_ranked(call, std::move(batch));
}

void query_groups(const CallPtr& call) { answer_by<pb::QueryGroupsRequest>(call, do_groups); }
void facet(const CallPtr& call) { answer_by<pb::FacetRequest>(call, do_facet); }
void matrix(const CallPtr& call) { answer_by<pb::MatrixRequest>(call, do_matrix); }

}  // namespace quipu::api::grpc::v1
