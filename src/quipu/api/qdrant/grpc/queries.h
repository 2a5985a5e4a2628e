// Ranked reads of Qdrant's messages. What is read satisfies query::check_query() and the limits of
// hits. Errors: kInvalidArgument with the place, spelt as in the JSON of the same request; those of
// filters; kUnimplemented for images and objects to be embedded, and for shard keys.
#pragma once

#include <qdrant_proto/points.pb.h>

#include "quipu/api/qdrant/grpc/values.h"
#include "quipu/api/qdrant/ranked.h"
#include "quipu/query.h"
#include "quipu/result.h"

namespace quipu::api::qdrant::rpc {

// `at` is the place of the request: "" alone, "searches[2]" in a batch. The timeout is the caller's
// to set.
[[nodiscard]] Result<Ranked> read_ranked(const pb::QueryPoints& from, const Place& at);
[[nodiscard]] Result<Ranked> read_ranked(const pb::SearchPoints& from, const Place& at);
[[nodiscard]] Result<Ranked> read_ranked(const pb::RecommendPoints& from, const Place& at);
[[nodiscard]] Result<Ranked> read_ranked(const pb::DiscoverPoints& from, const Place& at);

[[nodiscard]] Result<Grouped> read_grouped(const pb::QueryPointGroups& from, const Place& at);
[[nodiscard]] Result<Grouped> read_grouped(const pb::SearchPointGroups& from, const Place& at);
[[nodiscard]] Result<Grouped> read_grouped(const pb::RecommendPointGroups& from, const Place& at);

[[nodiscard]] Result<OrderByQuery> read_order_by(const pb::OrderBy& from, const Place& at);

// Which parts of points an answer has: `payload` is what holds where the request does not say.
[[nodiscard]] Result<Selection> read_selection(const pb::WithPayloadSelector* payload,
                                               const pb::WithVectorsSelector* vectors,
                                               bool payload_default, const Place& at);
// The same from the two members that requests have.
template <typename Request>
[[nodiscard]] Result<Selection> selection_of(const Request& request, bool payload_default,
                                             const Place& at) {
  return read_selection(request.has_with_payload() ? &request.with_payload() : nullptr,
                        request.has_with_vectors() ? &request.with_vectors() : nullptr,
                        payload_default, at);
}

}  // namespace quipu::api::qdrant::rpc
