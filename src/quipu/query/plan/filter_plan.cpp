#include "quipu/query/plan/filter_plan.h"

#include <algorithm>
#include <utility>

#include "quipu/assert.h"
#include "quipu/query/plan/plan_tree.h"
#include "quipu/query/plan/slot_truth.h"

namespace quipu::query {
namespace {

using index::SlotBitmap;
using NodeKind = PlanNode::Kind;

// Recursion as the builder's. A group may be asked several times.
class Evaluation {
 public:
  Evaluation(const PlanSource& source, const SlotBitmap& live, Seq as_of,
             const EvaluateOptions& options)
      : source_(source), live_(live), as_of_(as_of), options_(options) {}

  SlotTruth group(PlanGroup& group) const {
    if (!group.reachable()) return SlotTruth::exactly({});
    SlotTruth all = SlotTruth::exactly(live_);
    for (PlanNode* const each : by_estimate(group.must)) {
      if (all.most().empty()) return all;
      each->left_to_judge = is_cheaper_to_judge(*each, all);
      all.and_with(each->left_to_judge ? SlotTruth() : node(*each));
    }
    if (!group.should.empty()) all.and_with(any_of(group.should));
    if (group.min_count.has_value() && !all.most().empty()) {
      all.and_with(some_of(group.min_should, *group.min_count));
    }
    for (PlanNode& each : group.must_not) {
      if (all.most().empty()) return all;
      // Some element may lack what another one has; so that other one tells nothing.
      all.and_not(group.of_element ? SlotTruth() : node(each));
    }
    if (group.of_element && !group.is_one_of()) all.weaken();
    return all;
  }

 private:
  static std::vector<PlanNode*> by_estimate(std::vector<PlanNode>& nodes) {
    std::vector<PlanNode*> order;
    for (PlanNode& node : nodes) order.push_back(&node);
    std::stable_sort(order.begin(), order.end(), [](const PlanNode* a, const PlanNode* b) {
      return a->estimate.expected < b->estimate.expected;
    });
    return order;
  }

  [[nodiscard]] bool is_cheaper_to_judge(const PlanNode& node, const SlotTruth& left) const {
    if (options_.entries_per_judged_point == 0 || node.kind != NodeKind::kField) return false;
    return node.estimate.expected / options_.entries_per_judged_point > left.most().count();
  }

  SlotTruth node(PlanNode& node) const {
    switch (node.kind) {
      case NodeKind::kField: return field(node);
      case NodeKind::kUnknown: return {};
      case NodeKind::kNever: return SlotTruth::exactly({});
      case NodeKind::kNested:
      case NodeKind::kGroup: return group(*node.group);
      case NodeKind::kIds:
        return told([&](SlotBitmap& into) { return source_.add_slots_of(node.ids->ids, into); });
      case NodeKind::kVector:
        return told([&](SlotBitmap& into) {
          return source_.add_slots_with_vector(node.vector->name, into);
        });
      case NodeKind::kSlice:
        return told([&](SlotBitmap& into) { return source_.add_slots_in(*node.slice, into); });
    }
    return {};
  }

  template <typename Tell>
  static SlotTruth told(const Tell& tell) {
    SlotBitmap slots;
    if (!tell(slots)) return {};
    return SlotTruth::exactly(std::move(slots));
  }

  SlotTruth field(const PlanNode& node) const {
    SlotBitmap sure;
    SlotBitmap maybe;
    const index::PayloadQuery& query = node.query->query;
    node.field.index->match(*node.field.moment, query, as_of_, sure, maybe);
    if (index::holds_when_missing(query)) {
      SlotBitmap present;
      node.field.index->match_present(*node.field.moment, as_of_, present);
      SlotBitmap missing = live_;
      missing.subtract(present);
      sure.unite(missing);
    }
    if (maybe.empty()) return SlotTruth::exactly(std::move(sure));
    maybe.unite(sure);
    return SlotTruth::between(std::move(sure), std::move(maybe));
  }

  SlotTruth any_of(std::vector<PlanNode>& nodes) const {
    SlotTruth any = SlotTruth::exactly({});
    for (PlanNode& each : nodes) any.or_with(node(each));
    return any;
  }

