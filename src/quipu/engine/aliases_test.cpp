// Goal: an alias names its collection in everything that is asked, several change together or not
// at all, and what was acknowledged is there after a restart.
// Method: each promise by itself; then random changes on few names against a plain map, with
// restarts; then power cuts, and a reader beside a writer that moves an alias back and forth.
#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "quipu/base/fault_file_system.h"
#include "quipu/base/limits.h"
#include "quipu/base/test_support.h"
#include "quipu/engine.h"
#include "quipu/engine/testing/names.h"

namespace quipu {
namespace {

using AliasKind = AliasChange::Kind;

class AliasesTest : public testing::Test {
 protected:
  void SetUp() override { open(); }

  void open() {
    engine_.reset();
    EngineOptions options;
    options.data_dir = dir_.file("data");
    auto opened = Engine::open(options, {});
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    engine_ = std::move(opened).value();
  }
  Status create(std::string_view name, std::string_view tenant = kTenant) {
    CollectionConfig config;
    config.vectors.push_back({.dim = 2, .metric = Metric::kEuclidean});
    const auto made = engine_->create_collection(tenant, name, config);
    if (!made.ok()) return made.error();
    return ok_status();
  }
  Status put(std::string_view collection, std::uint64_t id, std::string key = "") {
    PointWrite write{.id = PointId::number(id)};
    write.vectors.push_back({.name = "", .values = {1, static_cast<float>(id)}});
    UpsertRequest request{.points = {write}, .params = {}};
    request.params.idempotency_key = std::move(key);
    const auto written = engine_->upsert(kTenant, collection, std::move(request));
    if (!written.ok()) return written.error();
    replayed_ = written.value().replayed;
    return ok_status();
  }
  Status change(std::vector<AliasChange> changes) {
    return engine_->update_aliases(kTenant, changes);
  }
  std::uint64_t count(std::string_view collection) {
    const auto counted = engine_->count(kTenant, collection, {});
    return counted.ok() ? counted.value() : 999;
  }
  // "alias>collection ..."
  std::string all() {
    std::string text;
    for (const Alias& alias : engine_->aliases(kTenant)) {
      text += (text.empty() ? "" : " ") + alias.name + ">" + alias.collection;
    }
    return text;
  }
  static void expect_error(const Status& status, ErrorCode code, std::string_view reason,
                           std::string_view named) {
    ASSERT_FALSE(status.ok());
    EXPECT_EQ(status.error().code, code) << status.error().message;
    EXPECT_EQ(status.error().stable_reason(), reason) << status.error().message;
    EXPECT_NE(status.error().message.find(named), std::string::npos) << status.error().message;
  }

