// Deletes and patches of all points that match a filter (invariants.md, rule 10): the points are
// found first; which of them match is judged again when the write is applied.
#include <algorithm>
#include <utility>

#include "quipu/base/bytes.h"
#include "quipu/base/format.h"
#include "quipu/base/json.h"
#include "quipu/base/limits.h"
#include "quipu/engine/canonical.h"
#include "quipu/engine/engine_state.h"
#include "quipu/engine/point_filter.h"
#include "quipu/engine/refusals.h"
#include "quipu/engine/waiting.h"
#include "quipu/query/filter/filter_json.h"

namespace quipu {
namespace {

using engine::Applied;
using engine::Collection;
using engine::invalid;
using engine::PointFilter;

// Writes one kind of operation to the matches of a filter, shard by shard.
template <typename Op>
class FilterWrite {
 public:
  FilterWrite(Engine::State& state, std::string_view tenant, std::string_view name,
              const Filter& filter, const WriteParams& params)
      : state_(state), tenant_(tenant), name_(name), filter_(filter), params_(params) {}

  // `op` lacks filter and candidates.
  Result<FilterWriteResult> run(const Op& op) {
    QUIPU_TRY(const Engine::State::Reading reading,
              state_.begin_read(tenant_, name_, {.min_seq = {}, .timeout = params_.timeout}));
    QUIPU_TRY(const PointFilter compiled,
              PointFilter::compile(filter_, reading.collection->record.config.vectors));
    JsonWriter out(filter_json_);
    query::write_filter(filter_, out);
    QUIPU_TRY_OK(state_.admit(*reading.collection, reading.deadline));
    for (std::size_t i = 0; i < reading.moments.size(); ++i) {
      QUIPU_TRY_OK(write_shard(reading, i, compiled, op));
    }
    std::sort(token_.moments.begin(), token_.moments.end());
    result_.seq = engine::format_seq_token(token_);
    result_.durable = reading.collection->record.config.durability == Durability::kSync;
    return result_;
  }

 private:
  Status write_shard(const Engine::State::Reading& reading, std::size_t shard_index,
                     const PointFilter& compiled, const Op& op) {
    const std::shared_ptr<engine::Shard>& shard = reading.collection->shards[shard_index];
    const engine::FilterScope scope{.kv = state_.kv.get(),
                                    .shard = shard.get(),
                                    .moment = reading.moments[shard_index].get(),
                                    .clock = state_.clock,
                                    .deadline = reading.deadline};
    QUIPU_TRY(const engine::Matches matches, engine::find_matches(scope, compiled));
    const std::vector<PointId> ids = matches.sorted_ids();
    const bool keyed = !params_.idempotency_key.empty();
    if (keyed && ids.size() > limits::kBatchPointsMax) {
      return Error{ErrorCode::kResourceExhausted,
                   format("{} points match; with an idempotency key a write by filter takes at "
                          "most {} of a shard, since it must be one operation",
                          ids.size(), limits::kBatchPointsMax),
                   "batch_too_large"};
    }
    for (std::size_t begin = 0; begin < ids.size() || (keyed && begin == 0);) {
      const std::size_t count = std::min(limits::kBatchPointsMax, ids.size() - begin);
      Op part = op;
      part.filter = filter_json_;
      const auto first = ids.begin() + static_cast<std::ptrdiff_t>(begin);
      part.candidates.assign(first, first + static_cast<std::ptrdiff_t>(count));
      QUIPU_TRY_OK(write_part(reading, shard, shard_index, std::move(part)));
      begin += std::max<std::size_t>(count, 1);
    }
    return ok_status();
  }

  Status write_part(const Engine::State::Reading& reading,
                    const std::shared_ptr<engine::Shard>& shard, std::size_t shard_index, Op part) {
    engine::PointsWrite write;
    write.shard = shard;
    write.operation.time_us = state_.clock->now_us();
    if (!params_.idempotency_key.empty()) {
      write.operation.idempotency = identity(*reading.collection, shard_index, part);
    }
    write.operation.body = std::move(part);
    QUIPU_TRY_OK(storage::validate_operation(write.operation));
    storage::encode_operation(write.operation, write.encoded);
    write.sync = reading.collection->record.config.durability == Durability::kSync;
    engine::Waiting<Applied> waiter;
    write.done = waiter.callback();
    QUIPU_TRY_OK(state_.committer->submit(std::move(write), reading.deadline));
    QUIPU_TRY(const Applied applied, waiter.wait());
    if (applied.refused) {
      for (const ItemResult& item : applied.items) {
        if (item.error) return *item.error;
      }
    }
    result_.matched += applied.items.size();
    std::erase_if(token_.moments, [&shard](const auto& each) { return each.first == shard->id(); });
    token_.moments.emplace_back(shard->id(), applied.seq);
    return ok_status();
  }

  // What identifies the request is what was asked, not which points were found for it.
  [[nodiscard]] storage::OpIdempotency identity(const Collection& collection,
                                                std::size_t shard_index, Op part) const {
    std::string scope;
    ByteWriter out(scope);
    out.sized(tenant_);
    out.sized(collection.record.name);  // an alias is no other request
    out.sized("by_filter");
    out.sized(params_.idempotency_key);
    out.varint(shard_index);
    part.candidates.clear();
    const storage::Operation alone{.time_us = 0, .idempotency = {}, .body = std::move(part)};
    return {.key = digest128(scope), .request = digest128(storage::encode_operation(alone))};
  }

  Engine::State& state_;
  const std::string_view tenant_;
  const std::string_view name_;
  const Filter& filter_;
  const WriteParams& params_;
  std::string filter_json_;
  engine::SeqToken token_;
  FilterWriteResult result_;
};

}  // namespace

Result<FilterWriteResult> Engine::remove_by_filter(std::string_view tenant,
                                                   std::string_view collection,
                                                   const DeleteByFilterRequest& request) {
  return FilterWrite<storage::DeleteByFilterOp>(*state_, tenant, collection, request.filter,
                                                request.params)
      .run({});
}

Result<FilterWriteResult> Engine::patch_by_filter(std::string_view tenant,
                                                  std::string_view collection,
                                                  PatchByFilterRequest request) {
  if (request.patch.text || !request.patch.vectors.empty() || request.patch.condition.if_version ||
      request.patch.condition.if_absent) {
    return invalid(
        "a patch by filter changes payloads and deletes vectors; it cannot set text, "
        "vectors or conditions",
        "invalid_patch");
  }
  QUIPU_TRY(const std::shared_ptr<const Collection> found,
            state_->catalogue.find(tenant, collection));
  storage::PatchByFilterOp op;
  QUIPU_TRY_OK(engine::canonical_change(*found, request.patch, "patch", op.patch));
  // By its own name: the patch was made for this one, wherever an alias points by now.
  return FilterWrite<storage::PatchByFilterOp>(*state_, tenant, found->record.name, request.filter,
                                               request.params)
      .run(op);
}

}  // namespace quipu
