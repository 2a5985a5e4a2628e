// Scores of points by how similar they are to examples: recommend, discover, context, feedback.
// Similarities are those of similarity.h, scores are larger for better points.
//
// Threads: pure functions; ExampleScorer is immutable.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "quipu/query.h"
#include "quipu/result.h"

namespace quipu::query {

// How similar one point is to the two sides of a context pair.
struct PairSimilarity {
  float positive = 0;
  float negative = 0;
};

// Recommend, kBestScore. In (0, 1) when the best positive is more similar than the best negative,
// in (-1, 0) otherwise.
[[nodiscard]] float best_score(std::span<const float> positive,
                               std::span<const float> negative) noexcept;
// Recommend, kSumScores.
[[nodiscard]] float sum_scores(std::span<const float> positive,
                               std::span<const float> negative) noexcept;
// Pairs that find the point on their positive side minus the others (a pair that finds it in its
// middle is neither), plus a number in (0, 1) that grows with the likeness to the target.
[[nodiscard]] float discover_score(float target, std::span<const PairSimilarity> context) noexcept;
// The sum over the pairs of a loss in (-1, 0]: 0 on the positive side, lower the deeper the point
// is on the negative one. In the very middle it is just below 0.
[[nodiscard]] float context_score(std::span<const PairSimilarity> context) noexcept;

// One of those four, or feedback, for many points: wants the similarities to the query's examples,
// in their order, whatever the kind of vectors.
class ExampleScorer {
 public:
  // `query` is a RecommendQuery with kBestScore or kSumScores, a DiscoverQuery, a ContextQuery or a
  // FeedbackQuery, that satisfies check_query(); it must outlive the scorer.
  // Errors: kInvalidArgument for other kinds, which examples alone do not score.
  [[nodiscard]] static Result<ExampleScorer> make(const StageQuery& query);

  // Positives, then negatives; the target, then each pair's positive and negative; the target, then
  // the feedback.
  [[nodiscard]] std::span<const VectorInput* const> examples() const noexcept { return examples_; }
  // `similarities` has one for each example. No allocation. Cost: O(examples).
  [[nodiscard]] float score(std::span<const float> similarities) const noexcept;

 private:
  enum class Kind { kBest, kSum, kDiscover, kContext, kWeights };
  explicit ExampleScorer(Kind kind) : kind_(kind) {}
  static ExampleScorer of(const RecommendQuery& query);
  static ExampleScorer of(const DiscoverQuery& query);
  static ExampleScorer of(const ContextQuery& query);
  static ExampleScorer of(const FeedbackQuery& query);

  Kind kind_;
  std::size_t positive_count_ = 0;  // kBest, kSum
  std::vector<const VectorInput*> examples_;
  std::vector<double> weights_;  // kWeights: the score is linear in the similarities
};

}  // namespace quipu::query
