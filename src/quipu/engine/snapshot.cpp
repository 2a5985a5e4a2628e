// Snapshots to a folder, and their way back.
//
// A snapshot holds what a data folder holds and opens as one. The view files are taken first and
// the store last (invariants.md, rule 2), so no view is ahead of its state; the log from a view's
// number on is there, because no log is cut meanwhile.
#include <utility>

#include "quipu/base/checkpoint_file.h"
#include "quipu/base/format.h"
#include "quipu/engine/engine_state.h"
#include "quipu/storage/rocksdb/rocks_store.h"

namespace quipu {
namespace {

constexpr std::size_t kCopyBlock = 1U << 20;

Status copy_file(FileSystem& fs, const std::string& from, const std::string& to) {
  QUIPU_TRY(const std::unique_ptr<RandomAccessFile> source, fs.open_random_access(from));
  QUIPU_TRY(const std::unique_ptr<WritableFile> target, fs.open_writable(to, OpenMode::kTruncate));
  std::vector<std::byte> block(kCopyBlock);
  for (std::uint64_t offset = 0;;) {
    QUIPU_TRY(const std::size_t count, source->read(offset, block));
    if (count == 0) break;
    QUIPU_TRY_OK(target->append(std::span<const std::byte>(block).first(count)));
    offset += count;
  }
  QUIPU_TRY_OK(target->sync());
  return target->close();
}

// Files are linked where the file system can (view files never change), copied where not.
Status copy_tree(FileSystem& fs, const std::string& from, const std::string& to, bool link) {
  QUIPU_TRY_OK(fs.create_directories(to));
  QUIPU_TRY(const std::vector<std::string> names, fs.list(from));
  for (const std::string& name : names) {
    const std::string source = from + "/" + name;
    const std::string target = to + "/" + name;
    if (fs.is_directory(source)) {
      QUIPU_TRY_OK(copy_tree(fs, source, target, link));
    } else if (!link || !fs.hard_link(source, target).ok()) {
      QUIPU_TRY_OK(copy_file(fs, source, target));
    }
  }
  return fs.sync_directory(to);
}

// Every view file of a snapshot against its checksums.
Status verify_views(FileSystem& fs, const std::string& directory) {
  if (!fs.exists(directory)) return ok_status();
  QUIPU_TRY(const std::vector<std::string> names, fs.list(directory));
  for (const std::string& name : names) {
    const std::string path = directory + "/" + name;
    if (fs.is_directory(path)) {
      QUIPU_TRY_OK(verify_views(fs, path));
    } else if (name.ends_with(".ckpt")) {
      const std::string_view kind = name.starts_with("slots")     ? "slots"
                                    : name.starts_with("dense")   ? "dense"
                                    : name.starts_with("payload") ? "payload"
                                                                  : "sparse";
      QUIPU_TRY(const std::unique_ptr<CheckpointFile> file, CheckpointFile::open(fs, path, kind));
      QUIPU_TRY_OK(file->verify());
    }
  }
  return ok_status();
}

}  // namespace

Status Engine::snapshot(const std::string& directory) {
  State& state = *state_;
  QUIPU_TRY_OK(state.check_open());
  if (state.fs->exists(directory)) {
    return Error{ErrorCode::kAlreadyExists,
                 format("{} exists; a snapshot needs a folder of its own", directory),
                 "snapshot_exists"};
  }
  QUIPU_TRY_OK(checkpoint());  // so that restoring need not replay or rebuild
  const engine::Maintenance::Hold hold(*state.maintenance);
  const auto make = [&]() -> Status {
    QUIPU_TRY_OK(state.fs->create_directories(directory));
    if (state.fs->exists(state.views->directory())) {
      QUIPU_TRY_OK(copy_tree(*state.fs, state.views->directory(), directory + "/views", true));
    }
    QUIPU_TRY_OK(state.kv->sync_wal());
    QUIPU_TRY_OK(state.kv->checkpoint(directory + "/store"));
    // Last: a folder with this file is a whole snapshot.
    QUIPU_TRY(const std::string text,
              read_file(*state.fs, state.options.data_dir + "/QUIPU", 4'096));
    return write_file_atomically(*state.fs, directory + "/QUIPU", text);
  };
  Status made = make();
  if (!made.ok()) {
    // What is half there is worth nothing; the first error is the one to report.
    static_cast<void>(remove_tree(*state.fs, directory).ok());
  }
  return made;
}

Status Engine::restore(const std::string& snapshot_dir, const std::string& data_dir,
                       const EngineEnvironment& environment) {
  FileSystem& fs =
      environment.file_system != nullptr ? *environment.file_system : posix_file_system();
  if (!fs.exists(snapshot_dir + "/QUIPU") || !fs.exists(snapshot_dir + "/store")) {
    return Error{
        ErrorCode::kNotFound,
        format("{} is not a whole snapshot (no QUIPU file or no store in it)", snapshot_dir),
        "snapshot_not_found"};
  }
  if (fs.exists(data_dir)) {
    QUIPU_TRY(const std::vector<std::string> names, fs.list(data_dir));
    if (!names.empty()) {
      return Error{ErrorCode::kAlreadyExists,
                   format("{} is not empty; a snapshot is restored into an absent or empty folder",
                          data_dir),
                   "data_dir_not_empty"};
    }
  }
  QUIPU_TRY_OK(verify_views(fs, snapshot_dir + "/views"));
  const auto copy = [&]() -> Status {
    QUIPU_TRY_OK(fs.create_directories(data_dir));
    QUIPU_TRY_OK(copy_tree(fs, snapshot_dir + "/store", data_dir + "/store", false));
    if (fs.exists(snapshot_dir + "/views")) {
      QUIPU_TRY_OK(copy_tree(fs, snapshot_dir + "/views", data_dir + "/views", false));
    }
    // Opening checks what RocksDB can check of its own files.
    {
      QUIPU_TRY(const std::unique_ptr<KeyValueStore> store,
                storage::open_rocks_store({.path = data_dir + "/store", .file_system = fs}));
      QUIPU_TRY_OK(engine::load_catalogue(*store));
    }
    QUIPU_TRY(const std::string text, read_file(fs, snapshot_dir + "/QUIPU", 4'096));
    return write_file_atomically(fs, data_dir + "/QUIPU", text);
  };
  Status copied = copy();
  if (!copied.ok()) {
    static_cast<void>(remove_tree(fs, data_dir).ok());  // as in snapshot()
  }
  return copied;
}

}  // namespace quipu
