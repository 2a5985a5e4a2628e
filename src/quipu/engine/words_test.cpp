// Goal: words are configured, found, explained and changed as include/quipu/engine.h says; writes
// by filter are idempotent under a key and touch nothing that does not match.
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "quipu/base/test_support.h"
#include "quipu/engine.h"
#include "quipu/engine/testing/names.h"

namespace quipu {
namespace {

class WordsTest : public testing::Test {
 protected:
  void SetUp() override { open(); }
  void open() {
    engine_.reset();
    EngineOptions options;
    options.data_dir = dir_.file("data");
    auto opened = Engine::open(options, {});
    ASSERT_EQ(why_not(opened), "");
    engine_ = std::move(opened).value();
  }
  void create(std::vector<WordsConfig> words) {
    CollectionConfig config;
    config.vectors = {{.name = "", .dim = 2, .metric = Metric::kDot}};
    config.words = std::move(words);
    ASSERT_EQ(why_not(engine_->create_collection(kTenant, kName, config)), "");
  }
  void put(std::uint64_t id, std::optional<std::string> text, std::string payload = "{}",
           std::vector<float> vector = {}) {
    PointWrite write{.id = PointId::number(id), .text = std::move(text), .payload = payload};
    if (!vector.empty()) write.vectors = {{.name = "", .values = std::move(vector)}};
    UpsertRequest request{.points = {std::move(write)}, .allow_bare = true, .params = {}};
    ASSERT_EQ(why_not(engine_->upsert(kTenant, kName, std::move(request))), "");
  }
  // The numbers of what is found, best first.
  std::vector<std::uint64_t> find(std::string text, std::string name = "words") {
    QueryRequest request;
    request.root.query = NearestQuery{.input = TextInput{std::move(text)}, .mmr = {}};
    request.root.using_name = std::move(name);
    const auto found = engine_->query(kTenant, kName, request);
    EXPECT_EQ(why_not(found), "");
    std::vector<std::uint64_t> ids;
    if (!found.ok()) return ids;
    for (const SearchHit& hit : found.value().hits) ids.push_back(hit.point.id.low());
    return ids;
  }
  using Ids = std::vector<std::uint64_t>;

