#include "quipu/engine/canonical.h"

#include <algorithm>
#include <span>
#include <utility>

#include "quipu/base/format.h"
#include "quipu/base/json.h"
#include "quipu/base/limits.h"
#include "quipu/engine/refusals.h"
#include "quipu/query/filter/payload_path.h"
#include "quipu/simd/distance_kernels.h"

namespace quipu::engine {
Result<std::string> canonical_payload(std::string_view payload, std::string_view field) {
  if (payload == "{}") return std::string(payload);
  auto parsed = JsonDocument::parse(payload);
  if (!parsed.ok()) {
    return invalid(format("{}: {}", field, parsed.error().message), "malformed_json");
  }
  if (!parsed.value().root().is_object()) {
    return invalid(format("{} is a JSON {}; it must be an object", field,
                          json_kind_name(parsed.value().root().kind())),
                   "invalid_payload");
  }
  std::string text = parsed.value().root().to_string();
  if (text.size() > limits::kPayloadBytesMax) {
    return Error{
        ErrorCode::kResourceExhausted,
        format("{} has {} bytes; the limit is {}", field, text.size(), limits::kPayloadBytesMax),
        "payload_too_large"};
  }
  return text;
}

namespace {

Status check_rows(const VectorConfig& config, std::string_view what, std::vector<float>& values) {
  if (values.empty() || values.size() % config.dim != 0) {
    return invalid(format("{} has {} values; the multivector '{}' has rows of {}", what,
                          values.size(), config.name, config.dim),
                   "dimension_mismatch");
  }
  if (values.size() > limits::kVectorValuesMax) {
    return invalid(format("{} has {} values in all its rows; the limit is {}", what, values.size(),
                          limits::kVectorValuesMax),
                   "vector_too_large");
  }
  return ok_status();
}

Result<storage::OpVector> canonical_sparse(const VectorConfig& config, const NamedVector& vector,
                                           std::string_view field) {
  const auto bad = [&](std::string text, std::string_view reason) {
    return invalid(format("{}: {}", field, text), std::string(reason));
  };
  if (vector.indices.size() != vector.values.size()) {
    return bad(format("the sparse vector '{}' has {} indices and {} values", config.name,
                      vector.indices.size(), vector.values.size()),
               "dimension_mismatch");
  }
  if (vector.values.size() > limits::kVectorValuesMax / 2) {
    return bad(format("the sparse vector '{}' has {} values; the limit is {}", config.name,
                      vector.values.size(), limits::kVectorValuesMax / 2),
               "vector_too_large");
  }
  if (!simd::all_finite(vector.values)) {
    return bad("has a value that is not finite (NaN or infinity)", "not_finite");
  }
  std::vector<std::pair<std::uint32_t, float>> pairs;
  pairs.reserve(vector.indices.size());
  for (std::size_t i = 0; i < vector.indices.size(); ++i) {
    pairs.emplace_back(vector.indices[i], vector.values[i]);
  }
  std::sort(pairs.begin(), pairs.end());
  storage::OpVector made{.vector_id = config.id, .values = {}, .indices = {}};
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    if (i > 0 && pairs[i].first == pairs[i - 1].first) {
      return bad(
          format("the sparse vector '{}' has the index {} twice", config.name, pairs[i].first),
          "duplicate_index");
    }
    made.indices.push_back(pairs[i].first);
    made.values.push_back(pairs[i].second);
  }
  return made;
}

}  // namespace

Status check_values(const VectorConfig& config, std::string_view collection, std::string_view what,
                    std::vector<float>& values) {
  if (config.kind == VectorKind::kMulti) QUIPU_TRY_OK(check_rows(config, what, values));
  if (config.kind == VectorKind::kDense && values.size() != config.dim) {
    return invalid(format("{} has {} values; the vector '{}' of '{}' has dimension {}", what,
                          values.size(), config.name, collection, config.dim),
                   "dimension_mismatch");
  }
  if (!simd::all_finite(values)) {
    return invalid(format("{} has a value that is not finite (NaN or infinity)", what),
                   "not_finite");
  }
  if (config.metric != Metric::kCosine) return ok_status();
  for (std::size_t begin = 0; begin < values.size(); begin += config.dim) {
    if (!simd::normalise(std::span(values).subspan(begin, config.dim))) {
      return invalid(
          format("{} has length 0 or one too large to compute; cosine needs a direction", what),
          "zero_vector");
    }
  }
  return ok_status();
}

