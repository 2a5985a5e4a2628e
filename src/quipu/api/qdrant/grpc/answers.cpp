#include "quipu/api/qdrant/grpc/answers.h"

#include <algorithm>
#include <utility>

namespace quipu::api::qdrant::rpc {
namespace {

template <typename Out>
void fill_order(const OrderKey& order, Out& out) {
  if (const auto* whole = std::get_if<std::int64_t>(&order)) {
    out.mutable_order_value()->set_int_(*whole);
  } else {
    out.mutable_order_value()->set_float_(std::get<double>(order));
  }
}

}  // namespace

Result<PointFiller> PointFiller::make(Engine& engine, std::string_view tenant,
                                      std::string_view collection, const Selection& selection) {
  if (!selection.select.vectors) return PointFiller({}, selection);
  QUIPU_TRY(CollectionInfo info, engine.collection(tenant, collection));
  return PointFiller(std::move(info.config.vectors), selection);
}

void PointFiller::record(const Point& point, const OrderKey* order, pb::RetrievedPoint& out) const {
  write_id(point.id, *out.mutable_id());
  if (selection_.select.payload) fill_values(point.payload, *out.mutable_payload());
  if (selection_.vectors) vectors_of(point, *out.mutable_vectors());
  if (order != nullptr) fill_order(*order, out);
}

void PointFiller::hit(const SearchHit& hit, pb::ScoredPoint& out) const {
  write_id(hit.point.id, *out.mutable_id());
  out.set_version(hit.point.version);
  out.set_score(hit.score);
  if (selection_.select.payload) fill_values(hit.point.payload, *out.mutable_payload());
  if (selection_.vectors) vectors_of(hit.point, *out.mutable_vectors());
  if (hit.order_key) fill_order(*hit.order_key, out);
}

void PointFiller::vectors_of(const Point& point, pb::VectorsOutput& out) const {
  // A point with nothing but the unnamed vector has that in the place of the named ones.
  if (point.vectors.size() == 1 && point.vectors.front().name.empty()) {
    return vector(point.vectors.front(), *out.mutable_vector());
  }
  auto& named = *out.mutable_vectors()->mutable_vectors();
  for (const NamedVector& each : point.vectors) vector(each, named[each.name]);
}

void PointFiller::vector(const NamedVector& vector, pb::VectorOutput& out) const {
  const auto config = std::ranges::find(vectors_, vector.name, &VectorConfig::name);
  const VectorKind kind = config == vectors_.end() ? VectorKind::kDense : config->kind;
  switch (kind) {
    case VectorKind::kDense:
      out.mutable_dense()->mutable_data()->Add(vector.values.begin(), vector.values.end());
      return;
    case VectorKind::kSparse:
      out.mutable_sparse()->mutable_indices()->Add(vector.indices.begin(), vector.indices.end());
      out.mutable_sparse()->mutable_values()->Add(vector.values.begin(), vector.values.end());
      return;
    case VectorKind::kMulti: {
      pb::MultiDenseVector& rows = *out.mutable_multi_dense();
      for (std::size_t begin = 0; begin < vector.values.size(); begin += config->dim) {
        const float* const row = vector.values.data() + begin;
        rows.add_vectors()->mutable_data()->Add(row, row + config->dim);
      }
      return;
    }
  }
}

std::size_t bytes_of(const Point& point) {
  std::size_t bytes = 32 + point.payload.size();
  for (const NamedVector& vector : point.vectors) {
    bytes += vector.name.size() + 4 * (vector.values.size() + vector.indices.size()) + 16;
  }
  return bytes;
}

}  // namespace quipu::api::qdrant::rpc
