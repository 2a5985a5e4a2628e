// Goal: words, sparse vectors and exact dense search give the same answer at every number of
// shards and after any history, where many scores are equal too (invariant 16). Method: the same
// points in collections of different shard counts, written in different orders; few distinct
// values, so that rankings end among equals.
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "quipu/base/rng.h"
#include "quipu/base/test_support.h"
#include "quipu/engine.h"
#include "quipu/engine/testing/names.h"

namespace quipu {
namespace {

constexpr std::uint32_t kShardCounts[] = {1, 2, 3, 7};

class ShardsTest : public testing::Test {
 protected:
  ShardsTest() : rng_(test_seed()) {}
  void SetUp() override {
    EngineOptions options;
    options.data_dir = dir_.file("data");
    auto opened = Engine::open(options, {});
    ASSERT_EQ(why_not(opened), "");
    engine_ = std::move(opened).value();
    for (const std::uint32_t shards : kShardCounts) {
      CollectionConfig config;
      config.vectors = {{.name = "", .dim = 3, .metric = Metric::kEuclidean},
                        {.name = "cosine", .dim = 3, .metric = Metric::kCosine},
                        {.name = "weights", .kind = VectorKind::kSparse, .idf = true}};
      config.words = {{.name = "words"}};
      config.shard_count = shards;
      ASSERT_EQ(why_not(engine_->create_collection(kTenant, name_of(shards), config)), "");
    }
  }
  static std::string name_of(std::uint32_t shards) { return "of" + std::to_string(shards); }
  std::vector<float> draw_vector() {
    std::vector<float> vector(3);
    for (float& value : vector) value = static_cast<float>(rng_.below(3)) + 0.5F;
    return vector;
  }
  SparseValues draw_sparse() {
    SparseValues sparse;
    for (std::uint32_t i = 0; i < 4; ++i) {
      if (rng_.below(2) == 0) continue;
      sparse.indices.push_back(i);
      sparse.values.push_back(static_cast<float>(1 + rng_.below(2)));
    }
    if (sparse.indices.empty()) sparse = {.indices = {1}, .values = {1}};
    return sparse;
  }
  std::string draw_text() {
    const char* const words[] = {"red", "green", "blue"};
    std::string text;
    for (std::uint64_t i = 1 + rng_.below(3); i > 0; --i)
      text += std::string(words[rng_.below(3)]) + " ";
    return text;
  }
  void write_everywhere() {
    std::vector<PointWrite> points;
    for (std::uint64_t id = 0; id < 150; ++id) {
      SparseValues sparse = draw_sparse();
      points.push_back({.id = PointId::number(rng_.below(2) == 0 ? id : 1'000 - id),
                        .vectors = {{.name = "", .values = draw_vector()},
                                    {.name = "cosine", .values = draw_vector()},
                                    {.name = "weights",
                                     .values = std::move(sparse.values),
                                     .indices = std::move(sparse.indices)}},
                        .text = draw_text()});
    }
    for (const std::uint32_t shards : kShardCounts) {
      // Each collection has a history of its own: other orders, other slots.
      for (std::size_t i = points.size(); i > 1; --i)
        std::swap(points[i - 1], points[rng_.below(i)]);
      for (std::size_t begin = 0; begin < points.size(); begin += 50) {
        const auto first = points.begin() + static_cast<std::ptrdiff_t>(begin);
        UpsertRequest request{.points = {first, first + 50}, .params = {}};
        ASSERT_EQ(why_not(engine_->upsert(kTenant, name_of(shards), std::move(request))), "");
      }
    }
    const PointId gone = points[rng_.below(points.size())].id;
    for (const std::uint32_t shards : kShardCounts) {
      ASSERT_EQ(why_not(engine_->remove(kTenant, name_of(shards),
                                        {.points = {{.id = gone, .condition = {}}}, .params = {}})),
                "");
    }
  }
  void check(const QueryStage& stage) {
    const QueryRequest request{.root = stage, .select = {.payload = false, .text = false}};
    std::vector<SearchHit> wanted;
    for (const std::uint32_t shards : kShardCounts) {
      const auto found = engine_->query(kTenant, name_of(shards), request);
      ASSERT_EQ(why_not(found), "");
      if (shards == 1) wanted = found.value().hits;
      ASSERT_EQ(found.value().hits.size(), wanted.size());
      for (std::size_t i = 0; i < wanted.size(); ++i) {
        ASSERT_EQ(found.value().hits[i].point.id, wanted[i].point.id) << "hit " << i;
        ASSERT_EQ(found.value().hits[i].score, wanted[i].score) << "hit " << i;
      }
    }
    ASSERT_FALSE(wanted.empty());
  }

  TempDir dir_{TempDir::Place::kMemory};
  Rng rng_;
  std::unique_ptr<Engine> engine_;
};

TEST_F(ShardsTest, TheNumberOfShardsIsNotSeen) {
  for (int round = 0; round < 6; ++round) {
    ASSERT_NO_FATAL_FAILURE(write_everywhere());
    for (int i = 0; i < 10; ++i) {
      SCOPED_TRACE(i);
      QueryStage dense;
      dense.query = NearestQuery{.input = draw_vector(), .mmr = {}};
      dense.params.exact = true;
      dense.limit = 1 + rng_.below(40);
      dense.using_name = i % 2 == 0 ? "" : "cosine";
      ASSERT_NO_FATAL_FAILURE(check(dense));
      QueryStage words;
      words.query = WordsQuery{.text = draw_text()};
      words.using_name = "words";
      words.limit = 1 + rng_.below(40);
      ASSERT_NO_FATAL_FAILURE(check(words));
      QueryStage sparse;
      sparse.query = NearestQuery{.input = draw_sparse(), .mmr = {}};
      sparse.using_name = "weights";
      sparse.limit = 1 + rng_.below(40);
      ASSERT_NO_FATAL_FAILURE(check(sparse));
      QueryStage fused;
      fused.query = FusionQuery{.kind = FusionKind::kRrf};
      fused.prefetch = {dense, words, sparse};
      fused.limit = 1 + rng_.below(40);
      ASSERT_NO_FATAL_FAILURE(check(fused));
    }
  }
}

}  // namespace
}  // namespace quipu
