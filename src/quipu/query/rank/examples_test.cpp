#include "quipu/query/rank/examples.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <span>
#include <vector>

#include "quipu/base/test_support.h"
#include "quipu/query/filter/testing/allocations.h"
#include "quipu/query/rank/similarity.h"

namespace quipu::query {
namespace {

using Floats = std::vector<float>;
using Pairs = std::vector<PairSimilarity>;

constexpr float kInfinity = std::numeric_limits<float>::infinity();

TEST(ExampleScores, BestScoreTakesTheNearestExample) {
  EXPECT_FLOAT_EQ(best_score(Floats{1, 0.5F}, Floats{0.25F}), 0.75F);
  EXPECT_FLOAT_EQ(best_score(Floats{0.25F}, Floats{-2, 1}), -0.75F);
  EXPECT_FLOAT_EQ(best_score(Floats{1}, Floats{1}), -0.75F);  // a tie is the negative's
  EXPECT_FLOAT_EQ(best_score(Floats{-4}, {}), 0.1F);          // 0.5 * (1 - 4/5)
  EXPECT_FLOAT_EQ(best_score({}, Floats{-4, -9}), -0.1F);
  EXPECT_FLOAT_EQ(best_score(Floats{0}, Floats{-1}), 0.5F);
  EXPECT_EQ(best_score(Floats{kInfinity}, {}), 1);
  EXPECT_EQ(best_score(Floats{-kInfinity}, Floats{0}), -0.5F);
}

TEST(ExampleScores, SumScoresAddsAndTakesAway) {
  EXPECT_FLOAT_EQ(sum_scores(Floats{1, 2}, Floats{0.5F}), 2.5F);
  EXPECT_FLOAT_EQ(sum_scores({}, Floats{0.5F, -1}), 0.5F);
  EXPECT_EQ(sum_scores({}, {}), 0);
}

TEST(ExampleScores, DiscoverCountsPairsAndAddsTheTarget) {
  EXPECT_FLOAT_EQ(discover_score(1, {}), 0.75F);
  EXPECT_FLOAT_EQ(discover_score(1, Pairs{{2, 1}, {3, 1}, {0, 1}}), 1.75F);
  EXPECT_FLOAT_EQ(discover_score(0, Pairs{{1, 1}}), 0.5F);  // in the middle
  EXPECT_FLOAT_EQ(discover_score(0, Pairs{{0.0F, -0.0F}}), 0.5F);
  EXPECT_FLOAT_EQ(discover_score(-4, Pairs{{1, 2}, {1, 2}}), -1.9F);
}

TEST(ExampleScores, ContextIsALoss) {
  EXPECT_EQ(context_score({}), 0);
  EXPECT_EQ(context_score(Pairs{{2, 1}}), 0);
  EXPECT_FLOAT_EQ(context_score(Pairs{{1, 2}}), -0.5F);
  EXPECT_FLOAT_EQ(context_score(Pairs{{1, 2}, {0, 3}, {5, 1}}), -1.25F);
  // Neither side: the margin alone.
  EXPECT_LT(context_score(Pairs{{1, 1}}), 0);
  EXPECT_GT(context_score(Pairs{{1, 1}}), -1e-6);
}

VectorInput number_input(std::uint64_t number) { return PointId::number(number); }

TEST(ExampleScorer, ListsExamplesInTheOrderOfTheSimilarities) {
  const auto ids = [](const ExampleScorer& scorer) {
    std::vector<std::uint64_t> numbers;
    for (const VectorInput* input : scorer.examples()) {
      numbers.push_back(std::get<PointId>(*input).as_number());
    }
    return numbers;
  };
  using Numbers = std::vector<std::uint64_t>;
  const StageQuery best = RecommendQuery{.positive = {number_input(1), number_input(2)},
                                         .negative = {number_input(3)},
                                         .strategy = RecommendStrategy::kBestScore};
  EXPECT_EQ(ids(ExampleScorer::make(best).value()), (Numbers{1, 2, 3}));
  const std::vector<ContextPair> pairs = {{number_input(5), number_input(6)},
                                          {number_input(7), number_input(8)}};
  const StageQuery discover = DiscoverQuery{.target = number_input(4), .context = pairs};
  EXPECT_EQ(ids(ExampleScorer::make(discover).value()), (Numbers{4, 5, 6, 7, 8}));
  const StageQuery context = ContextQuery{pairs};
  EXPECT_EQ(ids(ExampleScorer::make(context).value()), (Numbers{5, 6, 7, 8}));
  const StageQuery feedback =
      FeedbackQuery{.target = number_input(1), .feedback = {{number_input(2), 1}}};
  EXPECT_EQ(ids(ExampleScorer::make(feedback).value()), (Numbers{1, 2}));
}

TEST(ExampleScorer, RefusesWhatExamplesDoNotScore) {
  const StageQuery others[] = {RecommendQuery{.positive = {number_input(1)}},
                               NearestQuery{.input = number_input(1)}, SampleQuery{}};
  for (const StageQuery& query : others) {
    const Result<ExampleScorer> scorer = ExampleScorer::make(query);
    ASSERT_FALSE(scorer.ok());
    EXPECT_EQ(scorer.error().code, ErrorCode::kInvalidArgument);
  }
}

TEST(ExampleScorer, WeighsFeedbackByConfidence) {
  // One pair, 0.5 apart: 2 * target + 0.5^2 * 3 * (better - worse).
  const StageQuery query =
      FeedbackQuery{.target = number_input(1),
                    .feedback = {{number_input(2), 0.25}, {number_input(3), 0.75}},
                    .a = 2,
                    .b = 2,
                    .c = 3};
  const Result<ExampleScorer> scorer = ExampleScorer::make(query);
  ASSERT_EQ(why_not(scorer), "");
  EXPECT_FLOAT_EQ(scorer.value().score(Floats{1, 0, 0}), 2);
  EXPECT_FLOAT_EQ(scorer.value().score(Floats{1, 0.5F, 4.5F}), 5);
  // Equal judgements say nothing.
  const StageQuery equal = FeedbackQuery{
      .target = number_input(1), .feedback = {{number_input(2), 1}, {number_input(3), 1}}, .b = 0};
  EXPECT_FLOAT_EQ(ExampleScorer::make(equal).value().score(Floats{1, 5, -7}), 1);
}

// ---------------------------------------------------------------- against the plain functions

double feedback_twin(const FeedbackQuery& query, const Floats& similarities) {
  double score = query.a * static_cast<double>(similarities[0]);
  for (std::size_t i = 0; i < query.feedback.size(); ++i) {
    for (std::size_t j = 0; j < query.feedback.size(); ++j) {
      const double apart = query.feedback[i].score - query.feedback[j].score;
      if (apart <= 0) continue;
      const auto delta =
          static_cast<double>(similarities[i + 1]) - static_cast<double>(similarities[j + 1]);
      score += std::pow(apart, query.b) * query.c * delta;
    }
  }
  return score;
}

TEST(ExampleScorerModel, EqualsThePlainFunctions) {
  Rng rng(test_seed());
  for (int round = 0; round < 500; ++round) {
    RecommendQuery recommend;
    recommend.positive.resize(rng.below(4));
    recommend.negative.resize(rng.below(4));
    DiscoverQuery discover;
    discover.context.resize(rng.below(4));
    FeedbackQuery feedback{.a = rng.normal(), .b = rng.uniform() * 2, .c = rng.normal()};
    feedback.feedback.resize(1 + rng.below(4));
    for (Feedback& each : feedback.feedback) each.score = static_cast<double>(rng.below(4)) / 2;
    const auto draw = [&rng](std::size_t count) {
      Floats drawn(count);
      for (float& each : drawn) each = static_cast<float>(rng.below(2) == 0 ? rng.normal() : 1);
      return drawn;
    };
    const Floats of_recommend = draw(recommend.positive.size() + recommend.negative.size());
    const auto positive = std::span(of_recommend).first(recommend.positive.size());
    const auto negative = std::span(of_recommend).subspan(recommend.positive.size());
    recommend.strategy = RecommendStrategy::kBestScore;
    const StageQuery best = recommend;
    EXPECT_EQ(ExampleScorer::make(best).value().score(of_recommend),
              best_score(positive, negative));
    recommend.strategy = RecommendStrategy::kSumScores;
    const StageQuery sum = recommend;
    EXPECT_EQ(ExampleScorer::make(sum).value().score(of_recommend), sum_scores(positive, negative));
    const Floats of_discover = draw(1 + 2 * discover.context.size());
    Pairs pairs;
    for (std::size_t i = 1; i < of_discover.size(); i += 2) {
      pairs.push_back({of_discover[i], of_discover[i + 1]});
    }
    const StageQuery discovering = discover;
    EXPECT_EQ(ExampleScorer::make(discovering).value().score(of_discover),
              discover_score(of_discover[0], pairs));
    const StageQuery context = ContextQuery{discover.context};
    EXPECT_EQ(ExampleScorer::make(context).value().score(
                  Floats(of_discover.begin() + 1, of_discover.end())),
              context_score(pairs));
    const Floats of_feedback = draw(1 + feedback.feedback.size());
    const StageQuery judged = feedback;
    EXPECT_NEAR(ExampleScorer::make(judged).value().score(of_feedback),
                feedback_twin(feedback, of_feedback), 1e-4);
  }
}

TEST(ExampleScorer, AllocatesNothingToScore) {
  const StageQuery query = RecommendQuery{.positive = {number_input(1), number_input(2)},
                                          .negative = {number_input(3)},
                                          .strategy = RecommendStrategy::kBestScore};
  const Result<ExampleScorer> scorer = ExampleScorer::make(query);
  const Floats similarities = {1, 2, 3};
  const std::uint64_t before = testing_support::allocations_so_far();
  float sum = 0;
  for (int i = 0; i < 10; ++i) sum += scorer.value().score(similarities);
  EXPECT_EQ(testing_support::allocations_so_far(), before);
  EXPECT_FLOAT_EQ(sum, -8.75F);
}

// ---------------------------------------------------------------- similarities

float product(const float* a, const float* b) { return a[0] * b[0] + a[1] * b[1]; }

TEST(Similarity, MaxSimAddsTheBestOfEachRow) {
  const Floats query = {1, 0, 0, 1};
  const Floats point = {3, -5, 2, 4, -1, -1};
  EXPECT_EQ(max_sim(query, point, 2, product), 3 + 4);
  EXPECT_EQ(max_sim(point, query, 2, product), 3 + 4 - 1);
  EXPECT_EQ(max_sim(Floats{2, 3}, Floats{-1, -1}, 2, product), -5);  // also where it is below 0
}

TEST(Similarity, IsShownAsADistanceForDistances) {
  EXPECT_EQ(shown_score(Metric::kEuclidean, -9), 3);
  EXPECT_EQ(shown_score(Metric::kManhattan, -9), 9);
  EXPECT_EQ(shown_score(Metric::kDot, -9), -9);
  EXPECT_EQ(shown_score(Metric::kCosine, 0.5F), 0.5F);
  EXPECT_FALSE(std::signbit(shown_score(Metric::kEuclidean, -0.0F)));
  EXPECT_TRUE(is_distance(Metric::kManhattan));
  EXPECT_FALSE(is_distance(Metric::kCosine));
}

}  // namespace
}  // namespace quipu::query
