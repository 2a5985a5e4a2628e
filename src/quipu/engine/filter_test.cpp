// Goal: what search, scroll and count give under a filter is what judging every point gives, with
// any history, number of shards and vectors, before and after reopening; k hits whenever k points
// match. Method: drawn points and filters beside a map; the filter's own meaning has its tests in
// query/.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "quipu/base/json.h"
#include "quipu/base/rng.h"
#include "quipu/base/test_support.h"
#include "quipu/engine.h"
#include "quipu/engine/testing/names.h"
#include "quipu/query/filter/evaluate.h"
#include "quipu/query/filter/payload_path.h"
#include "quipu/query/filter/testing/random_filter.h"
#include "quipu/query/rank/order_values.h"

namespace quipu {
namespace {

constexpr std::uint32_t kFilterDim = 4;

struct KnownVectors {
  std::string payload;
  std::vector<float> unnamed;  // each may be empty: the point lacks it
  std::vector<float> image;
};
using FilterModel = std::map<PointId, KnownVectors>;

class Presence final : public query::VectorPresence {
 public:
  explicit Presence(const KnownVectors& known) : known_(known) {}
  [[nodiscard]] bool has_vector(std::string_view name) const override {
    return name.empty() ? !known_.unnamed.empty() : name == "image" && !known_.image.empty();
  }

 private:
  const KnownVectors& known_;
};

class FilterTest : public testing::TestWithParam<std::uint32_t> {
 protected:
  FilterTest() : rng_(test_seed()), random_(rng_) {}

  void open() {
    engine_.reset();
    EngineOptions options;
    options.data_dir = dir_.file("data");
    auto opened = Engine::open(options, {});
    ASSERT_EQ(why_not(opened), "");
    engine_ = std::move(opened).value();
  }
  void create() {
    CollectionConfig config;
    config.vectors.push_back({.name = "", .dim = kFilterDim, .metric = Metric::kEuclidean});
    config.vectors.push_back({.name = "image", .dim = kFilterDim, .metric = Metric::kEuclidean});
    config.shard_count = GetParam();
    ASSERT_EQ(why_not(engine_->create_collection(kTenant, kName, config)), "");
  }
  std::vector<float> draw_vector() {
    std::vector<float> vector(kFilterDim);
    for (float& value : vector) value = static_cast<float>(rng_.normal());
    return vector;
  }
  void write_some() {
    UpsertRequest request;
    std::map<PointId, KnownVectors> batch;
    for (std::uint64_t i = rng_.below(60) + 1; i > 0; --i) {
      const PointId id = rng_.below(10) == 0 ? random_.id() : PointId::number(rng_.below(600));
      KnownVectors known = {.payload = random_.payload()};
      if (rng_.below(8) != 0) known.unnamed = draw_vector();
      if (rng_.below(3) == 0 || known.unnamed.empty()) known.image = draw_vector();
      batch[id] = std::move(known);
    }
    for (const auto& [id, known] : batch) {
      PointWrite write{.id = id, .payload = known.payload};
      if (!known.unnamed.empty()) write.vectors.push_back({.name = "", .values = known.unnamed});
      if (!known.image.empty()) write.vectors.push_back({.name = "image", .values = known.image});
      request.points.push_back(std::move(write));
      model_[id] = known;
    }
    ASSERT_EQ(why_not(engine_->upsert(kTenant, kName, std::move(request))), "");
    if (model_.empty() || rng_.below(2) == 0) return;
    DeleteRequest gone;
    for (auto it = model_.begin(); it != model_.end();) {
      const bool leaves = rng_.below(10) == 0;
      if (leaves) gone.points.push_back({.id = it->first, .condition = {}});
      it = leaves ? model_.erase(it) : std::next(it);
    }
    if (gone.points.empty()) return;
    ASSERT_EQ(why_not(engine_->remove(kTenant, kName, std::move(gone))), "");
  }
  // The ids of the points for which it holds.
  std::vector<PointId> judged(const Filter& filter) {
    const auto compiled = query::CompiledFilter::compile(filter);
    EXPECT_EQ(why_not(compiled), "");
    std::vector<PointId> ids;
    for (const auto& [id, known] : model_) {
      const auto payload = JsonDocument::parse(known.payload);
      const Presence presence(known);
      if (compiled.value().matches(
              {.id = id, .payload = payload.value().root(), .vectors = &presence})) {
        ids.push_back(id);
      }
    }
    return ids;
  }

