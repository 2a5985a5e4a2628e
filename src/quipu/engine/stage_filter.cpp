#include "quipu/engine/stage_filter.h"

#include <algorithm>
#include <utility>

#include "quipu/assert.h"

namespace quipu::engine {

FilterScope StageFilters::scope(std::size_t shard_index) const {
  return {.kv = state_.kv.get(),
          .shard = reading_.collection->shards[shard_index].get(),
          .moment = reading_.moments[shard_index].get(),
          .clock = state_.clock,
          .deadline = reading_.deadline};
}

Result<StageFilters::Entry*> StageFilters::entry(const FilterChain& chain) {
  if (const auto found = entries_.find(chain); found != entries_.end()) return found->second.get();
  auto made = std::make_unique<Entry>();
  made->matches.resize(reading_.moments.size());
  if (!chain.empty()) {
    Filter all;
    for (const Filter* part : chain) all.must.push_back({*part});
    QUIPU_TRY(PointFilter compiled, PointFilter::compile(chain.size() == 1 ? *chain.front() : all,
                                                         reading_.collection->record.config.vectors,
                                                         reading_.collection->schema.get()));
    if (!compiled.compiled().empty()) made->filter.emplace(std::move(compiled));
  }
  return entries_.emplace(chain, std::move(made)).first->second.get();
}

Result<const Matches*> StageFilters::matches(const FilterChain& chain, std::size_t shard_index) {
  QUIPU_TRY(Entry* const found, entry(chain));
  if (!found->filter) return static_cast<const Matches*>(nullptr);
  std::optional<Matches>& there = found->matches[shard_index];
  if (!there) {
    const auto begin = state_.clock->steady_now();
    QUIPU_TRY(there, find_matches(scope(shard_index), *found->filter));
    judged += there->judged;
    matched += there->count();
    keys_without_index.insert(there->keys_without_index.begin(), there->keys_without_index.end());
    const auto spent = state_.clock->steady_now() - begin;
    spent_ms += std::chrono::duration<double, std::milli>(spent).count();
  }
  return static_cast<const Matches*>(&*there);
}

Status StageFilters::visit(const FilterChain& chain, std::size_t shard_index,
                           const MatchVisitor& visit) {
  QUIPU_TRY(const Matches* const passing, matches(chain, shard_index));
  if (passing != nullptr) return for_each_match(scope(shard_index), *passing, visit);
  QUIPU_TRY_OK(for_each_point(scope(shard_index), visit));
  return ok_status();
}

Result<const index::SlotBitmap*> StageFilters::slots(const FilterChain& chain,
                                                     std::size_t shard_index,
                                                     std::size_t vector_index) {
  QUIPU_TRY(const Matches* const passing, matches(chain, shard_index));
  if (passing == nullptr) return static_cast<const index::SlotBitmap*>(nullptr);
  if (passing->slots() != nullptr) return passing->slots();
  QUIPU_TRY(Entry* const found, entry(chain));
  const auto [at, fresh] = found->slots.try_emplace({shard_index, vector_index});
  if (fresh) {
    const auto begin = state_.clock->steady_now();
    const auto& view = reading_.moments[shard_index]->views->dense[vector_index];
    QUIPU_ASSERT(view != nullptr);
    at->second = slots_of(*passing, scope(shard_index), *view);
    const auto spent = state_.clock->steady_now() - begin;
    spent_ms += std::chrono::duration<double, std::milli>(spent).count();
  }
  return static_cast<const index::SlotBitmap*>(&at->second);
}

void IdSlots::for_each(const std::function<bool(SlotId)>&) const {
  QUIPU_ASSERT(false);  // would be a look at every slot; sparse views never ask
}

}  // namespace quipu::engine
