#include "quipu/query/filter/evaluate.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <variant>
#include <vector>

#include "quipu/assert.h"
#include "quipu/base/format.h"
#include "quipu/query/filter/filter_check.h"
#include "quipu/query/filter/id_slice.h"
#include "quipu/query/filter/payload_path.h"
#include "quipu/query/filter/predicates.h"

namespace quipu::query {
// ---------------------------------------------------------------- nodes: one for each condition

// Not of the unnamed namespace, whose types g++ lets no other type have as members.
namespace filter_nodes {

struct Group;

struct FieldNode {
  PayloadPath path;
  ValuePredicate predicate;
};
struct CountNode {
  PayloadPath path;
  ValuesCount bounds;
};
struct EmptyNode {
  PayloadPath path;
  bool expected;
};
struct NullNode {
  PayloadPath path;
  bool expected;
};
struct IdNode {
  std::vector<PointId> ids;  // ascending
};
struct NestedNode {
  PayloadPath path;  // of the elements
  std::unique_ptr<const Group> group;
};

using Node = std::variant<FieldNode, CountNode, EmptyNode, NullNode, IdNode, HasVectorCondition,
                          SliceCondition, NestedNode, std::unique_ptr<const Group>>;

// A filter: each list in the order in which it is best tried.
struct Group {
  std::vector<Node> must;
  std::vector<Node> should;
  std::vector<Node> must_not;
  std::vector<Node> min_should;
  std::optional<std::uint64_t> min_count;
};

}  // namespace filter_nodes

namespace {

using filter_nodes::CountNode;
using filter_nodes::EmptyNode;
using filter_nodes::FieldNode;
using filter_nodes::Group;
using filter_nodes::IdNode;
using filter_nodes::NestedNode;
using filter_nodes::Node;
using filter_nodes::NullNode;

// What conditions are judged on: a point, or an object inside one, which has no id and no vectors.
struct Subject {
  const PointId* id = nullptr;
  JsonView payload;
  const VectorPresence* vectors = nullptr;
};

// Roughly, in comparisons; only the order matters. Looking up the key is the same for all.
struct PredicateCost {
  int operator()(const IsString&) const { return 3; }
  int operator()(const IsInteger&) const { return 2; }
  int operator()(const IsBool&) const { return 2; }
  int operator()(const StringList&) const { return 5; }
  int operator()(const IntegerList&) const { return 4; }
  int operator()(const HasWords&) const { return 60; }
  int operator()(const HasPrefix&) const { return 3; }
  int operator()(const HasSubstring&) const { return 10; }
  int operator()(const NumberBounds&) const { return 2; }
  int operator()(const TimeBounds&) const { return 8; }
  int operator()(const InArea<BoxArea>&) const { return 6; }
  int operator()(const InArea<CircleArea>&) const { return 15; }
  int operator()(const InArea<PolygonArea>&) const { return 20; }
};
struct NodeCost {
  int operator()(const FieldNode& node) const {
    return std::visit(PredicateCost(), node.predicate);
  }
  int operator()(const CountNode&) const { return 2; }
  int operator()(const EmptyNode&) const { return 2; }
  int operator()(const NullNode&) const { return 2; }
  int operator()(const IdNode&) const { return 0; }
  int operator()(const HasVectorCondition&) const { return 1; }
  int operator()(const SliceCondition&) const { return 1; }
  int operator()(const NestedNode&) const { return 100; }
  int operator()(const std::unique_ptr<const Group>&) const { return 50; }
};

void order_by_cost(std::vector<Node>& nodes) {
  std::stable_sort(nodes.begin(), nodes.end(), [](const Node& a, const Node& b) {
    return std::visit(NodeCost(), a) < std::visit(NodeCost(), b);
  });
}

// ---------------------------------------------------------------- judging

bool holds(const Group& group, const Subject& subject);

// Whether `check` holds for any value that the path reaches. The lambdas here capture two words at
// most, which a std::function holds without allocating.
template <typename Check>
bool any_value(const PayloadPath& path, const Subject& subject, const Check& check) {
  bool found = false;
  path.visit(subject.payload, [&check, &found](JsonView value) {
    found = check(value);
    return !found;
  });
  return found;
}

struct NodeHolds {
  const Subject& subject;

