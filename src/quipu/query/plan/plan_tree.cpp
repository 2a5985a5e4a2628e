#include "quipu/query/plan/plan_tree.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "quipu/assert.h"

namespace quipu::query {
namespace {

using index::PayloadEstimate;

// The share of points for which a condition without an index is taken to hold, for want of better.
constexpr double kUnknownShare = 0.33;
// Up to so many steps the expected number of a min_should is computed exactly.
constexpr std::uint64_t kMinShouldStepsMax = 1U << 16;

PayloadPath parsed(const std::string& key) {
  Result<PayloadPath> path = PayloadPath::parse(key);
  QUIPU_ASSERT(path.ok());  // the filter was checked
  return std::move(path).value();
}

std::uint64_t rounded(double count, std::uint64_t low, std::uint64_t high) {
  const double within = std::clamp(count, static_cast<double>(low), static_cast<double>(high));
  return std::clamp(static_cast<std::uint64_t>(std::llround(within)), low, high);
}

// Added up without passing `most`.
std::uint64_t capped_sum(std::uint64_t a, std::uint64_t b, std::uint64_t most) {
  return a > most - std::min(b, most) ? most : a + b;
}

}  // namespace

bool PlanGroup::is_one_of() const noexcept {
  if (!must_not.empty() || (min_count.has_value() && *min_count != 1)) return false;
  const int clauses = (must.empty() ? 0 : 1) + (should.empty() ? 0 : 1) + (min_count ? 1 : 0);
  return clauses == 1 && must.size() <= 1;
}

PlanGroup PlanBuilder::group(const Filter& filter, const PayloadPath* base) {
  PlanGroup group;
  group.of_element = base != nullptr;
  group.must = nodes(filter.must, base);
  group.should = nodes(filter.should, base);
  group.must_not = nodes(filter.must_not, base);
  if (filter.min_should.has_value()) {
    group.min_should = nodes(filter.min_should->conditions, base);
    group.min_count = filter.min_should->min_count;
  }
  group.estimate = of_group(group);
  return group;
}

std::vector<std::string> PlanBuilder::take_keys_without_index() {
  std::sort(without_index_.begin(), without_index_.end());
  without_index_.erase(std::unique(without_index_.begin(), without_index_.end()),
                       without_index_.end());
  return std::move(without_index_);
}

std::vector<PlanNode> PlanBuilder::nodes(const std::vector<FilterCondition>& conditions,
                                         const PayloadPath* base) {
  std::vector<PlanNode> nodes;
  nodes.reserve(conditions.size());
  for (const FilterCondition& condition : conditions) {
    nodes.push_back(std::visit([&](const auto& kind) { return node(kind, base); }, condition.is));
  }
  return nodes;
}

PlanNode PlanBuilder::field(const std::string& key, const FieldPredicate& predicate,
                            const PayloadPath* base) {
  PlanNode node;
  const PayloadPath path = parsed(key);
  node.key = base == nullptr ? path.to_string() : base->joined(path).to_string();
  node.estimate = anything();
  for (const IndexedField& field : source_.fields(node.key)) {
    node.query = index_query(predicate, field);
    if (!node.query.has_value()) continue;
    // What holds for a missing field may hold for an element without it, beside others with it; no
    // index tells.
    if (base != nullptr && index::holds_when_missing(node.query->query)) return node;
    node.kind = PlanNode::Kind::kField;
    node.field = field;
    node.estimate = of_field(node);
    return node;
  }
  without_index_.push_back(node.key);
  return node;
}

PlanNode PlanBuilder::node(const FieldCondition& condition, const PayloadPath* base) {
  return field(condition.key, condition.predicate, base);
}
PlanNode PlanBuilder::node(const IsEmptyCondition& condition, const PayloadPath* base) {
  return field(condition.key, IsEmpty{}, base);
}
PlanNode PlanBuilder::node(const IsNullCondition& condition, const PayloadPath* base) {
  return field(condition.key, IsNull{}, base);
}

PlanNode PlanBuilder::node(const HasIdCondition& condition, const PayloadPath* base) {
  PlanNode node;
  node.kind = base == nullptr ? PlanNode::Kind::kIds : PlanNode::Kind::kNever;
  node.ids = &condition;
  if (base == nullptr) {
    const std::uint64_t count = std::min<std::uint64_t>(live_, condition.ids.size());
    node.estimate = {.low = 0, .expected = count, .high = count};
  }
  return node;
}

PlanNode PlanBuilder::node(const HasVectorCondition& condition, const PayloadPath* base) {
  PlanNode node;
  node.kind = base == nullptr ? PlanNode::Kind::kVector : PlanNode::Kind::kNever;
  node.vector = &condition;
  if (base == nullptr) node.estimate = {.low = 0, .expected = live_, .high = live_};
  return node;
}

PlanNode PlanBuilder::node(const SliceCondition& condition, const PayloadPath* base) {
  PlanNode node;
  node.kind = base == nullptr ? PlanNode::Kind::kSlice : PlanNode::Kind::kNever;
  node.slice = &condition;
  if (base == nullptr) {
    node.estimate = {.low = 0, .expected = live_ / condition.total, .high = live_};
  }
  return node;
}

PlanNode PlanBuilder::node(const NestedCondition& condition, const PayloadPath* base) {
  const PayloadPath elements = parsed(condition.key).of_elements();
  const PayloadPath from_root = base == nullptr ? elements : base->joined(elements);
  PlanNode node;
  node.kind = PlanNode::Kind::kNested;
  node.key = from_root.to_string();
  node.group = std::make_unique<PlanGroup>(group(condition.filter, &from_root));
  node.estimate = node.group->estimate;
  return node;
}

PlanNode PlanBuilder::node(const Filter& filter, const PayloadPath* base) {
  PlanNode node;
  node.kind = PlanNode::Kind::kGroup;
  node.group = std::make_unique<PlanGroup>(group(filter, base));
  node.estimate = node.group->estimate;
  return node;
}

// ---------------------------------------------------------------- estimates

PayloadEstimate PlanBuilder::anything() const {
  return {.low = 0,
          .expected = rounded(static_cast<double>(live_) * kUnknownShare, 0, live_),
          .high = live_};
}

PayloadEstimate PlanBuilder::of_field(const PlanNode& node) const {
  PayloadEstimate found = node.field.index->estimate(*node.field.moment, node.query->query);
  if (index::holds_when_missing(node.query->query)) {
    const std::uint64_t points = index::PayloadIndex::points(*node.field.moment);
    const std::uint64_t missing = live_ - std::min(live_, points);
    found = {.low = found.low + missing,
             .expected = found.expected + missing,
             .high = found.high + missing};
  }
  return {.low = std::min(found.low, live_),
          .expected = std::min(found.expected, live_),
          .high = std::min(found.high, live_)};
}

PayloadEstimate PlanBuilder::all_of(const PayloadEstimate& a, const PayloadEstimate& b) const {
  const std::uint64_t high = std::min(a.high, b.high);
  const std::uint64_t both = a.low + b.low;
  const std::uint64_t low = both - std::min(both, live_);
  const double share =
      live_ == 0 ? 0 : static_cast<double>(a.expected) / static_cast<double>(live_);
  return {.low = low,
          .expected = rounded(share * static_cast<double>(b.expected), low, high),
          .high = high};
}

PayloadEstimate PlanBuilder::none_of(const PayloadEstimate& a) const {
  return {.low = live_ - a.high, .expected = live_ - a.expected, .high = live_ - a.low};
}

PayloadEstimate PlanBuilder::any_of(const std::vector<PlanNode>& nodes) const {
  PayloadEstimate any;
  double none = 1;
  for (const PlanNode& node : nodes) {
    any.low = std::max(any.low, node.estimate.low);
    any.high = capped_sum(any.high, node.estimate.high, live_);
    if (live_ > 0) {
      none *= 1 - static_cast<double>(node.estimate.expected) / static_cast<double>(live_);
    }
  }
  any.expected = rounded((1 - none) * static_cast<double>(live_), any.low, any.high);
  return any;
}

// At least `count` of the conditions. If c points satisfy so many, then all conditions together
// hold at most c * n + (live - c) * (count - 1) times, and at least c * count times.
PayloadEstimate PlanBuilder::some_of(const std::vector<PlanNode>& nodes,
                                     std::uint64_t count) const {
  if (count > nodes.size()) return {};
  double low_sum = 0;
  double high_sum = 0;
  const bool exactly = nodes.size() * count <= kMinShouldStepsMax;
  // chances[i]: that just i hold; the last one: that `count` or more do.
  std::vector<double> chances(exactly ? static_cast<std::size_t>(count) + 1 : 0, 0.0);
  if (exactly) chances[0] = 1;
  double mean = 0;
  for (const PlanNode& node : nodes) {
    low_sum += static_cast<double>(node.estimate.low);
    high_sum += static_cast<double>(node.estimate.high);
    const double share =
        live_ == 0 ? 0 : static_cast<double>(node.estimate.expected) / static_cast<double>(live_);
    mean += share;
    for (std::size_t i = chances.size(); i-- > 0;) {
      const double before = i > 0 ? chances[i - 1] : 0;
      const bool last = i + 1 == chances.size();
      chances[i] = chances[i] * (last ? 1 : 1 - share) + before * share;
    }
  }
  const auto live = static_cast<double>(live_);
  const auto wanted = static_cast<double>(count);
  const double least =
      (low_sum - live * (wanted - 1)) / (static_cast<double>(nodes.size()) - wanted + 1);
  const std::uint64_t high = rounded(std::floor(high_sum / wanted), 0, live_);
  const std::uint64_t low = rounded(std::ceil(std::max(0.0, least)), 0, high);
  const double expected = exactly ? chances.back() * live : (mean >= wanted ? live : 0);
  return {.low = low, .expected = rounded(expected, low, high), .high = high};
}

PayloadEstimate PlanBuilder::of_group(const PlanGroup& group) const {
  PayloadEstimate all = {.low = live_, .expected = live_, .high = live_};
  for (const PlanNode& node : group.must) all = all_of(all, node.estimate);
  if (!group.should.empty()) all = all_of(all, any_of(group.should));
  if (group.min_count.has_value()) {
    all = all_of(all, some_of(group.min_should, *group.min_count));
  }
  for (const PlanNode& node : group.must_not) {
    // Of elements, one may lack what another one has.
    all = all_of(all, group.of_element ? anything() : none_of(node.estimate));
  }
  // Several conditions may hold each for another element, and none for an element that is not.
  if (group.of_element && !group.is_one_of()) all.low = 0;
  all.expected = std::max(all.expected, all.low);
  return all;
}

}  // namespace quipu::query
