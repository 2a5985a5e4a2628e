#include "quipu/api/qdrant/update.h"

#include <algorithm>
#include <utility>

#include "quipu/api/qdrant/dialect.h"
#include "quipu/base/format.h"
#include "quipu/base/limits.h"
#include "quipu/query/request/json_reading.h"

namespace quipu::api::qdrant {

void keep_last_of_each_id(std::vector<PointWrite>& points) {
  std::unordered_map<PointId, std::size_t> places;
  places.reserve(points.size());
  std::size_t count = 0;
  for (std::size_t i = 0; i < points.size(); ++i) {
    const auto [place, fresh] = places.emplace(points[i].id, count);
    const std::size_t to = place->second;
    if (to != i) points[to] = std::move(points[i]);
    if (fresh) ++count;
  }
  points.resize(count);
}

void VectorsCollector::add(const PointId& id, std::vector<NamedVector> vectors) {
  const auto [known, fresh] = places_.emplace(id, into_.points.size());
  if (fresh) into_.points.push_back({.id = id});
  std::vector<NamedVector>& all = into_.points[known->second].vectors;
  for (NamedVector& one : vectors) {
    std::erase_if(all, [&one](const NamedVector& old) { return old.name == one.name; });
    all.push_back(std::move(one));
  }
}

Status finish_selector(Selector& selector, bool by_ids, const Place& at) {
  if (!by_ids) {
    if (selector.filter) return ok_status();
    return at.error("No filter or points provided", query::kInvalidQuery);
  }
  if (selector.ids.empty()) {
    return Place(at, "points").error("is empty: Empty update request", query::kInvalidQuery);
  }
  std::ranges::sort(selector.ids);
  selector.ids.erase(std::unique(selector.ids.begin(), selector.ids.end()), selector.ids.end());
  return ok_status();
}

Error inference_not_built(const Place& at) {
  return not_built(at.text() +
                   ": embedding what a point brings is not built here; send its vector, or use a "
                   "collection with a model and the native API");
}

Status check_multi(const VectorConfig& config, const Place& at) {
  if (config.kind == VectorKind::kMulti) return ok_status();
  return at.error(format("is a list of lists, but the vector '{}' is no multivector", config.name),
                  "invalid_vector");
}

Status add_row(std::span<const float> row, std::uint32_t dim, const Place& at,
               std::vector<float>& rows) {
  if (row.size() != dim) {
    return at.error(format("Vector dimension error: expected dim: {}, got {}", dim, row.size()),
                    "dimension_mismatch");
  }
  if (rows.size() + row.size() > limits::kVectorValuesMax) {
    return at.error(format("has more than {} numbers in all", limits::kVectorValuesMax),
                    "vector_too_large");
  }
  rows.insert(rows.end(), row.begin(), row.end());
  return ok_status();
}

Status check_sparse(const NamedVector& vector, const Place& at, VectorKinds& kinds) {
  if (vector.indices.size() != vector.values.size()) {
    return at.error(
        format("has {} indices and {} values", vector.indices.size(), vector.values.size()),
        "dimension_mismatch");
  }
  // An empty one looks like an empty dense one to the engine, which would say only that.
  QUIPU_TRY(const VectorConfig* config, kinds.find(vector.name));
  if (config->kind == VectorKind::kSparse) return ok_status();
  return at.error(format("is sparse, but the vector '{}' is not", vector.name), "not_sparse");
}

}  // namespace quipu::api::qdrant
