// Goal: a collection comes back from its snapshot as it was at one moment of all its shards, on any
// number of shards; a damaged file changes nothing; and neither does a recovery that a power cut
// ends. Method: drawn collections with everything in them, bytes flipped and cut one by one, and a
// file system that crashes at each change.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <fstream>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "quipu/base/bytes.h"
#include "quipu/base/fault_file_system.h"
#include "quipu/base/format.h"
#include "quipu/base/json.h"
#include "quipu/base/rng.h"
#include "quipu/base/test_support.h"
#include "quipu/engine.h"
#include "quipu/engine/snapshot_content.h"
#include "quipu/engine/testing/names.h"

namespace quipu {
namespace {

std::unique_ptr<Engine> open_for_snapshots(const std::string& directory, FileSystem* fs) {
  EngineOptions options;
  options.data_dir = directory;
  auto opened = Engine::open(options, {.file_system = fs});
  EXPECT_EQ(why_not(opened), "");
  return opened.ok() ? std::move(opened).value() : nullptr;
}

std::string read_bytes(const std::string& path) {
  const auto bytes = read_file(posix_file_system(), path, 1U << 30);
  EXPECT_EQ(why_not(bytes), "");
  return bytes.ok() ? bytes.value() : std::string();
}
void write_bytes(const std::string& path, std::string_view bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc)
      .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

// All points of a collection, by id.
std::vector<Point> all_points(Engine& engine, std::string_view name) {
  std::vector<Point> points;
  std::optional<PointId> after;
  do {
    const auto page = engine.scroll(
        kTenant, name, {.after = after, .limit = 500, .select = {.vectors = true}, .params = {}});
    EXPECT_EQ(why_not(page), "");
    if (!page.ok()) break;
    points.insert(points.end(), page.value().points.begin(), page.value().points.end());
    after = page.value().next;
  } while (after);
  return points;
}

void expect_same_points(const std::vector<Point>& wanted, const std::vector<Point>& found) {
  ASSERT_EQ(found.size(), wanted.size());
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    const Point& a = wanted[i];
    const Point& b = found[i];
    ASSERT_EQ(a.id, b.id);
    EXPECT_EQ(a.created_us, b.created_us);
    EXPECT_EQ(a.updated_us, b.updated_us);
    EXPECT_EQ(a.text, b.text);
    EXPECT_EQ(a.payload, b.payload);
    ASSERT_EQ(a.vectors.size(), b.vectors.size());
    for (std::size_t v = 0; v < a.vectors.size(); ++v) {
      EXPECT_EQ(a.vectors[v].name, b.vectors[v].name);
      EXPECT_EQ(a.vectors[v].values, b.vectors[v].values);
      EXPECT_EQ(a.vectors[v].indices, b.vectors[v].indices);
    }
  }
}

class CollectionSnapshotTest : public testing::Test {
 protected:
  CollectionSnapshotTest() : rng_(test_seed()) {}

  void open() {
    engine_.reset();
    engine_ = open_for_snapshots(dir_.file("data"), nullptr);
    ASSERT_NE(engine_, nullptr);
  }

  // A collection with vectors of all kinds, one of which took the place of a dropped one.
  void create_rich(std::uint32_t shards) {
    CollectionConfig config;
    config.vectors = {{.name = "gone", .dim = 9},
                      {.name = "", .dim = 4, .metric = Metric::kCosine},
                      {.name = "terms", .kind = VectorKind::kSparse, .idf = true},
                      {.name = "rows", .kind = VectorKind::kMulti, .dim = 3}};
    config.words = {{.name = "body", .source = "", .analyzer = R"({"language":"english"})"}};
    config.payload_indexes = {{.key = "n", .kind = PayloadIndexKind::kInteger},
                              {.key = "tags[]", .kind = PayloadIndexKind::kKeyword}};
    config.shard_count = shards;
    config.tail_vectors_max = 4'321;
    ASSERT_EQ(why_not(engine_->create_collection(kTenant, kName, config)), "");
    VectorChange drop{.kind = VectorChange::Kind::kDrop, .vector = {}, .name = "gone", .to = {}};
    VectorChange add;
    add.vector = {.name = "late", .dim = 2, .metric = Metric::kEuclidean};
    ASSERT_EQ(why_not(engine_->change_vectors(kTenant, kName, {drop, add})), "");
  }

