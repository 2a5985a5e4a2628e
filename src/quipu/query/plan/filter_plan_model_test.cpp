// Goal: whatever is indexed, what surely matches does match, what is left out does not, and where
// every key has fitting indexes nothing is left to judge.
// Method: random payloads, written over each other in random order, and random filters; random
// indexes on random keys; CompiledFilter judges every stored payload, and is always right.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "quipu/base/epoch.h"
#include "quipu/base/test_support.h"
#include "quipu/query/filter/filter_json.h"
#include "quipu/query/filter/id_slice.h"
#include "quipu/query/filter/testing/random_filter.h"
#include "quipu/query/plan/analyzed_text.h"
#include "quipu/query/plan/field_values.h"
#include "quipu/query/plan/filter_plan.h"

namespace quipu::query {
namespace {

using index::PayloadKind;
using index::SlotBitmap;

constexpr PayloadKind kKinds[] = {
    PayloadKind::kKeyword,  PayloadKind::kInteger, PayloadKind::kFloat, PayloadKind::kBool,
    PayloadKind::kDatetime, PayloadKind::kUuid,    PayloadKind::kGeo,   PayloadKind::kText};

struct Stored {
  PointId id;
  std::string json;
  std::set<std::string> vectors;
};

class HasVectors final : public VectorPresence {
 public:
  explicit HasVectors(const std::set<std::string>& names) : names_(names) {}
  [[nodiscard]] bool has_vector(std::string_view name) const override {
    return names_.contains(std::string(name));
  }

 private:
  const std::set<std::string>& names_;
};

std::unique_ptr<text::Analyzer> folding_analyzer(bool folding) {
  auto made = text::Analyzer::create({.lowercase = folding, .ascii_folding = folding});
  EXPECT_EQ(why_not(made), "");
  return std::move(made).value();
}

// A shard: points, and indexes on some keys.
class World final : public PlanSource {
 public:
  explicit World(Rng& rng)
      : rng_(rng), analyzers_{folding_analyzer(false), folding_analyzer(true)} {}

  // Before any write.
  void index_key(const std::string& key, bool everything) {
    if (!everything && rng_.below(3) == 0) return;
    Field& field = fields_[key];
    field.analyzer = analyzers_[rng_.below(2)].get();
    field.matcher = std::make_unique<AnalyzedTextMatcher>(*field.analyzer);
    for (const PayloadKind kind : kKinds) {
      if (!everything && rng_.below(3) != 0) continue;
      const bool positions = kind == PayloadKind::kText && (everything || rng_.below(2) == 0);
      auto made = index::PayloadIndex::create({.kind = kind, .positions = positions}, epochs_);
      ASSERT_EQ(why_not(made), "");
      auto path = PayloadPath::parse(key);
      ASSERT_EQ(why_not(path), "");
      ASSERT_EQ(path.value().to_string(), key);  // keys of compiled filters are canonical
      field.indexes.push_back({.index = std::move(made).value(),
                               .reader = FieldReader(std::move(path).value(), kind, field.analyzer),
                               .moment = nullptr});
    }
  }

  void write(std::uint32_t slot, Stored point) {
    const auto document = JsonDocument::parse(point.json);
    ASSERT_EQ(why_not(document), "");
    ++seq_;
    for (auto& [key, field] : fields_) {
      for (One& one : field.indexes) {
        const index::PayloadValues* const values = one.reader.read(document.value().root());
        if (values == nullptr) {
          static_cast<void>(one.index->erase(SlotId(slot), Seq(seq_)));
        } else {
          one.index->insert(SlotId(slot), *values, Seq(seq_));
        }
      }
    }
    points_[slot] = std::move(point);
  }
  void erase(std::uint32_t slot) {
    ++seq_;
    for (auto& [key, field] : fields_) {
      for (One& one : field.indexes) static_cast<void>(one.index->erase(SlotId(slot), Seq(seq_)));
    }
    points_.erase(slot);
  }
  void publish() {
    for (auto& [key, field] : fields_) {
      field.found.clear();
      for (One& one : field.indexes) {
        one.moment = one.index->publish();
        field.found.push_back({one.index.get(), one.moment.get(), field.analyzer});
      }
    }
  }

