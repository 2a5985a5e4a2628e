// Promise: whatever moment the power fails at, everything acknowledged by a `sync` collection is
// there afterwards, nothing is half there, deletes stay deleted, and the views fit the state.
// Method: writers on several threads keep a record of what was acknowledged while the engine runs
// on a file system that loses power at a random change; what was not synced is then dropped, torn
// or reordered, and the folder is opened again and compared with the writers' record. Control: the
// same run with fsync switched off must lose something, or the test proves nothing.
#include <gtest/gtest.h>

#include <atomic>
#include <charconv>
#include <cstdlib>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "quipu/base/fault_file_system.h"
#include "quipu/base/format.h"
#include "quipu/base/test_support.h"
#include "quipu/engine.h"

namespace quipu {
namespace {

constexpr std::string_view kTenant = "default";
constexpr std::string_view kName = "things";
constexpr std::size_t kDim = 16;
constexpr int kWriters = 4;
constexpr std::uint64_t kIdsPerWriter = 40;
constexpr std::string_view kValueField = R"({"value":)";

// What a writer knows of one of its ids. Each id has one writer, so the order is known.
struct Known {
  std::uint64_t value = 0;  // last acknowledged; 0: absent
  // The write that was under way when the power failed: it may be there or not.
  std::optional<std::uint64_t> pending;  // 0: a delete
};

std::vector<float> vector_for(std::uint64_t value) {
  Rng rng(value);
  std::vector<float> vector(kDim);
  for (float& x : vector) x = static_cast<float>(rng.normal());
  return vector;
}

EngineOptions options_for(const std::string& data_dir) {
  EngineOptions options;
  options.data_dir = data_dir;
  options.background_threads = 1;
  options.checkpoint_operations = 60;  // checkpoints are written and logs cut all the time
  return options;
}

struct Outcome {
  std::uint64_t acknowledged = 0;
  std::uint64_t lost = 0;        // acknowledged, and not there or older afterwards
  std::uint64_t half = 0;        // there with the wrong content
  std::uint64_t lost_bytes = 0;  // what the power cut took away
  bool opened = true;
  std::string error;
};

// One point a write: upsert, or a delete now and then; every 7th write is a batch over all ids.
void run_writer(Engine& engine, int writer, std::uint64_t seed,
                std::map<std::uint64_t, Known>& known, std::atomic<std::uint64_t>& acknowledged) {
  Rng rng(seed + static_cast<std::uint64_t>(writer) * 1000);
  std::uint64_t next_value = 1 + static_cast<std::uint64_t>(writer) * 1'000'000;
  while (true) {
    std::vector<std::uint64_t> ids;
    const std::uint64_t first = static_cast<std::uint64_t>(writer) * kIdsPerWriter;
    if (rng.below(7) == 0) {
      for (std::uint64_t i = 0; i < 10; ++i) ids.push_back(first + rng.below(4) * 10 + i);
    } else {
      ids.push_back(first + rng.below(kIdsPerWriter));
    }
    bool ok = false;
    if (rng.below(4) == 0) {
      DeleteRequest request;
      for (const std::uint64_t id : ids) {
        known[id].pending = 0;
        request.points.push_back({.id = PointId::number(id)});
      }
      ok = engine.remove(kTenant, kName, std::move(request)).ok();
    } else {
      UpsertRequest request;
      for (const std::uint64_t id : ids) {
        const std::uint64_t value = next_value++;
        known[id].pending = value;
        PointWrite write{.id = PointId::number(id)};
        write.vectors.push_back({.name = "", .values = vector_for(value)});
        write.payload = format(R"({{"value":{}}})", value);
        request.points.push_back(std::move(write));
      }
      ok = engine.upsert(kTenant, kName, std::move(request)).ok();
    }
    if (!ok) return;  // the power is gone
    for (const std::uint64_t id : ids) {
      known[id].value = *known[id].pending;
      known[id].pending.reset();
    }
    acknowledged.fetch_add(1);
  }
}

void compare(Engine& engine, const std::map<std::uint64_t, Known>& known, Outcome& outcome) {
  for (const auto& [id, fact] : known) {
    const auto points =
        engine.get(kTenant, kName, {.ids = {PointId::number(id)}, .select = {.vectors = true}});
    ASSERT_TRUE(points.ok()) << points.error().message;
    std::uint64_t value = 0;
    if (!points.value().empty()) {
      const Point& point = points.value()[0];
      const std::string_view digits = std::string_view(point.payload).substr(kValueField.size());
      std::from_chars(digits.data(), digits.data() + digits.size(), value);
      if (point.vectors.size() != 1 || point.vectors[0].values != vector_for(value)) ++outcome.half;
    }
    const bool is_acknowledged = value == fact.value;
    const bool is_pending = fact.pending && value == *fact.pending;
    if (!is_acknowledged && !is_pending) ++outcome.lost;
  }
  // The views fit the state: an exact search for everything finds what scrolling finds.
  const auto count = engine.count(kTenant, kName, {});
  ASSERT_TRUE(count.ok());
  const auto page = engine.scroll(kTenant, kName, {.limit = 1000, .select = {.vectors = true}});
  ASSERT_TRUE(page.ok());
  ASSERT_EQ(page.value().points.size(), count.value());
  ASSERT_TRUE(engine.wait_linked(kTenant, kName, std::chrono::seconds(20)).ok());
  const auto all =
      engine.search(kTenant, kName, {.vector = vector_for(1), .k = 1000, .exact = true});
  ASSERT_TRUE(all.ok()) << all.error().message;
  ASSERT_EQ(all.value().hits.size(), count.value());
  for (const Point& point : page.value().points) {
    const auto nearest =
        engine.search(kTenant, kName, {.vector = point.vectors[0].values, .k = 1, .exact = true});
    ASSERT_TRUE(nearest.ok());
    ASSERT_EQ(nearest.value().hits.size(), 1U);
    ASSERT_NEAR(nearest.value().hits[0].score, 0.0F, 1e-3F);
  }
}

Outcome run_round(std::uint64_t seed, CrashMode mode, bool ignore_syncs) {
  Outcome outcome;
  Rng rng(seed);
  TempDir dir;
  const std::string root = dir.file("root");
  EXPECT_TRUE(posix_file_system().create_directories(root).ok());
  std::map<std::uint64_t, Known> known[kWriters];
  std::atomic<std::uint64_t> acknowledged{0};
  {
    FaultFileSystem faults(posix_file_system(), root);
    faults.ignore_syncs(ignore_syncs);
    EngineEnvironment environment;
    environment.file_system = &faults;
    {
      auto opened = Engine::open(options_for(root + "/data"), environment);
      EXPECT_TRUE(opened.ok()) << opened.error().message;
      if (!opened.ok()) return outcome;
      Engine& engine = *opened.value();
      CollectionConfig config;
      config.vectors.push_back(
          {.dim = kDim, .metric = Metric::kEuclidean, .m = 8, .ef_construction = 50});
      EXPECT_TRUE(engine.create_collection(kTenant, kName, config).ok());
      faults.crash_after(200 + rng.below(2'500));
      std::vector<std::thread> writers;
      for (int w = 0; w < kWriters; ++w) {
        writers.emplace_back([&, w] { run_writer(engine, w, seed, known[w], acknowledged); });
      }
      for (std::thread& writer : writers) writer.join();
      EXPECT_TRUE(faults.crashed());
    }
    auto report = faults.materialise(rng, mode);
    EXPECT_TRUE(report.ok()) << report.error().message;
    if (report.ok()) outcome.lost_bytes = report.value().lost_bytes;
  }
  outcome.acknowledged = acknowledged.load();
  auto again = Engine::open(options_for(root + "/data"), {});
  if (!again.ok()) {
    outcome.opened = false;
    outcome.error = again.error().message;
    return outcome;
  }
  if (!again.value()->collection(kTenant, kName).ok()) {
    outcome.lost = outcome.acknowledged;  // the collection itself was acknowledged too
    outcome.error = "the collection is gone";
    return outcome;
  }
  for (const auto& one : known) compare(*again.value(), one, outcome);
  return outcome;
}

int rounds() {
  const char* given = std::getenv("QUIPU_CRASH_ROUNDS");
  const std::string_view text = given != nullptr ? given : "";
  int count = 5;
  std::from_chars(text.data(), text.data() + text.size(), count);
  return count;
}

TEST(PowerCut, NothingAcknowledgedIsLost) {
  Rng seeds(test_seed());
  std::uint64_t acknowledged = 0;
  std::uint64_t lost_bytes = 0;
  for (int round = 0; round < rounds(); ++round) {
    const std::uint64_t seed = seeds.next();
    const CrashMode mode = static_cast<CrashMode>(round % 3);
    const Outcome outcome = run_round(seed, mode, /*ignore_syncs=*/false);
    ASSERT_TRUE(outcome.opened) << outcome.error << " in round " << round << ", seed " << seed;
    EXPECT_EQ(outcome.lost, 0U) << outcome.error << " in round " << round << ", seed " << seed;
    EXPECT_EQ(outcome.half, 0U) << "round " << round << ", seed " << seed;
    acknowledged += outcome.acknowledged;
    lost_bytes += outcome.lost_bytes;
    if (testing::Test::HasFailure()) break;
  }
  EXPECT_GT(acknowledged, 0U);
  std::printf("%d power cuts, %llu writes acknowledged, %llu unsynced bytes taken away\n", rounds(),
              static_cast<unsigned long long>(acknowledged),
              static_cast<unsigned long long>(lost_bytes));
}

TEST(PowerCut, WithoutFsyncItWouldLose) {
  Rng seeds(test_seed());
  bool lost = false;
  for (int round = 0; round < 5 && !lost; ++round) {
    const Outcome outcome = run_round(seeds.next(), CrashMode::kDropUnsynced, true);
    lost = !outcome.opened || outcome.lost > 0;
  }
  EXPECT_TRUE(lost) << "the power cut takes nothing away: the test above cannot fail";
}

}  // namespace
}  // namespace quipu
