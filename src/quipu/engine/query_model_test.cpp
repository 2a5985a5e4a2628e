// Goal: what queries answer is what a plain evaluation over all points gives: nearest by dense,
// sparse and multivectors, words, recommendations, fusions, formulas and orders, nested and
// filtered; with any history of writes, number of shards, and before and after reopening.
// Method: drawn points, writes and query trees beside a map.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "quipu/base/format.h"
#include "quipu/base/rng.h"
#include "quipu/base/test_support.h"
#include "quipu/engine.h"
#include "quipu/engine/testing/names.h"

namespace quipu {
namespace {

constexpr std::uint32_t kDim = 5;
constexpr std::uint32_t kRowDim = 3;

using Sparse = std::map<std::uint32_t, float>;
struct Known {
  std::optional<std::string> text;
  std::optional<int> number;  // payload "n"
  std::string tag;            // payload "tag"
  std::vector<float> dense;   // vectors may be empty: the point lacks them
  std::vector<float> image;
  std::optional<Sparse> sparse;
  std::vector<float> rows;
};
using Model = std::map<PointId, Known>;

struct Ranked {
  PointId id;
  double score = 0;
};
struct Ranking {
  std::vector<Ranked> hits;
  bool smaller = false;
};

double dot(const std::vector<float>& a, const std::vector<float>& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += double{a[i]} * double{b[i]};
  return sum;
}
double length(const std::vector<float>& a) { return std::sqrt(dot(a, a)); }
double cosine(const std::vector<float>& a, const std::vector<float>& b) {
  return dot(a, b) / length(a) / length(b);
}
double distance(const std::vector<float>& a, const std::vector<float>& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += std::pow(double{a[i]} - double{b[i]}, 2);
  return std::sqrt(sum);
}
std::vector<std::string> split(const std::string& text) {
  std::istringstream in(text);
  std::vector<std::string> words;
  for (std::string word; in >> word;) words.push_back(word);
  return words;
}

void sort_and_cut(Ranking& ranking, std::size_t limit) {
  std::sort(ranking.hits.begin(), ranking.hits.end(), [&](const Ranked& a, const Ranked& b) {
    if (a.score != b.score) return ranking.smaller ? a.score < b.score : a.score > b.score;
    return a.id < b.id;
  });
  if (ranking.hits.size() > limit) ranking.hits.resize(limit);
}

class QueryModelTest : public testing::TestWithParam<std::uint32_t> {
 protected:
  QueryModelTest() : rng_(test_seed()) {}

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
    config.vectors = {
        {.name = "", .dim = kDim, .metric = Metric::kEuclidean},
        {.name = "image", .dim = kDim, .metric = Metric::kCosine},
        {.name = "terms", .kind = VectorKind::kSparse},
        {.name = "rows", .kind = VectorKind::kMulti, .dim = kRowDim, .metric = Metric::kCosine}};
    config.words = {{.name = "words"}};
    config.shard_count = GetParam();
    ASSERT_EQ(why_not(engine_->create_collection(kTenant, kName, config)), "");
  }

  // ---- writes, to both

  std::vector<float> draw_vector(std::size_t size) {
    std::vector<float> vector(size);
    for (float& value : vector) value = static_cast<float>(rng_.normal());
    return vector;
  }
  Sparse draw_sparse() {
    Sparse sparse;
    for (std::uint64_t i = rng_.below(6); i > 0; --i) {
      sparse[static_cast<std::uint32_t>(rng_.below(20))] = static_cast<float>(rng_.normal());
    }
    return sparse;
  }
  std::string draw_text() {
    std::string text;
    for (std::uint64_t i = rng_.below(12); i > 0; --i) {
      text += format("w{} ", rng_.below(rng_.below(2) == 0 ? 5 : 40));
    }
    return text;
  }
  static std::string payload_of(const Known& known) {
    std::string payload = format(R"({{"tag":"{}")", known.tag);
    if (known.number) payload += format(R"(,"n":{})", *known.number);
    return payload + "}";
  }
  static NamedVector named(std::string name, const Sparse& sparse) {
    NamedVector vector{.name = std::move(name), .values = {}, .indices = {}};
    for (const auto& [index, weight] : sparse) {
      vector.indices.push_back(index);
      vector.values.push_back(weight);
    }
    return vector;
  }
  Known draw_known() {
    Known known{.tag = format("t{}", rng_.below(5))};
    if (rng_.below(5) != 0) known.text = draw_text();
    if (rng_.below(4) != 0) known.number = static_cast<int>(rng_.below(50));
    if (rng_.below(6) != 0) known.dense = draw_vector(kDim);
    if (rng_.below(3) != 0) known.image = draw_vector(kDim);
    if (rng_.below(3) != 0) known.sparse = draw_sparse();
    if (rng_.below(3) != 0) known.rows = draw_vector(kRowDim * (1 + rng_.below(3)));
    return known;
  }
  PointId draw_id() { return PointId::number(rng_.below(250)); }

