// Goal: after any history of writes, restarts and background work, the engine answers as a map and
// an exhaustive search do. Method: weighted random operations on few ids (so that they collide),
// against a std::map; the engine is closed, or just dropped, and opened again on the way.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "quipu/base/format.h"
#include "quipu/base/json.h"
#include "quipu/base/test_support.h"
#include "quipu/engine.h"
#include "quipu/engine/testing/names.h"

namespace quipu {
namespace {

constexpr std::size_t kThingDim = 12;
constexpr std::string_view kThings = "things";

struct ModelPoint {
  std::vector<float> vector;
  std::map<std::string, std::int64_t> payload;
  std::uint64_t version = 0;
};

std::vector<float> random_vector(Rng& rng, std::size_t dim) {
  std::vector<float> vector(dim);
  for (float& value : vector) value = static_cast<float>(rng.normal());
  return vector;
}

std::vector<float> unit(std::vector<float> v) {
  double sum = 0;
  for (const float x : v) sum += static_cast<double>(x) * x;
  for (float& x : v) x = static_cast<float>(x / std::sqrt(sum));
  return v;
}

std::map<std::string, std::int64_t> from_json(const std::string& text) {
  std::map<std::string, std::int64_t> payload;
  const auto document = JsonDocument::parse(text);
  EXPECT_TRUE(document.ok()) << text;
  if (!document.ok()) return payload;
  document.value().root().for_each_member([&payload](std::string_view key, JsonView value) {
    payload[std::string(key)] = value.as_int64().value_or(-1);
    return true;
  });
  return payload;
}

class History {
 public:
  History(std::uint64_t seed, Metric metric, std::uint32_t shards, Durability durability)
      : rng_(seed), metric_(metric) {
    config_.vectors.push_back({.dim = kThingDim, .metric = metric, .m = 8, .ef_construction = 80});
    config_.shard_count = shards;
    config_.durability = durability;
    open();
    const auto made = engine_->create_collection(kTenant, kThings, config_);
    EXPECT_TRUE(made.ok()) << made.error().message;
  }

  void open() {
    engine_.reset();
    EngineOptions options;
    options.data_dir = dir_.file("data");
    options.background_threads = 2;
    options.checkpoint_operations = 100;
    auto opened = Engine::open(options, {});
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    engine_ = std::move(opened).value();
  }

  void step() {
    const std::uint64_t dice = rng_.below(100);
    if (dice < 40) {
      upsert();
    } else if (dice < 52) {
      patch();
    } else if (dice < 66) {
      remove();
    } else if (dice < 74) {
      check_get();
    } else if (dice < 80) {
      check_scroll();
    } else if (dice < 95) {
      check_search();
    } else if (dice < 97) {
      ASSERT_TRUE(engine_->checkpoint().ok());
    } else if (dice < 98) {
      restart();
    } else {
      const auto count = engine_->count(kTenant, kThings, {});
      ASSERT_TRUE(count.ok());
      ASSERT_EQ(count.value(), model_.size());
    }
  }

  void restart() {
    const auto before = engine_->state_digest(kTenant, kThings);
    ASSERT_TRUE(before.ok());
    if (rng_.below(2) == 0) {
      const Status closed = engine_->close(std::chrono::seconds(10));
      ASSERT_TRUE(closed.ok()) << closed.error().message;
    }
    open();
    const auto after = engine_->state_digest(kTenant, kThings);
    ASSERT_TRUE(after.ok());
    ASSERT_EQ(before.value(), after.value());
    ++restarts_;
  }

  void finish() {
    restart();
    check_scroll();
    for (int i = 0; i < 20; ++i) check_search();
    // Approximate search is worth little where nothing was found or asked.
    EXPECT_GT(searches_, 0);
    EXPECT_GE(recall_sum_ / searches_, 0.95);
    EXPECT_GT(restarts_, 0);
  }

 private:
  PointId random_id() {
    const std::uint64_t n = rng_.below(150);
    return n % 3 == 0 ? PointId::uuid(n, n * 7) : PointId::number(n);
  }

  std::vector<PointId> random_ids() {
    std::set<PointId> ids;
    const std::uint64_t count = 1 + rng_.below(8);
    while (ids.size() < count) ids.insert(random_id());
    return {ids.begin(), ids.end()};
  }

