// What a patch says of a payload, and which vectors it takes away.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "quipu/api/schema.h"
#include "quipu/engine.h"

namespace quipu::api {

inline constexpr std::size_t kPatchNamesMax = 1'024;  // in each of its lists

struct PayloadChange {
  std::optional<std::string> set_payload;  // a JSON object
  std::string set_key;
  std::vector<std::string> delete_payload;
  std::vector<std::string> delete_paths;
  bool replace_payload = false;
  std::vector<std::string> delete_vectors;
  [[nodiscard]] bool empty() const {
    return !set_payload && delete_payload.empty() && delete_paths.empty() && delete_vectors.empty();
  }
};

// Which of the members go with which.
void check_payload_change(const PayloadChange& change, const Path& at, FieldErrors& errors);
// That a change of all that match says something.
void check_filter_change(const PayloadChange& change, const Path& at, FieldErrors& errors);
// The patch, without id and condition.
[[nodiscard]] PointPatch to_patch(PayloadChange change);

}  // namespace quipu::api
