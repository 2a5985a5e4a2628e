#include "quipu/api/calls/server_snapshot.h"

#include <algorithm>

#include "quipu/base/file_system.h"
#include "quipu/base/quote.h"

namespace quipu::api {

bool is_server_snapshot_name(std::string_view name) {
  const auto plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
  };
  return !name.empty() && name.size() <= kServerSnapshotNameMax && std::ranges::all_of(name, plain);
}

Result<std::string> take_server_snapshot(const Call& call, std::string_view name) {
  Core& core = call.core();
  const std::string& parent = core.options.snapshots_dir;
  if (parent.empty()) {
    return Error{ErrorCode::kUnimplemented, "this server has no folder for snapshots", "not_built"};
  }
  QUIPU_TRY_OK(posix_file_system().create_directories(parent));
  const std::string directory = parent + "/" + std::string(name);
  if (posix_file_system().exists(directory)) {
    return Error{ErrorCode::kAlreadyExists, "snapshot " + in_quotes(name) + " exists already",
                 "snapshot_exists"};
  }
  QUIPU_TRY_OK(core.engine.snapshot(directory));
  return "snapshots/" + std::string(name);
}

}  // namespace quipu::api
