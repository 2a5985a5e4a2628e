// What writes carry, checked and put into the one form that is logged.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "quipu/engine.h"
#include "quipu/engine/catalogue.h"
#include "quipu/result.h"
#include "quipu/storage/operation.h"

namespace quipu::engine {

// `field` is what messages call the part. Errors: kInvalidArgument and kResourceExhausted naming
// field, value and limit.

// The payload without white space, checked to be an object of the right size.
[[nodiscard]] Result<std::string> canonical_payload(std::string_view payload,
                                                    std::string_view field);
// Of unit length for cosine; a sparse one by ascending dimension, without zeros.
[[nodiscard]] Result<storage::OpVector> canonical_vector(const Collection& collection,
                                                         NamedVector vector,
                                                         std::string_view field);
// By ascending index.
[[nodiscard]] Result<std::vector<storage::OpVector>> canonical_vectors(
    const Collection& collection, std::vector<NamedVector>& given, std::string_view field);
[[nodiscard]] Status check_text(const std::optional<std::string>& text, std::string_view field);
// What a patch does to the payload, and the vectors that it deletes.
[[nodiscard]] Status canonical_change(const Collection& collection, PointPatch& from,
                                      const std::string& field, storage::PatchPoint& into);

// The same for a query's vector: of the configuration's kind and size, finite, of unit length for
// cosine. `what` begins the messages ("the query").
[[nodiscard]] Status check_values(const VectorConfig& config, std::string_view collection,
                                  std::string_view what, std::vector<float>& values);

}  // namespace quipu::engine
