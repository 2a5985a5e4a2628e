// Goal: vectors come to a live collection and go from it, and what points had of one that went
// never comes back: not under the same name, in another size or kind, not after a restart, a
// checkpoint or a replay of the log. Method: drawn changes and writes beside a map, and named
// cases.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "quipu/base/format.h"
#include "quipu/base/limits.h"
#include "quipu/base/rng.h"
#include "quipu/base/test_support.h"
#include "quipu/engine.h"
#include "quipu/engine/records.h"
#include "quipu/engine/testing/names.h"

namespace quipu {
namespace {

using Kind = VectorChange::Kind;

VectorChange adding(VectorConfig vector) {
  return {.kind = Kind::kAdd, .vector = std::move(vector), .name = {}, .to = {}};
}
VectorChange dropping(std::string name) {
  return {.kind = Kind::kDrop, .vector = {}, .name = std::move(name), .to = {}};
}
VectorChange renaming(std::string name, std::string to) {
  return {.kind = Kind::kRename, .vector = {}, .name = std::move(name), .to = std::move(to)};
}

class VectorsTest : public testing::Test {
 protected:
  void open() {
    engine_.reset();
    EngineOptions options;
    options.data_dir = dir_.file("data");
    options.checkpoint_operations = 200;
    auto opened = Engine::open(options, {});
    ASSERT_EQ(why_not(opened), "");
    engine_ = std::move(opened).value();
  }
  void create(std::vector<VectorConfig> vectors, std::uint32_t shards = 1) {
    ASSERT_NO_FATAL_FAILURE(open());
    CollectionConfig config;
    config.vectors = std::move(vectors);
    config.shard_count = shards;
    ASSERT_EQ(why_not(engine_->create_collection(kTenant, kName, config)), "");
  }
  std::string change(const std::vector<VectorChange>& changes) {
    const auto changed = engine_->change_vectors(kTenant, kName, changes);
    return changed.ok() ? std::string() : changed.error().reason;
  }
  void put(std::uint64_t id, std::vector<NamedVector> vectors) {
    UpsertRequest request{.points = {}, .allow_bare = true, .params = {}};
    request.points.push_back({.id = PointId::number(id), .vectors = std::move(vectors)});
    ASSERT_EQ(why_not(engine_->upsert(kTenant, kName, std::move(request))), "");
  }
  std::vector<NamedVector> vectors_of(std::uint64_t id) {
    const auto points = engine_->get(
        kTenant, kName, {.ids = {PointId::number(id)}, .select = {.vectors = true}, .params = {}});
    EXPECT_EQ(why_not(points), "");
    if (!points.ok() || points.value().empty()) return {};
    return points.value().front().vectors;
  }
  Result<SearchResult> search(const std::string& name, std::vector<float> vector) {
    return engine_->search(kTenant, kName,
                           {.vector_name = name, .vector = std::move(vector), .exact = true});
  }