  // A condition that holds or not, as it falls.
  Condition random_condition(const PointId& id) {
    const auto found = model_.find(id);
    switch (rng_.below(12)) {
      case 0: return {.if_absent = true};
      case 1: return {.if_version = rng_.below(2'000)};
      case 2:
        if (found != model_.end()) return {.if_version = found->second.version};
        return {};
      default: return {};
    }
  }
  bool holds(const Condition& condition, const PointId& id) {
    const auto found = model_.find(id);
    const bool exists = found != model_.end();
    if (condition.if_absent && exists) return false;
    return !condition.if_version || (exists && found->second.version == *condition.if_version);
  }

  // With several shards a batch is cut into parts, each refused or applied whole.
  template <typename Write>
  void apply(const std::vector<Write>& points, const Result<WriteResult>& result,
             const std::function<ItemOutcome(const Write&, std::uint64_t)>& change) {
    ASSERT_TRUE(result.ok()) << result.error().message;
    ASSERT_EQ(result.value().items.size(), points.size());
    std::map<std::size_t, bool> refused;
    const auto shard_of = [this](const PointId& id) {
      return static_cast<std::size_t>(stable_hash(id) % config_.shard_count);
    };
    for (const Write& point : points) {
      if (!holds(point.condition, point.id)) refused[shard_of(point.id)] = true;
    }
    for (std::size_t i = 0; i < points.size(); ++i) {
      const ItemResult& item = result.value().items[i];
      ASSERT_EQ(item.id, points[i].id);
      if (refused[shard_of(points[i].id)]) {
        ASSERT_EQ(item.outcome, ItemOutcome::kRefused) << points[i].id.to_string();
        ASSERT_TRUE(item.error.has_value());
        continue;
      }
      ASSERT_EQ(item.outcome, change(points[i], item.version)) << points[i].id.to_string();
    }
  }

  void upsert() {
    std::vector<PointWrite> points;
    for (const PointId& id : random_ids()) {
      PointWrite write{.id = id, .condition = random_condition(id)};
      write.vectors.push_back({.name = "", .values = random_vector(rng_, kThingDim)});
      write.payload = format(R"({{ "a": {}, "b": 7 }})", rng_.below(1000));
      points.push_back(std::move(write));
    }
    const auto result = engine_->upsert(kTenant, kThings, {.points = points, .params = {}});
    apply<PointWrite>(points, result, [this](const PointWrite& write, std::uint64_t version) {
      const bool existed = model_.contains(write.id);
      ModelPoint& point = model_[write.id];
      point.vector =
          metric_ == Metric::kCosine ? unit(write.vectors[0].values) : write.vectors[0].values;
      point.payload = from_json(write.payload);
      point.version = version;
      return existed ? ItemOutcome::kUpdated : ItemOutcome::kCreated;
    });
  }

  void patch() {
    std::vector<PointPatch> points;
    for (const PointId& id : random_ids()) {
      PointPatch write{.id = id, .condition = random_condition(id)};
      if (rng_.below(2) == 0) {
        write.vectors.push_back({.name = "", .values = random_vector(rng_, kThingDim)});
      }
      write.set_payload = format(R"({{"c": {}}})", rng_.below(1000));
      if (rng_.below(3) == 0) write.delete_payload = {"b"};
      write.replace_payload = rng_.below(8) == 0;
      points.push_back(std::move(write));
    }
    const auto result = engine_->patch(kTenant, kThings, {.points = points, .params = {}});
    apply<PointPatch>(points, result, [this](const PointPatch& write, std::uint64_t version) {
      const auto found = model_.find(write.id);
      if (found == model_.end()) return ItemOutcome::kNotFound;
      if (write.replace_payload) found->second.payload.clear();
      for (const std::string& key : write.delete_payload) found->second.payload.erase(key);
      for (const auto& [key, value] : from_json(write.set_payload)) {
        found->second.payload[key] = value;
      }
      if (!write.vectors.empty()) {
        found->second.vector =
            metric_ == Metric::kCosine ? unit(write.vectors[0].values) : write.vectors[0].values;
      }
      found->second.version = version;
      return ItemOutcome::kUpdated;
    });
  }

  void remove() {
    std::vector<PointDelete> points;
    for (const PointId& id : random_ids()) {
      points.push_back({.id = id, .condition = random_condition(id)});
    }
    const auto result = engine_->remove(kTenant, kThings, {.points = points, .params = {}});
    apply<PointDelete>(points, result, [this](const PointDelete& write, std::uint64_t) {
      return model_.erase(write.id) == 1 ? ItemOutcome::kDeleted : ItemOutcome::kNotFound;
    });
  }

  void expect_equal(const Point& point) {
    const auto found = model_.find(point.id);
    ASSERT_NE(found, model_.end()) << point.id.to_string();
    EXPECT_EQ(point.version, found->second.version);
    EXPECT_EQ(from_json(point.payload), found->second.payload);
    ASSERT_EQ(point.vectors.size(), 1U);
    ASSERT_EQ(point.vectors[0].values.size(), kThingDim);
    for (std::size_t i = 0; i < kThingDim; ++i) {
      EXPECT_NEAR(point.vectors[0].values[i], found->second.vector[i], 1e-6);
    }
  }

  void check_get() {
    const std::vector<PointId> ids = random_ids();
    const auto points = engine_->get(kTenant, kThings, {.ids = ids, .select = {.vectors = true}});
    ASSERT_TRUE(points.ok()) << points.error().message;
    std::size_t expected = 0;
    for (const PointId& id : ids) expected += model_.count(id);
    ASSERT_EQ(points.value().size(), expected);
    for (const Point& point : points.value()) ASSERT_NO_FATAL_FAILURE(expect_equal(point));
  }

  void check_scroll() {
    std::optional<PointId> after;
    auto expected = model_.begin();
    do {
      const auto page = engine_->scroll(
          kTenant, kThings,
          {.after = after, .limit = 1 + rng_.below(40), .select = {.vectors = true}});
      ASSERT_TRUE(page.ok()) << page.error().message;
      for (const Point& point : page.value().points) {
        ASSERT_NE(expected, model_.end());
        ASSERT_EQ(point.id, expected->first);
        ASSERT_NO_FATAL_FAILURE(expect_equal(point));
        ++expected;
      }
      after = page.value().next;
    } while (after);
    ASSERT_EQ(expected, model_.end());
  }

  // The score that callers see, computed plainly.
  double score(const std::vector<float>& a, const std::vector<float>& b) const {
    double dot = 0;
    double squares = 0;
    double absolutes = 0;
    for (std::size_t i = 0; i < kThingDim; ++i) {
      const double x = a[i];
      const double y = b[i];
      dot += x * y;
      squares += (x - y) * (x - y);
      absolutes += std::abs(x - y);
    }
    if (metric_ == Metric::kEuclidean) return std::sqrt(squares);
    return metric_ == Metric::kManhattan ? absolutes : dot;
  }

  void check_search() {
    const std::vector<float> query = random_vector(rng_, kThingDim);
    const std::vector<float> compared = metric_ == Metric::kCosine ? unit(query) : query;
    const bool higher = metric_ == Metric::kCosine || metric_ == Metric::kDot;
    std::vector<double> expected;
    for (const auto& [id, point] : model_) expected.push_back(score(compared, point.vector));
    std::sort(expected.begin(), expected.end());
    if (higher) std::reverse(expected.begin(), expected.end());
    const std::size_t k = 1 + rng_.below(12);
    const bool exact = rng_.below(2) == 0;
    const auto result =
        engine_->search(kTenant, kThings, {.vector = query, .k = k, .exact = exact});
    ASSERT_TRUE(result.ok()) << result.error().message;
    const auto& hits = result.value().hits;
    ASSERT_EQ(hits.size(), std::min(k, model_.size()));
    std::size_t good = 0;
    std::set<PointId> seen;
    for (std::size_t i = 0; i < hits.size(); ++i) {
      const auto found = model_.find(hits[i].point.id);
      ASSERT_NE(found, model_.end()) << "a hit that is not there";
      ASSERT_TRUE(seen.insert(hits[i].point.id).second) << "a hit given twice";
      ASSERT_NEAR(hits[i].score, score(compared, found->second.vector), 1e-3);
      if (exact) {
        ASSERT_NEAR(hits[i].score, expected[i], 1e-3);
      }
      const double worst = expected[hits.size() - 1];
      good += higher ? hits[i].score >= worst - 1e-4 : hits[i].score <= worst + 1e-4;
    }
    if (hits.empty()) return;
    recall_sum_ += static_cast<double>(good) / static_cast<double>(hits.size());
    ++searches_;
  }

  TempDir dir_;
  Rng rng_;
  const Metric metric_;
  CollectionConfig config_;
  std::unique_ptr<Engine> engine_;
  std::map<PointId, ModelPoint> model_;
  double recall_sum_ = 0;
  int searches_ = 0;
  int restarts_ = 0;
};

struct Case {
  Metric metric;
  std::uint32_t shards;
  Durability durability;
};

class EngineModel : public testing::TestWithParam<Case> {};

TEST_P(EngineModel, FollowsAnyHistory) {
  const Case& c = GetParam();
  History history(test_seed(), c.metric, c.shards, c.durability);
  for (int step = 0; step < 700; ++step) {
    history.step();
    if (testing::Test::HasFatalFailure()) FAIL() << "at step " << step;
  }
  history.finish();
}

INSTANTIATE_TEST_SUITE_P(All, EngineModel,
                         testing::Values(Case{Metric::kCosine, 1, Durability::kAsync},
                                         Case{Metric::kEuclidean, 3, Durability::kAsync},
                                         Case{Metric::kDot, 2, Durability::kSync},
                                         Case{Metric::kManhattan, 1, Durability::kAsync}));

}  // namespace
}  // namespace quipu
