// Goal: each promise of engine.h, one by one, and each bad input a clear error that changes
// nothing.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cmath>
#include <limits>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "quipu/base/fault_file_system.h"
#include "quipu/base/format.h"
#include "quipu/base/test_support.h"
#include "quipu/engine.h"
#include "quipu/engine/applier.h"
#include "quipu/engine/testing/names.h"

namespace quipu {
namespace {

class EngineTest : public testing::Test {
 protected:
  void SetUp() override { open(); }

  EngineOptions options() {
    EngineOptions options;
    options.data_dir = dir_.file("data");
    return options;
  }
  void open() { open(options(), {}); }
  void open(const EngineOptions& options, const EngineEnvironment& environment) {
    engine_.reset();
    auto opened = Engine::open(options, environment);
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    engine_ = std::move(opened).value();
  }
  void create(std::uint32_t dim = 3, Metric metric = Metric::kEuclidean) {
    CollectionConfig config;
    config.vectors.push_back({.dim = dim, .metric = metric});
    const auto made = engine_->create_collection(kTenant, kName, config);
    ASSERT_TRUE(made.ok()) << made.error().message;
  }
  static PointWrite point(std::uint64_t id, std::vector<float> values, std::string payload = "{}") {
    PointWrite write{.id = PointId::number(id), .payload = std::move(payload)};
    write.vectors.push_back({.name = "", .values = std::move(values)});
    return write;
  }
  Result<WriteResult> put(std::uint64_t id, std::vector<float> values, std::string payload = "{}") {
    return engine_->upsert(
        kTenant, kName,
        {.points = {point(id, std::move(values), std::move(payload))}, .params = {}});
  }
  std::uint64_t count() { return engine_->count(kTenant, kName, {}).value(); }

  // Expects an error with this reason, and a message that names what is asked for.
  template <typename T>
  static void expect_error(const Result<T>& result, ErrorCode code, std::string_view reason,
                           std::string_view named) {
    ASSERT_FALSE(result.ok());
    EXPECT_EQ(result.error().code, code) << result.error().message;
    EXPECT_EQ(result.error().stable_reason(), reason) << result.error().message;
    EXPECT_NE(result.error().message.find(named), std::string::npos) << result.error().message;
  }