  [[nodiscard]] const TextMatcher* matcher(std::string_view key) const {
    const auto found = fields_.find(key);
    return found == fields_.end() ? nullptr : found->second.matcher.get();
  }
  [[nodiscard]] const std::map<std::uint32_t, Stored>& points() const { return points_; }
  [[nodiscard]] Seq seq() const { return Seq(seq_); }
  void set_knows_ids(bool knows) { knows_ids_ = knows; }

  [[nodiscard]] std::span<const IndexedField> fields(std::string_view key) const override {
    const auto found = fields_.find(key);
    if (found == fields_.end()) return {};
    return found->second.found;
  }
  bool add_slots_of(std::span<const PointId> ids, SlotBitmap& into) const override {
    return add_if(into, [&](const Stored& point) {
      return std::find(ids.begin(), ids.end(), point.id) != ids.end();
    });
  }
  bool add_slots_with_vector(std::string_view name, SlotBitmap& into) const override {
    return add_if(into,
                  [&](const Stored& point) { return point.vectors.contains(std::string(name)); });
  }
  bool add_slots_in(const SliceCondition& slice, SlotBitmap& into) const override {
    return add_if(into, [&](const Stored& point) { return in_slice(point.id, slice); });
  }

 private:
  struct One {
    std::unique_ptr<index::PayloadIndex> index;
    FieldReader reader;
    std::shared_ptr<const index::PayloadIndex::Moment> moment;
  };
  struct Field {
    const text::Analyzer* analyzer = nullptr;
    std::unique_ptr<AnalyzedTextMatcher> matcher;
    std::vector<One> indexes;
    std::vector<IndexedField> found;
  };
  template <typename Holds>
  bool add_if(SlotBitmap& into, const Holds& holds) const {
    if (!knows_ids_) return false;
    for (const auto& [slot, point] : points_) {
      if (holds(point)) into.add(SlotId(slot));
    }
    return true;
  }

