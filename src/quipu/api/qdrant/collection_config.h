// Collections as Qdrant's requests describe them, and as its answers do.
//
// What the engine has is in CollectionConfig; what is only stored and read back (extras.h) is a
// JSON object: {"params", "hnsw_config", "optimizers_config", "wal_config", "quantization_config",
// "strict_mode_config", "metadata", "vectors": {name: {...}}, "sparse_vectors": {name: {...}}},
// each as it was given, without nulls.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "quipu/base/json.h"
#include "quipu/engine.h"
#include "quipu/result.h"

namespace quipu::api::qdrant {

struct NewCollection {
  CollectionConfig config;
  std::string extras;
};
// Errors: kInvalidArgument with the place; kUnimplemented for what would have to act.
[[nodiscard]] Result<NewCollection> read_new_collection(JsonView body);

// What `extras` become by an update of the collection. Errors: as above, also for a graph of other
// sizes than the collection's.
[[nodiscard]] Result<std::string> updated_extras(JsonView body, const CollectionConfig& config,
                                                 std::string_view extras);

// A vector that is added later: {"dense": {...}} or {"sparse": {...}}. `extras` are as above, of
// this vector alone. Errors: as above.
struct NewVector {
  VectorConfig config;
  std::string extras;
};
[[nodiscard]] Result<NewVector> read_new_vector(JsonView body, std::string_view name);
// What a collection's extras are without those of a vector, and with those in `more`.
[[nodiscard]] Result<std::string> replaced_vector_extras(std::string_view extras,
                                                         std::string_view vector,
                                                         std::string_view more);

// An index of a payload key: {"field_name", "field_schema"}. Errors: as above.
[[nodiscard]] Result<PayloadIndexConfig> read_payload_index(JsonView body);

// Writes Qdrant's CollectionInfo. `extras` is an object.
void write_collection_info(JsonWriter& out, const CollectionInfo& info, JsonView extras,
                           const EngineStatus& status);

}  // namespace quipu::api::qdrant
