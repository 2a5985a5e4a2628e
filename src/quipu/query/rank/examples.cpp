#include "quipu/query/rank/examples.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <variant>

#include "quipu/assert.h"

namespace quipu::query {
namespace {

// In (-1, 1); as steep as the logistic function in its middle, without its exponential. Numbers so
// large that they became infinite are at the ends.
float fast_sigmoid(float x) noexcept {
  if (std::isinf(x)) return x > 0 ? 1.0F : -1.0F;
  return x / (1.0F + std::fabs(x));
}

float unit_sigmoid(float x) noexcept { return 0.5F * (fast_sigmoid(x) + 1.0F); }

float largest(std::span<const float> similarities) noexcept {
  float best = -std::numeric_limits<float>::infinity();
  for (const float similarity : similarities) best = std::max(best, similarity);
  return best;
}

int side(PairSimilarity pair) noexcept {
  if (pair.positive == pair.negative) return 0;
  return pair.positive > pair.negative ? 1 : -1;
}

float loss(PairSimilarity pair) noexcept {
  constexpr float kMargin = std::numeric_limits<float>::epsilon();
  return fast_sigmoid(std::min(pair.positive - pair.negative - kMargin, 0.0F));
}

PairSimilarity pair_at(std::span<const float> similarities, std::size_t index) noexcept {
  return {.positive = similarities[index], .negative = similarities[index + 1]};
}

// What each example's similarity counts: (judged better - judged worse)^b * c, once for every pair
// that it is the better one of, and minus that where it is the worse one.
std::vector<double> feedback_weights(const FeedbackQuery& query) {
  std::vector<double> weights(query.feedback.size() + 1, 0);
  weights[0] = query.a;
  for (std::size_t i = 0; i < query.feedback.size(); ++i) {
    for (std::size_t j = 0; j < query.feedback.size(); ++j) {
      const double apart = query.feedback[i].score - query.feedback[j].score;
      if (!(apart > 0)) continue;
      const double weight = std::pow(apart, query.b) * query.c;
      weights[i + 1] += weight;
      weights[j + 1] -= weight;
    }
  }
  return weights;
}

}  // namespace

float best_score(std::span<const float> positive, std::span<const float> negative) noexcept {
  const float best = largest(positive);
  const float worst = largest(negative);
  return best > worst ? unit_sigmoid(best) : -unit_sigmoid(worst);
}

float sum_scores(std::span<const float> positive, std::span<const float> negative) noexcept {
  float liked = 0;
  for (const float similarity : positive) liked += similarity;
  float disliked = 0;
  for (const float similarity : negative) disliked += similarity;
  return liked - disliked;
}

float discover_score(float target, std::span<const PairSimilarity> context) noexcept {
  int rank = 0;
  for (const PairSimilarity& pair : context) rank += side(pair);
  return static_cast<float>(rank) + unit_sigmoid(target);
}

float context_score(std::span<const PairSimilarity> context) noexcept {
  float score = 0;
  for (const PairSimilarity& pair : context) score += loss(pair);
  return score;
}

ExampleScorer ExampleScorer::of(const RecommendQuery& query) {
  const bool best = query.strategy == RecommendStrategy::kBestScore;
  ExampleScorer scorer(best ? Kind::kBest : Kind::kSum);
  scorer.positive_count_ = query.positive.size();
  for (const VectorInput& input : query.positive) scorer.examples_.push_back(&input);
  for (const VectorInput& input : query.negative) scorer.examples_.push_back(&input);
  return scorer;
}

ExampleScorer ExampleScorer::of(const DiscoverQuery& query) {
  ExampleScorer scorer(Kind::kDiscover);
  scorer.examples_.push_back(&query.target);
  for (const ContextPair& pair : query.context) {
    scorer.examples_.push_back(&pair.positive);
    scorer.examples_.push_back(&pair.negative);
  }
  return scorer;
}

ExampleScorer ExampleScorer::of(const ContextQuery& query) {
  ExampleScorer scorer(Kind::kContext);
  for (const ContextPair& pair : query.context) {
    scorer.examples_.push_back(&pair.positive);
    scorer.examples_.push_back(&pair.negative);
  }
  return scorer;
}

ExampleScorer ExampleScorer::of(const FeedbackQuery& query) {
  ExampleScorer scorer(Kind::kWeights);
  scorer.examples_.push_back(&query.target);
  for (const Feedback& feedback : query.feedback) scorer.examples_.push_back(&feedback.example);
  scorer.weights_ = feedback_weights(query);
  return scorer;
}

Result<ExampleScorer> ExampleScorer::make(const StageQuery& query) {
  if (const auto* const recommend = std::get_if<RecommendQuery>(&query)) {
    if (recommend->strategy != RecommendStrategy::kAverageVector) return of(*recommend);
  }
  if (const auto* const discover = std::get_if<DiscoverQuery>(&query)) return of(*discover);
  if (const auto* const context = std::get_if<ContextQuery>(&query)) return of(*context);
  if (const auto* const feedback = std::get_if<FeedbackQuery>(&query)) return of(*feedback);
  return Error{.code = ErrorCode::kInvalidArgument,
               .message =
                   "only recommend (best_score, sum_scores), discover, context and feedback "
                   "queries are scored by their examples",
               .reason = "invalid_query"};
}

float ExampleScorer::score(std::span<const float> similarities) const noexcept {
  QUIPU_DCHECK(similarities.size() == examples_.size());
  switch (kind_) {
    case Kind::kBest:
      return best_score(similarities.first(positive_count_), similarities.subspan(positive_count_));
    case Kind::kSum:
      return sum_scores(similarities.first(positive_count_), similarities.subspan(positive_count_));
    case Kind::kDiscover: {
      int rank = 0;
      for (std::size_t i = 1; i < similarities.size(); i += 2)
        rank += side(pair_at(similarities, i));
      return static_cast<float>(rank) + unit_sigmoid(similarities[0]);
    }
    case Kind::kContext: {
      float score = 0;
      for (std::size_t i = 0; i < similarities.size(); i += 2)
        score += loss(pair_at(similarities, i));
      return score;
    }
    case Kind::kWeights: break;
  }
  constexpr double kMost = std::numeric_limits<float>::max();
  double score = 0;
  for (std::size_t i = 0; i < similarities.size(); ++i) {
    score += weights_[i] * static_cast<double>(similarities[i]);
  }
  return static_cast<float>(std::clamp(score, -kMost, kMost));
}

}  // namespace quipu::query