  bool operator()(const FieldNode& node) const {
    return any_value(node.path, subject,
                     [&node](JsonView value) { return satisfies(value, node.predicate); });
  }
  bool operator()(const CountNode& node) const {
    bool missing = true;
    const bool found = any_value(node.path, subject, [&](JsonView value) {
      missing = false;
      return count_within(count_of(value), node.bounds);
    });
    return found || (missing && count_within(0, node.bounds));
  }
  bool operator()(const EmptyNode& node) const {
    const bool filled =
        any_value(node.path, subject, [](JsonView value) { return !is_empty_value(value); });
    return filled != node.expected;
  }
  bool operator()(const NullNode& node) const {
    return any_value(node.path, subject, is_null_value) == node.expected;
  }
  bool operator()(const IdNode& node) const {
    return subject.id != nullptr &&
           std::binary_search(node.ids.begin(), node.ids.end(), *subject.id);
  }
  bool operator()(const HasVectorCondition& node) const {
    return subject.vectors != nullptr && subject.vectors->has_vector(node.name);
  }
  bool operator()(const SliceCondition& node) const {
    return subject.id != nullptr && in_slice(*subject.id, node);
  }
  bool operator()(const NestedNode& node) const {
    return any_value(node.path, subject, [&node](JsonView element) {
      return element.is_object() && holds(*node.group, Subject{.payload = element});
    });
  }
  bool operator()(const std::unique_ptr<const Group>& group) const {
    return holds(*group, subject);
  }
};

bool reaches_count(const std::vector<Node>& nodes, std::uint64_t min_count,
                   const NodeHolds& node_holds) {
  std::uint64_t missing = min_count;
  for (std::size_t i = 0; i < nodes.size() && missing > 0; ++i) {
    if (missing > nodes.size() - i) return false;
    if (std::visit(node_holds, nodes[i])) --missing;
  }
  return missing == 0;
}

bool holds(const Group& group, const Subject& subject) {
  const NodeHolds node_holds{subject};
  const auto check = [&node_holds](const Node& node) { return std::visit(node_holds, node); };
  return std::all_of(group.must.begin(), group.must.end(), check) &&
         std::none_of(group.must_not.begin(), group.must_not.end(), check) &&
         (group.should.empty() || std::any_of(group.should.begin(), group.should.end(), check)) &&
         (!group.min_count.has_value() ||
          reaches_count(group.min_should, *group.min_count, node_holds));
}

// ---------------------------------------------------------------- compiling

// Of a filter that was checked. Recursion is bounded by kFilterDepthMax.
class Compiler {
 public:
  explicit Compiler(const CompileOptions& options) : options_(options) {}

  // `base` is the path from the payload's root to the object that the filter is about; null:
  // itself.
  Result<Group> group(const Filter& filter, const PayloadPath* base, const Place& at) {
    Group group;
    QUIPU_TRY(group.must, clause(filter.must, base, Place(at, "must")));
    QUIPU_TRY(group.should, clause(filter.should, base, Place(at, "should")));
    QUIPU_TRY(group.must_not, clause(filter.must_not, base, Place(at, "must_not")));
    if (filter.min_should.has_value()) {
      const Place place(at, "min_should");
      QUIPU_TRY(group.min_should,
                clause(filter.min_should->conditions, base, Place(place, "conditions")));
      group.min_count = filter.min_should->min_count;
    }
    return group;
  }

  // Ascending and distinct.
  std::vector<std::string> take_keys() {
    std::sort(keys_.begin(), keys_.end());
    keys_.erase(std::unique(keys_.begin(), keys_.end()), keys_.end());
    return std::move(keys_);
  }

