// The tree of a FilterPlan, and how it is estimated.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "quipu/query/filter/payload_path.h"
#include "quipu/query/plan/filter_plan.h"

namespace quipu::query {

struct PlanGroup;

struct PlanNode {
  enum class Kind : std::uint8_t {
    kField,    // answered by an index
    kUnknown,  // of a field that no index answers
    kIds,
    kVector,
    kSlice,
    kNever,  // what does not exist inside `nested`
    kNested,
    kGroup,
  };
  Kind kind = Kind::kUnknown;
  std::string key;
  IndexedField field;
  std::optional<IndexQuery> query;
  const HasIdCondition* ids = nullptr;
  const HasVectorCondition* vector = nullptr;
  const SliceCondition* slice = nullptr;
  std::unique_ptr<PlanGroup> group;  // kNested, kGroup

  index::PayloadEstimate estimate;
  bool left_to_judge = false;
};

// A filter. Inside `nested` it says: some element satisfies all of it.
struct PlanGroup {
  bool of_element = false;
  std::vector<PlanNode> must;
  std::vector<PlanNode> should;
  std::vector<PlanNode> must_not;
  std::vector<PlanNode> min_should;
  std::optional<std::uint64_t> min_count;
  index::PayloadEstimate estimate;

  // Whether it is one condition, or one of several: then some element satisfies it if and only if
  // some element satisfies one of them, which indexes do tell.
  [[nodiscard]] bool is_one_of() const noexcept;
  // min_count, where it can be reached; none: never.
  [[nodiscard]] bool reachable() const noexcept {
    return !min_count.has_value() || *min_count <= min_should.size();
  }
};

class PlanBuilder {
 public:
  PlanBuilder(const PlanSource& source, std::uint64_t live_count)
      : source_(source), live_(live_count) {}
  // `base`: the path of the elements that the filter is about; null: the point itself. Recursion is
  // bounded by kFilterDepthMax.
  [[nodiscard]] PlanGroup group(const Filter& filter, const PayloadPath* base);
  [[nodiscard]] std::vector<std::string> take_keys_without_index();

 private:
  std::vector<PlanNode> nodes(const std::vector<FilterCondition>& conditions,
                              const PayloadPath* base);
  PlanNode node(const FieldCondition& condition, const PayloadPath* base);
  PlanNode node(const IsEmptyCondition& condition, const PayloadPath* base);
  PlanNode node(const IsNullCondition& condition, const PayloadPath* base);
  PlanNode node(const HasIdCondition& condition, const PayloadPath* base);
  PlanNode node(const HasVectorCondition& condition, const PayloadPath* base);
  PlanNode node(const SliceCondition& condition, const PayloadPath* base);
  PlanNode node(const NestedCondition& condition, const PayloadPath* base);
  PlanNode node(const Filter& filter, const PayloadPath* base);
  PlanNode field(const std::string& key, const FieldPredicate& predicate, const PayloadPath* base);

  [[nodiscard]] index::PayloadEstimate anything() const;
  [[nodiscard]] index::PayloadEstimate of_field(const PlanNode& node) const;
  [[nodiscard]] index::PayloadEstimate of_group(const PlanGroup& group) const;
  [[nodiscard]] index::PayloadEstimate all_of(const index::PayloadEstimate& a,
                                              const index::PayloadEstimate& b) const;
  [[nodiscard]] index::PayloadEstimate any_of(const std::vector<PlanNode>& nodes) const;
  [[nodiscard]] index::PayloadEstimate none_of(const index::PayloadEstimate& a) const;
  [[nodiscard]] index::PayloadEstimate some_of(const std::vector<PlanNode>& nodes,
                                               std::uint64_t count) const;

  const PlanSource& source_;
  const std::uint64_t live_;
  std::vector<std::string> without_index_;
};

}  // namespace quipu::query
