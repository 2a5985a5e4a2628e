#include "quipu/query/rank/mmr.h"

#include <algorithm>
#include <limits>
#include <numeric>

namespace quipu::query {
namespace {

// Candidates that were not chosen yet, and for each the similarity to the most similar one that
// was.
struct Pending {
  std::vector<std::size_t> candidates;
  std::vector<float> nearest;

  void remove(std::size_t place) {
    candidates[place] = candidates.back();
    candidates.pop_back();
    nearest[place] = nearest.back();
    nearest.pop_back();
  }
};

// Its place among the pending ones.
std::size_t best_place(const Pending& pending, std::span<const float> query_similarities,
                       double diversity) {
  const bool first = pending.candidates.size() == query_similarities.size();
  std::size_t best = 0;
  double best_score = -std::numeric_limits<double>::infinity();
  for (std::size_t place = 0; place < pending.candidates.size(); ++place) {
    const double relevance = query_similarities[pending.candidates[place]];
    const double score = first ? relevance
                               : (1 - diversity) * relevance -
                                     diversity * static_cast<double>(pending.nearest[place]);
    if (score < best_score) continue;
    best = place;
    best_score = score;
  }
  return best;
}

}  // namespace

Result<std::vector<std::size_t>> choose_by_mmr(std::span<const float> query_similarities,
                                               const MmrChoice& choice,
                                               const SimilarityRow& similarity) {
  Pending pending;
  pending.candidates.resize(query_similarities.size());
  std::iota(pending.candidates.begin(), pending.candidates.end(), std::size_t{0});
  pending.nearest.assign(query_similarities.size(), -std::numeric_limits<float>::infinity());
  const std::size_t count = std::min(choice.limit, query_similarities.size());
  std::vector<std::size_t> chosen;
  chosen.reserve(count);
  std::vector<float> row;
  while (chosen.size() < count) {
    const std::size_t place = best_place(pending, query_similarities, choice.diversity);
    chosen.push_back(pending.candidates[place]);
    pending.remove(place);
    if (chosen.size() == count) break;
    row.assign(pending.candidates.size(), 0);
    QUIPU_TRY_OK(similarity(chosen.back(), pending.candidates, row));
    for (std::size_t i = 0; i < row.size(); ++i) {
      pending.nearest[i] = std::max(pending.nearest[i], row[i]);
    }
  }
  return chosen;
}

}  // namespace quipu::query
