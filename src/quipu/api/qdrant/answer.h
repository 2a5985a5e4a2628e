// Points as Qdrant's clients read them.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "quipu/api/qdrant/request.h"
#include "quipu/base/json.h"
#include "quipu/engine.h"
#include "quipu/result.h"

namespace quipu::api::qdrant {

// Writes points of one collection. Threads: immutable.
class PointWriter {
 public:
  // `vectors` says of which kind each is; it may be empty when the selection has no vectors.
  PointWriter(std::vector<VectorConfig> vectors, const Selection& selection)
      : vectors_(std::move(vectors)), selection_(selection) {}
  // Asks the engine for the collection's vectors where the selection needs them.
  // Errors: kNotFound ("collection_not_found").
  [[nodiscard]] static Result<PointWriter> make(Engine& engine, std::string_view tenant,
                                                std::string_view collection,
                                                const Selection& selection);

  // {"id", "payload"?, "vector"?, "order_value"?}
  void record(JsonWriter& out, const Point& point, const OrderKey* order = nullptr) const;
  // The same with "version" and "score".
  void hit(JsonWriter& out, const SearchHit& hit) const;

 private:
  void members(JsonWriter& out, const Point& point, const OrderKey* order) const;
  void vectors_of(JsonWriter& out, const Point& point) const;
  void vector(JsonWriter& out, const NamedVector& vector) const;

  std::vector<VectorConfig> vectors_;
  Selection selection_;
};

void write_id(JsonWriter& out, const PointId& id);

}  // namespace quipu::api::qdrant