  void check(const Filter& filter) {
    const std::vector<PointId> wanted = judged(filter);
    const auto count = engine_->count(kTenant, kName, {.filter = filter, .params = {}});
    ASSERT_EQ(why_not(count), "");
    ASSERT_EQ(count.value(), wanted.size());
    check_scroll(filter, wanted);
    for (const std::string name : {"", "image"}) check_search(filter, wanted, name);
    check_facet(filter, wanted);
    check_order(filter, wanted);
  }

  void check_facet(const Filter& filter, const std::vector<PointId>& matching) {
    const auto path = query::PayloadPath::parse(random_.key()).value();
    std::map<decltype(FacetValue::value), std::uint64_t> counts;
    for (const PointId& id : matching) {
      const auto payload = JsonDocument::parse(model_.at(id).payload);
      std::set<decltype(FacetValue::value)> values;
      path.visit_elements(payload.value().root(), [&values](JsonView value) {
        if (const auto text = value.as_string()) values.insert(std::string(*text));
        if (const auto flag = value.as_bool()) values.insert(*flag);
        if (const auto number = value.as_int64()) values.insert(*number);
        return true;
      });
      for (const auto& value : values) ++counts[value];
    }
    std::vector<std::pair<decltype(FacetValue::value), std::uint64_t>> wanted(counts.begin(),
                                                                              counts.end());
    std::stable_sort(wanted.begin(), wanted.end(),
                     [](const auto& a, const auto& b) { return a.second > b.second; });
    const std::size_t limit = 1 + rng_.below(6);
    if (wanted.size() > limit) wanted.resize(limit);
    const auto found = engine_->facet(
        kTenant, kName, {.key = path.to_string(), .filter = filter, .limit = limit, .params = {}});
    ASSERT_EQ(why_not(found), "");
    ASSERT_EQ(found.value().size(), wanted.size()) << path.to_string();
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      ASSERT_EQ(found.value()[i].value, wanted[i].first) << path.to_string();
      ASSERT_EQ(found.value()[i].count, wanted[i].second) << path.to_string();
    }
  }

  // Pages by a payload key, where a point comes for each of its values, and the query, where it
  // comes for its best.
  void check_order(const Filter& filter, const std::vector<PointId>& matching) {
    OrderByQuery query{.key = random_.key(), .descending = rng_.below(2) == 0, .start_from = {}};
    if (rng_.below(3) == 0) query.start_from = static_cast<double>(rng_.below(4));
    const auto order = query::PayloadOrder::compile(query).value();
    using Entry = std::pair<query::OrderValue, PointId>;
    std::vector<Entry> all;
    std::vector<Entry> best;
    for (const PointId& id : matching) {
      const auto payload = JsonDocument::parse(model_.at(id).payload);
      std::vector<query::OrderValue> values;
      order.all(payload.value().root(), values);
      for (const query::OrderValue& value : values) all.emplace_back(value, id);
      if (!values.empty()) best.emplace_back(values.front(), id);
    }
    const std::size_t limit = 1 + rng_.below(40);
    for (std::vector<Entry>* entries : {&all, &best}) {
      std::sort(entries->begin(), entries->end(), [&order](const Entry& a, const Entry& b) {
        return a.first != b.first ? order.before(a.first, b.first) : a.second < b.second;
      });
      if (entries->size() > limit) entries->resize(limit);
    }
    const auto page = engine_->scroll(
        kTenant, kName, {.filter = filter, .order_by = query, .limit = limit, .select = {}});
    ASSERT_EQ(why_not(page), "");
    ASSERT_EQ(page.value().points.size(), all.size()) << query.key;
    for (std::size_t i = 0; i < all.size(); ++i) {
      ASSERT_EQ(page.value().points[i].id, all[i].second) << query.key;
    }
    QueryStage stage;
    stage.query = query;
    stage.filter = filter;
    stage.limit = limit;
    const auto found = engine_->query(kTenant, kName, {.root = stage, .select = {}, .params = {}});
    ASSERT_EQ(why_not(found), "");
    ASSERT_EQ(found.value().hits.size(), best.size()) << query.key;
    for (std::size_t i = 0; i < best.size(); ++i) {
      ASSERT_EQ(found.value().hits[i].point.id, best[i].second) << query.key;
    }
  }

