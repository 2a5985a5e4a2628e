// Several rankings made into one (include/quipu/query.h, FusionQuery).
//
// Threads: pure functions.
#pragma once

#include <algorithm>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "quipu/query.h"

namespace quipu::query {

template <typename Key>
struct RankedKey {
  Key key;
  float score = 0;  // finite
};

// What one prefetch found, best first, each key once.
template <typename Key>
struct FusionSource {
  std::span<const RankedKey<Key>> hits;
  bool smaller_is_better = false;  // the scores are distances
};

// What one source gave to one key.
struct FusionPart {
  std::uint32_t source = 0;
  std::uint32_t rank = 0;  // from 0
  float score = 0;         // as the source had it
  double part = 0;         // of the fused score
};

template <typename Key>
struct FusedKey {
  Key key;
  float score = 0;
  std::uint32_t first_part = 0;
  std::uint32_t part_count = 0;
};

template <typename Key>
struct Fused {
  std::vector<FusedKey<Key>> hits;  // largest score first, equal scores by ascending key
  std::vector<FusionPart> parts;    // of each hit together, by ascending source
  [[nodiscard]] std::span<const FusionPart> parts_of(const FusedKey<Key>& hit) const {
    return std::span(parts).subspan(hit.first_part, hit.part_count);
  }
};

// What each of one source's hits gets for its place or score: `scores` in the source's order, as
// many `parts`. Sources without a weight of their own have 1.
void weigh_source(const FusionQuery& query, std::size_t source, bool smaller_is_better,
                  std::span<const float> scores, std::span<double> parts);

// The sum of the parts as a score: never infinite, and rounded, so that sums that differ only by
// the order of adding are equal.
[[nodiscard]] float fused_score(std::span<const FusionPart> parts) noexcept;

// Fuses all that the sources found; a key is found once. Key has <=>. The result depends on nothing
// but the arguments. Cost: O(n log n) for n hits in all.
template <typename Key>
[[nodiscard]] Fused<Key> fuse(const FusionQuery& query,
                              std::span<const FusionSource<Key>> sources) {
  struct Entry {
    Key key;
    FusionPart part;
  };
  std::vector<Entry> entries;
  std::vector<float> scores;
  std::vector<double> parts;
  for (std::size_t source = 0; source < sources.size(); ++source) {
    const auto& hits = sources[source].hits;
    scores.clear();
    for (const RankedKey<Key>& hit : hits) scores.push_back(hit.score);
    parts.assign(hits.size(), 0);
    weigh_source(query, source, sources[source].smaller_is_better, scores, parts);
    for (std::size_t rank = 0; rank < hits.size(); ++rank) {
      entries.push_back({hits[rank].key, FusionPart{.source = static_cast<std::uint32_t>(source),
                                                    .rank = static_cast<std::uint32_t>(rank),
                                                    .score = scores[rank],
                                                    .part = parts[rank]}});
    }
  }
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    const auto order = a.key <=> b.key;
    if (order != 0) return order < 0;
    if (a.part.source != b.part.source) return a.part.source < b.part.source;
    return a.part.rank < b.part.rank;
  });
  Fused<Key> fused;
  fused.parts.reserve(entries.size());
  for (const Entry& entry : entries) {
    if (fused.hits.empty() || fused.hits.back().key != entry.key) {
      fused.hits.push_back(
          {.key = entry.key, .first_part = static_cast<std::uint32_t>(fused.parts.size())});
    }
    ++fused.hits.back().part_count;
    fused.parts.push_back(entry.part);
  }
  for (FusedKey<Key>& hit : fused.hits) hit.score = fused_score(fused.parts_of(hit));
  // They are in the order of their keys, so a stable sort leaves equal scores in it.
  std::stable_sort(fused.hits.begin(), fused.hits.end(),
                   [](const auto& a, const auto& b) { return a.score > b.score; });
  return fused;
}

}  // namespace quipu::query
