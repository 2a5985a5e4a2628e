// Maximal marginal relevance (Carbonell, Goldstein: SIGIR 1998): choosing hits that are like the
// query and unlike each other.
//
// Threads: pure functions.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <vector>

#include "quipu/result.h"

namespace quipu::query {

struct MmrChoice {
  double diversity = 0.5;  // 0 to 1
  std::size_t limit = 0;   // how many to choose
};

// Writes how similar (similarity.h) candidate `chosen` is to each of `others`. An error (a
// deadline) ends the choosing.
using SimilarityRow = std::function<Status(std::size_t chosen, std::span<const std::size_t> others,
                                           std::span<float> similarities)>;

// Indices of candidates in the order of their choosing: first the one most similar to the query,
// then always the one with the most of (1 - diversity) * its similarity to the query - diversity *
// its similarity to the most similar one chosen before. Of equals the last of those left, where the
// last one takes the place of each that was chosen: so Qdrant does, and equals are frequent enough
// (with kManhattan) for its order to be kept.
//
// query_similarities   one for each candidate
//
// Errors: those of `similarity`. Cost: min(limit, candidates) rows, each of those not yet chosen.
[[nodiscard]] Result<std::vector<std::size_t>> choose_by_mmr(
    std::span<const float> query_similarities, const MmrChoice& choice,
    const SimilarityRow& similarity);

}  // namespace quipu::query