 private:
  Result<std::vector<Node>> clause(const std::vector<FilterCondition>& conditions,
                                   const PayloadPath* base, const Place& at) {
    std::vector<Node> nodes;
    nodes.reserve(conditions.size());
    for (std::size_t i = 0; i < conditions.size(); ++i) {
      const Place place(at, i);
      const auto compile_as = [&](const auto& kind) { return node(kind, base, place); };
      QUIPU_TRY(Node compiled, std::visit(compile_as, conditions[i].is));
      nodes.push_back(std::move(compiled));
    }
    order_by_cost(nodes);
    return nodes;
  }

  // The key's path, and its name from the payload's root, which is noted.
  struct Key {
    PayloadPath path;
    std::string name;
  };
  Result<Key> key(std::string_view text, const PayloadPath* base) {
    QUIPU_TRY(PayloadPath path, PayloadPath::parse(text));
    keys_.push_back(base == nullptr ? path.to_string() : base->joined(path).to_string());
    return Key{std::move(path), keys_.back()};
  }

  Result<Node> node(const FieldCondition& field, const PayloadPath* base, const Place& at) {
    QUIPU_TRY(Key where, key(field.key, base));
    if (const auto* const count = std::get_if<ValuesCount>(&field.predicate)) {
      return Node(CountNode{std::move(where.path), *count});
    }
    if (const auto* const empty = std::get_if<IsEmpty>(&field.predicate)) {
      return Node(EmptyNode{std::move(where.path), empty->expected});
    }
    if (const auto* const null = std::get_if<IsNull>(&field.predicate)) {
      return Node(NullNode{std::move(where.path), null->expected});
    }
    QUIPU_TRY(ValuePredicate predicate, value_predicate(field.predicate, where.name, at));
    return Node(FieldNode{std::move(where.path), std::move(predicate)});
  }
  Result<Node> node(const IsEmptyCondition& condition, const PayloadPath* base, const Place&) {
    QUIPU_TRY(Key where, key(condition.key, base));
    return Node(EmptyNode{std::move(where.path), true});
  }
  Result<Node> node(const IsNullCondition& condition, const PayloadPath* base, const Place&) {
    QUIPU_TRY(Key where, key(condition.key, base));
    return Node(NullNode{std::move(where.path), true});
  }
  Result<Node> node(const HasIdCondition& condition, const PayloadPath*, const Place&) {
    std::vector<PointId> ids = condition.ids;
    std::sort(ids.begin(), ids.end());
    return Node(IdNode{std::move(ids)});
  }
  Result<Node> node(const HasVectorCondition& condition, const PayloadPath*, const Place&) {
    return Node(condition);
  }
  Result<Node> node(const SliceCondition& condition, const PayloadPath*, const Place&) {
    return Node(condition);
  }
  Result<Node> node(const NestedCondition& condition, const PayloadPath* base, const Place& at) {
    QUIPU_TRY(const PayloadPath path, PayloadPath::parse(condition.key));
    PayloadPath elements = path.of_elements();
    const PayloadPath from_root = base == nullptr ? elements : base->joined(elements);
    const Place place(at, "nested");
    QUIPU_TRY(Group inner, group(condition.filter, &from_root, Place(place, "filter")));
    return Node(NestedNode{std::move(elements), std::make_unique<const Group>(std::move(inner))});
  }
  Result<Node> node(const Filter& filter, const PayloadPath* base, const Place& at) {
    QUIPU_TRY(Group inner, group(filter, base, at));
    return Node(std::make_unique<const Group>(std::move(inner)));
  }

  Result<ValuePredicate> value_predicate(const FieldPredicate& predicate, std::string_view key_name,
                                         const Place& at) const {
    if (const auto* const text = std::get_if<MatchText>(&predicate)) {
      const TextMatcher* matcher = nullptr;
      if (options_.text_matcher) matcher = options_.text_matcher(key_name);
      if (matcher == nullptr) matcher = options_.unindexed_text;
      if (matcher == nullptr) matcher = &word_matcher();
      auto query = matcher->prepare(text->mode, text->query);
      if (!query.ok()) {
        const Place match(at, "match");
        return Place(match, text_mode_name(text->mode))
            .error(query.error().message, query.error().stable_reason());
      }
      return ValuePredicate(HasWords{std::move(query).value()});
    }
    return std::visit([](const auto& kind) { return prepared(kind); }, predicate);
  }

