// What the scoring of examples is made of: likeness, of which more is always better.
//
// Threads: pure functions.
#pragma once

#include <cmath>
#include <cstddef>
#include <limits>
#include <span>

#include "quipu/metric.h"

namespace quipu::query {

// The similarity of two vectors is their product for kCosine (of unit vectors) and kDot, minus the
// squared distance for kEuclidean, minus the distance for kManhattan; of multivectors, the sum
// max_sim() of those. All that scores examples (examples.h, mmr.h) wants similarities and gives
// scores of which more is better; only for "nearest to" is a distance what a caller is shown.

[[nodiscard]] constexpr bool is_distance(Metric metric) noexcept {
  return metric == Metric::kEuclidean || metric == Metric::kManhattan;
}

// What a caller is shown for being as similar as that to what was searched for.
[[nodiscard]] inline float shown_score(Metric metric, float similarity) noexcept {
  if (metric == Metric::kEuclidean) return std::sqrt(std::fabs(similarity));
  return metric == Metric::kManhattan ? std::fabs(similarity) : similarity;
}

// For each row of `query` the most similar row of `point`, added up. Both are rows of `dim` floats;
// `point` has at least one. `similarity` takes pointers to two rows; it is called rows * rows
// times.
template <typename Similarity>
[[nodiscard]] float max_sim(std::span<const float> query, std::span<const float> point,
                            std::size_t dim, Similarity&& similarity) {
  double sum = 0;
  for (std::size_t row = 0; row + dim <= query.size(); row += dim) {
    float best = -std::numeric_limits<float>::infinity();
    for (std::size_t other = 0; other + dim <= point.size(); other += dim) {
      const float similar = similarity(query.data() + row, point.data() + other);
      if (similar > best) best = similar;
    }
    sum += static_cast<double>(best);
  }
  return static_cast<float>(sum);
}

}  // namespace quipu::query