  void upsert_some() {
    std::map<PointId, Known> batch;
    for (std::uint64_t i = rng_.below(50) + 1; i > 0; --i) batch[draw_id()] = draw_known();
    UpsertRequest request{.points = {}, .allow_bare = true, .params = {}};
    for (const auto& [id, known] : batch) {
      PointWrite write{.id = id, .text = known.text, .payload = payload_of(known)};
      if (!known.dense.empty()) write.vectors.push_back({.name = "", .values = known.dense});
      if (!known.image.empty()) write.vectors.push_back({.name = "image", .values = known.image});
      if (known.sparse) write.vectors.push_back(named("terms", *known.sparse));
      if (!known.rows.empty()) write.vectors.push_back({.name = "rows", .values = known.rows});
      request.points.push_back(std::move(write));
      model_[id] = known;
    }
    ASSERT_EQ(why_not(engine_->upsert(kTenant, kName, std::move(request))), "");
  }
  void patch_some() {
    std::set<PointId> ids;
    for (std::uint64_t i = rng_.below(20) + 1; i > 0; --i) ids.insert(draw_id());
    PatchRequest request;
    for (const PointId& id : ids) {
      PointPatch patch{.id = id};
      const auto found = model_.find(id);
      Known ignored;
      Known& known = found == model_.end() ? ignored : found->second;
      if (rng_.below(2) == 0) {
        known.number = static_cast<int>(rng_.below(50));
        patch.set_payload = format(R"({{"n":{}}})", *known.number);
      }
      if (rng_.below(3) == 0) {
        known.text = draw_text();
        patch.text = known.text;
      }
      if (rng_.below(3) == 0) {
        known.sparse = draw_sparse();
        patch.vectors.push_back(named("terms", *known.sparse));
      }
      if (rng_.below(4) == 0) {
        known.dense.clear();
        known.rows.clear();
        patch.delete_vectors = {"", "rows"};
      }
      request.points.push_back(std::move(patch));
    }
    ASSERT_EQ(why_not(engine_->patch(kTenant, kName, std::move(request))), "");
  }
  Filter tag_filter() {
    Filter filter;
    filter.must.push_back({FieldCondition{"tag", MatchValue{format("t{}", rng_.below(5))}}});
    if (rng_.below(2) == 0) {
      filter.must.push_back(
          {FieldCondition{"n", NumberRange{.gte = static_cast<double>(rng_.below(40))}}});
    }
    return filter;
  }
  static bool holds(const Filter& filter, const Known& known) {
    return std::all_of(filter.must.begin(), filter.must.end(), [&known](const auto& condition) {
      const auto& field = std::get<FieldCondition>(condition.is);
      if (const auto* match = std::get_if<MatchValue>(&field.predicate)) {
        return std::get<std::string>(match->value) == known.tag;
      }
      return known.number && *known.number >= *std::get<NumberRange>(field.predicate).gte;
    });
  }
  void write_by_filter() {
    const Filter filter = tag_filter();
    std::uint64_t matching = 0;
    const bool erase = rng_.below(3) == 0;
    for (auto it = model_.begin(); it != model_.end();) {
      const bool matches = holds(filter, it->second);
      matching += matches ? 1 : 0;
      if (matches && !erase) it->second.tag = "t4";
      it = matches && erase ? model_.erase(it) : std::next(it);
    }
    if (erase) {
      const auto done = engine_->remove_by_filter(kTenant, kName, {.filter = filter, .params = {}});
      ASSERT_EQ(why_not(done), "");
      ASSERT_EQ(done.value().matched, matching);
      return;
    }
    PatchByFilterRequest request{.filter = filter, .patch = {}, .params = {}};
    request.patch.set_payload = R"({"tag":"t4"})";
    const auto done = engine_->patch_by_filter(kTenant, kName, std::move(request));
    ASSERT_EQ(why_not(done), "");
    ASSERT_EQ(done.value().matched, matching);
  }
  void remove_some() {
    std::set<PointId> ids;
    for (std::uint64_t i = rng_.below(10) + 1; i > 0; --i) ids.insert(draw_id());
    DeleteRequest request;
    for (const PointId& id : ids) {
      request.points.push_back({.id = id, .condition = {}});
      model_.erase(id);
    }
    ASSERT_EQ(why_not(engine_->remove(kTenant, kName, std::move(request))), "");
  }
  // Vectors that go from the live collection, with all that points have of them, and come again.
  void change_vectors() {
    using Kind = VectorChange::Kind;
    const bool sparse = rng_.below(2) == 0;
    const std::string name = sparse ? "terms" : "image";
    const CollectionConfig config = engine_->collection(kTenant, kName).value().config;
    VectorChange add{.kind = Kind::kAdd, .vector = {}, .name = {}, .to = {}};
    for (const VectorConfig& vector : config.vectors) {
      if (vector.name == name) add.vector = vector;
    }
    const VectorChange drop{.kind = Kind::kDrop, .vector = {}, .name = name, .to = {}};
    ASSERT_EQ(why_not(engine_->change_vectors(kTenant, kName, {drop, add})), "");
    for (auto& [id, known] : model_) {
      if (sparse) {
        known.sparse.reset();
      } else {
        known.image.clear();
      }
    }
  }
  // An index or words that come or go on the live collection.
  void change_views() {
    CollectionPatch patch;
    const CollectionConfig config = engine_->collection(kTenant, kName).value().config;
    if (rng_.below(3) == 0) {
      patch.drop_words = {"words"};
      ASSERT_EQ(why_not(engine_->update_collection(kTenant, kName, patch)), "");
      patch = {};
      patch.add_words = {{.name = "words"}};
    } else if (config.payload_indexes.empty()) {
      patch.add_payload_indexes = {{.key = "tag", .kind = PayloadIndexKind::kKeyword},
                                   {.key = "n", .kind = PayloadIndexKind::kInteger}};
    } else {
      patch.drop_payload_indexes = {"tag", "n"};
    }
    ASSERT_EQ(why_not(engine_->update_collection(kTenant, kName, patch)), "");
  }

