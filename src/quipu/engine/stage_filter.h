// The filters of a query's stages: each combination is compiled once, and its matches in a shard
// are found once, when they are first needed.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "quipu/engine/engine_state.h"
#include "quipu/engine/point_filter.h"
#include "quipu/filter.h"
#include "quipu/index/slot_filter.h"
#include "quipu/index/slot_order.h"
#include "quipu/result.h"

namespace quipu::engine {

// The filters that hold for a stage, outermost first; borrowed from the query.
using FilterChain = std::vector<const Filter*>;

// Threads: one, for one query.
class StageFilters {
 public:
  // Borrows both.
  StageFilters(Engine::State& state, const Engine::State::Reading& reading)
      : state_(state), reading_(reading) {}

  // The points of a shard that pass; null when all do. Errors: those of compiling a filter and of
  // for_each_match().
  [[nodiscard]] Result<const Matches*> matches(const FilterChain& chain, std::size_t shard_index);
  // Reads the records of those that pass, or of all.
  Status visit(const FilterChain& chain, std::size_t shard_index, const MatchVisitor& visit);
  // Their slots in a dense view; null when all pass.
  [[nodiscard]] Result<const index::SlotBitmap*> slots(const FilterChain& chain,
                                                       std::size_t shard_index,
                                                       std::size_t vector_index);
  [[nodiscard]] FilterScope scope(std::size_t shard_index) const;

  // For `explain`.
  std::set<std::string> keys_without_index;
  std::uint64_t judged = 0;
  std::uint64_t matched = 0;
  double spent_ms = 0;

 private:
  struct Entry {
    std::optional<PointFilter> filter;
    std::vector<std::optional<Matches>> matches;  // by shard
    std::map<std::pair<std::size_t, std::size_t>, index::SlotBitmap> slots;
  };
  Result<Entry*> entry(const FilterChain& chain);

  Engine::State& state_;
  const Engine::State::Reading& reading_;
  std::map<FilterChain, std::unique_ptr<Entry>> entries_;
};

// Slots of points that are among some ids, for views that only ask whether they contain one.
class IdSlots final : public index::SlotFilter {
 public:
  // Borrows `ids`. `id_of` is asked for slots of the moment's own rows only.
  IdSlots(const std::unordered_set<PointId>& ids, std::function<PointId(SlotId)> id_of)
      : ids_(ids), id_of_(std::move(id_of)) {}
  [[nodiscard]] bool contains(SlotId slot) const noexcept override {
    return ids_.contains(id_of_(slot));
  }
  [[nodiscard]] std::size_t count() const noexcept override { return ids_.size(); }
  // Not for this one: it would be a look at every slot.
  void for_each(const std::function<bool(SlotId)>& visit) const override;

 private:
  const std::unordered_set<PointId>& ids_;
  const std::function<PointId(SlotId)> id_of_;
};

// Slots by the ids of their points: an order that no history changes.
class IdOrder final : public index::SlotOrder {
 public:
  // Borrows `slots`. Asked for slots of the moment's own rows only.
  explicit IdOrder(const SlotMap& slots) : slots_(slots) {}
  [[nodiscard]] bool before(SlotId a, SlotId b) const noexcept override {
    return slots_.id_of(a) < slots_.id_of(b);
  }

 private:
  const SlotMap& slots_;
};

}  // namespace quipu::engine
