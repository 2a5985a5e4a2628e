// Searches: of one collection, of several.
#include <quipu_proto/quipu/v1/search.pb.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "quipu/api/calls/search_several.h"
#include "quipu/api/grpc/v1/handlers.h"
#include "quipu/api/grpc/v1/messages.h"
#include "quipu/api/grpc/v1/ranked.h"
#include "quipu/base/format.h"
#include "quipu/base/limits.h"

namespace quipu::api::grpc::v1 {
namespace {

struct ReadSearch {
  SearchInput input;
  Select select;
};

Result<ReadSearch> read_one(const pb::SearchRequest& from, const std::string& at) {
  ReadSearch read;
  QUIPU_TRY(read.input, read_search(from, at));
  QUIPU_TRY(read.select, read_select(from.select()));
  return read;
}

Result<std::vector<ReadSearch>> read_all(const pb::SearchBatchRequest& from) {
  QUIPU_TRY_OK(check_items(from.queries_size(), 1, limits::kSearchBatchMax, "queries"));
  std::vector<ReadSearch> all;
  for (const pb::SearchRequest& each : from.queries()) {
    const std::string at = format("queries[{}]", all.size());
    QUIPU_TRY_OK(check_inner(each, at));
    QUIPU_TRY(ReadSearch read, read_one(each, at + "."));
    all.push_back(std::move(read));
  }
  return all;
}

// All are read before the first is looked up: a mistake in the message comes before one about the
// collection, as in REST's bodies.
void ask_searches(const CallPtr& call, std::vector<ReadSearch> searches, RankedBatch batch) {
  for (ReadSearch& each : searches) {
    auto request = to_request(std::move(each.input), each.select, *call, batch.collection);
    if (!request.ok()) return fail_query(call, request.error(), batch.one, batch.requests.size());
    batch.requests.push_back(std::move(request).value());
  }
  ask_ranked(call, std::move(batch));
}

// ---------------------------------------------------------------- several collections

struct SeveralBatch {
  std::vector<SeveralInput> inputs;
  std::string min_seq;
  bool cache = true;
};

Result<SeveralInput> read_several(const pb::SeveralSearch& from, std::size_t index) {
  const std::string field = format("queries[{}]", index);
  const std::string at = field + ".search";
  QUIPU_TRY_OK(check_inner(from.search(), at));
  SeveralInput input;
  QUIPU_TRY_OK(
      check_items(from.collections_size(), 1, kSeveralCollectionsMax, field + ".collections"));
  for (const std::string& name : from.collections()) {
    QUIPU_TRY_OK(check_bytes(name, 1, limits::kNameBytesMax, field + ".collections"));
    input.collections.push_back(name);
  }
  QUIPU_TRY(input.search, read_search(from.search(), at + "."));
  QUIPU_TRY(input.select, read_select(from.search().select()));
  const Path root;
  const Path list(root, "queries");
  FieldErrors errors;
  check_several(input.collections, input.search, Path(list, index), errors);
  QUIPU_TRY_OK(first_of(errors));
  return input;
}

Result<SeveralBatch> read_several_batch(const pb::SearchSeveralRequest& from) {
  QUIPU_TRY_OK(check_items(from.queries_size(), 1, limits::kSearchBatchMax, "queries"));
  SeveralBatch batch{.inputs = {}, .min_seq = from.min_seq()};
  if (from.has_cache()) batch.cache = from.cache();
  std::size_t searches = 0;
  for (const pb::SeveralSearch& each : from.queries()) {
    QUIPU_TRY(SeveralInput input, read_several(each, batch.inputs.size()));
    searches += input.collections.size();
    batch.inputs.push_back(std::move(input));
  }
  if (searches > kSeveralSearchesMax) return too_many_searches(searches);
  return batch;
}

void fill_several(SeveralResult several, pb::SeveralResult& out) {
  for (const SeveralHit& at : several.hits) {
    SeveralPart& part = several.parts[at.part];
    pb::SeveralHit& hit = *out.add_hits();
    hit.set_collection(part.name);
    fill_hit(std::move(part.result.hits[at.hit]), part.request.hybrid, *hit.mutable_hit());
  }
  for (const SeveralPart& part : several.parts) {
    pb::SeveralPart& made = *out.add_collections();
    made.set_collection(part.name);
    made.set_hits(part.result.hits.size());
    if (part.error) fill_item_error(*part.error, *made.mutable_error());
    made.set_query_truncated(part.result.query_truncated);
    if (part.result.explain) fill_explain(*part.result.explain, *made.mutable_explain());
    made.set_took_ms(part.took_ms);
  }
  out.set_took_ms(several.took_ms);
}

void answer_several(const CallPtr& call, const SeveralBatch& batch) {
  pb::SearchSeveralResponse response;
  for (std::size_t i = 0; i < batch.inputs.size(); ++i) {
    auto found =
        search_several(*call, batch.inputs[i], read_params(*call, batch.min_seq, batch.cache));
    if (!found.ok()) return fail_query(call, found.error(), false, i);
    fill_several(std::move(found).value(), *response.add_results());
  }
  reply_message(call, response);
}

}  // namespace

void search(const CallPtr& call) {
  pb::SearchRequest message;
  if (!parse_message(call, message)) return;
  auto read = read_one(message, "");
  if (!read.ok()) return call->fail(read.error());
  std::vector<ReadSearch> searches;
  searches.push_back(std::move(read).value());
  ask_searches(call, std::move(searches),
               {.collection = std::move(*message.mutable_collection()),
                .min_seq = std::move(*message.mutable_min_seq()),
                .cache = !message.has_cache() || message.cache(),
                .requests = {},
                .one = true});
}

void search_batch(const CallPtr& call) {
  pb::SearchBatchRequest message;
  if (!parse_message(call, message)) return;
  auto searches = read_all(message);
  if (!searches.ok()) return call->fail(searches.error());
  ask_searches(call, std::move(searches).value(),
               {.collection = std::move(*message.mutable_collection()),
                .min_seq = std::move(*message.mutable_min_seq()),
                .cache = !message.has_cache() || message.cache(),
                .requests = {}});
}

void search_several_collections(const CallPtr& call) {
  pb::SearchSeveralRequest message;
  if (!parse_message(call, message)) return;
  auto batch = read_several_batch(message);
  if (!batch.ok()) return call->fail(batch.error());
  const auto shared = std::make_shared<const SeveralBatch>(std::move(batch).value());
  // A text waits for the embedder: that must not hold a thread that searches for others.
  bool waits = !shared->min_seq.empty();
  for (const SeveralInput& input : shared->inputs) waits = waits || input.search.text.has_value();
  run(call, waits, [shared](const CallPtr& self) { answer_several(self, *shared); });
}

}  // namespace quipu::api::grpc::v1
