// Options that Qdrant's requests carry as flat objects, checked by tables.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "quipu/base/json.h"
#include "quipu/query/filter/filter_check.h"
#include "quipu/result.h"

namespace quipu::api::qdrant {

using query::Place;

enum class OptionKind : std::uint8_t {
  kCount,  // an unsigned integer
  kNumber,
  kFlag,
  kText,
  kMemory,    // "cold", "cached", "pinned"
  kDatatype,  // "float32", "float16", "uint8", "turbo4", "turbo8", "turbo16"
  kAny,       // read by somebody else
};
struct Option {
  std::string_view name;
  OptionKind kind;
};
using Options = std::span<const Option>;

// Errors: kInvalidArgument with the place: no object, an unknown member, a value of another kind.
// Null counts as absent.
[[nodiscard]] Status check_options(JsonView json, Options options, const Place& at);
// Writes the members named by `options` that are there and not null.
void write_options(JsonWriter& out, JsonView json, Options options);

// Writes `base` with the members of `patch`: null removes one; objects are merged down to `levels`,
// below that they are replaced, as a quantization always is. `base` may be no object: it is empty.
void write_merged(JsonWriter& out, JsonView base, JsonView patch, int levels);

}  // namespace quipu::api::qdrant
