// Filters answered from payload indexes.
//
// A filter is turned into a tree of conditions, each with the index that answers it, if there is
// one. The tree is evaluated over bitmaps of slots in a logic of three values: what surely matches,
// what surely does not, and what has to be judged by its payload, because a condition has no index
// or its index does not hold all. So indexes never change an answer, they only save reading.
//
// Conditions inside `nested` are about one element, which indexes do not tell apart: they give what
// any element satisfies, which is a superset, and the same where just one condition is asked for.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "quipu/filter.h"
#include "quipu/ids.h"
#include "quipu/index/payload/payload_index.h"
#include "quipu/index/slot_filter.h"
#include "quipu/query/filter/evaluate.h"
#include "quipu/query/plan/index_query.h"

namespace quipu::query {

// Where the planner finds what it needs of one moment of a shard. Threads: as the caller's.
class PlanSource {
 public:
  // The payload indexes on the key, which is canonical (PayloadPath::to_string()). Borrowed as long
  // as the plan. A text index's analyzer is the one by which the filter was compiled for the key.
  [[nodiscard]] virtual std::span<const IndexedField> fields(std::string_view key) const = 0;
  // These add the slots of the moment's points which the condition holds for, and return true; or
  // they return false when they cannot tell, and the points are judged one by one.
  virtual bool add_slots_of(std::span<const PointId> ids, index::SlotBitmap& into) const = 0;
  virtual bool add_slots_with_vector(std::string_view name, index::SlotBitmap& into) const = 0;
  virtual bool add_slots_in(const SliceCondition& slice, index::SlotBitmap& into) const = 0;

 protected:
  ~PlanSource() = default;
};

// What was planned for one condition, for `explain`.
struct PlannedCondition {
  std::string key;  // "" for ids, vectors and slices
  // The index's kind ("keyword"), "ids", "vector", "slice", or "none": no index answers it.
  std::string_view answered_by;
  index::PayloadEstimate estimate;
  bool left_to_judge = false;  // evaluating it would have cost more than judging what is left
};

struct FilterMatches {
  index::SlotBitmap sure;      // surely match
  index::SlotBitmap to_judge;  // may match; none of `sure`
  [[nodiscard]] bool exact() const noexcept { return to_judge.empty(); }
};

struct EvaluateOptions {
  // How many entries of an index are read in the time that it takes to judge one point. A condition
  // is left to be judged where few points are left and it has many entries. 0: never.
  std::uint64_t entries_per_judged_point = 0;
};

// Threads: one at a time.
class FilterPlan {
 public:
  // Filter and source outlive the plan; `live_count` is the number of the moment's points.
  FilterPlan(const CompiledFilter& filter, const PlanSource& source, std::uint64_t live_count);
  ~FilterPlan();
  FilterPlan(const FilterPlan&) = delete;
  FilterPlan& operator=(const FilterPlan&) = delete;

  // How many points match, from the sizes of lists alone. `low` and `high` are sure; `expected`
  // takes conditions as independent of each other.
  [[nodiscard]] const index::PayloadEstimate& estimate() const noexcept;
  // Keys of conditions that no index answers, ascending, distinct: "an index on K would help".
  [[nodiscard]] const std::vector<std::string>& keys_without_index() const noexcept;
  // In the filter's order, the inner ones after the outer.
  [[nodiscard]] std::vector<PlannedCondition> conditions() const;
  // Whether any condition bounds the matches: if not, evaluating gives every live slot.
  [[nodiscard]] bool helps() const noexcept;

  // `live`: the slots of the moment's points. `as_of`: as for PayloadIndex::match().
  // Cost: what the conditions' entries cost, and a few passes over bitmaps.
  [[nodiscard]] FilterMatches evaluate(const index::SlotBitmap& live, Seq as_of,
                                       const EvaluateOptions& options = {});

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace quipu::query