  void write_some() {
    if (rng_.below(5) == 0) change_views();
    if (rng_.below(6) == 0) change_vectors();
    switch (rng_.below(6)) {
      case 0: return patch_some();
      case 1: return write_by_filter();
      case 2: return remove_some();
      default: return upsert_some();
    }
  }

  // ---- queries

  VectorInput draw_input(const std::string& name) {
    if (name == "words") return TextInput{draw_text() + "w1"};
    if (name == "rows") {
      const auto rows = static_cast<std::uint32_t>(1 + rng_.below(3));
      return MultiValues{.rows = rows, .values = draw_vector(rows * kRowDim)};
    }
    if (name == "terms") {
      SparseValues values;
      Sparse sparse = draw_sparse();
      sparse[3] = 1.5F;
      for (const auto& [index, weight] : sparse) {
        values.indices.push_back(index);
        values.values.push_back(weight);
      }
      return values;
    }
    return draw_vector(kDim);
  }
  std::string draw_name() {
    constexpr const char* kNames[] = {"", "image", "terms", "rows", "words"};
    return kNames[rng_.below(5)];
  }
  QueryStage draw_leaf() {
    QueryStage stage;
    stage.using_name = draw_name();
    stage.params.exact = true;
    // Equal scores of words are common, and which of them a limit leaves out is not said.
    stage.limit = stage.using_name == "words" ? 1'000 : 1 + rng_.below(40);
    if (rng_.below(2) == 0) stage.filter = tag_filter();
    if ((stage.using_name.empty() || stage.using_name == "image") && rng_.below(4) == 0) {
      RecommendQuery query{.positive = {draw_input("")}, .negative = {}};
      if (rng_.below(2) == 0) query.positive.push_back(draw_input(""));
      if (rng_.below(2) == 0) query.negative.push_back(draw_input(""));
      stage.query = std::move(query);
    } else if (rng_.below(8) == 0) {
      stage.using_name = "";
      stage.query = OrderByQuery{.key = "n", .descending = rng_.below(2) == 0};
    } else {
      stage.query = NearestQuery{.input = draw_input(stage.using_name), .mmr = {}};
    }
    return stage;
  }
  QueryStage draw_tree(int depth) {
    if (depth == 0 || rng_.below(4) == 0) return draw_leaf();
    QueryStage stage;
    for (std::uint64_t i = 1 + rng_.below(3); i > 0; --i) {
      stage.prefetch.push_back(draw_tree(depth - 1));
    }
    stage.limit = 1 + rng_.below(30);
    if (rng_.below(3) == 0) stage.filter = tag_filter();
    switch (rng_.below(3)) {
      case 0: {
        FusionQuery fusion{.kind = FusionKind::kRrf, .k = 60, .weights = {}};
        stage.query = fusion;
        break;
      }
      case 1: {
        Expression score{.kind = Expression::Kind::kVariable, .name = "$score"};
        Expression number{.kind = Expression::Kind::kVariable, .name = "n"};
        Expression sum{.kind = Expression::Kind::kSum, .operands = {score, number}};
        stage.query = FormulaQuery{.formula = sum, .defaults = {{"$score", -1.0}, {"n", -2.0}}};
        break;
      }
      default: {
        stage.using_name = rng_.below(2) == 0 ? "" : "terms";
        stage.query = NearestQuery{.input = draw_input(stage.using_name), .mmr = {}};
      }
    }
    return stage;
  }