  TempDir dir_{TempDir::Place::kMemory};
  std::unique_ptr<Engine> engine_;
};

TEST_F(VectorsTest, ANewVectorIsSearchableAtOnce) {
  ASSERT_NO_FATAL_FAILURE(create({{.name = "", .dim = 2, .metric = Metric::kDot}}, 3));
  for (std::uint64_t id = 0; id < 20; ++id) put(id, {{.name = "", .values = {1, 2}}});
  ASSERT_EQ(change({adding({.name = "late", .dim = 3, .metric = Metric::kDot})}), "");
  const auto info = engine_->collection(kTenant, kName);
  ASSERT_EQ(why_not(info), "");
  ASSERT_EQ(info.value().config.vectors.size(), 2U);
  EXPECT_EQ(info.value().config.vectors[1].name, "late");
  EXPECT_EQ(info.value().vectors[1].state, "ready");
  auto found = search("late", {1, 0, 0});
  ASSERT_EQ(why_not(found), "");
  EXPECT_TRUE(found.value().hits.empty());
  PatchRequest request;
  request.points.push_back({.id = PointId::number(7), .vectors = {{"late", {2, 0, 0}, {}}}});
  ASSERT_EQ(why_not(engine_->patch(kTenant, kName, std::move(request))), "");
  for (int restarts = 0; restarts < 2; ++restarts) {
    found = search("late", {1, 0, 0});
    ASSERT_EQ(why_not(found), "");
    ASSERT_EQ(found.value().hits.size(), 1U);
    EXPECT_EQ(found.value().hits[0].point.id, PointId::number(7));
    EXPECT_EQ(vectors_of(7).size(), 2U);
    EXPECT_EQ(vectors_of(8).size(), 1U);
    ASSERT_NO_FATAL_FAILURE(open());
  }
}

TEST_F(VectorsTest, WhatWasDroppedDoesNotComeBackUnderItsName) {
  ASSERT_NO_FATAL_FAILURE(create({{.name = "", .dim = 2}, {.name = "old", .dim = 2}}));
  put(1, {{.name = "", .values = {1, 2}}, {.name = "old", .values = {3, 4}}});
  ASSERT_EQ(why_not(engine_->checkpoint()), "");  // its view has a file
  put(2, {{.name = "", .values = {1, 2}}, {.name = "old", .values = {3, 4}}});
  ASSERT_EQ(change({dropping("old")}), "");
  const auto gone = search("old", {1, 2});
  ASSERT_FALSE(gone.ok());
  EXPECT_EQ(gone.error().reason, "vector_not_found");
  ASSERT_EQ(change({adding({.name = "old", .dim = 5})}), "");
  for (int restarts = 0; restarts < 2; ++restarts) {
    SCOPED_TRACE(restarts);
    EXPECT_EQ(vectors_of(1).size(), 1U);
    EXPECT_EQ(vectors_of(2).size(), 1U);
    const auto found = search("old", {1, 2, 3, 4, 5});
    ASSERT_EQ(why_not(found), "");
    EXPECT_TRUE(found.value().hits.empty());
    Filter filter;
    filter.must.push_back({HasVectorCondition{"old"}});
    EXPECT_EQ(engine_->count(kTenant, kName, {.filter = filter, .params = {}}).value(), 0U);
    ASSERT_NO_FATAL_FAILURE(open());
  }
  put(1, {{.name = "old", .values = {1, 2, 3, 4, 5}}});
  EXPECT_EQ(vectors_of(1).size(), 1U);
  EXPECT_EQ(vectors_of(1)[0].values.size(), 5U);
}

TEST_F(VectorsTest, AModelIsChangedByOneCall) {
  ASSERT_NO_FATAL_FAILURE(create({{.name = "", .dim = 2, .metric = Metric::kDot}}));
  put(1, {{.name = "", .values = {1, 2}}});
  ASSERT_EQ(change({adding({.name = "next", .dim = 3, .metric = Metric::kDot})}), "");
  PatchRequest request;
  request.points.push_back({.id = PointId::number(1), .vectors = {{"next", {5, 6, 7}, {}}}});
  ASSERT_EQ(why_not(engine_->patch(kTenant, kName, std::move(request))), "");
  ASSERT_EQ(change({dropping(""), renaming("next", "")}), "");
  for (int restarts = 0; restarts < 2; ++restarts) {
    const auto found = search("", {1, 1, 1});
    ASSERT_EQ(why_not(found), "");
    ASSERT_EQ(found.value().hits.size(), 1U);
    EXPECT_FLOAT_EQ(found.value().hits[0].score, 18);
    ASSERT_EQ(vectors_of(1).size(), 1U);
    EXPECT_EQ(vectors_of(1)[0].name, "");
    EXPECT_EQ(vectors_of(1)[0].values, (std::vector<float>{5, 6, 7}));
    ASSERT_NO_FATAL_FAILURE(open());
  }
}

TEST_F(VectorsTest, AllChangesAreMadeOrNone) {
  ASSERT_NO_FATAL_FAILURE(create({{.name = "a", .dim = 2}, {.name = "b", .dim = 2}}));
  EXPECT_EQ(change({dropping("a"), dropping("a")}), "vector_not_found");
  EXPECT_EQ(change({renaming("a", "b")}), "vector_exists");
  EXPECT_EQ(change({adding({.name = "a", .dim = 2})}), "vector_exists");
  EXPECT_EQ(change({adding({.name = "c", .dim = 0})}), "out_of_range");
  EXPECT_EQ(change({adding({.name = "no spaces", .dim = 2})}), "invalid_name");
  EXPECT_EQ(change({renaming("a", "no spaces")}), "invalid_name");
  EXPECT_EQ(change({}), "empty_batch");
  EXPECT_EQ(change(std::vector<VectorChange>(limits::kVectorChangesMax + 1, dropping("a"))),
            "batch_too_large");
  EXPECT_EQ(engine_->change_vectors(kTenant, "nowhere", {dropping("a")}).error().reason,
            "collection_not_found");
  const auto info = engine_->collection(kTenant, kName).value();
  ASSERT_EQ(info.config.vectors.size(), 2U);
  EXPECT_EQ(info.config.vectors[0].name, "a");
  std::vector<VectorChange> many;
  for (int i = 0; i < 14; ++i) many.push_back(adding({.name = format("n{}", i), .dim = 1}));
  EXPECT_EQ(change(many), "");
  EXPECT_EQ(change({adding({.name = "one_more", .dim = 1})}), "out_of_range");
  EXPECT_EQ(change({dropping("a"), adding({.name = "one_more", .dim = 1})}), "");
}

TEST(VectorChanges, IdsAreNeverGivenTwiceAndEnd) {
  using storage::VectorNameChange;
  CollectionConfig config;
  std::uint32_t next = 65'535;
  const VectorNameChange add{VectorNameChange::Kind::kAdd, "a",
                             engine::encode_vector_config({.name = "a", .dim = 1})};
  const auto last = engine::apply_vector_changes(config, {add}, next);
  ASSERT_EQ(why_not(last), "");
  EXPECT_EQ(last.value().vectors[0].id, 65'535);
  EXPECT_EQ(next, 65'536U);
  const auto none = engine::apply_vector_changes(config, {add}, next);
  ASSERT_FALSE(none.ok());
  EXPECT_EQ(none.error().reason, "vector_ids_used_up");
}

// Writes that were made for a vector which is dropped before they are applied are refused whole;
// reads see the vectors of one moment.
TEST_F(VectorsTest, WritersAndReadersMeetChanges) {
  ASSERT_NO_FATAL_FAILURE(create({{.name = "", .dim = 2, .metric = Metric::kDot}}, 2));
  std::atomic<bool> stop{false};
  std::atomic<int> strange{0};
  std::thread writer([&] {
    for (std::uint64_t i = 0; !stop.load(); ++i) {
      UpsertRequest request;
      request.points.push_back(
          {.id = PointId::number(i % 50), .vectors = {{"", {1, 2}, {}}, {"extra", {1, 2, 3}, {}}}});
      const auto written = engine_->upsert(kTenant, kName, std::move(request));
      if (!written.ok() && written.error().reason != "vector_not_found") strange.fetch_add(1);
    }
  });
  std::thread reader([&] {
    while (!stop.load()) {
      const auto found = search("extra", {1, 0, 0});
      if (!found.ok() && found.error().reason != "vector_not_found") strange.fetch_add(1);
      const auto page =
          engine_->scroll(kTenant, kName, {.select = {.vectors = true}, .params = {}});
      if (!page.ok()) strange.fetch_add(1);
    }
  });
  for (int i = 0; i < 40; ++i) {
    const VectorConfig extra{.name = "extra", .dim = 3, .metric = Metric::kDot};
    EXPECT_EQ(change({adding(extra)}), "");
    EXPECT_EQ(change({dropping("extra")}), "");
  }
  stop.store(true);
  writer.join();
  reader.join();
  EXPECT_EQ(strange.load(), 0);
}

// ---- any history

class VectorHistory {
 public:
  VectorHistory(std::uint64_t seed, std::uint32_t shards) : rng_(seed) {
    open();
    CollectionConfig config;
    config.shard_count = shards;
    config.durability = Durability::kAsync;
    EXPECT_EQ(why_not(engine_->create_collection(kTenant, kName, config)), "");
  }

  void step() {
    switch (rng_.below(12)) {
      case 0:
      case 1: return change();
      case 2:
      case 3:
      case 4: return upsert();
      case 5:
      case 6: return patch();
      case 7: return remove();
      case 8:
        if (rng_.below(3) == 0) {
          ASSERT_EQ(why_not(engine_->checkpoint()), "");
        }
        return;
      case 9:
        if (rng_.below(4) == 0) restart();
        return;
      default: return check();
    }
  }
  void finish() {
    restart();
    check();
    EXPECT_GT(added_, 16);  // beyond what a mask of 16 could tell
  }

 private:
  using Values = std::pair<std::vector<float>, std::vector<std::uint32_t>>;
  using Known = std::map<std::string, Values>;

  void open() {
    engine_.reset();
    EngineOptions options;
    options.data_dir = dir_.file("data");
    options.checkpoint_operations = 100;
    auto opened = Engine::open(options, {});
    ASSERT_EQ(why_not(opened), "");
    engine_ = std::move(opened).value();
  }

  void restart() {
    const auto before = engine_->state_digest(kTenant, kName);
    ASSERT_EQ(why_not(before), "");
    if (rng_.below(2) == 0) {
      ASSERT_EQ(why_not(engine_->close(std::chrono::seconds(10))), "");
    }
    open();
    const auto after = engine_->state_digest(kTenant, kName);
    ASSERT_EQ(why_not(after), "");
    ASSERT_EQ(before.value(), after.value());
  }

  std::string draw_name() { return format("v{}", rng_.below(4)); }

  VectorConfig draw_config(std::string name) {
    VectorConfig config{.name = std::move(name)};
    config.kind = static_cast<VectorKind>(rng_.below(3));
    config.metric = Metric::kDot;
    if (config.kind != VectorKind::kSparse) {
      config.dim = static_cast<std::uint32_t>(1 + rng_.below(6));
    }
    if (rng_.below(3) == 0) config.index = IndexKind::kFlat;
    return config;
  }

  void change() {
    const std::string name = draw_name();
    const bool there = vectors_.contains(name);
    if (!there) {
      const VectorConfig config = draw_config(name);
      ASSERT_EQ(why_not(engine_->change_vectors(kTenant, kName, {adding(config)})), "");
      vectors_[name] = config;
      ++added_;
    } else if (const std::string to = draw_name(); rng_.below(3) == 0 && !vectors_.contains(to)) {
      ASSERT_EQ(why_not(engine_->change_vectors(kTenant, kName, {renaming(name, to)})), "");
      auto vector = vectors_.extract(name);
      vector.key() = to;
      vectors_.insert(std::move(vector));
      for (auto& [id, known] : model_) {
        auto value = known.extract(name);
        if (value.empty()) continue;
        value.key() = to;
        known.insert(std::move(value));
      }
    } else {
      ASSERT_EQ(why_not(engine_->change_vectors(kTenant, kName, {dropping(name)})), "");
      vectors_.erase(name);
      for (auto& [id, known] : model_) known.erase(name);
    }
  }

  Values draw_values(const VectorConfig& config) {
    Values drawn;
    std::size_t count = config.dim;
    if (config.kind == VectorKind::kMulti) count *= 1 + rng_.below(3);
    if (config.kind == VectorKind::kSparse) {
      count = 1 + rng_.below(4);
      for (std::uint32_t i = 0; i < count; ++i) {
        drawn.second.push_back(i * 3 + static_cast<std::uint32_t>(rng_.below(3)));
      }
    }
    for (std::size_t i = 0; i < count; ++i) {
      drawn.first.push_back(static_cast<float>(rng_.normal()));
    }
    return drawn;
  }
  Known draw_known() {
    Known known;
    for (const auto& [name, config] : vectors_) {
      if (rng_.below(2) == 0) known[name] = draw_values(config);
    }
    return known;
  }
  static std::vector<NamedVector> named(const Known& known) {
    std::vector<NamedVector> vectors;
    for (const auto& [name, values] : known) {
      vectors.push_back({.name = name, .values = values.first, .indices = values.second});
    }
    return vectors;
  }
  std::set<PointId> draw_ids() {
    std::set<PointId> ids;
    for (std::uint64_t i = 1 + rng_.below(8); i > 0; --i) {
      ids.insert(PointId::number(rng_.below(60)));
    }
    return ids;
  }

  void upsert() {
    UpsertRequest request{.points = {}, .allow_bare = true, .params = {}};
    for (const PointId& id : draw_ids()) {
      model_[id] = draw_known();
      request.points.push_back({.id = id, .vectors = named(model_[id])});
    }
    ASSERT_EQ(why_not(engine_->upsert(kTenant, kName, std::move(request))), "");
  }
  void patch() {
    PatchRequest request;
    for (const PointId& id : draw_ids()) {
      const Known given = draw_known();
      PointPatch patch{.id = id, .vectors = named(given)};
      for (const auto& [name, config] : vectors_) {
        if (!given.contains(name) && rng_.below(4) == 0) patch.delete_vectors.push_back(name);
      }
      if (const auto found = model_.find(id); found != model_.end()) {
        for (const std::string& name : patch.delete_vectors) found->second.erase(name);
        for (const auto& [name, values] : given) found->second[name] = values;
      }
      request.points.push_back(std::move(patch));
    }
    ASSERT_EQ(why_not(engine_->patch(kTenant, kName, std::move(request))), "");
  }
  void remove() {
    DeleteRequest request;
    for (const PointId& id : draw_ids()) {
      request.points.push_back({.id = id, .condition = {}});
      model_.erase(id);
    }
    ASSERT_EQ(why_not(engine_->remove(kTenant, kName, std::move(request))), "");
  }

  void check() {
    const auto page = engine_->scroll(
        kTenant, kName, {.limit = 100, .select = {.payload = false, .vectors = true}});
    ASSERT_EQ(why_not(page), "");
    ASSERT_EQ(page.value().points.size(), model_.size());
    for (const Point& point : page.value().points) {
      Known stored;
      for (const NamedVector& vector : point.vectors) {
        stored[vector.name] = {vector.values, vector.indices};
      }
      ASSERT_EQ(stored, model_.at(point.id)) << point.id.to_string();
    }
    for (const auto& [name, config] : vectors_) ASSERT_NO_FATAL_FAILURE(check_vector(name, config));
    const std::string unknown = format("v{}", rng_.below(4));
    if (vectors_.contains(unknown)) return;
    const auto found = engine_->search(kTenant, kName, {.vector_name = unknown, .vector = {1}});
    ASSERT_FALSE(found.ok());
    ASSERT_EQ(found.error().reason, "vector_not_found");
  }

  // Every point that has the vector is found by it, with the score that a plain sum gives.
  void check_vector(const std::string& name, const VectorConfig& config) {
    std::map<PointId, double> wanted;
    const Values asked = draw_values(config);
    for (const auto& [id, known] : model_) {
      const auto found = known.find(name);
      if (found == known.end()) continue;
      if (const auto score = plain_score(config, asked, found->second)) wanted[id] = *score;
    }
    QueryRequest request{.root = {}, .offset = 0, .select = {}, .params = {}};
    NearestQuery query;
    if (config.kind == VectorKind::kSparse) {
      query.input = SparseValues{.indices = asked.second, .values = asked.first};
    } else if (config.kind == VectorKind::kMulti) {
      query.input = MultiValues{.rows = static_cast<std::uint32_t>(asked.first.size() / config.dim),
                                .values = asked.first};
    } else {
      query.input = asked.first;
    }
    request.root.query = query;
    request.root.using_name = name;
    request.root.params.exact = true;
    request.root.limit = 100;
    const auto found = engine_->query(kTenant, kName, request);
    ASSERT_EQ(why_not(found), "") << name;
    ASSERT_EQ(found.value().hits.size(), wanted.size()) << name;
    for (const SearchHit& hit : found.value().hits) {
      ASSERT_TRUE(wanted.contains(hit.point.id)) << name;
      ASSERT_NEAR(hit.score, wanted[hit.point.id], 1e-4) << name;
    }
    Filter filter;
    filter.must.push_back({HasVectorCondition{name}});
    std::uint64_t having = 0;
    for (const auto& [id, known] : model_) having += known.count(name);
    const auto count = engine_->count(kTenant, kName, {.filter = filter, .params = {}});
    ASSERT_EQ(why_not(count), "");
    ASSERT_EQ(count.value(), having) << name;
  }

  static double dot(const float* a, const float* b, std::size_t dim) {
    double sum = 0;
    for (std::size_t i = 0; i < dim; ++i) sum += double{a[i]} * double{b[i]};
    return sum;
  }
  static std::optional<double> plain_score(const VectorConfig& config, const Values& asked,
                                           const Values& stored) {
    if (config.kind == VectorKind::kDense) {
      return dot(asked.first.data(), stored.first.data(), config.dim);
    }
    if (config.kind == VectorKind::kMulti) {
      double sum = 0;
      for (std::size_t a = 0; a < asked.first.size(); a += config.dim) {
        double best = -1e30;
        for (std::size_t b = 0; b < stored.first.size(); b += config.dim) {
          best = std::max(best, dot(&asked.first[a], &stored.first[b], config.dim));
        }
        sum += best;
      }
      return sum;
    }
    double sum = 0;
    bool shared = false;
    for (std::size_t a = 0; a < asked.first.size(); ++a) {
      for (std::size_t b = 0; b < stored.first.size(); ++b) {
        if (asked.second[a] != stored.second[b]) continue;
        sum += double{asked.first[a]} * double{stored.first[b]};
        shared = true;
      }
    }
    if (!shared) return std::nullopt;
    return sum;
  }

  TempDir dir_{TempDir::Place::kMemory};
  Rng rng_;
  std::unique_ptr<Engine> engine_;
  std::map<std::string, VectorConfig> vectors_;
  std::map<PointId, Known> model_;
  int added_ = 0;
};

class VectorModel : public testing::TestWithParam<std::uint32_t> {};

TEST_P(VectorModel, FollowsAnyHistory) {
  VectorHistory history(test_seed(), GetParam());
  for (int step = 0; step < 500; ++step) {
    history.step();
    if (testing::Test::HasFatalFailure()) FAIL() << "at step " << step;
  }
  history.finish();
}

INSTANTIATE_TEST_SUITE_P(Shards, VectorModel, testing::Values(1, 3));

}  // namespace
}  // namespace quipu
