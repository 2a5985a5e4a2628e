// A snapshot of everything that a server has, in a folder beside its data.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "quipu/api/call.h"
#include "quipu/result.h"

namespace quipu::api {

inline constexpr std::size_t kServerSnapshotNameMax = 100;
// 1 to 100 letters, digits, _ and -: so no name leads out of the folder.
[[nodiscard]] bool is_server_snapshot_name(std::string_view name);

// Waits for the disk. Returns its place below the data folder. Errors: kUnimplemented ("not_built")
// when the server has no folder for snapshots, kAlreadyExists ("snapshot_exists"), the engine's.
[[nodiscard]] Result<std::string> take_server_snapshot(const Call& call, std::string_view name);

}  // namespace quipu::api
