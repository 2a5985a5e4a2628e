// The stupid twin of a dense index, and what its tests share; not for the product.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "quipu/base/epoch.h"
#include "quipu/base/rng.h"
#include "quipu/base/test_support.h"
#include "quipu/index/dense/dense_index.h"
#include "quipu/index/slot_filter.h"
#include "quipu/simd/distance_kernels.h"

namespace quipu::index {

using Vectors = std::map<std::uint32_t, std::vector<float>>;  // by slot

inline double twin_distance(Metric metric, std::span<const float> a, std::span<const float> b) {
  double dot = 0;
  double squares = 0;
  double absolutes = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double difference = static_cast<double>(a[i]) - b[i];
    dot += static_cast<double>(a[i]) * b[i];
    squares += difference * difference;
    absolutes += std::fabs(difference);
  }
  switch (metric) {
    case Metric::kCosine: return 1 - dot;
    case Metric::kDot: return -dot;
    case Metric::kEuclidean: return squares;
    case Metric::kManhattan: return absolutes;
  }
  return 0;
}

// Around one of a few centres, as real embeddings are; of unit length for cosine.
inline std::vector<float> random_vector(Rng& rng, std::uint32_t dim, Metric metric) {
  constexpr std::uint64_t kCentres = 12;
  Rng centre(rng.below(kCentres) + 1000);
  std::vector<float> vector(dim);
  do {
    for (float& value : vector) value = static_cast<float>(centre.normal() + rng.normal());
  } while (metric == Metric::kCosine && !simd::normalise(vector));
  return vector;
}

class Recall {
 public:
  void add(std::size_t found, std::size_t wanted) {
    if (wanted == 0) return;
    sum_ += static_cast<double>(found) / static_cast<double>(wanted);
    ++count_;
  }
  [[nodiscard]] double mean() const { return count_ == 0 ? 1 : sum_ / static_cast<double>(count_); }
  [[nodiscard]] std::size_t count() const { return count_; }

 private:
  double sum_ = 0;
  std::size_t count_ = 0;
};

// The distances of all that match, ascending.
inline std::vector<double> twin_search(const Vectors& model, Metric metric,
                                       std::span<const float> query, const SlotFilter* filter) {
  std::vector<double> distances;
  for (const auto& [slot, vector] : model) {
    if (filter != nullptr && !filter->contains(SlotId(slot))) continue;
    distances.push_back(twin_distance(metric, query, vector));
  }
  std::sort(distances.begin(), distances.end());
  return distances;
}

// Asks the index and the twin; every hit must be true, in order, and as many as there can be.
inline void check_search(const DenseIndex& index, const Vectors& model,
                         std::span<const float> query, const DenseSearchParams& params,
                         std::size_t k, Recall& recall, DenseSearchStats* stats = nullptr) {
  const Metric metric = index.options().metric;
  std::vector<DenseHit> hits(k);
  const Result<std::size_t> count = index.search(query, params, hits, stats);
  ASSERT_TRUE(count.ok()) << count.error().message;
  const std::vector<double> wanted = twin_search(model, metric, query, params.filter);
  ASSERT_EQ(count.value(), std::min(k, wanted.size()));
  hits.resize(count.value());
  std::set<std::uint32_t> seen;
  std::size_t found = 0;
  std::vector<float> copy(index.options().dim);
  for (std::size_t i = 0; i < hits.size(); ++i) {
    const DenseHit& hit = hits[i];
    const auto known = model.find(hit.slot.value());
    ASSERT_NE(known, model.end()) << "false hit: slot " << hit.slot.value();
    ASSERT_TRUE(seen.insert(hit.slot.value()).second) << "slot " << hit.slot.value() << " twice";
    ASSERT_TRUE(params.filter == nullptr || params.filter->contains(hit.slot));
    const double distance = twin_distance(metric, query, known->second);
    const double allowed = 1e-4 * (1 + std::fabs(distance));
    ASSERT_NEAR(hit.distance, distance, allowed);
    index.copy_vector(hit.row, copy);
    ASSERT_EQ(copy, known->second);
    if (i > 0) {
      const DenseHit& before = hits[i - 1];
      ASSERT_LE(before.distance, hit.distance);
      if (before.distance == hit.distance) {
        ASSERT_LT(before.slot, hit.slot);
      }
    }
    if (distance <= wanted[hits.size() - 1] + allowed) ++found;
  }
  recall.add(found, hits.size());
}

inline std::unique_ptr<DenseIndex> make_index(const DenseOptions& options, EpochDomain& epochs) {
  Result<std::unique_ptr<DenseIndex>> index = DenseIndex::create(options, epochs);
  EXPECT_EQ(why_not(index), "");
  return std::move(index).value();
}

}  // namespace quipu::index
