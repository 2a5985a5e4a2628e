// Goal: the query cache never gives an answer that the engine would not give now, gives those that
// it has, keeps what is asked often within its bounds, and begins warm. Method: a model test
// against an engine that is asked without the cache; a Zipfian trace against the bound that no
// cache beats.
#include "quipu/engine/query_cache.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cmath>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "quipu/base/file_system.h"
#include "quipu/base/rng.h"
#include "quipu/base/test_support.h"
#include "quipu/engine.h"
#include "quipu/engine/asked.h"

namespace quipu::engine {
namespace {

constexpr std::string_view kTenant = "default";

// What a caller sees of an answer.
std::string shown(const Result<SearchResult>& result) {
  if (!result.ok()) return "error: " + result.error().message;
  std::string text;
  for (const SearchHit& hit : result.value().hits) {
    text += hit.point.id.to_string() + " " + std::to_string(hit.score) + " " + hit.point.payload +
            " " + std::to_string(hit.point.version) + "\n";
  }
  return text;
}
std::string shown(const Result<GroupResult>& result) {
  if (!result.ok()) return "error: " + result.error().message;
  std::string text;
  for (const HitGroup& group : result.value().groups) {
    text += std::holds_alternative<std::string>(group.value)
                ? std::get<std::string>(group.value)
                : std::to_string(std::get<std::int64_t>(group.value));
    for (const SearchHit& hit : group.hits) text += " " + hit.point.id.to_string();
    text += "\n";
  }
  return text;
}
std::string shown(const Result<std::vector<FacetValue>>& result) {
  if (!result.ok()) return "error: " + result.error().message;
  std::string text;
  for (const FacetValue& facet : result.value()) {
    text +=
        std::holds_alternative<std::string>(facet.value) ? std::get<std::string>(facet.value) : "?";
    text += " " + std::to_string(facet.count) + "\n";
  }
  return text;
}

// The machine's clock, and some time that has passed besides.
class LaterClock final : public Clock {
 public:
  void advance(std::chrono::seconds by) { later_.store(later_.load() + by.count()); }
  [[nodiscard]] std::int64_t now_us() const noexcept override {
    return system_clock().now_us() + 1'000'000 * later_.load();
  }
  [[nodiscard]] std::chrono::steady_clock::time_point steady_now() const noexcept override {
    return system_clock().steady_now() + std::chrono::seconds(later_.load());
  }
  void wait_until(std::condition_variable& condition, std::unique_lock<std::mutex>& lock,
                  std::chrono::steady_clock::time_point deadline) override {
    system_clock().wait_until(condition, lock, deadline - std::chrono::seconds(later_.load()));
  }

 private:
  std::atomic<std::int64_t> later_{0};
};

// Waits until it holds; false when it has not after a long time.
bool eventually(const std::function<bool()>& holds) {
  const auto end = system_clock().steady_now() + std::chrono::seconds(30);
  while (!holds()) {
    if (system_clock().steady_now() > end) return false;
    std::this_thread::yield();
  }
  return true;
}

class QueryCacheTest : public testing::Test {
 protected:
  void open(EngineOptions options = {}) {
    engine_.reset();
    options.data_dir = dir_.file("data");
    EngineEnvironment environment;
    environment.clock = &clock_;
    auto opened = Engine::open(options, environment);
    ASSERT_EQ(why_not(opened), "");
    engine_ = std::move(opened).value();
  }
  void create(std::string_view name, std::uint32_t shards = 2) {
    CollectionConfig config;
    config.vectors = {{.name = "", .dim = 2, .metric = Metric::kDot}};
    config.words = {{.name = "words"}};
    config.shard_count = shards;
    ASSERT_EQ(why_not(engine_->create_collection(kTenant, name, config)), "");
  }
  void put(std::string_view name, std::uint64_t id, const std::string& color,
           std::vector<float> vector) {
    PointWrite write{.id = PointId::number(id),
                     .vectors = {{.name = "", .values = std::move(vector)}},
                     .text = color + " thing",
                     .payload = R"({"color":")" + color + R"("})"};
    UpsertRequest request{.points = {std::move(write)}, .params = {}};
    ASSERT_EQ(why_not(engine_->upsert(kTenant, name, std::move(request))), "");
  }
  static QueryRequest nearest(std::vector<float> vector, std::size_t limit = 3) {
    QueryRequest request;
    request.root.query = NearestQuery{.input = std::move(vector), .mmr = {}};
    request.root.params.exact = true;
    request.root.limit = limit;
    return request;
  }
  QueryCacheStatus status() { return engine_->status().query_cache; }

