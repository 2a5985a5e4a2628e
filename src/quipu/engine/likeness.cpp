#include "quipu/engine/likeness.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "quipu/base/format.h"
#include "quipu/query/rank/similarity.h"
#include "quipu/simd/distance_kernels.h"
#include "quipu/storage/keys.h"

namespace quipu::engine {
namespace {

constexpr std::size_t kExamplesPerRead = 256;
constexpr std::uint64_t kVectorsPerLook = 1'024;  // between two looks at the clock

}  // namespace

float similarity_of(Metric metric, const float* a, const float* b, std::size_t dim) noexcept {
  const simd::DistanceKernels& kernels = simd::kernels();
  switch (metric) {
    case Metric::kCosine:
    case Metric::kDot: return kernels.dot(a, b, dim);
    case Metric::kEuclidean: return -kernels.l2_squared(a, b, dim);
    case Metric::kManhattan: return -kernels.l1(a, b, dim);
  }
  return 0;
}

query::VectorValue value_of(const VectorConfig& config, storage::OpVector stored) {
  switch (config.kind) {
    case VectorKind::kSparse:
      return SparseValues{.indices = std::move(stored.indices), .values = std::move(stored.values)};
    case VectorKind::kMulti: {
      const auto rows = static_cast<std::uint32_t>(stored.values.size() / config.dim);
      return MultiValues{.rows = rows, .values = std::move(stored.values)};
    }
    case VectorKind::kDense: break;
  }
  return std::move(stored.values);
}

std::optional<float> Likeness::sparse(const storage::OpVector& stored) const {
  const SparseValues& value = std::get<SparseValues>(value_);
  double sum = 0;
  bool shared = false;
  for (std::size_t i = 0, j = 0; i < value.indices.size() && j < stored.indices.size();) {
    if (value.indices[i] < stored.indices[j]) {
      ++i;
    } else if (stored.indices[j] < value.indices[i]) {
      ++j;
    } else {
      sum += static_cast<double>(value.values[i++]) * static_cast<double>(stored.values[j++]);
      shared = true;
    }
  }
  if (!shared) return std::nullopt;
  return static_cast<float>(sum);
}

std::optional<float> Likeness::operator()(const storage::OpVector& stored) const {
  switch (config_.kind) {
    case VectorKind::kSparse: return sparse(stored);
    case VectorKind::kMulti:
      return query::max_sim(std::get<MultiValues>(value_).values, stored.values, config_.dim,
                            [this](const float* a, const float* b) {
                              return similarity_of(config_.metric, a, b, config_.dim);
                            });
    case VectorKind::kDense: break;
  }
  return similarity_of(config_.metric, std::get<std::vector<float>>(value_).data(),
                       stored.values.data(), config_.dim);
}

Status StoredVectors::for_each(const Matches* matches, const Visit& visit) const {
  const VectorConfig& config = reading->collection->record.config.vectors[vector_index];
  const storage::KeyRange range =
      storage::vector_range(reading->collection->shards[shard_index]->id(), config.id);
  const std::unique_ptr<KvIterator> it = state->kv->iterate(
      Family::kVectors, {.begin = range.begin, .end = range.end, .fill_cache = false},
      reading->moments[shard_index]->snapshot.get());
  std::uint64_t looked_at = 0;
  for (it->seek(range.begin); it->valid(); it->next()) {
    if (++looked_at % kVectorsPerLook == 0) QUIPU_TRY_OK(state->check_time(*reading, "the query"));
    QUIPU_TRY(const storage::VectorKey key, storage::decode_vector_key(it->key()));
    if (matches != nullptr && !matches->contains(key.id)) continue;
    QUIPU_TRY(const storage::OpVector vector, decode_vector(config, it->value()));
    QUIPU_TRY_OK(visit(key.id, vector));
  }
  return it->status();
}

Status StoredVectors::for_ids(std::span<const PointId> ids, const Visit& visit) const {
  const VectorConfig& config = reading->collection->record.config.vectors[vector_index];
  const ShardId shard = reading->collection->shards[shard_index]->id();
  for (std::size_t begin = 0; begin < ids.size(); begin += kExamplesPerRead) {
    QUIPU_TRY_OK(state->check_time(*reading, "the query"));
    const std::size_t count = std::min(kExamplesPerRead, ids.size() - begin);
    std::vector<std::string> keys;
    for (std::size_t i = 0; i < count; ++i) {
      keys.push_back(storage::vector_key(shard, config.id, ids[begin + i]));
    }
    QUIPU_TRY(const auto found,
              state->kv->multi_get(Family::kVectors, keys,
                                   reading->moments[shard_index]->snapshot.get()));
    for (std::size_t i = 0; i < count; ++i) {
      if (!found[i]) continue;
      QUIPU_TRY(const storage::OpVector vector, decode_vector(config, *found[i]));
      QUIPU_TRY_OK(visit(ids[begin + i], vector));
    }
  }
  return ok_status();
}

}  // namespace quipu::engine