  std::vector<float> draw(std::size_t size) {
    std::vector<float> values(size);
    for (float& value : values) value = static_cast<float>(rng_.normal());
    return values;
  }
  PointWrite draw_point(std::uint64_t number) {
    PointWrite point{.id = number % 3 == 0 ? PointId::uuid(number * 7, number)
                                           : PointId::number(number)};
    if (rng_.below(4) != 0) point.vectors.push_back({.name = "", .values = draw(4)});
    if (rng_.below(2) == 0) point.vectors.push_back({.name = "late", .values = draw(2)});
    if (rng_.below(2) == 0) {
      point.vectors.push_back({.name = "terms", .values = {0.5F, 2}, .indices = {1, 900}});
    }
    if (rng_.below(2) == 0) point.vectors.push_back({.name = "rows", .values = draw(6)});
    if (rng_.below(3) != 0) point.text = format("the old roof leaks, house {}", number);
    if (rng_.below(5) != 0) {
      point.payload = format(
          R"({{"n":{},"tags":["t{}","x"],"f":1.5,"b":true,"z":null,"o":{{"a":[1,{{"b":"é"}}]}}}})",
          number, number % 5);
    }
    return point;
  }
  void fill(std::uint64_t count) {
    for (std::uint64_t begin = 0; begin < count; begin += 100) {
      UpsertRequest request{.points = {}, .allow_bare = true, .params = {}};
      for (std::uint64_t i = begin; i < std::min(count, begin + 100); ++i) {
        request.points.push_back(draw_point(i));
      }
      ASSERT_EQ(why_not(engine_->upsert(kTenant, kName, std::move(request))), "");
    }
    PatchRequest patch;  // updated later than created
    patch.points.push_back({.id = PointId::number(1), .set_payload = R"({"patched":true})"});
    ASSERT_EQ(why_not(engine_->patch(kTenant, kName, std::move(patch))), "");
  }

  // Exact answers of one query, as id and score.
  std::vector<std::pair<PointId, float>> ask(std::string_view collection, const QueryStage& stage) {
    const auto found = engine_->query(kTenant, collection,
                                      {.root = stage, .offset = 0, .select = {}, .params = {}});
    EXPECT_EQ(why_not(found), "");
    std::vector<std::pair<PointId, float>> hits;
    if (!found.ok()) return hits;
    for (const SearchHit& hit : found.value().hits) hits.emplace_back(hit.point.id, hit.score);
    return hits;
  }
  void expect_same_answers(std::string_view a, std::string_view b) {
    QueryStage stage;
    stage.params.exact = true;
    stage.limit = 50;
    stage.query = NearestQuery{.input = draw(4), .mmr = {}};
    EXPECT_EQ(ask(a, stage), ask(b, stage));
    stage.using_name = "late";
    stage.query = NearestQuery{.input = draw(2), .mmr = {}};
    EXPECT_EQ(ask(a, stage), ask(b, stage));
    stage.using_name = "rows";
    stage.query = NearestQuery{.input = MultiValues{.rows = 2, .values = draw(6)}, .mmr = {}};
    EXPECT_EQ(ask(a, stage), ask(b, stage));
    stage.using_name = "terms";
    stage.query =
        NearestQuery{.input = SparseValues{.indices = {1, 3}, .values = {1, 1}}, .mmr = {}};
    EXPECT_EQ(ask(a, stage), ask(b, stage));
    stage.using_name = "body";
    stage.query = NearestQuery{.input = TextInput{"leaking roofs"}, .mmr = {}};
    EXPECT_FALSE(ask(a, stage).empty());
    EXPECT_EQ(ask(a, stage), ask(b, stage));
    Filter filter;
    filter.must.push_back({FieldCondition{"tags[]", MatchValue{std::string("t2")}}});
    const CountRequest count{.filter = filter, .params = {}};
    EXPECT_GT(engine_->count(kTenant, a, count).value(), 0U);
    EXPECT_EQ(engine_->count(kTenant, a, count).value(), engine_->count(kTenant, b, count).value());
  }

