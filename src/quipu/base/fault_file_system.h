// A FileSystem for tests that can lose power: it works on a real directory through another
// FileSystem and keeps account of everything that was not synced, so that it can afterwards put the
// directory into a state that a power cut could have left (invariants.md, rule 23).
//
//   FaultFileSystem faults(posix_file_system(), root);
//   ... run the program on `faults`, below `root` ...
//   faults.crash();                                    // or crash_after(n): every call fails now
//   ... destroy the program ...
//   faults.materialise(rng, CrashMode::kReorder);      // then open `root` again, with a new one
//
// The promises are strict POSIX's and no more: a file's sync saves its bytes, not its name; only a
// directory's sync saves names. Of what was not synced, a rename over a file leaves the old file or
// the new, changes of one directory survive in order, and a rename from one directory to another is
// never half done; that much every journaling file system keeps.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "quipu/base/file_system.h"
#include "quipu/base/rng.h"
#include "quipu/result.h"

namespace quipu {

enum class CrashMode : std::uint8_t {
  // Exactly what was synced.
  kDropUnsynced,
  // Of each file's unsynced bytes a random prefix; of each directory's unsynced changes too.
  kPrefix,
  // As kPrefix for directories; of each file's unsynced bytes a random choice of 512-byte sectors,
  // later ones without earlier ones too, with zeros or garbage in the holes. Unsynced bytes of a
  // sector that also holds synced ones are kept or zero, and the synced ones always survive.
  kReorder,
};

enum class FaultPoint : std::uint8_t { kAppend, kSync, kSyncDirectory, kOpenWritable, kRename };
enum class FaultKind : std::uint8_t {
  kIoError,
  kDiskFull,
  kHold,  // kAppend only: the call waits for clear_faults(), then succeeds
};

// One planned failure.
struct Fault {
  FaultPoint point = FaultPoint::kAppend;
  FaultKind kind = FaultKind::kIoError;
  std::string path_part;     // only calls whose path contains this; "" for all
  std::uint64_t skip = 0;    // such calls that still succeed first
  std::uint64_t count = 1;   // then this many fail
  bool short_write = false;  // kAppend: half of the bytes are written before it fails
};
inline constexpr std::uint64_t kFaultForever = std::numeric_limits<std::uint64_t>::max();

// What a materialise() took away, for tests to check that the crash was one.
struct CrashReport {
  std::uint64_t unsynced_bytes = 0;    // of files, at the moment of the crash
  std::uint64_t lost_bytes = 0;        // of those, cut off or replaced
  std::uint64_t unsynced_changes = 0;  // of directories
  std::uint64_t lost_changes = 0;
};

// Paths are compared as text: give `root` and all paths in one form (all absolute, say); double
// slashes, "." and ".." inside them are understood. Paths outside `root` go to `base` untracked.
// What is below `root` at construction counts as synced. Beside `root` it keeps a folder of its
// own, root + ".unsynced", with a hard link to every file; nobody else may change `root` meanwhile,
// and the next FaultFileSystem on it is made after this one's materialise() or destruction. Real
// syncs are not done: what is durable is decided here.
//
// Threads: any; one lock inside. Files that it opened may outlive it, but not `base`.
class FaultFileSystem final : public FileSystem {
 public:
  // `root` must be a directory. Errors of the set-up are the result of every later call.
  FaultFileSystem(FileSystem& base, const std::string& root);
  ~FaultFileSystem() override;
  FaultFileSystem(const FaultFileSystem&) = delete;
  FaultFileSystem& operator=(const FaultFileSystem&) = delete;

  // From now on every call fails with kIo ("power_lost"), those on open files too.
  void crash();
  // The `changes`th change from now (1 is the next) crashes: a sync is not done, another change is
  // done but fails all the same. 0 calls it off.
  void crash_after(std::uint64_t changes);
  [[nodiscard]] bool crashed() const noexcept;
  // Calls so far that change something: opens for writing, appends, truncations, syncs, renames,
  // links, removals, new directories. A crash test first counts them, then crashes at each.
  [[nodiscard]] std::uint64_t changes() const;
  // After a crash, and once: rewrites `root`. Files opened through this object stay dead; use a
  // new one. Errors: kFailedPrecondition without a crash or the second time, and those of `base`.
  Result<CrashReport> materialise(Rng& rng, CrashMode mode);

  // Syncs report success and do nothing: the negative control of crash tests.
  void ignore_syncs(bool ignore);
  // Faults are independent; the first planned one that matches a call decides.
  void inject(Fault fault);
  void clear_faults();
  // How often an injected fault made a call fail.
  [[nodiscard]] std::uint64_t faults_fired() const;

  Result<std::unique_ptr<WritableFile>> open_writable(const std::string& path,
                                                      OpenMode mode) override;
  Result<std::unique_ptr<RandomAccessFile>> open_random_access(const std::string& path) override;
  Result<std::unique_ptr<MappedFile>> map(const std::string& path) override;
  [[nodiscard]] bool exists(const std::string& path) override;
  [[nodiscard]] bool is_directory(const std::string& path) override;
  Result<std::vector<std::string>> list(const std::string& directory) override;
  Result<std::uint64_t> file_size(const std::string& path) override;
  Result<std::int64_t> modified_us(const std::string& path) override;
  Status create_directories(const std::string& path) override;
  Status remove_file(const std::string& path) override;
  Status remove_directory(const std::string& path) override;
  Status rename(const std::string& from, const std::string& to) override;
  Status hard_link(const std::string& from, const std::string& to) override;
  Status sync_directory(const std::string& path) override;
  Result<std::unique_ptr<FileLock>> lock(const std::string& path) override;
  Result<std::uint64_t> free_bytes(const std::string& path) override;

  struct State;  // Public for the files that share it; opaque.

 private:
  std::shared_ptr<State> state_;
};

}  // namespace quipu