  // ---- the plain evaluation

  std::optional<double> plain_score(const std::string& name, const VectorInput& input,
                                    const Known& known) {
    if (name.empty()) {
      if (known.dense.empty()) return std::nullopt;
      return distance(std::get<std::vector<float>>(input), known.dense);
    }
    if (name == "image") {
      if (known.image.empty()) return std::nullopt;
      return cosine(std::get<std::vector<float>>(input), known.image);
    }
    if (name == "terms") {
      const auto& values = std::get<SparseValues>(input);
      double sum = 0;
      bool shared = false;
      for (std::size_t i = 0; known.sparse && i < values.indices.size(); ++i) {
        const auto found = known.sparse->find(values.indices[i]);
        if (found == known.sparse->end()) continue;
        sum += double{found->second} * double{values.values[i]};
        shared = true;
      }
      return shared ? std::optional(sum) : std::nullopt;
    }
    if (known.rows.empty()) return std::nullopt;
    const auto& rows = std::get<MultiValues>(input);
    double sum = 0;
    for (std::size_t q = 0; q < rows.rows; ++q) {
      double best = -std::numeric_limits<double>::infinity();
      const auto row = [](const std::vector<float>& all, std::size_t i) {
        const auto begin = all.begin() + static_cast<std::ptrdiff_t>(i * kRowDim);
        return std::vector<float>(begin, begin + kRowDim);
      };
      for (std::size_t p = 0; p < known.rows.size() / kRowDim; ++p) {
        best = std::max(best, cosine(row(rows.values, q), row(known.rows, p)));
      }
      sum += best;
    }
    return sum;
  }

  // BM25 over all points with a text, whatever the filter.
  std::map<PointId, double> plain_words(const std::string& text) {
    double rows = 0;
    double total = 0;
    std::map<std::string, double> having;
    for (const auto& [id, known] : model_) {
      if (!known.text) continue;
      const auto words = split(*known.text);
      rows += 1;
      total += static_cast<double>(words.size());
      for (const std::string& word : std::set(words.begin(), words.end())) having[word] += 1;
    }
    std::map<PointId, double> scores;
    for (const auto& [id, known] : model_) {
      if (!known.text) continue;
      const auto words = split(*known.text);
      for (const std::string& word : split(text)) {
        const auto times = static_cast<double>(std::count(words.begin(), words.end(), word));
        if (times == 0) continue;
        const double idf = std::log(1 + (rows - having[word] + 0.5) / (having[word] + 0.5));
        const double norm =
            1.2 * (0.25 + 0.75 * static_cast<double>(words.size()) / (total / rows));
        scores[id] += idf * times * 2.2 / (times + norm);
      }
    }
    return scores;
  }

