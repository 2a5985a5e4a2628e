// Promise: readers and writers never harm one another; 100 collections and 100 threads at once
// work, and a collection with nothing in it costs next to nothing. Method: threads search, write,
// delete, scroll, snapshot, create and drop at random for a bounded number of steps; every answer
// is checked for what must hold whatever the others do.
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "quipu/base/format.h"
#include "quipu/base/test_support.h"
#include "quipu/engine.h"

namespace quipu {
namespace {

constexpr std::string_view kTenant = "default";
constexpr std::size_t kDim = 8;

CollectionConfig small_config() {
  CollectionConfig config;
  config.vectors.push_back(
      {.dim = kDim, .metric = Metric::kEuclidean, .m = 4, .ef_construction = 20});
  config.durability = Durability::kAsync;
  return config;
}

std::vector<float> random_vector(Rng& rng) {
  std::vector<float> vector(kDim);
  for (float& x : vector) x = static_cast<float>(rng.normal());
  return vector;
}

std::unique_ptr<Engine> open(const std::string& directory) {
  EngineOptions options;
  options.data_dir = directory;
  options.background_threads = 2;
  options.checkpoint_operations = 200;
  auto opened = Engine::open(options, {});
  EXPECT_TRUE(opened.ok()) << opened.error().message;
  return opened.ok() ? std::move(opened).value() : nullptr;
}

// An answer may be that somebody has just dropped the collection, and nothing else.
template <typename T>
bool fine(const Result<T>& result) {
  if (result.ok() || result.error().code == ErrorCode::kNotFound ||
      result.error().code == ErrorCode::kAlreadyExists) {
    return true;
  }
  ADD_FAILURE() << result.error().message;
  return false;
}

void write_some(Engine& engine, const std::string& name, Rng& rng) {
  UpsertRequest request;
  std::set<std::uint64_t> ids;
  while (ids.size() < 5) ids.insert(rng.below(200));
  for (const std::uint64_t id : ids) {
    PointWrite write{.id = PointId::number(id)};
    write.vectors.push_back({.name = "", .values = random_vector(rng)});
    request.points.push_back(std::move(write));
  }
  fine(engine.upsert(kTenant, name, std::move(request)));
}

void search_some(Engine& engine, const std::string& name, Rng& rng) {
  const auto result = engine.search(kTenant, name, {.vector = random_vector(rng), .k = 10});
  if (!fine(result) || !result.ok()) return;
  std::set<PointId> seen;
  float last = -1;
  for (const SearchHit& hit : result.value().hits) {
    EXPECT_TRUE(seen.insert(hit.point.id).second) << "a hit given twice";
    EXPECT_GE(hit.score, last) << "hits out of order";
    last = hit.score;
  }
}

void one_step(Engine& engine, const std::string& name, Rng& rng) {
  switch (rng.below(12)) {
    case 0:
      fine(engine.remove(kTenant, name,
                         {.points = {{.id = PointId::number(rng.below(200))}}, .params = {}}));
      break;
    case 1: fine(engine.scroll(kTenant, name, {.limit = 20})); break;
    case 2: fine(engine.count(kTenant, name, {})); break;
    case 3: fine(engine.get(kTenant, name, {.ids = {PointId::number(rng.below(200))}})); break;
    case 4:
      if (rng.below(20) == 0) {
        fine(engine.drop_collection(kTenant, name));
        fine(engine.create_collection(kTenant, name, small_config()));
      }
      break;
    case 5:
    case 6:
    case 7: write_some(engine, name, rng); break;
    default: search_some(engine, name, rng); break;
  }
}

TEST(EngineStress, HundredThreadsOnHundredCollections) {
  const std::uint64_t seed = test_seed();
  TempDir dir;
  const std::unique_ptr<Engine> engine = open(dir.file("data"));
  ASSERT_NE(engine, nullptr);
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(engine->create_collection(kTenant, format("c{}", i), small_config()).ok());
  }
  std::vector<std::thread> threads;
  for (std::uint64_t t = 0; t < 104; ++t) {
    threads.emplace_back([&engine, seed, t] {
      Rng rng(seed + t);
      for (int step = 0; step < 60; ++step) {
        one_step(*engine, format("c{}", rng.below(100)), rng);
        if (t == 0 && step % 20 == 0) {
          EXPECT_TRUE(engine->checkpoint().ok());
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const CollectionInfo& info : engine->collections(kTenant)) {
    const auto all = engine->search(
        kTenant, info.name, {.vector = std::vector<float>(kDim, 0.5F), .k = 1000, .exact = true});
    ASSERT_TRUE(all.ok());
    EXPECT_EQ(all.value().hits.size(), engine->count(kTenant, info.name, {}).value());
  }
  EXPECT_TRUE(engine->close(std::chrono::seconds(60)).ok());
}

TEST(EngineStress, ManyThreadsOnOneCollection) {
  const std::uint64_t seed = test_seed();
  TempDir dir;
  const std::unique_ptr<Engine> engine = open(dir.file("data"));
  ASSERT_NE(engine, nullptr);
  ASSERT_TRUE(engine->create_collection(kTenant, "one", small_config()).ok());
  std::atomic<int> snapshots{0};
  std::vector<std::thread> threads;
  for (std::uint64_t t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      Rng rng(seed + t);
      for (int step = 0; step < 150; ++step) {
        if (rng.below(2) == 0) {
          write_some(*engine, "one", rng);
        } else {
          search_some(*engine, "one", rng);
        }
        if (t == 0 && step % 50 == 49) {
          const Status made = engine->snapshot(dir.file(format("snapshot{}", snapshots++)));
          EXPECT_TRUE(made.ok()) << made.error().message;
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  const auto digest = engine->state_digest(kTenant, "one");
  ASSERT_TRUE(digest.ok());
  ASSERT_GT(snapshots.load(), 0);
  const Status last = engine->snapshot(dir.file("last"));
  ASSERT_TRUE(last.ok()) << last.error().message;
  ASSERT_TRUE(Engine::restore(dir.file("last"), dir.file("restored"), {}).ok());
  const std::unique_ptr<Engine> restored = open(dir.file("restored"));
  ASSERT_NE(restored, nullptr);
  EXPECT_EQ(restored->state_digest(kTenant, "one").value(), digest.value());
}

TEST(EngineStress, EmptyCollectionsAreSmall) {
  TempDir dir;
  const std::unique_ptr<Engine> engine = open(dir.file("data"));
  ASSERT_NE(engine, nullptr);
  constexpr int kCount = 500;
  std::uint64_t memory = 0;
  for (int i = 0; i < kCount; ++i) {
    const auto made = engine->create_collection(kTenant, format("c{}", i), small_config());
    ASSERT_TRUE(made.ok());
    memory += made.value().vectors[0].memory_bytes;
  }
  std::printf("an empty collection's views hold %llu bytes\n",
              static_cast<unsigned long long>(memory / kCount));
  EXPECT_LE(memory / kCount, 16'384U);
}

}  // namespace
}  // namespace quipu