  TempDir dir_;
  std::unique_ptr<Engine> engine_;
  bool replayed_ = false;
};

TEST_F(AliasesTest, StandForTheirCollectionInEveryRequest) {
  ASSERT_TRUE(create("notes").ok());
  ASSERT_TRUE(change({{AliasKind::kPut, "live", "notes"}}).ok());
  ASSERT_TRUE(put("live", 1).ok());
  ASSERT_TRUE(put("notes", 2).ok());
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(all(), "live>notes");
    EXPECT_EQ(count("live"), 2U);
    EXPECT_EQ(engine_->collection(kTenant, "live").value().name, "notes");
    const auto found = engine_->search(kTenant, "live", {.vector = {1, 2}, .k = 1});
    ASSERT_TRUE(found.ok());
    EXPECT_EQ(found.value().hits[0].point.id, PointId::number(2));
    QueryRequest query;
    query.root.query = NearestQuery{.input = std::vector<float>{1, 1}, .mmr = std::nullopt};
    query.root.limit = 1;
    EXPECT_EQ(engine_->query(kTenant, "live", query).value().hits[0].point.id, PointId::number(1));
    EXPECT_EQ(engine_->scroll(kTenant, "live", {}).value().points.size(), 2U);
    EXPECT_EQ(engine_->state_digest(kTenant, "live").value(),
              engine_->state_digest(kTenant, "notes").value());
    open();
  }
  EXPECT_EQ(engine_->update_collection(kTenant, "live", {.tail_vectors_max = 2'000}).value().name,
            "notes");
  EXPECT_EQ(engine_->collection(kTenant, "notes").value().config.tail_vectors_max, 2'000U);
  Filter one;
  one.must.push_back({HasIdCondition{{PointId::number(1)}}});
  EXPECT_EQ(
      engine_->remove_by_filter(kTenant, "live", {.filter = one, .params = {}}).value().matched,
      1U);
  EXPECT_EQ(count("notes"), 1U);
  EXPECT_EQ(engine_->aliases_of(kTenant, "live").value().size(), 1U);
  EXPECT_EQ(engine_->aliases_of(kTenant, "none").error().code, ErrorCode::kNotFound);
  EXPECT_EQ(engine_->collections(kTenant).size(), 1U);
}

TEST_F(AliasesTest, AKeyOfAWriteIsTheSameUnderEitherName) {
  ASSERT_TRUE(create("notes").ok());
  ASSERT_TRUE(change({{AliasKind::kPut, "live", "notes"}}).ok());
  ASSERT_TRUE(put("notes", 1, "once").ok());
  EXPECT_FALSE(replayed_);
  ASSERT_TRUE(put("live", 1, "once").ok());
  EXPECT_TRUE(replayed_);
}

TEST_F(AliasesTest, NamesDoNotCollide) {
  ASSERT_TRUE(create("a").ok());
  ASSERT_TRUE(create("b").ok());
  ASSERT_TRUE(change({{AliasKind::kPut, "x", "a"}}).ok());
  expect_error(change({{AliasKind::kPut, "b", "a"}}), ErrorCode::kAlreadyExists,
               "collection_exists", "'b'");
  expect_error(change({{AliasKind::kPut, "a", "a"}}), ErrorCode::kAlreadyExists,
               "collection_exists", "'a'");
  expect_error(change({{AliasKind::kRename, "x", "b"}}), ErrorCode::kAlreadyExists,
               "collection_exists", "'b'");
  expect_error(create("x"), ErrorCode::kAlreadyExists, "alias_exists", "'a'");
  expect_error(change({{AliasKind::kPut, "y", "x"}}), ErrorCode::kNotFound, "collection_not_found",
               "is an alias");
  expect_error(change({{AliasKind::kPut, "y", "none"}}), ErrorCode::kNotFound,
               "collection_not_found", "none");
  expect_error(change({{AliasKind::kDelete, "a", ""}}), ErrorCode::kNotFound, "alias_not_found",
               "'a'");
  expect_error(change({{AliasKind::kRename, "none", "y"}}), ErrorCode::kNotFound, "alias_not_found",
               "none");
  expect_error(change({{AliasKind::kPut, "no/slash", "a"}}), ErrorCode::kInvalidArgument,
               "invalid_name", "no/slash");
  expect_error(change({{AliasKind::kPut, "y", ""}}), ErrorCode::kInvalidArgument, "invalid_name",
               "''");
  expect_error(change({}), ErrorCode::kInvalidArgument, "empty_batch", "0 changes");
  expect_error(change(std::vector<AliasChange>(limits::kAliasChangesMax + 1,
                                               {AliasKind::kDeleteIfThere, "y", ""})),
               ErrorCode::kInvalidArgument, "batch_too_large", "10001");
  // Another tenant's names are its own.
  ASSERT_TRUE(create("x", "other").ok());
  expect_error(engine_->update_aliases("other", {{AliasKind::kPut, "z", "a"}}),
               ErrorCode::kNotFound, "collection_not_found", "other");
  EXPECT_EQ(all(), "x>a");
  EXPECT_TRUE(engine_->aliases("other").empty());
}

TEST_F(AliasesTest, ACollectionIsDroppedByItsOwnNameAndTakesItsAliasesAlong) {
  ASSERT_TRUE(create("a").ok());
  ASSERT_TRUE(create("b").ok());
  ASSERT_TRUE(
      change(
          {{AliasKind::kPut, "x", "a"}, {AliasKind::kPut, "y", "b"}, {AliasKind::kPut, "z", "a"}})
          .ok());
  expect_error(engine_->drop_collection(kTenant, "x"), ErrorCode::kFailedPrecondition, "is_alias",
               "'a'");
  ASSERT_TRUE(engine_->drop_collection(kTenant, "a").ok());
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(all(), "y>b");
    EXPECT_EQ(count("x"), 999U);
    open();
  }
  // The names are free again.
  ASSERT_TRUE(create("x").ok());
  EXPECT_EQ(count("x"), 0U);
}

TEST_F(AliasesTest, ABatchIsDoneInOrderOrNotAtAll) {
  ASSERT_TRUE(create("a").ok());
  ASSERT_TRUE(create("b").ok());
  ASSERT_TRUE(change({{AliasKind::kPut, "live", "a"}, {AliasKind::kPut, "next", "b"}}).ok());
  expect_error(change({{AliasKind::kDelete, "live", ""},
                       {AliasKind::kPut, "new", "b"},
                       {AliasKind::kRename, "live", "gone"}}),
               ErrorCode::kNotFound, "alias_not_found", "changes[2]");
  EXPECT_EQ(all(), "live>a next>b");
  // The usual switch, and a rename onto a name that is taken.
  ASSERT_TRUE(change({{AliasKind::kRename, "live", "before"},
                      {AliasKind::kRename, "next", "live"},
                      {AliasKind::kDeleteIfThere, "never", ""}})
                  .ok());
  EXPECT_EQ(all(), "before>a live>b");
  ASSERT_TRUE(change({{AliasKind::kRename, "live", "before"}}).ok());
  EXPECT_EQ(all(), "before>b");
  ASSERT_TRUE(change({{AliasKind::kRename, "before", "before"}}).ok());
  EXPECT_EQ(all(), "before>b");
}

TEST_F(AliasesTest, TheLimitCountsWhatWouldBeThere) {
  ASSERT_TRUE(create("a").ok());
  std::vector<AliasChange> many;
  for (std::size_t i = 0; i < limits::kAliasesMax; ++i) {
    many.push_back({AliasKind::kPut, "n" + std::to_string(i), "a"});
    if (many.size() < limits::kAliasChangesMax) continue;
    ASSERT_TRUE(change(many).ok());
    many.clear();
  }
  expect_error(change({{AliasKind::kPut, "more", "a"}}), ErrorCode::kResourceExhausted,
               "too_many_aliases", "100001");
  EXPECT_TRUE(change({{AliasKind::kPut, "n7", "a"}}).ok());
  EXPECT_TRUE(change({{AliasKind::kDelete, "n7", ""}, {AliasKind::kPut, "more", "a"}}).ok());
  ASSERT_TRUE(engine_->drop_collection(kTenant, "a").ok());
  EXPECT_EQ(all(), "");
}

// The twin: collections and aliases as two plain containers.
struct Twin {
  std::set<std::string> collections;
  std::map<std::string, std::string> aliases;

  bool apply(const std::vector<AliasChange>& changes) {
    std::map<std::string, std::string> after = aliases;
    for (const AliasChange& change : changes) {
      const bool there = after.contains(change.alias);
      switch (change.kind) {
        case AliasKind::kPut:
          if (!collections.contains(change.target) || collections.contains(change.alias)) {
            return false;
          }
          after[change.alias] = change.target;
          break;
        case AliasKind::kRename: {
          if (!there || collections.contains(change.target)) return false;
          const std::string target = after[change.alias];
          after.erase(change.alias);
          after[change.target] = target;
          break;
        }
        case AliasKind::kDelete:
          if (!there) return false;
          [[fallthrough]];
        case AliasKind::kDeleteIfThere: after.erase(change.alias);
      }
    }
    aliases = std::move(after);
    return true;
  }
  [[nodiscard]] std::string all() const {
    std::string text;
    for (const auto& [alias, collection] : aliases) {
      text += (text.empty() ? "" : " ") + alias + ">" + collection;
    }
    return text;
  }
};

TEST_F(AliasesTest, FollowAnyHistory) {
  Rng rng(test_seed());
  Twin twin;
  std::map<std::string, std::uint64_t> points;
  const auto name = [&rng] { return std::string(1, static_cast<char>('a' + rng.below(6))); };
  int done = 0;
  int refused = 0;
  for (int step = 0; step < 600; ++step) {
    const std::string one = name();
    switch (rng.below(8)) {
      case 0: {
        const bool free = !twin.collections.contains(one) && !twin.aliases.contains(one);
        ASSERT_EQ(create(one).ok(), free) << one;
        if (free) twin.collections.insert(one);
        if (free) points[one] = 0;
        break;
      }
      case 1: {
        if (rng.below(2) != 0) break;
        const bool there = twin.collections.contains(one);
        ASSERT_EQ(engine_->drop_collection(kTenant, one).ok(), there) << one;
        twin.collections.erase(one);
        std::erase_if(twin.aliases, [&one](const auto& alias) { return alias.second == one; });
        if (there) open();  // what was dropped must not come back with the state
        break;
      }
      case 2:
        if (rng.below(4) == 0) open();
        break;
      case 3: {
        const auto alias = twin.aliases.find(one);
        const std::string own = alias == twin.aliases.end() ? one : alias->second;
        const bool there = twin.collections.contains(own);
        ASSERT_EQ(put(one, static_cast<std::uint64_t>(step)).ok(), there) << one;
        if (there) ++points[own];
        break;
      }
      default: {
        std::vector<AliasChange> changes(1 + rng.below(3));
        for (AliasChange& change : changes) {
          change = {static_cast<AliasKind>(rng.below(4)), name(), name()};
        }
        const bool well = twin.apply(changes);
        ASSERT_EQ(change(changes).ok(), well) << step;
        ++(well ? done : refused);
      }
    }
    ASSERT_EQ(all(), twin.all()) << step;
    for (const auto& [alias, own] : twin.aliases) ASSERT_EQ(count(alias), points[own]) << alias;
  }
  EXPECT_GT(done, 20);
  EXPECT_GT(refused, 20);
}

// Two aliases are moved together, again and again, until the power fails.
struct PowerCut {
  int acknowledged = 0;
  bool lost = false;  // what was acknowledged is not there, and nothing later either
  bool half = false;  // one was moved and the other not
};

PowerCut cut_power(std::uint64_t seed, bool ignore_syncs) {
  PowerCut cut;
  Rng rng(seed);
  TempDir dir;
  const std::string root = dir.file("root");
  EXPECT_TRUE(posix_file_system().create_directories(root).ok());
  EngineOptions options;
  options.data_dir = root + "/data";
  const auto name = [](int move) { return "c" + std::to_string(move % 5); };
  {
    FaultFileSystem faults(posix_file_system(), root);
    faults.ignore_syncs(ignore_syncs);
    EngineEnvironment environment;
    environment.file_system = &faults;
    {
      auto opened = Engine::open(options, environment);
      EXPECT_TRUE(opened.ok());
      if (!opened.ok()) return cut;
      Engine& engine = *opened.value();
      CollectionConfig config;
      config.vectors.push_back({.dim = 2});
      for (int i = 0; i < 5; ++i) {
        EXPECT_TRUE(engine.create_collection(kTenant, name(i), config).ok());
      }
      faults.crash_after(20 + rng.below(300));
      const auto move = [&](int i) {
        return engine.update_aliases(
            kTenant, {{AliasKind::kPut, "x", name(i)}, {AliasKind::kPut, "y", name(i)}});
      };
      while (move(cut.acknowledged).ok()) ++cut.acknowledged;
      EXPECT_TRUE(faults.crashed());
    }
    EXPECT_TRUE(faults.materialise(rng, CrashMode::kDropUnsynced).ok());
  }
  auto again = Engine::open(options, {});
  if (!again.ok()) {
    cut.lost = true;
    return cut;
  }
  std::map<std::string, std::string> there;
  for (const Alias& alias : again.value()->aliases(kTenant)) there[alias.name] = alias.collection;
  cut.half = there["x"] != there["y"];
  const bool last = cut.acknowledged > 0 && there["x"] == name(cut.acknowledged - 1);
  const bool pending = there["x"] == name(cut.acknowledged);
  const bool none = cut.acknowledged == 0 && there["x"].empty();
  cut.lost = !last && !pending && !none;
  return cut;
}

TEST(AliasesCrash, WhatWasAcknowledgedSurvivesAPowerCut) {
  Rng seeds(test_seed());
  int acknowledged = 0;
  for (int round = 0; round < 6; ++round) {
    const std::uint64_t seed = seeds.next();
    const PowerCut cut = cut_power(seed, false);
    EXPECT_FALSE(cut.lost) << "round " << round << ", seed " << seed;
    EXPECT_FALSE(cut.half) << "round " << round << ", seed " << seed;
    acknowledged += cut.acknowledged;
  }
  EXPECT_GT(acknowledged, 20);
}

// Control: the test above can fail.
TEST(AliasesCrash, WithoutFsyncItWouldBeLost) {
  Rng seeds(test_seed());
  bool lost = false;
  for (int round = 0; round < 5 && !lost; ++round) lost = cut_power(seeds.next(), true).lost;
  EXPECT_TRUE(lost);
}

TEST_F(AliasesTest, AReaderSeesTheOldOrTheNewAndNeverNeither) {
  ASSERT_TRUE(create("a").ok());
  ASSERT_TRUE(create("b").ok());
  ASSERT_TRUE(put("a", 1).ok());
  ASSERT_TRUE(put("b", 1).ok());
  ASSERT_TRUE(put("b", 2).ok());
  ASSERT_TRUE(change({{AliasKind::kPut, "live", "a"}}).ok());
  std::atomic<bool> over{false};
  std::atomic<int> wrong{0};
  std::atomic<int> reads{0};
  std::thread reader([&] {
    while (!over.load() || reads.load() < 100) {
      const auto counted = engine_->count(kTenant, "live", {});
      if (!counted.ok() || (counted.value() != 1 && counted.value() != 2)) wrong.fetch_add(1);
      reads.fetch_add(1);
    }
  });
  for (int i = 0; i < 50; ++i) {
    const Status moved = change(
        {{AliasKind::kDelete, "live", ""}, {AliasKind::kPut, "live", i % 2 == 0 ? "b" : "a"}});
    EXPECT_TRUE(moved.ok());
  }
  over.store(true);
  reader.join();
  EXPECT_EQ(wrong.load(), 0);
  EXPECT_GE(reads.load(), 100);
}

}  // namespace
}  // namespace quipu
