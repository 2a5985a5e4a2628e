#include "quipu/api/qdrant/answer.h"

#include <algorithm>
#include <type_traits>
#include <utility>

namespace quipu::api::qdrant {

void write_id(JsonWriter& out, const PointId& id) {
  if (id.is_uuid()) {
    out.value(std::string_view(id.to_string()));
  } else {
    out.value(id.as_number());
  }
}

Result<PointWriter> PointWriter::make(Engine& engine, std::string_view tenant,
                                      std::string_view collection, const Selection& selection) {
  if (!selection.select.vectors) return PointWriter({}, selection);
  QUIPU_TRY(CollectionInfo info, engine.collection(tenant, collection));
  return PointWriter(std::move(info.config.vectors), selection);
}

void PointWriter::record(JsonWriter& out, const Point& point, const OrderKey* order) const {
  out.begin_object().key("id");
  write_id(out, point.id);
  members(out, point, order);
  out.end_object();
}

void PointWriter::hit(JsonWriter& out, const SearchHit& hit) const {
  out.begin_object().key("id");
  write_id(out, hit.point.id);
  out.key("version").value(hit.point.version);
  out.key("score").value(hit.score);
  members(out, hit.point, hit.order_key ? &*hit.order_key : nullptr);
  out.end_object();
}

void PointWriter::members(JsonWriter& out, const Point& point, const OrderKey* order) const {
  if (selection_.payload) {
    const bool chosen = selection_.select.payload && !point.payload.empty();
    out.key("payload").raw(chosen ? std::string_view(point.payload) : std::string_view("{}"));
  }
  if (selection_.vectors) {
    out.key("vector");
    vectors_of(out, point);
  }
  if (order != nullptr) {
    out.key("order_value");
    std::visit([&out](auto value) { out.value(value); }, *order);
  }
}

void PointWriter::vectors_of(JsonWriter& out, const Point& point) const {
  // A point with nothing but the unnamed vector has that in the object's place.
  if (point.vectors.size() == 1 && point.vectors.front().name.empty()) {
    return vector(out, point.vectors.front());
  }
  out.begin_object();
  for (const NamedVector& each : point.vectors) {
    out.key(each.name);
    vector(out, each);
  }
  out.end_object();
}

void PointWriter::vector(JsonWriter& out, const NamedVector& vector) const {
  const auto config = std::ranges::find(vectors_, vector.name, &VectorConfig::name);
  const VectorKind kind = config == vectors_.end() ? VectorKind::kDense : config->kind;
  if (kind == VectorKind::kDense) {
    out.floats(vector.values);
    return;
  }
  if (kind == VectorKind::kMulti) {
    const std::span<const float> values(vector.values);
    out.begin_array();
    for (std::size_t begin = 0; begin < values.size(); begin += config->dim) {
      out.floats(values.subspan(begin, config->dim));
    }
    out.end_array();
    return;
  }
  out.begin_object().key("indices").begin_array();
  for (const std::uint32_t index : vector.indices) out.value(index);
  out.end_array().key("values").floats(vector.values).end_object();
}

}  // namespace quipu::api::qdrant