  using Passes = std::function<bool(const PointId&, const Known&)>;
  Ranking plain(const QueryStage& stage, const Passes& above) {
    const Passes passes = [&](const PointId& id, const Known& known) {
      return above(id, known) && (!stage.filter || holds(*stage.filter, known));
    };
    std::vector<Ranking> sources;
    std::set<PointId> candidates;
    for (const QueryStage& prefetch : stage.prefetch) {
      sources.push_back(plain(prefetch, passes));
      for (const Ranked& hit : sources.back().hits) candidates.insert(hit.id);
    }
    const auto in_scope = [&](const PointId& id, const Known& known) {
      return stage.prefetch.empty() ? passes(id, known) : candidates.contains(id);
    };
    Ranking ranking;
    if (std::holds_alternative<FusionQuery>(*stage.query)) {
      std::map<PointId, double> sums;
      for (const Ranking& source : sources) {
        for (std::size_t i = 0; i < source.hits.size(); ++i) {
          sums[source.hits[i].id] += 1.0 / (60.0 + static_cast<double>(i));
        }
      }
      // As floats, which is what is compared and shown.
      for (const auto& [id, sum] : sums) ranking.hits.push_back({id, static_cast<float>(sum)});
    } else if (std::holds_alternative<FormulaQuery>(*stage.query)) {
      for (const PointId& id : candidates) {
        double score = -1;
        for (const Ranked& hit : sources[0].hits) {
          if (hit.id == id) score = hit.score;
        }
        ranking.hits.push_back({id, score + model_.at(id).number.value_or(-2)});
      }
    } else if (const auto* order = std::get_if<OrderByQuery>(&*stage.query)) {
      ranking.smaller = !order->descending;
      for (const auto& [id, known] : model_) {
        if (in_scope(id, known) && known.number) {
          ranking.hits.push_back({id, static_cast<double>(*known.number)});
        }
      }
      sort_and_cut(ranking, stage.limit);
      for (Ranked& hit : ranking.hits) hit.score = 0;  // an order is no score
      return ranking;
    } else {
      ranking = plain_nearest(stage, in_scope);
    }
    sort_and_cut(ranking, stage.limit);
    return ranking;
  }

  Ranking plain_nearest(const QueryStage& stage, const Passes& in_scope) {
    Ranking ranking;
    ranking.smaller = stage.using_name.empty();
    VectorInput input;
    if (const auto* recommend = std::get_if<RecommendQuery>(&*stage.query)) {
      input = plain_average(*recommend);
    } else {
      input = std::get<NearestQuery>(*stage.query).input;
    }
    if (stage.using_name == "words") {
      for (const auto& [id, score] : plain_words(std::get<TextInput>(input).text)) {
        if (in_scope(id, model_.at(id))) ranking.hits.push_back({id, score});
      }
      return ranking;
    }
    for (const auto& [id, known] : model_) {
      if (!in_scope(id, known)) continue;
      if (const auto score = plain_score(stage.using_name, input, known)) {
        ranking.hits.push_back({id, *score});
      }
    }
    return ranking;
  }
  static VectorInput plain_average(const RecommendQuery& query) {
    const auto mean = [](const std::vector<VectorInput>& inputs) {
      std::vector<float> sum(kDim, 0);
      for (const VectorInput& input : inputs) {
        const auto& values = std::get<std::vector<float>>(input);
        for (std::size_t i = 0; i < kDim; ++i) {
          sum[i] += values[i] / static_cast<float>(inputs.size());
        }
      }
      return sum;
    };
    std::vector<float> average = mean(query.positive);
    if (query.negative.empty()) return average;
    const std::vector<float> negative = mean(query.negative);
    for (std::size_t i = 0; i < kDim; ++i) average[i] += average[i] - negative[i];
    return average;
  }