  static ValuePredicate prepared(const MatchValue& match) { return prepare(match); }
  static ValuePredicate prepared(const MatchAny& match) {
    return prepare_list(match.values, /*except=*/false);
  }
  static ValuePredicate prepared(const MatchExcept& match) {
    return prepare_list(match.values, /*except=*/true);
  }
  static ValuePredicate prepared(const MatchPrefix& match) { return HasPrefix{match.prefix}; }
  static ValuePredicate prepared(const MatchSubstring& match) {
    return HasSubstring{match.substring};
  }
  static ValuePredicate prepared(const NumberRange& range) { return prepare(range); }
  static ValuePredicate prepared(const DatetimeRange& range) { return prepare(range); }
  static ValuePredicate prepared(const GeoBoundingBox& box) {
    return InArea<BoxArea>{BoxArea(box)};
  }
  static ValuePredicate prepared(const GeoRadius& circle) {
    return InArea<CircleArea>{CircleArea(circle)};
  }
  static ValuePredicate prepared(const GeoPolygon& polygon) {
    return InArea<PolygonArea>{PolygonArea(polygon)};
  }
  // Predicates that node() and value_predicate() take out before.
  template <typename Other>
  static ValuePredicate prepared(const Other&) {
    QUIPU_ASSERT(false && "no predicate of values");
    return IsBool{false};
  }

  const CompileOptions& options_;
  std::vector<std::string> keys_;
};

// Collects what every matching point satisfies. Recursion as above.
void collect_required(const Filter& filter, std::vector<RequiredField>& fields,
                      std::vector<const HasIdCondition*>& ids) {
  const auto collect = [&](const FilterCondition& condition) {
    if (const auto* const field = std::get_if<FieldCondition>(&condition.is)) {
      const Result<PayloadPath> path = PayloadPath::parse(field->key);
      QUIPU_ASSERT(path.ok());
      fields.push_back({.key = path.value().to_string(), .predicate = &field->predicate});
    } else if (const auto* const has_id = std::get_if<HasIdCondition>(&condition.is)) {
      ids.push_back(has_id);
    } else if (const auto* const inner = std::get_if<Filter>(&condition.is)) {
      collect_required(*inner, fields, ids);
    }
  };
  std::for_each(filter.must.begin(), filter.must.end(), collect);
  if (filter.should.size() == 1) collect(filter.should.front());
}

}  // namespace

struct CompiledFilter::State {
  Filter filter;
  filter_nodes::Group group;
  std::vector<std::string> keys;
  std::vector<RequiredField> required_fields;
  std::vector<const HasIdCondition*> required_ids;
};

CompiledFilter::CompiledFilter(std::shared_ptr<const State> state) : state_(std::move(state)) {}

Result<CompiledFilter> CompiledFilter::compile(Filter filter, const CompileOptions& options) {
  QUIPU_TRY_OK(check_filter(filter, options.field));
  auto state = std::make_shared<State>();
  state->filter = std::move(filter);
  Compiler compiler(options);
  QUIPU_TRY(state->group, compiler.group(state->filter, nullptr, Place(options.field)));
  state->keys = compiler.take_keys();
  collect_required(state->filter, state->required_fields, state->required_ids);
  return CompiledFilter(std::move(state));
}

bool CompiledFilter::matches(const Record& record) const {
  return holds(state_->group,
               Subject{.id = &record.id, .payload = record.payload, .vectors = record.vectors});
}

const Filter& CompiledFilter::filter() const noexcept { return state_->filter; }
bool CompiledFilter::empty() const noexcept { return state_->filter == Filter{}; }
std::span<const std::string> CompiledFilter::keys() const noexcept { return state_->keys; }
std::span<const RequiredField> CompiledFilter::required_fields() const noexcept {
  return state_->required_fields;
}
std::span<const HasIdCondition* const> CompiledFilter::required_ids() const noexcept {
  return state_->required_ids;
}

}  // namespace quipu::query
