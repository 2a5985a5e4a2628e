// How like stored vectors are to a query's values (query/rank/similarity.h), and walks over the
// vectors of a shard as they are stored.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "quipu/engine/engine_state.h"
#include "quipu/engine/point_filter.h"
#include "quipu/engine/records.h"
#include "quipu/query/rank/average.h"
#include "quipu/result.h"

namespace quipu::engine {

// Similarity of two dense vectors; more is better.
[[nodiscard]] float similarity_of(Metric metric, const float* a, const float* b,
                                  std::size_t dim) noexcept;

// A stored vector as a query's value.
[[nodiscard]] query::VectorValue value_of(const VectorConfig& config, storage::OpVector stored);

// Of one value. Borrows both. Threads: immutable.
class Likeness {
 public:
  // `value` is of the configuration's kind and size (fit_value()).
  Likeness(const VectorConfig& config, const query::VectorValue& value)
      : config_(config), value_(value) {}
  // Empty for a sparse vector that shares no dimension.
  [[nodiscard]] std::optional<float> operator()(const storage::OpVector& stored) const;

 private:
  [[nodiscard]] std::optional<float> sparse(const storage::OpVector& stored) const;
  const VectorConfig& config_;
  const query::VectorValue& value_;
};

// One shard's vectors of one name, as of a read's moment.
struct StoredVectors {
  Engine::State* state = nullptr;
  const Engine::State::Reading* reading = nullptr;
  std::size_t shard_index = 0;
  std::size_t vector_index = 0;  // in the collection's configuration
  using Visit = std::function<Status(const PointId&, const storage::OpVector&)>;
  // All of them, by ascending id; with `matches`, those of its points only.
  // Errors: kCorruption, kIo, kDeadlineExceeded, and those of `visit`.
  Status for_each(const Matches* matches, const Visit& visit) const;
  // Those of `ids`, of this shard, that have one.
  Status for_ids(std::span<const PointId> ids, const Visit& visit) const;
};

}  // namespace quipu::engine