  void check_query(const QueryStage& stage) {
    QueryRequest request{.root = stage, .offset = 0, .select = {}, .explain = true, .params = {}};
    const auto found = engine_->query(kTenant, kName, request);
    ASSERT_EQ(why_not(found), "");
    const Ranking wanted = plain(stage, [](const PointId&, const Known&) { return true; });
    const auto& hits = found.value().hits;
    ASSERT_EQ(hits.size(), wanted.hits.size());
    std::map<PointId, double> scores;
    for (const Ranked& hit : wanted.hits) scores[hit.id] = hit.score;
    for (std::size_t i = 0; i < hits.size(); ++i) {
      ASSERT_NEAR(hits[i].score, wanted.hits[i].score, 2e-4) << "hit " << i;
      ASSERT_EQ(hits[i].point.payload, payload_of(model_.at(hits[i].point.id)));
      if (scores.contains(hits[i].point.id)) {
        ASSERT_NEAR(hits[i].score, scores.at(hits[i].point.id), 2e-4);
      } else {
        // Only as one of several equals at the end of a ranking.
        ASSERT_NEAR(hits[i].score, wanted.hits.back().score, 2e-4);
      }
    }
  }

  void check_facets_and_groups() {
    std::map<std::string, std::uint64_t> counts;
    const Filter filter = tag_filter();
    for (const auto& [id, known] : model_) {
      if (holds(filter, known)) ++counts[known.tag];
    }
    const auto facets =
        engine_->facet(kTenant, kName, {.key = "tag", .filter = filter, .limit = 10, .params = {}});
    ASSERT_EQ(why_not(facets), "");
    ASSERT_EQ(facets.value().size(), counts.size());
    for (const FacetValue& facet : facets.value()) {
      ASSERT_EQ(facet.count, counts.at(std::get<std::string>(facet.value)));
    }
    QueryStage stage;
    stage.query = NearestQuery{.input = draw_vector(kDim), .mmr = {}};
    stage.params.exact = true;
    stage.limit = 5;
    const auto groups =
        engine_->query_groups(kTenant, kName, {.root = stage, .group_by = "tag", .group_size = 2});
    ASSERT_EQ(why_not(groups), "");
    stage.limit = 1'000;
    const Ranking all = plain(stage, [](const PointId&, const Known&) { return true; });
    std::map<std::string, std::vector<double>> wanted;
    for (const Ranked& hit : all.hits) {
      auto& own = wanted[model_.at(hit.id).tag];
      if (own.size() < 2) own.push_back(hit.score);
    }
    ASSERT_EQ(groups.value().groups.size(), wanted.size());
    for (const HitGroup& group : groups.value().groups) {
      const auto& own = wanted.at(std::get<std::string>(group.value));
      ASSERT_EQ(group.hits.size(), own.size());
      for (std::size_t i = 0; i < own.size(); ++i) ASSERT_NEAR(group.hits[i].score, own[i], 1e-4);
    }
  }

  TempDir dir_{TempDir::Place::kMemory};
  Rng rng_;
  std::unique_ptr<Engine> engine_;
  Model model_;
};

TEST_P(QueryModelTest, QueriesAnswerWhatAPlainEvaluationGives) {
  ASSERT_NO_FATAL_FAILURE(open());
  ASSERT_NO_FATAL_FAILURE(create());
  for (int round = 0; round < 40; ++round) {
    SCOPED_TRACE(round);
    ASSERT_NO_FATAL_FAILURE(write_some());
    if (rng_.below(6) == 0) {
      ASSERT_EQ(why_not(engine_->checkpoint()), "");
    }
    if (rng_.below(6) == 0) {
      ASSERT_NO_FATAL_FAILURE(open());
    }
    for (int i = 0; i < 8; ++i) ASSERT_NO_FATAL_FAILURE(check_query(draw_tree(2)));
    ASSERT_NO_FATAL_FAILURE(check_facets_and_groups());
  }
}

INSTANTIATE_TEST_SUITE_P(Shards, QueryModelTest, testing::Values(1, 2, 5),
                         [](const auto& shards) { return format("With{}", shards.param); });

}  // namespace
}  // namespace quipu
