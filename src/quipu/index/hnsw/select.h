// Which of many near nodes become neighbours.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "quipu/index/hnsw/block_slab.h"
#include "quipu/index/quant/vector_space.h"

namespace quipu::index::hnsw {

struct ScoredNode {
  float distance = 0;
  std::uint32_t node = 0;

  friend bool operator<(const ScoredNode& a, const ScoredNode& b) noexcept {
    return a.distance < b.distance || (a.distance == b.distance && a.node < b.node);
  }
};

// The paper's heuristic (algorithm 4): a candidate is kept unless one kept before is nearer to it
// than the node whose neighbours are chosen, so that links lead into all directions.
//
// Of candidates at one and the same distance, half of `links_max` at most are kept: copies of one
// vector would otherwise fill each other's lists and cut themselves off from everything else.
//
// `candidates` are sorted and distinct, and not in `chosen`, which is added to: what it holds
// counts as kept already.
template <VectorSpace Space>
void select_neighbours(const Space& space, std::span<const ScoredNode> candidates,
                       std::size_t links_max, std::vector<std::uint32_t>& chosen) {
  const std::size_t alike_max = std::max<std::size_t>(links_max / 2, 1);
  std::size_t alike = 0;
  float last_distance = 0;
  for (const ScoredNode& candidate : candidates) {
    if (chosen.size() >= links_max) return;
    const bool same = alike > 0 && candidate.distance == last_distance;
    if (same && alike >= alike_max) continue;
    const auto scorer = space.bind_row(candidate.node);
    bool kept = true;
    constexpr std::size_t kBatch = 4;
    for (std::size_t i = 0; kept && i < chosen.size(); i += kBatch) {
      float distances[kBatch];
      const std::size_t count = std::min(kBatch, chosen.size() - i);
      scorer.score(chosen.data() + i, count, distances);
      for (std::size_t j = 0; j < count; ++j) kept = kept && distances[j] >= candidate.distance;
    }
    if (!kept) continue;
    alike = same ? alike + 1 : 1;
    last_distance = candidate.distance;
    chosen.push_back(candidate.node);
  }
}

}  // namespace quipu::index::hnsw