  SlotTruth some_of(std::vector<PlanNode>& nodes, std::uint64_t count) const {
    if (count == 1) return any_of(nodes);
    SlotCounter least;
    SlotCounter most;
    std::uint64_t unbounded = 0;  // conditions that may hold for any slot
    for (PlanNode& each : nodes) {
      const SlotTruth truth = node(each);
      least.add(truth.least());
      if (truth.bounded()) {
        most.add(truth.most());
      } else {
        ++unbounded;
      }
    }
    SlotBitmap sure = least.at_least(count);
    SlotBitmap maybe = unbounded >= count ? live_ : most.at_least(count - unbounded);
    maybe.unite(sure);
    return SlotTruth::between(std::move(sure), std::move(maybe));
  }

  const PlanSource& source_;
  const SlotBitmap& live_;
  const Seq as_of_;
  const EvaluateOptions& options_;
};

std::string_view answered_by(const PlanNode& node) {
  switch (node.kind) {
    case NodeKind::kField: return index::payload_kind_name(node.field.index->options().kind);
    case NodeKind::kIds: return "ids";
    case NodeKind::kVector: return "vector";
    case NodeKind::kSlice: return "slice";
    default: return "none";
  }
}

void list_conditions(const PlanGroup& group, std::vector<PlannedCondition>& into) {
  for (const auto* const nodes : {&group.must, &group.should, &group.must_not, &group.min_should}) {
    for (const PlanNode& node : *nodes) {
      if (node.group != nullptr) {
        list_conditions(*node.group, into);
        continue;
      }
      into.push_back({.key = node.key,
                      .answered_by = answered_by(node),
                      .estimate = node.estimate,
                      .left_to_judge = node.left_to_judge});
    }
  }
}

// Whether evaluating the condition can tell that some point does not match, or, for `negated`, that
// some point does.
bool bounds(const PlanNode& node, bool negated);

bool bounds(const PlanGroup& group, bool negated) {
  const auto all = [negated](const std::vector<PlanNode>& nodes) {
    return std::all_of(nodes.begin(), nodes.end(),
                       [negated](const PlanNode& node) { return bounds(node, negated); });
  };
  const auto any = [](const std::vector<PlanNode>& nodes, bool negate) {
    return std::any_of(nodes.begin(), nodes.end(),
                       [negate](const PlanNode& node) { return bounds(node, negate); });
  };
  if (!group.reachable()) return true;
  if (negated) {
    // Something surely matches only if every clause says so.
    const bool should = group.should.empty() || any(group.should, true);
    const bool min_should = !group.min_count.has_value() || any(group.min_should, true);
    const bool must_not = std::all_of(group.must_not.begin(), group.must_not.end(),
                                      [](const PlanNode& node) { return bounds(node, false); });
    const bool known = all(group.must) && should && min_should && must_not;
    return group.of_element ? known && group.is_one_of() : known;
  }
  return any(group.must, false) || (!group.should.empty() && all(group.should)) ||
         (group.min_count.has_value() && any(group.min_should, false)) ||
         (!group.of_element && any(group.must_not, true));
}

bool bounds(const PlanNode& node, bool negated) {
  if (node.kind == NodeKind::kUnknown) return false;
  return node.group == nullptr || bounds(*node.group, negated);
}

}  // namespace

struct FilterPlan::State {
  const PlanSource& source;
  PlanGroup root;
  std::vector<std::string> without_index;
};

FilterPlan::FilterPlan(const CompiledFilter& filter, const PlanSource& source,
                       std::uint64_t live_count) {
  PlanBuilder builder(source, live_count);
  PlanGroup root = builder.group(filter.filter(), nullptr);
  state_ =
      std::make_unique<State>(State{source, std::move(root), builder.take_keys_without_index()});
}

FilterPlan::~FilterPlan() = default;

const index::PayloadEstimate& FilterPlan::estimate() const noexcept {
  return state_->root.estimate;
}
const std::vector<std::string>& FilterPlan::keys_without_index() const noexcept {
  return state_->without_index;
}
bool FilterPlan::helps() const noexcept { return bounds(state_->root, false); }

std::vector<PlannedCondition> FilterPlan::conditions() const {
  std::vector<PlannedCondition> all;
  list_conditions(state_->root, all);
  return all;
}

FilterMatches FilterPlan::evaluate(const SlotBitmap& live, Seq as_of,
                                   const EvaluateOptions& options) {
  const SlotTruth truth = Evaluation(state_->source, live, as_of, options).group(state_->root);
  FilterMatches matches = {.sure = truth.least(), .to_judge = {}};
  if (!truth.exact()) {
    matches.to_judge = truth.most();
    matches.to_judge.subtract(matches.sure);
  }
  return matches;
}

}  // namespace quipu::query
