// Points as Qdrant's messages have them.
#pragma once

#include <qdrant_proto/points.pb.h>

#include <string_view>
#include <vector>

#include "quipu/api/qdrant/grpc/values.h"
#include "quipu/api/qdrant/request.h"
#include "quipu/engine.h"
#include "quipu/result.h"

namespace quipu::api::qdrant::rpc {

// Fills in points of one collection, as PointWriter writes them. Threads: immutable.
class PointFiller {
 public:
  // Asks the engine for the collection's vectors where the selection needs them.
  // Errors: kNotFound ("collection_not_found").
  [[nodiscard]] static Result<PointFiller> make(Engine& engine, std::string_view tenant,
                                                std::string_view collection,
                                                const Selection& selection);

  void record(const Point& point, const OrderKey* order, pb::RetrievedPoint& out) const;
  void hit(const SearchHit& hit, pb::ScoredPoint& out) const;

 private:
  PointFiller(std::vector<VectorConfig> vectors, const Selection& selection)
      : vectors_(std::move(vectors)), selection_(selection) {}
  void vectors_of(const Point& point, pb::VectorsOutput& out) const;
  void vector(const NamedVector& vector, pb::VectorOutput& out) const;

  std::vector<VectorConfig> vectors_;
  Selection selection_;
};

// About what a point takes in an answer.
[[nodiscard]] std::size_t bytes_of(const Point& point);

}  // namespace quipu::api::qdrant::rpc