  TempDir dir_{TempDir::Place::kMemory};
  LaterClock clock_;
  std::unique_ptr<Engine> engine_;
};

TEST_F(QueryCacheTest, GivesWhatWasAskedBefore) {
  open();
  create("notes");
  put("notes", 1, "red", {1, 0});
  put("notes", 2, "blue", {0, 1});
  const QueryRequest request = nearest({1, 0});
  const std::string first = shown(engine_->query(kTenant, "notes", request));
  EXPECT_EQ(status().misses, 1U);
  EXPECT_EQ(shown(engine_->query(kTenant, "notes", request)), first);
  EXPECT_EQ(status().hits, 1U);
  EXPECT_EQ(status().entries, 1U);
  EXPECT_GT(status().bytes, 0U);
  // The same by another call of the engine is the same question.
  const SearchRequest search{.vector = {1, 0}, .k = 3, .exact = true, .params = {}};
  EXPECT_EQ(shown(engine_->search(kTenant, "notes", search)), first);
  EXPECT_EQ(status().hits, 2U);
  // What differs anywhere is another question.
  QueryRequest without_payload = request;
  without_payload.select.payload = false;
  EXPECT_NE(shown(engine_->query(kTenant, "notes", without_payload)), first);
  QueryRequest other_limit = request;
  other_limit.root.limit = 1;
  EXPECT_NE(shown(engine_->query(kTenant, "notes", other_limit)), first);
  EXPECT_EQ(status().hits, 2U);
  // An explanation is of work that is done, and who says so is not given a kept answer.
  QueryRequest explained = request;
  explained.explain = true;
  EXPECT_TRUE(engine_->query(kTenant, "notes", explained).value().explain.has_value());
  QueryRequest fresh = request;
  fresh.params.cache = false;
  EXPECT_EQ(shown(engine_->query(kTenant, "notes", fresh)), first);
  EXPECT_EQ(status().hits, 2U);
}

TEST_F(QueryCacheTest, AWriteEndsAnAnswerAtOnce) {
  open();
  create("notes");
  create("others");
  put("notes", 1, "red", {1, 0});
  const QueryRequest request = nearest({1, 0});
  const std::string before = shown(engine_->query(kTenant, "notes", request));
  put("others", 1, "red", {1, 0});  // elsewhere: nothing changes
  EXPECT_EQ(shown(engine_->query(kTenant, "notes", request)), before);
  EXPECT_EQ(status().hits, 1U);
  put("notes", 2, "blue", {2, 0});
  EXPECT_NE(shown(engine_->query(kTenant, "notes", request)), before);
  EXPECT_EQ(status().stale, 1U);
  ASSERT_EQ(why_not(engine_->remove(
                kTenant, "notes",
                {.points = {{.id = PointId::number(2), .condition = {}}}, .params = {}})),
            "");
  EXPECT_EQ(shown(engine_->query(kTenant, "notes", request)), before);
  EXPECT_EQ(status().hits, 1U);
  // A collection that is made again under its name is another one.
  ASSERT_EQ(why_not(engine_->drop_collection(kTenant, "notes")), "");
  EXPECT_FALSE(engine_->query(kTenant, "notes", request).ok());
  create("notes");
  EXPECT_EQ(shown(engine_->query(kTenant, "notes", request)), "");
}

TEST_F(QueryCacheTest, ANewConfigurationEndsAnAnswer) {
  open();
  create("notes");
  put("notes", 1, "red", {1, 0});
  static_cast<void>(engine_->query(kTenant, "notes", nearest({1, 0})));
  CollectionPatch patch;
  patch.add_payload_indexes = {{.key = "color", .kind = PayloadIndexKind::kKeyword}};
  ASSERT_EQ(why_not(engine_->update_collection(kTenant, "notes", patch)), "");
  static_cast<void>(engine_->query(kTenant, "notes", nearest({1, 0})));
  EXPECT_EQ(status().stale, 1U);
  EXPECT_EQ(status().hits, 0U);
}

TEST_F(QueryCacheTest, AnAnswerAges) {
  EngineOptions options;
  options.query_cache_age_s = 10;
  open(options);
  create("notes");
  put("notes", 1, "red", {1, 0});
  const QueryRequest request = nearest({1, 0});
  static_cast<void>(engine_->query(kTenant, "notes", request));
  clock_.advance(std::chrono::seconds(8));
  static_cast<void>(engine_->query(kTenant, "notes", request));
  EXPECT_EQ(status().hits, 1U);
  clock_.advance(std::chrono::seconds(11));
  static_cast<void>(engine_->query(kTenant, "notes", request));
  EXPECT_EQ(status().hits, 1U);
  EXPECT_EQ(status().stale, 1U);
}

TEST_F(QueryCacheTest, WhatDiffersEachTimeIsNotKept) {
  open();
  create("notes");
  create("others");
  put("notes", 1, "red", {1, 0});
  put("others", 1, "red", {1, 0});
  QueryRequest sample;
  sample.root.query = SampleQuery{};
  QueryRequest elsewhere;
  elsewhere.root.query = NearestQuery{.input = PointId::number(1), .mmr = {}};
  elsewhere.root.lookup_from = {.collection = "others", .vector_name = ""};
  for (int i = 0; i < 2; ++i) {
    EXPECT_TRUE(engine_->query(kTenant, "notes", sample).ok());
    EXPECT_TRUE(engine_->query(kTenant, "notes", elsewhere).ok());
  }
  EXPECT_EQ(status().entries, 0U);
  EngineOptions off;
  off.query_cache_entries = 0;
  open(off);
  for (int i = 0; i < 2; ++i) EXPECT_TRUE(engine_->query(kTenant, "notes", nearest({1, 0})).ok());
  EXPECT_EQ(status().entries + status().hits + status().misses, 0U);
}

TEST_F(QueryCacheTest, AnswersAsWithoutACache) {
  EngineOptions options;
  options.query_cache_entries = 8;  // fewer than there are questions
  open(options);
  create("notes", 3);
  const std::uint64_t seed = test_seed();
  SCOPED_TRACE(testing::Message() << "QUIPU_TEST_SEED=" << seed);
  Rng rng(seed);
  const std::vector<std::string> colors = {"red", "green", "blue"};
  const auto small = [&rng] { return static_cast<float>(rng.below(3)); };
  for (int step = 0; step < 1'500; ++step) {
    const std::uint64_t roll = rng.below(100);
    if (roll < 8) {
      put("notes", 1 + rng.below(20), colors[rng.below(3)], {small(), small()});
    } else if (roll < 10) {
      static_cast<void>(engine_->remove(
          kTenant, "notes",
          {.points = {{.id = PointId::number(1 + rng.below(20)), .condition = {}}}, .params = {}}));
    } else if (roll < 70) {
      QueryRequest request = nearest({small(), small()}, 1 + rng.below(2));
      if (rng.below(2) == 0) request.root.query = WordsQuery{.text = colors[rng.below(3)]};
      if (std::holds_alternative<WordsQuery>(*request.root.query)) {
        request.root.using_name = "words";
      }
      if (rng.below(2) == 0) {
        request.root.filter = Filter{};
        request.root.filter->must = {{FieldCondition{"color", MatchValue{colors[rng.below(3)]}}}};
      }
      QueryRequest fresh = request;
      fresh.params.cache = false;
      ASSERT_EQ(shown(engine_->query(kTenant, "notes", request)),
                shown(engine_->query(kTenant, "notes", fresh)));
    } else if (roll < 85) {
      GroupRequest request{.root = nearest({small(), 1}).root, .group_by = "color", .params = {}};
      request.root.limit = 1 + rng.below(2);
      GroupRequest fresh = request;
      fresh.params.cache = false;
      ASSERT_EQ(shown(engine_->query_groups(kTenant, "notes", request)),
                shown(engine_->query_groups(kTenant, "notes", fresh)));
    } else {
      FacetRequest request{.key = "color", .limit = 1 + rng.below(3), .params = {}};
      FacetRequest fresh = request;
      fresh.params.cache = false;
      ASSERT_EQ(shown(engine_->facet(kTenant, "notes", request)),
                shown(engine_->facet(kTenant, "notes", fresh)));
    }
    ASSERT_LE(status().entries, 8U);
  }
  EXPECT_GT(status().hits, 30U);
  EXPECT_GT(status().stale, 20U);
  EXPECT_GT(status().evictions, 20U);
}

TEST_F(QueryCacheTest, BeginsWarm) {
  open();
  create("notes");
  put("notes", 1, "red", {1, 0});
  put("notes", 2, "blue", {0, 1});
  QueryRequest often = nearest({0.25F, 1});
  often.root.filter = Filter{};
  often.root.filter->must = {{FieldCondition{"color", MatchValue{std::string("blue")}}}};
  const GroupRequest groups{.root = nearest({0, 1}).root, .group_by = "color", .params = {}};
  const FacetRequest facet{.key = "color", .params = {}};
  const QueryRequest once = nearest({1, 1});
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(engine_->query(kTenant, "notes", often).ok());
    EXPECT_TRUE(engine_->query_groups(kTenant, "notes", groups).ok());
    EXPECT_TRUE(engine_->facet(kTenant, "notes", facet).ok());
  }
  EXPECT_TRUE(engine_->query(kTenant, "notes", once).ok());
  ASSERT_EQ(why_not(engine_->close(std::chrono::seconds(10))), "");
  open();
  ASSERT_TRUE(eventually([&] { return status().entries == 3; }));
  const std::uint64_t hits = status().hits;
  EXPECT_TRUE(engine_->query(kTenant, "notes", often).ok());
  EXPECT_TRUE(engine_->query_groups(kTenant, "notes", groups).ok());
  EXPECT_TRUE(engine_->facet(kTenant, "notes", facet).ok());
  EXPECT_EQ(status().hits, hits + 3);
  EXPECT_TRUE(engine_->query(kTenant, "notes", once).ok());
  EXPECT_EQ(status().hits, hits + 3);
  // A file that is damaged costs only the warmth.
  ASSERT_EQ(why_not(engine_->close(std::chrono::seconds(10))), "");
  ASSERT_EQ(why_not(write_file_atomically(posix_file_system(), dir_.file("data/asked.json"),
                                          R"({"version":1,"asked":[{"kind":7}]})")),
            "");
  open();
  EXPECT_TRUE(engine_->query(kTenant, "notes", often).ok());
}

TEST(AskedTest, ReadsWhatItWrote) {
  QueryCache::Asked asked{.tenant = "a", .collection = "b", .ask = {}, .times = 7};
  asked.ask.kind = AskKind::kGroups;
  asked.ask.payload_key = "x.y";
  asked.ask.group_size = 4;
  asked.ask.select = {.payload = false,
                      .text = true,
                      .vectors = true,
                      .payload_include = {},
                      .payload_exclude = {"p", "q"},
                      .vector_names = {"v"}};
  asked.ask.root.query = FusionQuery{.kind = FusionKind::kRrf, .k = 60, .weights = {1, 2}};
  asked.ask.root.prefetch.resize(2);
  asked.ask.root.prefetch[0].query = NearestQuery{.input = std::vector<float>{0.1F, -2}, .mmr = {}};
  asked.ask.root.prefetch[1].query =
      NearestQuery{.input = TextInput{.text = "rivers", .model = "", .options = ""}, .mmr = {}};
  asked.ask.root.prefetch[1].using_name = "words";
  const auto read = read_asked(write_asked({asked, asked}));
  ASSERT_EQ(why_not(read), "");
  ASSERT_EQ(read.value().size(), 2U);
  EXPECT_TRUE(read.value()[1].ask == asked.ask);
  EXPECT_EQ(read.value()[1].tenant, "a");
  EXPECT_EQ(read.value()[1].times, 7U);
  for (const char* bad :
       {"", "[]", R"({"version":2,"asked":[]})", R"({"version":1})",
        R"({"version":1,"asked":[{"kind":"hits","tenant":"a","collection":"b","times":1,)"
        R"("offset":0,"key":"","group_size":0,"select":{},"query":{}}]})",
        R"({"version":1,"asked":[{"kind":"none","tenant":"a","collection":"b","times":1,)"
        R"("offset":0,"key":"","group_size":0,"query":{},"select":{"payload":true,"text":true,)"
        R"("vectors":true,"payload_include":[],"payload_exclude":[],"vector_names":[]}}]})"}) {
    EXPECT_FALSE(read_asked(bad).ok()) << bad;
  }
}

// The cache alone, with a collection that nothing is in.
class CachePolicyTest : public testing::Test {
 protected:
  CachePolicyTest() {
    auto collection = std::make_shared<Collection>();
    collection->record.id = CollectionId(1);
    collection_ = collection;
    moments_ = {std::make_shared<const Moment>()};
  }
  static Ask ask(std::uint64_t number) {
    Ask ask;
    ask.root.query = NearestQuery{.input = PointId::number(number), .mmr = {}};
    return ask;
  }
  bool hit(QueryCache& cache, std::uint64_t number) {
    const Ask asked = ask(number);
    const AskScope scope{collection_, moments_};
    if (cache.find(scope, asked, hash_of(asked)) != nullptr) return true;
    SearchResult answer;
    answer.hits.resize(1);
    answer.hits[0].point.payload = std::string(payload_bytes_, 'x');
    cache.put(scope, asked, hash_of(asked), answer);
    return false;
  }