  void check_scroll(const Filter& filter, const std::vector<PointId>& wanted) {
    std::vector<PointId> found;
    std::optional<PointId> after;
    do {
      const auto page = engine_->scroll(kTenant, kName,
                                        {.after = after,
                                         .filter = filter,
                                         .limit = rng_.below(40) + 1,
                                         .select = {},
                                         .params = {}});
      ASSERT_EQ(why_not(page), "");
      for (const Point& point : page.value().points) found.push_back(point.id);
      after = page.value().next;
    } while (after);
    ASSERT_EQ(found, wanted);
  }

  void check_search(const Filter& filter, const std::vector<PointId>& matching,
                    const std::string& name) {
    const std::vector<float> query = draw_vector();
    std::vector<std::pair<double, PointId>> nearest;
    for (const PointId& id : matching) {
      const KnownVectors& known = model_.at(id);
      const std::vector<float>& vector = name.empty() ? known.unnamed : known.image;
      if (vector.empty()) continue;
      double squares = 0;
      for (std::size_t i = 0; i < kFilterDim; ++i) {
        const double difference = static_cast<double>(vector[i]) - query[i];
        squares += difference * difference;
      }
      nearest.emplace_back(std::sqrt(squares), id);
    }
    std::sort(nearest.begin(), nearest.end());
    for (const bool exact : {true, false}) {
      const std::size_t k = rng_.below(30) + 1;
      const auto result = engine_->search(kTenant, kName,
                                          {.vector_name = name,
                                           .vector = query,
                                           .k = k,
                                           .exact = exact,
                                           .filter = filter,
                                           .explain = true});
      ASSERT_EQ(why_not(result), "");
      const std::vector<SearchHit>& hits = result.value().hits;
      ASSERT_EQ(hits.size(), std::min(k, nearest.size())) << "exact " << exact;
      for (std::size_t i = 0; i < hits.size(); ++i) {
        const bool matches = std::binary_search(matching.begin(), matching.end(), hits[i].point.id);
        ASSERT_TRUE(matches) << "a hit that its own filter refuses";
        ASSERT_EQ(hits[i].point.payload, model_.at(hits[i].point.id).payload);
        if (exact) {
          ASSERT_NEAR(hits[i].score, nearest[i].first, 1e-4);
        }
      }
      if (!query::CompiledFilter::compile(filter).value().empty()) {
        ASSERT_EQ(result.value().explain->filter_matched, matching.size());
      }
    }
  }

