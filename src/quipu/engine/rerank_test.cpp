// Goal: a rerank orders what its prefetches found by their texts alone, wherever they lie, and says
// what it did. Method: a model whose score is the share of the query's words that a text has.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "quipu/base/test_support.h"
#include "quipu/engine.h"
#include "quipu/engine/testing/names.h"
#include "tests/support/fake_embedder.h"

namespace quipu {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using RerankEmbedder = testing_support::FakeEmbedder;

class RerankTest : public testing::TestWithParam<std::uint32_t> {
 protected:
  void SetUp() override {
    EngineOptions options;
    options.data_dir = dir_.file("data");
    EngineEnvironment environment;
    environment.embedder = &embedder_;
    auto opened = Engine::open(options, environment);
    ASSERT_EQ(why_not(opened), "");
    engine_ = std::move(opened).value();
    CollectionConfig config;
    config.vectors = {{.name = "", .dim = 2, .metric = Metric::kDot}};
    config.shard_count = GetParam();
    ASSERT_EQ(why_not(engine_->create_collection(kTenant, kName, config)), "");
  }
  void put(std::uint64_t id, std::optional<std::string> text, std::string payload = "{}") {
    PointWrite write{.id = PointId::number(id), .text = std::move(text), .payload = payload};
    write.vectors = {{.name = "", .values = {static_cast<float>(id), 1.0F}}};
    ASSERT_EQ(why_not(engine_->upsert(kTenant, kName, {.points = {std::move(write)}})), "");
  }
  // Over the nearest to (1, 0), of which larger ids are nearer.
  static QueryRequest request(std::string text, std::string key = "",
                              std::size_t candidates = 100) {
    QueryRequest out;
    out.root.prefetch = {
        {.query = NearestQuery{.input = std::vector<float>{1, 0}, .mmr = {}}, .limit = candidates}};
    out.root.query =
        RerankQuery{.text = std::move(text), .model = RerankEmbedder::kReranker, .key = key};
    return out;
  }
  static std::vector<std::uint64_t> ids_of(const SearchResult& result) {
    std::vector<std::uint64_t> ids;
    for (const SearchHit& hit : result.hits) ids.push_back(hit.point.id.low());
    return ids;
  }

  TempDir dir_{TempDir::Place::kMemory};
  RerankEmbedder embedder_;
  std::unique_ptr<Engine> engine_;
};

TEST_P(RerankTest, OrdersByTheTextsOfWhatWasFound) {
  put(1, "red green blue");
  put(2, "red");
  put(3, std::nullopt);
  put(4, "red green");
  put(5, "yellow");
  QueryRequest asked = request("red green blue");
  asked.explain = true;
  const auto found = engine_->query(kTenant, kName, asked);
  ASSERT_EQ(why_not(found), "");
  EXPECT_THAT(ids_of(found.value()), ElementsAre(1, 4, 2, 5, 3));
  const std::vector<SearchHit>& hits = found.value().hits;
  EXPECT_NEAR(hits[0].score, 1 / (1 + std::exp(-4.0)), 1e-6);
  EXPECT_NEAR(hits[3].score, 1 / (1 + std::exp(4.0)), 1e-6);
  EXPECT_EQ(hits[4].score, 0) << "without a text";
  EXPECT_EQ(found.value().explain->reranked, 4U);

  // Only what the prefetch found, and what its own limit and threshold leave.
  asked = request("red green blue", "", 3);
  EXPECT_THAT(ids_of(engine_->query(kTenant, kName, asked).value()), ElementsAre(4, 5, 3));
  asked.root.limit = 1;
  EXPECT_THAT(ids_of(engine_->query(kTenant, kName, asked).value()), ElementsAre(4));
  asked = request("red green blue");
  asked.root.score_threshold = 0.1F;
  EXPECT_THAT(ids_of(engine_->query(kTenant, kName, asked).value()), ElementsAre(1, 4, 2));
}

TEST_P(RerankTest, ReadsStringsOfThePayload) {
  put(1, "red green", R"({"parts":[{"body":"blue"},{"body":"sky"}]})");
  put(2, "blue sky", R"({"parts":[{"body":"red"}]})");
  put(3, "blue sky", R"({"parts":[{"body":7}]})");
  const auto found = engine_->query(kTenant, kName, request("blue sky", "parts[].body"));
  ASSERT_EQ(why_not(found), "");
  EXPECT_THAT(ids_of(found.value()), ElementsAre(1, 2, 3));
  EXPECT_GT(found.value().hits[1].score, 0);
  EXPECT_EQ(found.value().hits[2].score, 0);
}

TEST_P(RerankTest, EqualScoresComeByIdAndFiltersHold) {
  for (std::uint64_t id = 1; id <= 40; ++id) {
    put(id, id % 2 == 0 ? "red" : "blue", R"({"even":)" + std::to_string(id % 2) + "}");
  }
  QueryRequest asked = request("red");
  asked.root.limit = 5;
  EXPECT_THAT(ids_of(engine_->query(kTenant, kName, asked).value()), ElementsAre(2, 4, 6, 8, 10));
  Filter odd;
  odd.must = {{FieldCondition{.key = "even", .predicate = MatchValue{std::int64_t{1}}}}};
  asked.root.filter = odd;
  EXPECT_THAT(ids_of(engine_->query(kTenant, kName, asked).value()), ElementsAre(1, 3, 5, 7, 9));
}

TEST_P(RerankTest, RefusesWhatItCannotRead) {
  put(1, "red");
  QueryRequest asked = request("red");
  std::get<RerankQuery>(*asked.root.query).model = "absent";
  const auto unknown = engine_->query(kTenant, kName, asked);
  ASSERT_FALSE(unknown.ok());
  EXPECT_EQ(unknown.error().code, ErrorCode::kNotFound);
  EXPECT_EQ(unknown.error().reason, "model_not_found");
  UpsertRequest many;
  for (std::uint64_t id = 1; id <= 1'001; ++id) {
    PointWrite write{.id = PointId::number(id)};
    write.vectors = {{.name = "", .values = {1, 0}}};
    many.points.push_back(std::move(write));
  }
  ASSERT_EQ(why_not(engine_->upsert(kTenant, kName, std::move(many))), "");
  const auto refused = engine_->query(kTenant, kName, request("red", "", 2'000));
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().reason, "query_too_large");
  EXPECT_THAT(refused.error().message, HasSubstr("found 1001 points; the limit is 1000"));
}

INSTANTIATE_TEST_SUITE_P(Shards, RerankTest, testing::Values(1U, 3U));

}  // namespace
}  // namespace quipu