  std::shared_ptr<const Collection> collection_;
  std::vector<std::shared_ptr<const Moment>> moments_;
  std::size_t payload_bytes_ = 100;
  LaterClock clock_;
};

TEST_F(CachePolicyTest, KeepsWhatIsAskedOften) {
  QueryCache cache({}, clock_, null_metrics());
  const std::uint64_t seed = test_seed();
  SCOPED_TRACE(testing::Message() << "QUIPU_TEST_SEED=" << seed);
  Rng rng(seed);
  constexpr std::size_t kDistinct = 10'000;
  constexpr int kDraws = 100'000;
  std::vector<double> sums(kDistinct);  // of a Zipfian distribution, s = 1.1
  double sum = 0;
  for (std::size_t i = 0; i < kDistinct; ++i) {
    sums[i] = sum += std::pow(static_cast<double>(i + 1), -1.1);
  }
  int hits = 0;
  for (int i = 0; i < kDraws; ++i) {
    const double at = rng.uniform() * sum;
    const auto found = std::lower_bound(sums.begin(), sums.end(), at);
    if (hit(cache, static_cast<std::uint64_t>(found - sums.begin()))) ++hits;
  }
  // Who knows the distribution and keeps the 1,000 most likely ones hits this often at most.
  const double best = sums[999] / sum;
  EXPECT_GT(static_cast<double>(hits) / kDraws, 0.95 * best);
  EXPECT_LE(cache.status().entries, 1'000U);
}

TEST_F(CachePolicyTest, AFloodDoesNotPushOutWhatManyAsk) {
  QueryCache cache({.entries_max = 100}, clock_, null_metrics());
  for (int round = 0; round < 3; ++round) {
    for (std::uint64_t i = 0; i < 100; ++i) hit(cache, i);
  }
  for (std::uint64_t i = 1'000; i < 2'000; ++i) EXPECT_FALSE(hit(cache, i));
  int kept = 0;
  for (std::uint64_t i = 0; i < 100; ++i) {
    // Only looked up: to keep what is missing would push out another.
    const Ask asked = ask(i);
    if (cache.find({collection_, moments_}, asked, hash_of(asked)) != nullptr) ++kept;
  }
  EXPECT_GE(kept, 95);
}

TEST_F(CachePolicyTest, StaysWithinItsBytes) {
  constexpr std::uint64_t kBytes = 100'000;
  QueryCache cache({.bytes_max = kBytes}, clock_, null_metrics());
  payload_bytes_ = 5'000;
  for (int round = 0; round < 3; ++round) {
    for (std::uint64_t i = 0; i < 200; ++i) {
      hit(cache, i % (10 + 10 * static_cast<std::uint64_t>(round)));
      ASSERT_LE(cache.status().bytes, kBytes);
    }
  }
  EXPECT_GT(cache.status().entries, 5U);
  payload_bytes_ = kBytes / 4;  // more than one answer may take
  EXPECT_FALSE(hit(cache, 9'000));
  EXPECT_FALSE(hit(cache, 9'000));
  cache.clear();
  EXPECT_EQ(cache.status().bytes, 0U);
  EXPECT_EQ(cache.status().entries, 0U);
}

TEST_F(CachePolicyTest, ManyThreadsAtOnce) {
  QueryCache cache({.entries_max = 50}, clock_, null_metrics());
  std::vector<std::thread> threads;
  for (std::uint64_t t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (std::uint64_t i = 0; i < 5'000; ++i) {
        hit(cache, (i * (t + 1)) % 120);
        if (i % 1'000 == 0) cache.clear();
        if (i % 100 == 0) static_cast<void>(cache.most_asked(10));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_LE(cache.status().entries, 50U);
  EXPECT_EQ(cache.status().hits + cache.status().misses + cache.status().stale, 20'000U);
}

}  // namespace
}  // namespace quipu::engine