  TempDir dir_;
  Rng rng_;
  query::testing_support::RandomFilters random_;
  std::unique_ptr<Engine> engine_;
  FilterModel model_;
};

TEST_P(FilterTest, GivesWhatJudgingEveryPointGives) {
  open();
  create();
  for (int round = 0; round < 12; ++round) {
    write_some();
    if (round == 5) open();
    if (round == 8) {
      ASSERT_EQ(why_not(engine_->checkpoint()), "");
    }
    for (int i = 0; i < 12; ++i) {
      check(random_.filter());
      if (HasFatalFailure()) return;
    }
  }
}

// The same while payload indexes come, go and are being made, and views are written and opened.
TEST_P(FilterTest, PayloadIndexesNeverChangeAnAnswer) {
  open();
  create();
  std::set<std::string> indexed;
  for (int round = 0; round < 16; ++round) {
    write_some();
    // One spelling for each key, which has one index.
    const std::string key = query::PayloadPath::parse(random_.key()).value().to_string();
    CollectionPatch patch;
    if (indexed.contains(key) && rng_.below(2) == 0) {
      patch.drop_payload_indexes = {key};
      indexed.erase(key);
    } else {
      // Words of a text index mean something else, which query/ tests.
      const auto kind = static_cast<PayloadIndexKind>(rng_.below(7));
      patch.add_payload_indexes = {{.key = key, .kind = kind}};
      indexed.insert(key);
    }
    ASSERT_EQ(why_not(engine_->update_collection(kTenant, kName, patch)), "");
    if (rng_.below(4) == 0) {
      ASSERT_EQ(why_not(engine_->checkpoint()), "");
    }
    if (rng_.below(4) == 0) open();
    if (rng_.below(2) == 0) {
      ASSERT_EQ(why_not(engine_->wait_linked(kTenant, kName, std::chrono::seconds(20))), "");
    }
    for (int i = 0; i < 10; ++i) {
      check(random_.filter());
      if (HasFatalFailure()) return;
    }
  }
}

TEST_P(FilterTest, AnIndexSparesReading) {
  open();
  create();
  UpsertRequest request;
  for (std::uint64_t id = 0; id < 2'000; ++id) {
    request.points.push_back({.id = PointId::number(id),
                              .vectors = {{"", draw_vector()}},
                              .payload = id % 10 == 0 ? R"({"a":"x"})" : R"({"a":"y"})"});
  }
  ASSERT_EQ(why_not(engine_->upsert(kTenant, kName, std::move(request))), "");
  Filter filter;
  filter.must.push_back({FieldCondition{"a", MatchValue{"x"}}});
  const auto explained = [&] {
    const auto result = engine_->search(
        kTenant, kName, {.vector = draw_vector(), .k = 5, .filter = filter, .explain = true});
    EXPECT_EQ(why_not(result), "");
    return *result.value().explain;
  };
  EXPECT_EQ(explained().filter_judged, 2'000U);
  EXPECT_EQ(explained().filter_keys_without_index, std::vector<std::string>{"a"});
  CollectionPatch patch;
  patch.add_payload_indexes = {{.key = "a", .kind = PayloadIndexKind::kKeyword}};
  ASSERT_EQ(why_not(engine_->update_collection(kTenant, kName, patch)), "");
  ASSERT_EQ(why_not(engine_->wait_linked(kTenant, kName, std::chrono::seconds(20))), "");
  for (const bool reopened : {false, true}) {
    if (reopened) {
      ASSERT_EQ(why_not(engine_->checkpoint()), "");
      open();
    }
    EXPECT_EQ(explained().filter_judged, 0U);
    EXPECT_EQ(explained().filter_matched, 200U);
    EXPECT_TRUE(explained().filter_keys_without_index.empty());
    EXPECT_EQ(engine_->count(kTenant, kName, {.filter = filter, .params = {}}).value(), 200U);
  }
}

INSTANTIATE_TEST_SUITE_P(Shards, FilterTest, testing::Values(1, 4),
                         [](const auto& each) { return std::to_string(each.param); });

// A filter that lists ids reads only these.
TEST_P(FilterTest, ListedIdsAreTheOnlyOnesRead) {
  open();
  create();
  for (int i = 0; i < 10; ++i) write_some();
  Filter filter;
  filter.must.push_back({HasIdCondition{{model_.begin()->first, PointId::number(999'999)}}});
  check(filter);
  const auto result = engine_->search(
      kTenant, kName, {.vector = draw_vector(), .k = 5, .filter = filter, .explain = true});
  ASSERT_EQ(why_not(result), "");
  EXPECT_LE(result.value().explain->filter_judged, GetParam());
}

TEST_P(FilterTest, AWrongFilterIsNamedByItsPlace) {
  open();
  create();
  Filter filter;
  filter.must.push_back({FieldCondition{"a..b", MatchValue{std::int64_t{1}}}});
  const auto result = engine_->search(kTenant, kName, {.vector = draw_vector(), .filter = filter});
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code, ErrorCode::kInvalidArgument);
  EXPECT_NE(result.error().message.find("filter.must[0].key"), std::string::npos)
      << result.error().message;
  EXPECT_FALSE(engine_->count(kTenant, kName, {.filter = filter, .params = {}}).ok());
  EXPECT_FALSE(engine_->scroll(kTenant, kName, {.filter = filter}).ok());
}

TEST_P(FilterTest, GivesUpAtTheDeadline) {
  open();
  create();
  UpsertRequest request;
  for (std::uint64_t id = 0; id < 4'000; ++id) {
    request.points.push_back({.id = PointId::number(id), .vectors = {{"", draw_vector()}}});
  }
  ASSERT_EQ(why_not(engine_->upsert(kTenant, kName, std::move(request))), "");
  Filter filter;
  filter.must.push_back({FieldCondition{"a", IsEmpty{true}}});
  const ReadParams at_once = {.min_seq = "", .timeout = std::chrono::milliseconds(0)};
  const auto counted = engine_->count(kTenant, kName, {.filter = filter, .params = at_once});
  ASSERT_FALSE(counted.ok());
  EXPECT_EQ(counted.error().code, ErrorCode::kDeadlineExceeded);
}

}  // namespace
}  // namespace quipu