  TempDir dir_{TempDir::Place::kMemory};
  std::unique_ptr<Engine> engine_;
};

TEST_F(WordsTest, ALanguageStemsAndStops) {
  create({{.name = "words", .analyzer = R"({"language":"english"})"}});
  put(1, "The rivers of Peru were running");
  put(2, "A house by the sea");
  EXPECT_EQ(find("a river runs"), Ids{1});
  EXPECT_EQ(find("the"), Ids{});
  const auto info = engine_->collection(kTenant, kName);
  EXPECT_NE(info.value().config.words[0].analyzer.find(R"("language":"english")"),
            std::string::npos);
  const std::vector<VectorStatus>& views = info.value().vectors;
  EXPECT_EQ(views.back().kind, "words");
  EXPECT_EQ(views.back().live, 2U);
}

TEST_F(WordsTest, WordsOfAPayloadKey) {
  create({{.name = "words"}, {.name = "tags", .source = "tags[].name"}});
  put(1, "alpha", R"({"tags":[{"name":"red fox"},{"name":"blue"}]})");
  put(2, "beta", R"({"tags":[{"name":"red"}]})");
  put(3, std::nullopt, R"({"tags":[7]})");
  EXPECT_EQ(find("fox", "tags"), Ids{1});
  EXPECT_EQ(find("alpha", "tags"), Ids{});
  EXPECT_EQ(find("red", "tags"), (Ids{2, 1}));  // the shorter one first
  PatchRequest patch;
  patch.points = {{.id = PointId::number(2), .set_payload = R"({"tags":[{"name":"green"}]})"}};
  ASSERT_EQ(why_not(engine_->patch(kTenant, kName, std::move(patch))), "");
  EXPECT_EQ(find("red", "tags"), Ids{1});
  open();
  EXPECT_EQ(find("green", "tags"), Ids{2});
}

TEST_F(WordsTest, AFusionSaysWhatEachSourceGave) {
  create({{.name = "words"}});
  put(1, "alpha beta", "{}", {1, 0});
  put(2, "beta", "{}", {0, 1});
  QueryRequest request;
  request.root.prefetch.resize(2);
  request.root.prefetch[0].query = NearestQuery{.input = std::vector<float>{1.0F, 0.5F}, .mmr = {}};
  request.root.prefetch[1].query = NearestQuery{.input = TextInput{"alpha"}, .mmr = {}};
  request.root.prefetch[1].using_name = "words";
  request.root.query = FusionQuery{};
  request.explain = true;
  const auto found = engine_->query(kTenant, kName, request);
  ASSERT_EQ(why_not(found), "");
  ASSERT_EQ(found.value().hits.size(), 2U);
  const SearchHit& first = found.value().hits[0];
  EXPECT_EQ(first.point.id, PointId::number(1));
  ASSERT_EQ(first.parts.size(), 2U);
  EXPECT_EQ(first.parts[1].prefetch, 1U);
  EXPECT_EQ(first.parts[1].rank, 0U);
  EXPECT_NEAR(first.parts[0].part + first.parts[1].part, first.score, 1e-6);
  EXPECT_EQ(found.value().hits[1].parts.size(), 1U);
  EXPECT_GT(found.value().explain->postings, 0U);
}

TEST_F(WordsTest, MistakesAreNamed) {
  CollectionConfig config;
  config.vectors = {{.name = "words", .dim = 2}};
  const auto why = [&](WordsConfig words) {
    config.words = {std::move(words)};
    const auto made = engine_->create_collection(kTenant, kName, config);
    return made.ok() ? std::string() : made.error().message;
  };
  EXPECT_NE(why({.name = "words"}).find("words[0].name 'words' is used twice"), std::string::npos);
  EXPECT_NE(why({.name = ""}).find("words[0].name is ''"), std::string::npos);
  EXPECT_NE(why({.name = "w", .k1 = -1}).find("words[0].k1 is -1"), std::string::npos);
  EXPECT_NE(why({.name = "w", .b = 1.5}).find("words[0].b is 1.5"), std::string::npos);
  EXPECT_NE(why({.name = "w", .source = "a..b"}).find("words[0].source"), std::string::npos);
  EXPECT_NE(why({.name = "w", .analyzer = R"({"stemmer":"klingon"})"}).find("klingon"),
            std::string::npos);
  create({{.name = "words"}});
  QueryRequest request;
  request.root.query = NearestQuery{.input = std::vector<float>{1, 2}, .mmr = {}};
  request.root.using_name = "words";
  const auto asked = engine_->query(kTenant, kName, request);
  ASSERT_FALSE(asked.ok());
  EXPECT_NE(asked.error().message.find("asked by a text"), std::string::npos);
  EXPECT_EQ(
      engine_->update_collection(kTenant, kName, {.drop_words = {"none"}}).error().stable_reason(),
      "words_not_found");
}

TEST_F(WordsTest, WritesByFilterAreDoneOnceUnderAKey) {
  create({{.name = "words"}});
  for (std::uint64_t id = 0; id < 10; ++id) {
    put(id, "text", id % 2 == 0 ? R"({"even":true})" : R"({"even":false})");
  }
  Filter even;
  even.must.push_back({FieldCondition{"even", MatchValue{true}}});
  const WriteParams once{.idempotency_key = "k"};
  PatchByFilterRequest patch{.filter = even, .patch = {}, .params = once};
  patch.patch.set_payload = R"({"seen":1})";
  EXPECT_EQ(engine_->patch_by_filter(kTenant, kName, patch).value().matched, 5U);
  put(1, "text", R"({"even":true})");
  EXPECT_EQ(engine_->patch_by_filter(kTenant, kName, patch).value().matched, 5U);
  EXPECT_EQ(engine_->get(kTenant, kName, {.ids = {PointId::number(1)}}).value()[0].payload,
            R"({"even":true})");
  // The same key for something else is a mistake.
  patch.patch.set_payload = R"({"seen":2})";
  EXPECT_EQ(engine_->patch_by_filter(kTenant, kName, patch).error().stable_reason(),
            "idempotency_mismatch");
  EXPECT_EQ(
      engine_->remove_by_filter(kTenant, kName, {.filter = even, .params = {}}).value().matched,
      6U);
  EXPECT_EQ(engine_->count(kTenant, kName, {}).value(), 4U);
  open();
  EXPECT_EQ(engine_->count(kTenant, kName, {}).value(), 4U);
  EXPECT_EQ(find("text").size(), 4U);
  PatchByFilterRequest with_text{.filter = even, .patch = {}, .params = {}};
  with_text.patch.text = "no";
  EXPECT_EQ(engine_->patch_by_filter(kTenant, kName, with_text).error().stable_reason(),
            "invalid_patch");
}

}  // namespace
}  // namespace quipu