  Rng& rng_;
  EpochDomain epochs_;
  std::unique_ptr<text::Analyzer> analyzers_[2];
  std::map<std::string, Field, std::less<>> fields_;
  std::map<std::uint32_t, Stored> points_;
  std::uint64_t seq_ = 0;
  bool knows_ids_ = true;
};

bool has_nested(const Filter& filter);
bool has_nested(const std::vector<FilterCondition>& conditions) {
  return std::any_of(conditions.begin(), conditions.end(), [](const FilterCondition& condition) {
    const auto* const inner = std::get_if<Filter>(&condition.is);
    return std::holds_alternative<NestedCondition>(condition.is) ||
           (inner != nullptr && has_nested(*inner));
  });
}
bool has_nested(const Filter& filter) {
  return has_nested(filter.must) || has_nested(filter.should) || has_nested(filter.must_not) ||
         (filter.min_should.has_value() && has_nested(filter.min_should->conditions));
}

struct Tally {
  std::size_t exact = 0;
  std::size_t guessed = 0;
  std::size_t narrowed = 0;
  std::size_t found = 0;
};

std::string text_of(const Filter& filter) {
  std::string json;
  JsonWriter out(json);
  write_filter(filter, out);
  return json;
}

void check_plan(const World& world, const Filter& filter, bool everything,
                const EvaluateOptions& options, Tally& tally) {
  SCOPED_TRACE(text_of(filter));
  const auto compiled = CompiledFilter::compile(
      filter, {.text_matcher = [&](std::string_view key) { return world.matcher(key); }});
  ASSERT_EQ(why_not(compiled), "");
  SlotBitmap live;
  SlotBitmap truth;
  for (const auto& [slot, point] : world.points()) {
    live.add(SlotId(slot));
    const auto document = JsonDocument::parse(point.json);
    const HasVectors vectors(point.vectors);
    const Record record = {.id = point.id, .payload = document.value().root(), .vectors = &vectors};
    if (compiled.value().matches(record)) truth.add(SlotId(slot));
  }
  FilterPlan plan(compiled.value(), world, live.count());
  const index::PayloadEstimate estimate = plan.estimate();
  const FilterMatches matches = plan.evaluate(live, world.seq(), options);
  for (const auto& [slot, point] : world.points()) {
    const SlotId id(slot);
    if (matches.sure.contains(id)) {
      ASSERT_TRUE(truth.contains(id)) << slot << ": " << point.json;
    }
    if (truth.contains(id)) {
      ASSERT_TRUE(matches.sure.contains(id) || matches.to_judge.contains(id))
          << slot << ": " << point.json;
    }
    ASSERT_FALSE(matches.sure.contains(id) && matches.to_judge.contains(id));
  }
  ASSERT_TRUE(live.contains_all_of(matches.sure));
  ASSERT_TRUE(live.contains_all_of(matches.to_judge));
  ASSERT_LE(estimate.low, truth.count());
  ASSERT_GE(estimate.high, truth.count());
  ASSERT_LE(estimate.low, estimate.expected);
  ASSERT_LE(estimate.expected, estimate.high);
  const std::size_t most = matches.sure.count() + matches.to_judge.count();
  if (!plan.helps()) {
    ASSERT_EQ(most, live.count());
  }
  if (everything) {
    ASSERT_TRUE(plan.keys_without_index().empty());
  }
  if (everything && !has_nested(filter) && options.entries_per_judged_point == 0) {
    ASSERT_TRUE(matches.exact());
  }
  ++(matches.exact() ? tally.exact : tally.guessed);
  if (!matches.exact() && most < live.count()) ++tally.narrowed;
  tally.found += matches.sure.count();
}

void run(bool everything, Tally& tally) {
  Rng rng(test_seed());
  testing_support::RandomFilters draw(rng);
  for (int round = 0; round < 12; ++round) {
    std::vector<Filter> filters(25);
    std::set<std::string> keys;
    for (Filter& filter : filters) {
      filter = draw.filter();
      const auto compiled = CompiledFilter::compile(filter);
      ASSERT_EQ(why_not(compiled), "");
      keys.insert(compiled.value().keys().begin(), compiled.value().keys().end());
    }
    World world(rng);
    for (const std::string& key : keys) {
      ASSERT_NO_FATAL_FAILURE(world.index_key(key, everything));
    }
    world.set_knows_ids(everything || rng.below(2) == 0);
    for (int i = 0; i < 150; ++i) {
      const auto slot = static_cast<std::uint32_t>(rng.below(90));
      if (rng.below(8) == 0) {
        world.erase(slot);
        continue;
      }
      Stored point = {.id = draw.id(), .json = draw.payload(), .vectors = {}};
      for (const auto& [other, known] : world.points()) {
        if (other != slot && known.id == point.id) point.id = PointId::number(1000 + slot);
      }
      while (rng.below(2) == 0) point.vectors.insert(draw.vector_name());
      ASSERT_NO_FATAL_FAILURE(world.write(slot, std::move(point)));
      if (rng.below(20) == 0) world.publish();
    }
    world.publish();
    for (const Filter& filter : filters) {
      const EvaluateOptions options = {.entries_per_judged_point = rng.below(4) == 0 ? 1U : 0U};
      ASSERT_NO_FATAL_FAILURE(check_plan(world, filter, everything, options, tally));
    }
  }
}

TEST(FilterPlanModel, BoundsTheMatchesWhateverIsIndexed) {
  Tally tally;
  ASSERT_NO_FATAL_FAILURE(run(/*everything=*/false, tally));
  EXPECT_GT(tally.exact, 20U);
  EXPECT_GT(tally.guessed, 20U);
  EXPECT_GT(tally.narrowed, 5U);
  EXPECT_GT(tally.found, 500U);
}

TEST(FilterPlanModel, IsExactWhereEverythingIsIndexed) {
  Tally tally;
  ASSERT_NO_FATAL_FAILURE(run(/*everything=*/true, tally));
  EXPECT_GT(tally.exact, 150U);
  EXPECT_GT(tally.found, 1000U);
}

}  // namespace
}  // namespace quipu::query
