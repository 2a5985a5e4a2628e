// `quipu import qdrant`: copies collections from a running Qdrant server: configuration, payload
// indexes, points with all their vectors, aliases.
//
// Source and destination speak the same API, so what the source says of a collection is asked of
// the destination nearly as it is. After each batch that the destination acknowledged, the place
// reached is written to a progress file: a copy that was cut off goes on there.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "quipu/cli/context.h"
#include "quipu/result.h"

namespace quipu::cli {

struct ImportArguments {
  std::string url;
  std::vector<std::string> collections;  // none: all
  std::vector<std::string> names;        // "NAME=NEW": the copy has another name
  std::size_t batch_points = 256;
  std::uint32_t shards = 0;  // 0: as many as there, at most 64
  std::string api_key_file;  // "": $QUIPU_QDRANT_API_KEY, or none
  std::string progress = "quipu-import.json";
  bool restart = false;   // forget the progress file
  bool existing = false;  // add the points to collections that are here already
};
[[nodiscard]] int import_qdrant(Context& context, const ImportArguments& arguments);

}  // namespace quipu::cli