Result<storage::OpVector> canonical_vector(const Collection& collection, NamedVector vector,
                                           std::string_view field) {
  QUIPU_TRY(const std::size_t index, collection.vector_index(vector.name));
  const VectorConfig& config = collection.record.config.vectors[index];
  if (config.kind == VectorKind::kSparse) return canonical_sparse(config, vector, field);
  if (!vector.indices.empty()) {
    return invalid(format("{} has indices; the vector '{}' of '{}' is not sparse", field,
                          config.name, collection.record.name),
                   "not_sparse");
  }
  QUIPU_TRY_OK(check_values(config, collection.record.name, field, vector.values));
  return storage::OpVector{
      .vector_id = config.id, .values = std::move(vector.values), .indices = {}};
}

Result<std::vector<storage::OpVector>> canonical_vectors(const Collection& collection,
                                                         std::vector<NamedVector>& given,
                                                         std::string_view field) {
  std::vector<storage::OpVector> vectors;
  vectors.reserve(given.size());
  for (NamedVector& vector : given) {
    QUIPU_TRY(storage::OpVector canonical, canonical_vector(collection, std::move(vector), field));
    for (const storage::OpVector& other : vectors) {
      if (other.vector_id == canonical.vector_id) {
        return invalid(format("{} gives one vector twice", field), "duplicate_name");
      }
    }
    vectors.push_back(std::move(canonical));
  }
  std::sort(vectors.begin(), vectors.end(),
            [](const auto& a, const auto& b) { return a.vector_id < b.vector_id; });
  return vectors;
}

Status check_text(const std::optional<std::string>& text, std::string_view field) {
  if (!text) return ok_status();
  if (text->size() > limits::kTextBytesMax) {
    return Error{
        ErrorCode::kResourceExhausted,
        format("{} has {} bytes; the limit is {}", field, text->size(), limits::kTextBytesMax),
        "text_too_large"};
  }
  return ok_status();
}

namespace {

Status check_paths(const std::vector<std::string>& paths, const std::string& field) {
  if (paths.size() > storage::kDeletePayloadKeysMax) {
    return invalid(format("{} has {} entries; the limit is {}", field, paths.size(),
                          storage::kDeletePayloadKeysMax),
                   "out_of_range");
  }
  for (std::size_t i = 0; i < paths.size(); ++i) {
    const auto parsed = query::PayloadPath::parse(paths[i]);
    if (parsed.ok()) continue;
    return invalid(format("{}[{}]: {}", field, i, parsed.error().message), "invalid_path");
  }
  return ok_status();
}

}  // namespace

Status canonical_change(const Collection& collection, PointPatch& from, const std::string& field,
                        storage::PatchPoint& into) {
  into.replace_payload = from.replace_payload;
  into.delete_payload = std::move(from.delete_payload);
  QUIPU_TRY(into.set_payload, canonical_payload(from.set_payload, field + ".set_payload"));
  QUIPU_TRY_OK(check_paths(from.delete_paths, field + ".delete_paths"));
  into.delete_paths = std::move(from.delete_paths);
  if (!from.set_key.empty()) {
    QUIPU_TRY_OK(check_paths({from.set_key}, field + ".set_key"));
    into.set_key = std::move(from.set_key);
  }
  for (const std::string& name : from.delete_vectors) {
    QUIPU_TRY(const std::size_t index, collection.vector_index(name));
    into.delete_vectors.push_back(collection.record.config.vectors[index].id);
  }
  std::sort(into.delete_vectors.begin(), into.delete_vectors.end());
  const auto repeated = std::unique(into.delete_vectors.begin(), into.delete_vectors.end());
  into.delete_vectors.erase(repeated, into.delete_vectors.end());
  return ok_status();
}

}  // namespace quipu::engine
