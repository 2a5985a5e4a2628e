#include "quipu/query/rank/fusion.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "quipu/base/test_support.h"
#include "quipu/ids.h"

namespace quipu::query {
namespace {

using List = std::vector<RankedKey<PointId>>;

PointId id(std::uint64_t number) { return PointId::number(number); }

Fused<PointId> fused(const FusionQuery& query, const std::vector<List>& lists,
                     bool smaller_is_better = false) {
  std::vector<FusionSource<PointId>> sources;
  for (const List& list : lists) {
    sources.push_back({.hits = list, .smaller_is_better = smaller_is_better});
  }
  return fuse<PointId>(query, sources);
}

void expect_scores(const Fused<PointId>& got,
                   const std::vector<std::pair<std::uint64_t, double>>& wanted) {
  ASSERT_EQ(got.hits.size(), wanted.size());
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    EXPECT_EQ(got.hits[i].key, id(wanted[i].first)) << "at " << i;
    EXPECT_NEAR(got.hits[i].score, wanted[i].second, 1e-6) << "at " << i;
  }
}

TEST(Fusion, AddsReciprocalRanks) {
  const std::vector<List> lists = {{{id(1), 9}, {id(2), 8}, {id(3), 7}}, {{id(3), 0.5}}, {}};
  expect_scores(fused({.k = 60}, lists), {{3, 1.0 / 62 + 1.0 / 60}, {1, 1.0 / 60}, {2, 1.0 / 61}});
  expect_scores(fused({.k = 2}, lists), {{3, 1.0 / 4 + 1.0 / 2}, {1, 1.0 / 2}, {2, 1.0 / 3}});
  expect_scores(fused({.k = 1}, lists), {{3, 1.0 / 3 + 1}, {1, 1}, {2, 1.0 / 2}});
  EXPECT_TRUE(fused({}, {}).hits.empty());
  EXPECT_TRUE(fused({}, {{}, {}}).hits.empty());
}

// A weight of 3 makes the third place count as the first would.
TEST(Fusion, WeighsReciprocalRanksByStretchingPlaces) {
  const std::vector<List> lists = {
      {{id(1), 3}, {id(2), 2}, {id(3), 1}}, {{id(4), 1}}, {{id(5), 1}}};
  expect_scores(
      fused({.k = 2, .weights = {3, 1, 0}}, lists),
      {{1, 1 / (1.0 / 3 + 1)}, {2, 1 / (2.0 / 3 + 1)}, {3, 1.0 / 2}, {4, 1.0 / 2}, {5, 0}});
  // One below 0 takes nothing away.
  expect_scores(fused({.k = 2, .weights = {-1}}, {{{id(1), 3}}}), {{1, 0}});
}

TEST(Fusion, NormalisesByThreeDeviations) {
  // Mean 4, sample deviation 2: from -2 to 10.
  const std::vector<List> lists = {{{id(1), 6}, {id(2), 4}, {id(3), 2}}, {{id(3), 77}}};
  expect_scores(fused({.kind = FusionKind::kDbsf}, lists),
                {{3, 4.0 / 12 + 0.5}, {1, 8.0 / 12}, {2, 6.0 / 12}});
  expect_scores(fused({.kind = FusionKind::kDbsf, .weights = {2, -1}}, lists),
                {{1, 16.0 / 12}, {2, 1}, {3, 8.0 / 12 - 0.5}});
  // Equal ones are in the middle, also where rounding makes a deviation of them.
  List equal;
  for (std::uint64_t i = 0; i < 10; ++i) equal.push_back({id(i), 0.1F});
  for (const auto& hit : fused({.kind = FusionKind::kDbsf}, {equal}).hits) {
    EXPECT_EQ(hit.score, 0.5F);
  }
}

TEST(Fusion, DoesNotCutOutliersOff) {
  List list = {{id(0), 100}};
  for (std::uint64_t i = 1; i < 20; ++i) list.push_back({id(i), 0});
  EXPECT_GT(fused({.kind = FusionKind::kDbsf}, {list}).hits.front().score, 1);
}

TEST(Fusion, NormalisesByTheExtremes) {
  const std::vector<List> lists = {{{id(1), 6}, {id(2), 3}, {id(3), 2}}, {{id(3), 77}}};
  expect_scores(fused({.kind = FusionKind::kWeighted, .weights = {1, 3}}, lists),
                {{3, 1.5}, {1, 1}, {2, 0.25}});
}

// The fusion of a list with itself is that list: also of distances, which Qdrant turns around.
TEST(Fusion, TakesSmallDistancesForGood) {
  const List nearest_first = {{id(1), 0}, {id(2), 0.5}, {id(3), 4}};
  for (const FusionKind kind : {FusionKind::kRrf, FusionKind::kDbsf, FusionKind::kWeighted}) {
    const Fused<PointId> got = fused({.kind = kind}, {nearest_first, nearest_first}, true);
    for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(got.hits[i].key, nearest_first[i].key);
  }
  expect_scores(fused({.kind = FusionKind::kWeighted}, {nearest_first}, true),
                {{1, 1}, {2, 0.875}, {3, 0}});
}

TEST(Fusion, OrdersEqualScoresByKeyWhateverTheSourcesOrder) {
  // 1/2 + 1/3 + 1/4 in three orders, which as sums of doubles are not all equal.
  const std::vector<List> lists = {{{id(3), 3}, {id(1), 2}, {id(2), 1}},
                                   {{id(2), 3}, {id(3), 2}, {id(1), 1}},
                                   {{id(1), 3}, {id(2), 2}, {id(3), 1}}};
  const Fused<PointId> got = fused({.k = 2}, lists);
  expect_scores(got, {{1, 13.0 / 12}, {2, 13.0 / 12}, {3, 13.0 / 12}});
  EXPECT_EQ(got.hits[0].score, got.hits[2].score);
  const PointId uuid = PointId::uuid(0, 0);
  EXPECT_EQ(fused({}, {{{uuid, 1}}, {{id(9), 1}}}).hits[0].key, id(9));
}

TEST(Fusion, KeepsWhatEachSourceGave) {
  const std::vector<List> lists = {{{id(1), 9}, {id(2), 8}}, {{id(2), -3}}};
  const Fused<PointId> got = fused({.k = 2}, lists);
  const auto parts = got.parts_of(got.hits[0]);
  ASSERT_EQ(parts.size(), 2U);
  EXPECT_EQ(parts[0].source, 0U);
  EXPECT_EQ(parts[0].rank, 1U);
  EXPECT_EQ(parts[0].score, 8);
  EXPECT_NEAR(parts[0].part, 1.0 / 3, 1e-12);
  EXPECT_EQ(parts[1].source, 1U);
  EXPECT_EQ(parts[1].rank, 0U);
  EXPECT_EQ(parts[1].score, -3);
  EXPECT_NEAR(parts[1].part, 0.5, 1e-12);
  EXPECT_EQ(got.parts_of(got.hits[1]).size(), 1U);
}

TEST(Fusion, StaysFinite) {
  constexpr float kMost = std::numeric_limits<float>::max();
  const List list = {{id(1), kMost}, {id(2), 0}, {id(3), -kMost}};
  for (const FusionKind kind : {FusionKind::kDbsf, FusionKind::kWeighted}) {
    for (const double weight : {1.0, 1e300, -1e300}) {
      for (const auto& hit : fused({.kind = kind, .weights = {weight}}, {list}).hits) {
        EXPECT_TRUE(std::isfinite(hit.score)) << hit.score;
      }
    }
  }
}

// ---------------------------------------------------------------- against a plain twin

double twin_part(const FusionQuery& query, double weight, const List& list, std::size_t place) {
  if (query.kind == FusionKind::kRrf) {
    if (weight <= 0) return 0;
    return 1 / ((static_cast<double>(place) + 1) / weight + query.k - 1);
  }
  std::multiset<double> scores;
  double sum = 0;
  double squares = 0;
  for (const auto& hit : list) {
    scores.insert(hit.score);
    sum += static_cast<double>(hit.score);
    squares += static_cast<double>(hit.score) * static_cast<double>(hit.score);
  }
  if (*scores.begin() == *scores.rbegin()) return weight / 2;
  const double score = list[place].score;
  if (query.kind == FusionKind::kWeighted) {
    return weight * (score - *scores.begin()) / (*scores.rbegin() - *scores.begin());
  }
  const auto count = static_cast<double>(list.size());
  const double mean = sum / count;
  const double deviation = std::sqrt((squares - count * mean * mean) / (count - 1));
  return weight * (0.5 + (score - mean) / (6 * deviation));
}

TEST(FusionModel, EqualsThePlainFormulas) {
  Rng rng(test_seed());
  for (int round = 0; round < 500; ++round) {
    FusionQuery query{.kind = static_cast<FusionKind>(rng.below(3)), .k = 1 + rng.uniform() * 9};
    std::vector<List> lists(rng.below(5));
    std::map<PointId, double> wanted;
    for (List& list : lists) {
      if (rng.below(2) == 0) query.weights.resize(lists.size(), rng.normal());
      std::set<std::uint64_t> members;
      for (std::uint64_t n = rng.below(12); n > 0; --n) members.insert(rng.below(15));
      for (const std::uint64_t member : members) {
        list.push_back({id(member), static_cast<float>(rng.normal())});
      }
    }
    for (std::size_t source = 0; source < lists.size(); ++source) {
      const double weight = query.weights.empty() ? 1 : query.weights[source];
      for (std::size_t place = 0; place < lists[source].size(); ++place) {
        wanted[lists[source][place].key] += twin_part(query, weight, lists[source], place);
      }
    }
    const Fused<PointId> got = fused(query, lists);
    ASSERT_EQ(got.hits.size(), wanted.size());
    for (std::size_t i = 0; i < got.hits.size(); ++i) {
      const auto& hit = got.hits[i];
      ASSERT_NEAR(hit.score, wanted[hit.key], 1e-4);
      if (i == 0) continue;
      const auto& before = got.hits[i - 1];
      ASSERT_TRUE(before.score > hit.score || (before.score == hit.score && before.key < hit.key));
    }
  }
}

}  // namespace
}  // namespace quipu::query