  TempDir dir_;
  std::unique_ptr<Engine> engine_;
};

TEST_F(EngineTest, WritesAreVisibleAtOnceAndSurviveReopening) {
  create();
  const auto written = put(1, {1, 2, 3}, R"({ "a" : [1, "x"] })");
  ASSERT_TRUE(written.ok());
  EXPECT_EQ(written.value().items[0].outcome, ItemOutcome::kCreated);
  EXPECT_TRUE(written.value().durable);
  for (int round = 0; round < 2; ++round) {
    const auto found = engine_->search(kTenant, kName, {.vector = {1, 2, 3}, .k = 5});
    ASSERT_TRUE(found.ok()) << found.error().message;
    ASSERT_EQ(found.value().hits.size(), 1U);
    EXPECT_EQ(found.value().hits[0].point.payload, R"({"a":[1,"x"]})");
    EXPECT_EQ(found.value().hits[0].score, 0.0F);
    open();
  }
}

TEST_F(EngineTest, AWriteReturnsItsMomentAndReadsCanAskForIt) {
  create();
  const auto written = put(1, {1, 2, 3});
  ASSERT_TRUE(written.ok());
  EXPECT_TRUE(engine_->count(kTenant, kName, {.params = {.min_seq = written.value().seq}}).ok());
  expect_error(engine_->count(kTenant, kName, {.params = {.min_seq = "q1.1-999"}}),
               ErrorCode::kUnavailable, "min_seq_ahead", "999");
  for (const char* bad : {"x", "q1.", "q1.1", "q1.1-", "q1.1-2.", "q1.1-2x", "q1.-1-1"}) {
    expect_error(engine_->count(kTenant, kName, {.params = {.min_seq = bad}}),
                 ErrorCode::kInvalidArgument, "invalid_min_seq", bad);
  }
}

TEST_F(EngineTest, ConditionsAreJudgedPerBatch) {
  create();
  const std::uint64_t version = put(1, {1, 1, 1}).value().items[0].version;
  auto second = point(2, {2, 2, 2});
  auto first = point(1, {9, 9, 9});
  first.condition.if_absent = true;
  auto refused = engine_->upsert(kTenant, kName, {.points = {second, first}, .params = {}});
  ASSERT_TRUE(refused.ok());
  EXPECT_EQ(refused.value().items[0].outcome, ItemOutcome::kRefused);
  EXPECT_EQ(refused.value().items[0].error->reason, "batch_refused");
  EXPECT_EQ(refused.value().items[1].error->reason, "point_exists");
  EXPECT_EQ(refused.value().items[1].version, version);
  EXPECT_EQ(count(), 1U);
  first.condition = {.if_version = version};
  const auto done = engine_->upsert(kTenant, kName, {.points = {second, first}, .params = {}});
  EXPECT_EQ(done.value().items[1].outcome, ItemOutcome::kUpdated);
  // The same version is gone now.
  const auto late = engine_->remove(
      kTenant, kName,
      {.points = {{.id = PointId::number(1), .condition = {.if_version = version}}}, .params = {}});
  EXPECT_EQ(late.value().items[0].error->reason, "version_mismatch");
  EXPECT_EQ(count(), 2U);
}

TEST_F(EngineTest, ConditionsInsideOneGroupSeeEachOther) {
  create();
  constexpr int kThreads = 16;
  std::atomic<int> created{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      auto write = point(7, {1, 2, 3});
      write.condition.if_absent = true;
      const auto result = engine_->upsert(kTenant, kName, {.points = {write}, .params = {}});
      ASSERT_TRUE(result.ok());
      if (result.value().items[0].outcome == ItemOutcome::kCreated) created.fetch_add(1);
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(created.load(), 1);
  EXPECT_EQ(count(), 1U);
}

TEST_F(EngineTest, IdempotencyKeysAnswerTheFirstResult) {
  create();
  UpsertRequest request{.points = {point(1, {1, 2, 3})}, .params = {.idempotency_key = "k1"}};
  const auto first = engine_->upsert(kTenant, kName, request);
  ASSERT_TRUE(first.ok());
  EXPECT_FALSE(first.value().replayed);
  for (int round = 0; round < 2; ++round) {
    const auto again = engine_->upsert(kTenant, kName, request);
    ASSERT_TRUE(again.ok()) << again.error().message;
    EXPECT_TRUE(again.value().replayed);
    EXPECT_EQ(again.value().seq, first.value().seq);
    EXPECT_EQ(again.value().items[0].outcome, ItemOutcome::kCreated);
    EXPECT_EQ(again.value().items[0].version, first.value().items[0].version);
    open();  // and over a restart
  }
  request.points[0].vectors[0].values = {3, 2, 1};
  expect_error(engine_->upsert(kTenant, kName, request), ErrorCode::kFailedPrecondition,
               "idempotency_mismatch", "idempotency key");
  request.params.idempotency_key = std::string(256, 'k');
  expect_error(engine_->upsert(kTenant, kName, request), ErrorCode::kInvalidArgument,
               "idempotency_key_too_long", "255");
}

TEST_F(EngineTest, BadPointsAreRefusedByName) {
  create();
  const auto upsert = [this](PointWrite write) {
    return engine_->upsert(kTenant, kName, {.points = {std::move(write)}, .params = {}});
  };
  expect_error(upsert(point(1, {1, 2})), ErrorCode::kInvalidArgument, "dimension_mismatch",
               "2 values; the vector '' of 'notes' has dimension 3");
  expect_error(upsert(point(1, {1, 2, std::nanf("")})), ErrorCode::kInvalidArgument, "not_finite",
               "points[0].vector");
  expect_error(upsert(point(1, {1, 2, std::numeric_limits<float>::infinity()})),
               ErrorCode::kInvalidArgument, "not_finite", "points[0].vector");
  expect_error(upsert(point(1, {1, 2, 3}, "[1]")), ErrorCode::kInvalidArgument, "invalid_payload",
               "points[0].payload is a JSON array");
  expect_error(upsert(point(1, {1, 2, 3}, "{\"a\":")), ErrorCode::kInvalidArgument,
               "malformed_json", "points[0].payload");
  PointWrite nothing{.id = PointId::number(1)};
  expect_error(upsert(nothing), ErrorCode::kInvalidArgument, "vector_missing", "points[0]");
  auto other = point(1, {1, 2, 3});
  other.vectors[0].name = "other";
  expect_error(upsert(other), ErrorCode::kNotFound, "vector_not_found", "'other'");
  expect_error(upsert(point(1, {1, 2, 3}, format(R"({{"a":"{}"}})", std::string(1U << 20, 'x')))),
               ErrorCode::kResourceExhausted, "payload_too_large", "1048576");
  expect_error(engine_->upsert(kTenant, kName, {}), ErrorCode::kInvalidArgument, "empty_batch",
               "10000");
  expect_error(
      engine_->upsert(kTenant, kName, {.points = std::vector<PointWrite>(10'001), .params = {}}),
      ErrorCode::kInvalidArgument, "batch_too_large", "10001");
  expect_error(
      engine_->upsert(kTenant, kName,
                      {.points = {point(4, {1, 2, 3}), point(4, {1, 2, 3})}, .params = {}}),
      ErrorCode::kInvalidArgument, "duplicate_id", "points[1].id 4");
  expect_error(engine_->upsert(kTenant, "nowhere", {.points = {point(1, {1, 2, 3})}, .params = {}}),
               ErrorCode::kNotFound, "collection_not_found", "'nowhere'");
  EXPECT_EQ(count(), 0U);
}

TEST_F(EngineTest, WhatCouldNotBeReadBackIsNotLogged) {
  create();
  ASSERT_TRUE(put(1, {1, 2, 3}).ok());
  PointPatch patch{.id = PointId::number(1)};
  for (int i = 0; i < 1'025; ++i) patch.delete_payload.push_back(format("k{}", i));
  const auto refused = engine_->patch(kTenant, kName, {.points = {patch}, .params = {}});
  ASSERT_FALSE(refused.ok());
  EXPECT_NE(refused.error().message.find("1024"), std::string::npos) << refused.error().message;
  patch.delete_payload.pop_back();
  EXPECT_TRUE(engine_->patch(kTenant, kName, {.points = {patch}, .params = {}}).ok());
  open();
  EXPECT_EQ(count(), 1U);
}

TEST_F(EngineTest, SearchWithNothingSelectedGivesIdsAndScores) {
  create();
  ASSERT_TRUE(put(7, {1, 2, 3}).ok());
  const auto found = engine_->search(
      kTenant, kName, {.vector = {1, 2, 3}, .k = 1, .select = {.payload = false, .text = false}});
  ASSERT_EQ(found.value().hits.size(), 1U);
  EXPECT_EQ(found.value().hits[0].point.id, PointId::number(7));
  EXPECT_EQ(found.value().hits[0].point.version, 0U);
}

TEST_F(EngineTest, CosineNeedsADirectionAndStoresUnitVectors) {
  create(2, Metric::kCosine);
  expect_error(put(1, {0, 0}), ErrorCode::kInvalidArgument, "zero_vector", "points[0].vector");
  ASSERT_TRUE(put(1, {3, 4}).ok());
  const auto got =
      engine_->get(kTenant, kName, {.ids = {PointId::number(1)}, .select = {.vectors = true}});
  EXPECT_FLOAT_EQ(got.value()[0].vectors[0].values[0], 0.6F);
  const auto found = engine_->search(kTenant, kName, {.vector = {4, 3}, .k = 1});
  EXPECT_NEAR(found.value().hits[0].score, 0.96F, 1e-5F);
}

TEST_F(EngineTest, BadSearchesAreRefusedByName) {
  create();
  const auto search = [this](SearchRequest request) {
    return engine_->search(kTenant, kName, request);
  };
  expect_error(search({.k = 3}), ErrorCode::kInvalidArgument, "invalid_query", "exactly one");
  expect_error(search({.vector = {1, 2, 3}, .id = PointId::number(1)}), ErrorCode::kInvalidArgument,
               "invalid_query", "it has 2");
  expect_error(search({.vector = {1, 2}}), ErrorCode::kInvalidArgument, "dimension_mismatch",
               "2 values");
  expect_error(search({.vector = {1, 2, std::nanf("")}}), ErrorCode::kInvalidArgument, "not_finite",
               "query");
  expect_error(search({.vector = {1, 2, 3}, .k = 0}), ErrorCode::kInvalidArgument, "out_of_range",
               "k is 0");
  expect_error(search({.vector = {1, 2, 3}, .k = 10'001}), ErrorCode::kInvalidArgument,
               "out_of_range", "10000");
  expect_error(search({.vector = {1, 2, 3}, .ef = 100'001}), ErrorCode::kInvalidArgument,
               "out_of_range", "ef");
  expect_error(search({.text = "hello"}), ErrorCode::kInvalidArgument, "no_model", "no model");
  expect_error(search({.id = PointId::number(5)}), ErrorCode::kNotFound, "point_not_found", "5");
}

TEST_F(EngineTest, SearchOptionsDoWhatTheySay) {
  create();
  for (std::uint64_t i = 0; i < 20; ++i) {
    ASSERT_TRUE(put(i, {static_cast<float>(i), 0, 0}, format(R"({{"i":{}}})", i)).ok());
  }
  auto found =
      engine_->search(kTenant, kName, {.vector = {0, 0, 0}, .k = 3, .offset = 2, .explain = true});
  ASSERT_EQ(found.value().hits.size(), 3U);
  EXPECT_EQ(found.value().hits[0].point.id, PointId::number(2));
  ASSERT_TRUE(found.value().explain.has_value());
  EXPECT_EQ(found.value().explain->tail_rows + found.value().explain->graph_distances +
                found.value().explain->scanned_rows,
            20U);
  found = engine_->search(kTenant, kName, {.vector = {0, 0, 0}, .k = 10, .score_threshold = 3.5F});
  EXPECT_EQ(found.value().hits.size(), 4U);
  found = engine_->search(kTenant, kName, {.id = PointId::number(4), .k = 2});
  ASSERT_EQ(found.value().hits.size(), 2U);
  EXPECT_EQ(found.value().hits[0].point.id, PointId::number(3));  // equal distance: ascending id
  EXPECT_EQ(found.value().hits[1].point.id, PointId::number(5));
  found = engine_->search(
      kTenant, kName, {.vector = {0, 0, 0}, .k = 1, .select = {.payload = false, .vectors = true}});
  EXPECT_EQ(found.value().hits[0].point.payload, "");
  EXPECT_EQ(found.value().hits[0].point.vectors.size(), 1U);
}

TEST_F(EngineTest, CollectionsAreCheckedCreatedUpdatedAndDropped) {
  const auto create_with = [this](std::string_view name, VectorConfig vector,
                                  std::uint32_t shards = 1) {
    return engine_->create_collection(kTenant, name,
                                      {.vectors = {std::move(vector)}, .shard_count = shards});
  };
  expect_error(create_with("x", {.dim = 0}), ErrorCode::kInvalidArgument, "out_of_range",
               "vectors[0].dim is 0");
  expect_error(create_with("x", {.dim = 65'537}), ErrorCode::kInvalidArgument, "out_of_range",
               "65536");
  expect_error(create_with("x", {.dim = 3, .m = 1}), ErrorCode::kInvalidArgument, "out_of_range",
               "vectors[0].m");
  expect_error(create_with("x", {.dim = 3, .ef_construction = 3}), ErrorCode::kInvalidArgument,
               "out_of_range", "ef_construction");
  expect_error(create_with("x", {.dim = 3}, 65), ErrorCode::kInvalidArgument, "out_of_range",
               "shard_count is 65");
  expect_error(create_with("x y", {.dim = 3}), ErrorCode::kInvalidArgument, "invalid_name",
               "'x y'");
  CollectionConfig many;
  many.vectors.resize(17, {.dim = 3});
  expect_error(engine_->create_collection(kTenant, "x", many), ErrorCode::kInvalidArgument,
               "out_of_range", "vectors count is 17");
  create();
  expect_error(create_with(kName, {.dim = 3}), ErrorCode::kAlreadyExists, "collection_exists",
               "'notes'");
  ASSERT_TRUE(put(1, {1, 2, 3}).ok());
  const auto updated = engine_->update_collection(
      kTenant, kName, {.durability = Durability::kAsync, .tail_vectors_max = 2'000});
  ASSERT_TRUE(updated.ok());
  EXPECT_EQ(updated.value().config.durability, Durability::kAsync);
  EXPECT_FALSE(put(2, {1, 2, 3}).value().durable);
  open();
  EXPECT_EQ(engine_->collection(kTenant, kName).value().config.tail_vectors_max, 2'000U);
  ASSERT_TRUE(engine_->drop_collection(kTenant, kName).ok());
  expect_error(engine_->count(kTenant, kName, {}), ErrorCode::kNotFound, "collection_not_found",
               "'notes'");
  expect_error(engine_->drop_collection(kTenant, kName), ErrorCode::kNotFound,
               "collection_not_found", "'notes'");
  // A new one of the name has nothing of the old one's, after a restart too.
  create();
  EXPECT_EQ(count(), 0U);
  open();
  EXPECT_EQ(count(), 0U);
  EXPECT_EQ(engine_->collections(kTenant).size(), 1U);
  EXPECT_EQ(engine_->collections("somebody").size(), 0U);
}

TEST_F(EngineTest, TheFolderHasOneOwner) {
  const auto second = Engine::open(options(), {});
  expect_error(second, ErrorCode::kFailedPrecondition, "data_dir_locked", dir_.file("data"));
}

TEST_F(EngineTest, AFolderThatIsNotOursIsLeftAlone) {
  const std::string other = dir_.file("other");
  ASSERT_TRUE(posix_file_system().create_directories(other).ok());
  ASSERT_TRUE(write_file_atomically(posix_file_system(), other + "/letter.txt", "dear").ok());
  expect_error(Engine::open({.data_dir = other}, {}), ErrorCode::kFailedPrecondition,
               "data_dir_not_empty", "letter.txt");
  ASSERT_TRUE(remove_tree(posix_file_system(), other + "/letter.txt").ok());
  ASSERT_TRUE(write_file_atomically(posix_file_system(), other + "/QUIPU", "version 9").ok());
  expect_error(Engine::open({.data_dir = other}, {}), ErrorCode::kFailedPrecondition,
               "data_dir_version", other);
}

TEST_F(EngineTest, CheckpointsAreMappedAndTheLogIsCut) {
  create();
  for (std::uint64_t i = 0; i < 300; ++i) {
    ASSERT_TRUE(put(i, {static_cast<float>(i), 1, 2}).ok());
  }
  ASSERT_TRUE(engine_->wait_linked(kTenant, kName, std::chrono::seconds(20)).ok());
  EXPECT_GE(engine_->collection(kTenant, kName).value().log_operations, 300U);
  ASSERT_TRUE(engine_->checkpoint().ok());
  EXPECT_EQ(engine_->collection(kTenant, kName).value().log_operations, 0U);
  ASSERT_TRUE(put(1000, {5, 5, 5}).ok());  // to be replayed from the log
  open();
  const CollectionInfo info = engine_->collection(kTenant, kName).value();
  EXPECT_EQ(info.points, 301U);
  EXPECT_GT(info.vectors[0].mapped_bytes, 0U);
  EXPECT_GE(info.vectors[0].linked, 300U);  // the replayed one may be linked by now
  const auto found = engine_->search(kTenant, kName, {.vector = {5, 5, 5}, .k = 1});
  EXPECT_EQ(found.value().hits[0].point.id, PointId::number(1000));
}

TEST_F(EngineTest, DamagedViewsAreRebuiltFromTheState) {
  create();
  for (std::uint64_t i = 0; i < 200; ++i) {
    ASSERT_TRUE(put(i, {static_cast<float>(i), 1, 2}).ok());
  }
  ASSERT_TRUE(engine_->checkpoint().ok());
  engine_.reset();
  // Cut every view file short.
  FileSystem& fs = posix_file_system();
  int damaged = 0;
  const std::string views = dir_.file("data") + "/views";
  for (const std::string& shard : fs.list(views).value()) {
    for (const std::string& number : fs.list(views + "/" + shard).value()) {
      const std::string folder = views + "/" + shard + "/" + number;
      for (const std::string& name : fs.list(folder).value()) {
        auto file = fs.open_writable(folder + "/" + name, OpenMode::kAppend).value();
        ASSERT_TRUE(file->truncate(file->size() / 2).ok());
        ASSERT_TRUE(file->close().ok());
        ++damaged;
      }
    }
  }
  ASSERT_GT(damaged, 1);
  open();
  // Answered at once, from storage or from the rebuilt view, whichever it is by now.
  for (int i = 0; i < 50; ++i) {
    const auto found = engine_->search(kTenant, kName, {.vector = {77, 1, 2}, .k = 1});
    ASSERT_TRUE(found.ok()) << found.error().message;
    ASSERT_EQ(found.value().hits[0].point.id, PointId::number(77));
  }
  ASSERT_TRUE(put(77, {0, 9, 9}).ok());
  ASSERT_TRUE(engine_->wait_linked(kTenant, kName, std::chrono::seconds(20)).ok());
  EXPECT_EQ(engine_->collection(kTenant, kName).value().vectors[0].state, "ready");
  const auto found = engine_->search(kTenant, kName, {.vector = {0, 9, 9}, .k = 200});
  ASSERT_EQ(found.value().hits.size(), 200U);
  EXPECT_EQ(found.value().hits[0].point.id, PointId::number(77));
}

TEST_F(EngineTest, AFullDiskIsSaidAndNothingIsLost) {
  engine_.reset();
  const std::string root = dir_.file("root");
  ASSERT_TRUE(posix_file_system().create_directories(root).ok());
  FaultFileSystem faults(posix_file_system(), root);
  EngineEnvironment environment;
  environment.file_system = &faults;
  EngineOptions with = options();
  with.data_dir = root + "/data";
  open(with, environment);
  create();
  ASSERT_TRUE(put(1, {1, 2, 3}).ok());
  faults.inject({.point = FaultPoint::kAppend,
                 .kind = FaultKind::kDiskFull,
                 .path_part = ".log",
                 .count = kFaultForever});
  expect_error(put(2, {1, 2, 3}), ErrorCode::kResourceExhausted, "disk_full", "");
  EXPECT_GT(faults.faults_fired(), 0U);
  EXPECT_EQ(engine_->status().state, "read_only");
  EXPECT_EQ(count(), 1U);  // reads go on
  faults.clear_faults();
  const auto again = put(3, {1, 2, 3});
  ASSERT_TRUE(again.ok()) << again.error().message;
  EXPECT_EQ(engine_->status().state, "ready");
  open(with, environment);
  EXPECT_EQ(count(), 2U);
  const auto got = engine_->get(kTenant, kName, {.ids = {PointId::number(2)}});
  EXPECT_TRUE(got.value().empty());
  engine_.reset();
}

TEST_F(EngineTest, OverTheMemoryBoundWritesAreRefused) {
  EngineOptions with = options();
  with.memory_bytes_max = 1U << 20;  // less than any process has
  open(with, {});
  create();
  expect_error(put(1, {1, 2, 3}), ErrorCode::kResourceExhausted, "memory_full", "1048576");
  EXPECT_EQ(count(), 0U);
}

TEST_F(EngineTest, ClosingFinishesWhatWasAcceptedAndRefusesTheRest) {
  create();
  std::atomic<int> acknowledged{0};
  std::vector<std::thread> threads;
  std::atomic<bool> stop{false};
  for (std::uint64_t t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (std::uint64_t i = 0; !stop.load(); ++i) {
        const auto result = put(t * 1'000'000 + i, {1, 2, 3});
        if (result.ok()) {
          acknowledged.fetch_add(1);
        } else {
          EXPECT_EQ(result.error().code, ErrorCode::kUnavailable) << result.error().message;
          return;
        }
      }
    });
  }
  while (acknowledged.load() < 50) std::this_thread::yield();
  ASSERT_TRUE(engine_->close(std::chrono::seconds(10)).ok());
  stop.store(true);
  for (std::thread& thread : threads) thread.join();
  open();
  EXPECT_EQ(count(), static_cast<std::uint64_t>(acknowledged.load()));
}

TEST_F(EngineTest, ASnapshotOpensElsewhereAndIsRefusedWhenDamaged) {
  create();
  for (std::uint64_t i = 0; i < 100; ++i) {
    ASSERT_TRUE(put(i, {static_cast<float>(i), 1, 2}).ok());
  }
  const std::string snapshot = dir_.file("snapshot");
  const Status made = engine_->snapshot(snapshot);
  ASSERT_TRUE(made.ok()) << made.error().message;
  expect_error(engine_->snapshot(snapshot), ErrorCode::kAlreadyExists, "snapshot_exists", snapshot);
  const std::string digest = engine_->state_digest(kTenant, kName).value();
  ASSERT_TRUE(put(1000, {1, 2, 3}).ok());  // after the snapshot: not in it
  expect_error(Engine::restore(snapshot, dir_.file("data"), {}), ErrorCode::kAlreadyExists,
               "data_dir_not_empty", dir_.file("data"));
  expect_error(Engine::restore(dir_.file("nothing"), dir_.file("r"), {}), ErrorCode::kNotFound,
               "snapshot_not_found", "nothing");
  ASSERT_TRUE(Engine::restore(snapshot, dir_.file("restored"), {}).ok());
  EngineOptions there = options();
  there.data_dir = dir_.file("restored");
  open(there, {});
  EXPECT_EQ(engine_->state_digest(kTenant, kName).value(), digest);
  EXPECT_GT(engine_->collection(kTenant, kName).value().vectors[0].mapped_bytes, 0U);
  ASSERT_TRUE(put(5, {1, 1, 1}).ok());
}

TEST_F(EngineTest, AWriteWaitsAtTheTailsLimitAndHelpsToLink) {
  CollectionConfig config;
  config.vectors.push_back({.dim = 4, .metric = Metric::kEuclidean, .m = 4, .ef_construction = 16});
  config.tail_vectors_max = 1'000;
  config.durability = Durability::kAsync;
  ASSERT_TRUE(engine_->create_collection(kTenant, kName, config).ok());
  Rng rng(3);
  std::uint64_t id = 0;
  std::uint64_t largest = 0;
  for (int batch = 0; batch < 40; ++batch) {
    UpsertRequest request;
    for (int i = 0; i < 250; ++i) {
      request.points.push_back(
          point(id++, {static_cast<float>(rng.normal()), static_cast<float>(rng.normal()),
                       static_cast<float>(rng.normal()), 1}));
    }
    ASSERT_TRUE(engine_->upsert(kTenant, kName, std::move(request)).ok());
    largest = std::max(largest, engine_->status().tail_vectors);
  }
  // A batch is admitted while there is room, so the tail is over the limit by a batch at most.
  EXPECT_LE(largest, 1'250U);
  EXPECT_GT(largest, 0U);
}

TEST_F(EngineTest, MergePayloadKeepsOrderAndReplacesInPlace) {
  const auto merged = engine::merge_payload(R"({"a":1,"b":{"x":[1]},"c":null})", {"a"},
                                            R"({"b":2,"d":"\u00e9","a":5})");
  ASSERT_TRUE(merged.ok()) << merged.error().message;
  EXPECT_EQ(merged.value(), "{\"b\":2,\"c\":null,\"d\":\"\u00e9\",\"a\":5}");
  EXPECT_FALSE(engine::merge_payload("[]", {}, "{}").ok());
}

TEST_F(EngineTest, AccessToPastMomentsIsConsistentWhileWriting) {
  create(1);
  // Two points always change together; no read may see them apart.
  const auto both = [this](float value) {
    return engine_->upsert(kTenant, kName,
                           {.points = {point(1, {value}), point(2, {value})}, .params = {}});
  };
  ASSERT_TRUE(both(0).ok());
  std::atomic<bool> stop{false};
  std::thread reader([&] {
    while (!stop.load()) {
      const auto found =
          engine_->search(kTenant, kName, {.vector = {0}, .k = 2, .select = {.vectors = true}});
      ASSERT_TRUE(found.ok());
      ASSERT_EQ(found.value().hits.size(), 2U);
      ASSERT_EQ(found.value().hits[0].score, found.value().hits[1].score);
      ASSERT_EQ(found.value().hits[0].point.vectors[0].values,
                found.value().hits[1].point.vectors[0].values);
      ASSERT_EQ(found.value().hits[0].point.vectors[0].values[0], found.value().hits[0].score);
    }
  });
  for (int i = 1; i < 300; ++i) ASSERT_TRUE(both(static_cast<float>(i)).ok());
  stop.store(true);
  reader.join();
}

}  // namespace
}  // namespace quipu