  TempDir dir_{TempDir::Place::kMemory};
  Rng rng_;
  std::unique_ptr<Engine> engine_;
};

TEST_F(CollectionSnapshotTest, ComesBackOnAnyNumberOfShards) {
  ASSERT_NO_FATAL_FAILURE(open());
  ASSERT_NO_FATAL_FAILURE(create_rich(3));
  ASSERT_NO_FATAL_FAILURE(fill(2'500));  // several parts
  const std::string path = dir_.file("one.snapshot");
  const auto taken = engine_->snapshot_collection(kTenant, kName, path, R"({"k":1})");
  ASSERT_EQ(why_not(taken), "");
  EXPECT_EQ(taken.value().points, 2'500U);
  EXPECT_EQ(taken.value().sha256, sha256_hex(read_bytes(path)));
  EXPECT_EQ(taken.value().size, read_bytes(path).size());
  EXPECT_EQ(engine_->snapshot_collection(kTenant, kName, path, "").error().reason,
            "snapshot_exists");
  const auto checked = engine_->check_collection_snapshot(path);
  ASSERT_EQ(why_not(checked), "");
  EXPECT_EQ(checked.value().sha256, taken.value().sha256);
  EXPECT_EQ(checked.value().note, R"({"k":1})");
  const std::vector<Point> wanted = all_points(*engine_, kName);
  for (const std::uint32_t shards : {1U, 3U, 5U}) {
    SCOPED_TRACE(shards);
    const std::string name = format("copy-{}", shards);
    RecoverRequest request{.path = path, .sha256 = taken.value().sha256, .shard_count = shards};
    if (shards == 3) request.shard_count.reset();
    const auto recovered = engine_->recover_collection(kTenant, name, request);
    ASSERT_EQ(why_not(recovered), "");
    EXPECT_EQ(recovered.value().collection.config.shard_count, shards);
    EXPECT_EQ(recovered.value().collection.config.tail_vectors_max, 4'321U);
    EXPECT_EQ(recovered.value().collection.points, 2'500U);
    ASSERT_NO_FATAL_FAILURE(expect_same_points(wanted, all_points(*engine_, name)));
    ASSERT_NO_FATAL_FAILURE(expect_same_answers(kName, name));
  }
  ASSERT_NO_FATAL_FAILURE(open());
  for (const std::string_view name : {"copy-1", "copy-3", "copy-5"}) {
    ASSERT_NO_FATAL_FAILURE(expect_same_points(wanted, all_points(*engine_, name)));
    ASSERT_NO_FATAL_FAILURE(expect_same_answers(kName, name));
  }
}

TEST_F(CollectionSnapshotTest, AnEmptyOneComesBackEmpty) {
  ASSERT_NO_FATAL_FAILURE(open());
  CollectionConfig config;
  config.shard_count = 2;
  ASSERT_EQ(why_not(engine_->create_collection(kTenant, kName, config)), "");
  const std::string path = dir_.file("empty.snapshot");
  ASSERT_EQ(why_not(engine_->snapshot_collection(kTenant, kName, path, "")), "");
  ASSERT_EQ(why_not(engine_->recover_collection(kTenant, "copy", {.path = path})), "");
  EXPECT_EQ(engine_->count(kTenant, "copy", {}).value(), 0U);
}

TEST_F(CollectionSnapshotTest, TakesThePlaceOfTheOldOne) {
  ASSERT_NO_FATAL_FAILURE(open());
  ASSERT_NO_FATAL_FAILURE(create_rich(2));
  ASSERT_NO_FATAL_FAILURE(fill(300));
  const std::string path = dir_.file("one.snapshot");
  ASSERT_EQ(why_not(engine_->snapshot_collection(kTenant, kName, path, "")), "");
  const std::vector<Point> wanted = all_points(*engine_, kName);
  ASSERT_EQ(why_not(engine_->update_aliases(
                kTenant, {{AliasChange::Kind::kPut, "live", std::string(kName)}})),
            "");
  DeleteRequest remove;
  for (std::uint64_t id = 0; id < 300; id += 2) {
    remove.points.push_back({.id = PointId::number(id), .condition = {}});
  }
  ASSERT_EQ(why_not(engine_->remove(kTenant, kName, std::move(remove))), "");
  const CollectionId before = engine_->collection(kTenant, kName).value().id;
  EXPECT_EQ(engine_->recover_collection(kTenant, "live", {.path = path}).error().reason,
            "alias_exists");
  ASSERT_EQ(why_not(engine_->recover_collection(kTenant, kName, {.path = path})), "");
  for (int restarts = 0; restarts < 2; ++restarts) {
    EXPECT_NE(engine_->collection(kTenant, kName).value().id, before);
    EXPECT_EQ(engine_->collections(kTenant).size(), 1U);
    EXPECT_EQ(engine_->collection(kTenant, "live").value().name, kName);
    ASSERT_NO_FATAL_FAILURE(expect_same_points(wanted, all_points(*engine_, kName)));
    ASSERT_NO_FATAL_FAILURE(open());
  }
}

// A single writer numbers its writes; whatever the last number in a snapshot is, all before it must
// be there, and none after it, though they are of different shards.
TEST_F(CollectionSnapshotTest, IsOfOneMomentWhileWritesGoOn) {
  ASSERT_NO_FATAL_FAILURE(open());
  CollectionConfig config;
  config.shard_count = 4;
  config.durability = Durability::kAsync;
  ASSERT_EQ(why_not(engine_->create_collection(kTenant, kName, config)), "");
  constexpr std::int64_t kIds = 40;
  std::atomic<bool> stop{false};
  std::thread writer([&] {
    for (std::int64_t n = 0; !stop.load(); ++n) {
      UpsertRequest request{.points = {}, .allow_bare = true, .params = {}};
      request.points.push_back({.id = PointId::number(static_cast<std::uint64_t>(n % kIds)),
                                .payload = format(R"({{"n":{}}})", n)});
      EXPECT_EQ(why_not(engine_->upsert(kTenant, kName, std::move(request))), "");
    }
  });
  for (int i = 0; i < 20; ++i) {
    const std::string path = dir_.file(format("{}.snapshot", i));
    EXPECT_EQ(why_not(engine_->snapshot_collection(kTenant, kName, path, "")), "");
    const std::string name = format("copy-{}", i);
    EXPECT_EQ(why_not(engine_->recover_collection(kTenant, name, {.path = path})), "");
    std::int64_t last = -1;
    std::map<std::int64_t, std::int64_t> numbers;
    for (const Point& point : all_points(*engine_, name)) {
      const auto json = JsonDocument::parse(point.payload);
      const std::int64_t n = json.value().root().find("n")->as_int64().value_or(-1);
      numbers[static_cast<std::int64_t>(point.id.low())] = n;
      last = std::max(last, n);
    }
    for (std::int64_t id = 0; id < kIds; ++id) {
      const std::int64_t wanted = last - (last - id + kIds) % kIds;  // its last one up to `last`
      if (wanted < 0) continue;
      EXPECT_EQ(numbers[id], wanted) << "of id " << id << " up to " << last;
    }
    EXPECT_EQ(why_not(engine_->drop_collection(kTenant, name)), "");
  }
  stop.store(true);
  writer.join();
}

// Of a collection that is dropped while its snapshot is taken, everything is in it.
TEST_F(CollectionSnapshotTest, OutlivesItsCollection) {
  ASSERT_NO_FATAL_FAILURE(open());
  for (int i = 0; i < 5; ++i) {
    ASSERT_NO_FATAL_FAILURE(create_rich(2));
    ASSERT_NO_FATAL_FAILURE(fill(1'500));
    const std::string path = dir_.file(format("{}.snapshot", i));
    Result<CollectionSnapshot> taken = Error{};
    std::thread taker([&] { taken = engine_->snapshot_collection(kTenant, kName, path, ""); });
    ASSERT_EQ(why_not(engine_->drop_collection(kTenant, kName)), "");
    taker.join();
    if (!taken.ok()) {
      EXPECT_EQ(taken.error().reason, "collection_not_found");  // it came too late
      continue;
    }
    EXPECT_EQ(taken.value().points, 1'500U);
    EXPECT_EQ(why_not(engine_->check_collection_snapshot(path)), "");
  }
}

TEST_F(CollectionSnapshotTest, ADamagedFileIsRefusedWhole) {
  ASSERT_NO_FATAL_FAILURE(open());
  ASSERT_NO_FATAL_FAILURE(create_rich(2));
  ASSERT_NO_FATAL_FAILURE(fill(7));
  const std::string path = dir_.file("one.snapshot");
  ASSERT_EQ(why_not(engine_->snapshot_collection(kTenant, kName, path, "")), "");
  const std::string good = read_bytes(path);
  const std::string bad_path = dir_.file("bad.snapshot");
  const auto reason = [&] {
    const auto checked = engine_->check_collection_snapshot(bad_path);
    return checked.ok() ? std::string() : checked.error().reason;
  };
  for (std::size_t i = 0; i < good.size(); ++i) {
    std::string bad = good;
    bad[i] = static_cast<char>(bad[i] ^ static_cast<char>(1U << rng_.below(8)));
    write_bytes(bad_path, bad);
    ASSERT_EQ(reason(), "snapshot_damaged") << "with byte " << i << " changed";
    write_bytes(bad_path, std::string_view(good).substr(0, i));
    ASSERT_EQ(reason(), "snapshot_damaged") << "cut at byte " << i;
  }
  write_bytes(bad_path, good + "x");
  EXPECT_EQ(reason(), "snapshot_damaged");
  const std::vector<Point> before = all_points(*engine_, kName);
  EXPECT_EQ(engine_->recover_collection(kTenant, kName, {.path = bad_path}).error().reason,
            "snapshot_damaged");
  EXPECT_EQ(
      engine_->recover_collection(kTenant, kName, {.path = path, .sha256 = "00"}).error().reason,
      "checksum_mismatch");
  EXPECT_EQ(engine_->recover_collection(kTenant, kName, {.path = dir_.file("absent")}).error().code,
            ErrorCode::kNotFound);
  ASSERT_NO_FATAL_FAILURE(expect_same_points(before, all_points(*engine_, kName)));
  write_bytes(bad_path, "a Qdrant snapshot is a tar archive and begins otherwise");
  const auto foreign = engine_->check_collection_snapshot(bad_path);
  ASSERT_FALSE(foreign.ok());
  EXPECT_NE(foreign.error().message.find("quipu import qdrant URL"), std::string::npos);
}

// What the checksums cannot tell: a file that was made with a false content.
TEST_F(CollectionSnapshotTest, AFalseContentIsRefused) {
  ASSERT_NO_FATAL_FAILURE(open());
  const std::string path = dir_.file("false.snapshot");
  const auto verdict = [&](const engine::SnapshotDescription& description,
                           const std::vector<engine::SnapshotPart>& parts) {
    auto file = posix_file_system().open_writable(path, OpenMode::kTruncate);
    EXPECT_EQ(why_not(file), "");
    storage::SnapshotWriter writer(*file.value());
    EXPECT_EQ(why_not(writer.description(engine::encode_snapshot_description(description))), "");
    for (const auto& part : parts) {
      EXPECT_EQ(why_not(writer.points(engine::encode_snapshot_part(part), part.op.points.size())),
                "");
    }
    EXPECT_EQ(why_not(writer.end()), "");
    const auto checked = engine_->check_collection_snapshot(path);
    return checked.ok() ? std::string("good") : checked.error().message;
  };
  engine::SnapshotDescription description;
  description.collection = "notes";
  description.config.vectors = {{.name = "", .dim = 2, .id = 3}};
  description.shards = {{.applied = Seq(1), .points = 1}};
  storage::RestoredPoint point{.id = PointId::number(1), .payload = "{}"};
  point.vectors = {{.vector_id = 3, .values = {1, 2}}};
  const auto with = [](std::vector<storage::RestoredPoint> points) {
    return std::vector<engine::SnapshotPart>{
        {.shard_index = 0, .op = storage::RestorePointsOp{std::move(points)}}};
  };
  EXPECT_EQ(verdict(description, with({point})), "good");
  EXPECT_NE(verdict(description, {}).find("shard 0 has 0 points"), std::string::npos);
  EXPECT_NE(verdict(description, with({point, point})).find("not in its place"), std::string::npos);
  storage::RestoredPoint other = point;
  other.payload = "[]";
  EXPECT_NE(verdict(description, with({other})).find("no JSON object"), std::string::npos);
  other = point;
  other.vectors[0].values.push_back(1);
  EXPECT_NE(verdict(description, with({other})).find("cannot have"), std::string::npos);
  other.vectors = {{.vector_id = 4, .values = {1, 2}}};
  EXPECT_NE(verdict(description, with({other})).find("cannot have"), std::string::npos);
  description.config.vectors[0].dim = 0;
  EXPECT_NE(verdict(description, with({point})).find("vectors[0].dim"), std::string::npos);
}

// Run once with QUIPU_WRITE_GOLDEN=1 when a new version is made; never to make this test pass.
TEST_F(CollectionSnapshotTest, TheGoldenFileOfVersion1StillReads) {
  const std::string path =
      std::string(QUIPU_SOURCE_DIR) + "/tests/golden/collection_snapshot_v1.bin";
  if (std::getenv("QUIPU_WRITE_GOLDEN") != nullptr) {
    ASSERT_NO_FATAL_FAILURE(open());
    ASSERT_NO_FATAL_FAILURE(create_rich(2));
    UpsertRequest request{.points = {}, .allow_bare = true, .params = {}};
    for (std::uint64_t id = 1; id <= 5; ++id) {
      request.points.push_back(
          {.id = id == 5 ? PointId::uuid(1, 5) : PointId::number(id),
           .vectors = {{"", {1, 0, 0, 0}, {}}, {"terms", {0.5F}, {static_cast<std::uint32_t>(id)}}},
           .text = format("text {}", id),
           .payload = format(R"({{"n":{}}})", id)});
    }
    ASSERT_EQ(why_not(engine_->upsert(kTenant, kName, std::move(request))), "");
    static_cast<void>(remove_tree(posix_file_system(), path).ok());
    ASSERT_EQ(why_not(engine_->snapshot_collection(kTenant, kName, path, "{}")), "");
    engine_.reset();
    ASSERT_EQ(why_not(remove_tree(posix_file_system(), dir_.file("data"))), "");
  }
  ASSERT_NO_FATAL_FAILURE(open());
  const auto recovered = engine_->recover_collection(kTenant, "golden", {.path = path});
  ASSERT_EQ(why_not(recovered), "");
  EXPECT_EQ(recovered.value().snapshot.collection, kName);
  EXPECT_EQ(recovered.value().snapshot.note, "{}");
  const std::vector<Point> points = all_points(*engine_, "golden");
  ASSERT_EQ(points.size(), 5U);
  for (std::uint64_t id = 1; id <= 5; ++id) {
    const Point& point = points[id - 1];
    EXPECT_EQ(point.id, id == 5 ? PointId::uuid(1, 5) : PointId::number(id));
    EXPECT_EQ(point.text, format("text {}", id));
    EXPECT_EQ(point.payload, format(R"({{"n":{}}})", id));
    ASSERT_EQ(point.vectors.size(), 2U);
    EXPECT_EQ(point.vectors[0].values, (std::vector<float>{1, 0, 0, 0}));
    EXPECT_EQ(point.vectors[1].indices, std::vector<std::uint32_t>{static_cast<std::uint32_t>(id)});
  }
}

// ---- power cuts

class RecoveryCrash : public testing::Test {
 protected:
  // Makes the old collection and a snapshot of another state of it.
  void prepare(const std::string& data, const std::string& snapshot) {
    std::unique_ptr<Engine> engine = open_for_snapshots(data, nullptr);
    ASSERT_NE(engine, nullptr);
    CollectionConfig config;
    config.vectors = {{.name = "", .dim = 2}};
    config.shard_count = 2;
    ASSERT_EQ(why_not(engine->create_collection(kTenant, kName, config)), "");
    put(*engine, 0, 30, "snapshot");
    ASSERT_EQ(why_not(engine->snapshot_collection(kTenant, kName, snapshot, "")), "");
    put(*engine, 10, 50, "old");
    ASSERT_EQ(why_not(engine->close(std::chrono::seconds(10))), "");
  }
  static void put(Engine& engine, std::uint64_t from, std::uint64_t to, std::string_view what) {
    UpsertRequest request;
    for (std::uint64_t id = from; id < to; ++id) {
      request.points.push_back({.id = PointId::number(id),
                                .vectors = {{"", {1, static_cast<float>(id)}, {}}},
                                .payload = format(R"({{"is":"{}"}})", what)});
    }
    ASSERT_EQ(why_not(engine.upsert(kTenant, kName, std::move(request))), "");
  }
};

TEST_F(RecoveryCrash, LeavesTheOldOneOrTheNewOneWhole) {
  Rng rng(test_seed());
  TempDir dir(TempDir::Place::kMemory);
  const std::string snapshot = dir.file("one.snapshot");
  int old_ones = 0;
  int new_ones = 0;
  // A crash at each change that a recovery makes, until it makes none of them any more.
  bool crashed = true;
  for (std::uint64_t changes = 1; crashed; changes += 1 + rng.below(2)) {
    SCOPED_TRACE(changes);
    const std::string data = dir.file(format("data-{}", changes));
    static_cast<void>(remove_tree(posix_file_system(), snapshot).ok());
    ASSERT_NO_FATAL_FAILURE(prepare(data, snapshot));
    bool acknowledged = false;
    {
      FaultFileSystem fs(posix_file_system(), data);
      {
        std::unique_ptr<Engine> engine = open_for_snapshots(data, &fs);
        ASSERT_NE(engine, nullptr);
        fs.crash_after(changes);
        acknowledged = engine->recover_collection(kTenant, kName, {.path = snapshot}).ok();
        crashed = fs.crashed();
        if (!crashed) fs.crash();
      }
      ASSERT_EQ(why_not(fs.materialise(rng, CrashMode::kDropUnsynced)), "");
    }
    std::unique_ptr<Engine> engine = open_for_snapshots(data, nullptr);
    ASSERT_NE(engine, nullptr);
    ASSERT_EQ(engine->collections(kTenant).size(), 1U);
    const std::vector<Point> points = all_points(*engine, kName);
    const bool is_new = points.size() == 30;
    ASSERT_TRUE(is_new || points.size() == 50) << points.size();
    ASSERT_TRUE(is_new || !acknowledged);
    for (const Point& point : points) {
      const bool from_snapshot = is_new || point.id.low() < 10;
      ASSERT_EQ(point.payload, from_snapshot ? R"({"is":"snapshot"})" : R"({"is":"old"})");
    }
    (is_new ? new_ones : old_ones) += 1;
    // A recovery that was cut short is in nobody's way.
    ASSERT_EQ(why_not(engine->recover_collection(kTenant, kName, {.path = snapshot})), "");
    ASSERT_EQ(engine->count(kTenant, kName, {}).value(), 30U);
    engine.reset();
    ASSERT_EQ(why_not(remove_tree(posix_file_system(), data)), "");
  }
  EXPECT_GT(old_ones, 0);
  EXPECT_GT(new_ones, 0);
}

TEST_F(RecoveryCrash, AFullDiskLeavesTheOldOne) {
  TempDir dir(TempDir::Place::kMemory);
  const std::string snapshot = dir.file("one.snapshot");
  const std::string data = dir.file("data");
  ASSERT_NO_FATAL_FAILURE(prepare(data, snapshot));
  FaultFileSystem fs(posix_file_system(), data);
  {
    std::unique_ptr<Engine> engine = open_for_snapshots(data, &fs);
    ASSERT_NE(engine, nullptr);
    fs.inject({.point = FaultPoint::kAppend,
               .kind = FaultKind::kDiskFull,
               .path_part = "",
               .skip = 2,
               .count = kFaultForever});
    EXPECT_FALSE(engine->recover_collection(kTenant, kName, {.path = snapshot}).ok());
    EXPECT_GT(fs.faults_fired(), 0U);
    EXPECT_EQ(all_points(*engine, kName).size(), 50U);
    fs.clear_faults();
    ASSERT_EQ(why_not(engine->recover_collection(kTenant, kName, {.path = snapshot})), "");
    EXPECT_EQ(all_points(*engine, kName).size(), 30U);
  }
}

}  // namespace
}  // namespace quipu
