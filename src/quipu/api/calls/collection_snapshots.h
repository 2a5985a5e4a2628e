// Snapshots of collections as files that a server keeps: one folder for each collection, below that
// of its tenant, <folder>/<tenant>/<collection>/<name>.snapshot, each with its SHA-256 beside it
// (.sha256). A file is written under another name and renamed when it is whole.
//
// Threads: any. Making, adding and recovering may take long: for a pool that may wait.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "quipu/api/call.h"
#include "quipu/base/file_system.h"
#include "quipu/engine.h"
#include "quipu/result.h"

namespace quipu::api {

struct SnapshotFile {
  std::string name;
  std::uint64_t size = 0;
  std::string sha256;
  std::int64_t made_us = 0;
};

// 1 to 255 of [A-Za-z0-9_.-], not beginning with '.', ending in ".snapshot": so no name leads out
// of its folder. Errors: kInvalidArgument ("invalid_name").
[[nodiscard]] Status check_snapshot_name(std::string_view name);

// What was asked of a recovery.
struct SnapshotRecovery {
  std::string path;
  std::string sha256;  // "": not compared
  std::optional<std::uint32_t> shard_count;
};

class CollectionSnapshots {
 public:
  // Of the call's tenant. `collection`: a name or an alias; one that is not there has a folder all
  // the same, which may hold what was left or added. Errors: kUnimplemented ("not_built") when the
  // server has no folder for snapshots, kInvalidArgument ("invalid_name").
  [[nodiscard]] static Result<CollectionSnapshots> of(const Call& call,
                                                      std::string_view collection);

  // Those of this collection, by name. Errors: kNotFound when there is no such collection.
  [[nodiscard]] Result<std::vector<SnapshotFile>> list() const;
  [[nodiscard]] Result<SnapshotFile> make() const;
  // Errors of these: kNotFound ("snapshot_not_found"), those of check_snapshot_name().
  [[nodiscard]] Result<SnapshotFile> find(std::string_view name) const;
  [[nodiscard]] Result<std::string> path_of(std::string_view name) const;
  [[nodiscard]] Status remove(std::string_view name) const;
  // Takes over a file that lies below the same folder, if it is a whole snapshot; it is gone then.
  // Errors: kCorruption ("snapshot_damaged"), kAlreadyExists ("snapshot_exists").
  [[nodiscard]] Result<SnapshotFile> add(std::string_view name, const std::string& path) const;
  // The collection takes what the file holds, its clients' options too.
  [[nodiscard]] Result<CollectionInfo> recover(const SnapshotRecovery& request) const;

  [[nodiscard]] const std::string& root() const noexcept { return root_; }

 private:
  CollectionSnapshots(Core& core, std::string tenant, std::string collection)
      : core_(&core), tenant_(std::move(tenant)), collection_(std::move(collection)) {}
  [[nodiscard]] Result<SnapshotFile> describe_file(const std::string& name) const;
  Status write_digest(const std::string& name, const std::string& sha256) const;

  Core* core_;
  std::string tenant_;
  std::string collection_;  // its own name
  std::string root_;        // of all collections
  std::string folder_;
};

// Where what is not checked yet may be put: a new name each time, in a folder below `root` that is
// there.
[[nodiscard]] Result<std::string> new_upload_path(const std::string& root);
// Removes what a process that ended at once left there.
Status remove_uploads(const std::string& root);

// The file that the body of the call is: as the server received it, or else the body, written to a
// file. It is gone with the result. Errors: kInvalidArgument ("body_required"), kIo.
[[nodiscard]] Result<std::shared_ptr<const Upload>> upload_of(const Call& call,
                                                              const CollectionSnapshots& folder);
// The one file in a multipart/form-data body, which lies in `upload`, as a file of its own.
// Errors: kInvalidArgument ("malformed_multipart").
[[nodiscard]] Result<std::shared_ptr<const Upload>> part_of_form(const Call& call,
                                                                 const CollectionSnapshots& folder,
                                                                 const Upload& upload);
// The answer that is a snapshot's file.
[[nodiscard]] Response snapshot_response(const SnapshotFile& file, const std::string& path);

}  // namespace quipu::api
