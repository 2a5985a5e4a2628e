// Ranked reads of one collection, alone or in a batch.
#pragma once

#include <quipu_proto/quipu/v1/search.pb.h>

#include <string>
#include <vector>

#include "quipu/api/calls/search_input.h"
#include "quipu/api/grpc/v1/messages.h"
#include "quipu/engine.h"
#include "quipu/result.h"

namespace quipu::api::grpc::v1 {

struct RankedBatch {
  std::string collection;
  std::string min_seq;
  bool cache = true;
  std::vector<RankedRequest> requests;
  bool one = false;  // answered by a SearchResponse; else by a SearchBatchResponse
};
// Asks one after the other, where that may take its time, and answers.
void ask_ranked(const CallPtr& call, RankedBatch batch);

// `at` is what stands before the fields' names in errors: "", "queries[2].".
[[nodiscard]] Result<SearchInput> read_search(const pb::SearchRequest& from, const std::string& at);
// That a query inside a list leaves to the list what is for all.
template <typename Query>
[[nodiscard]] Status check_inner(const Query& query, const std::string& at) {
  if (query.collection().empty() && query.min_seq().empty() && !query.has_cache()) {
    return ok_status();
  }
  return bad_field(at, "cannot have collection, min_seq or cache: the request has them for all");
}

void fill_hit(SearchHit&& hit, bool hybrid, pb::Hit& out);

}  // namespace quipu::api::grpc::v1
