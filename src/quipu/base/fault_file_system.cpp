#include "quipu/base/fault_file_system.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "quipu/assert.h"
#include "quipu/base/bytes.h"
#include "quipu/base/fault_tree.h"
#include "quipu/base/thread_annotations.h"

namespace quipu {
namespace {

using detail::FaultNode;
using detail::FaultNodePtr;

constexpr std::uint64_t kSectorBytes = 512;

Error power_lost(const std::string& path) {
  return Error{.code = ErrorCode::kIo,
               .message = path + ": the power is lost (simulated)",
               .reason = "power_lost"};
}

Error injected(FaultKind kind, const std::string& path) {
  if (kind == FaultKind::kDiskFull) {
    return Error{.code = ErrorCode::kResourceExhausted,
                 .message = path + ": no space left on device (injected)",
                 .reason = "disk_full"};
  }
  return Error{.code = ErrorCode::kIo, .message = path + ": input/output error (injected)"};
}

}  // namespace

struct FaultFileSystem::State {
  State(FileSystem& file_system, const std::string& root)
      : base(file_system), tree(file_system, root) {
    MutexLock lock(mutex);
    Status loaded = tree.load();
    if (!loaded.ok()) setup_error = std::move(loaded).error();
  }

  FileSystem& base;
  mutable Mutex mutex;
  detail::FaultTree tree GUARDED_BY(mutex);
  std::vector<Fault> faults GUARDED_BY(mutex);
  std::condition_variable faults_cleared;
  std::optional<Error> setup_error GUARDED_BY(mutex);
  std::uint64_t fired GUARDED_BY(mutex) = 0;
  std::uint64_t change_count GUARDED_BY(mutex) = 0;
  std::uint64_t crash_at GUARDED_BY(mutex) = 0;  // the change_count that crashes; 0 for none
  bool syncs_ignored GUARDED_BY(mutex) = false;
  bool materialised GUARDED_BY(mutex) = false;
  std::atomic<bool> dead = false;

  Status alive(const std::string& path) const REQUIRES(mutex) {
    if (setup_error.has_value()) return *setup_error;
    if (dead.load()) return power_lost(path);
    return ok_status();
  }

  // The planned failure of this call, if there is one.
  std::optional<Fault> next_fault(FaultPoint point, const std::string& path) REQUIRES(mutex) {
    for (Fault& fault : faults) {
      if (fault.point != point || fault.count == 0) continue;
      if (path.find(fault.path_part) == std::string::npos) continue;
      if (fault.skip > 0) {
        --fault.skip;
        continue;
      }
      if (fault.count != kFaultForever) --fault.count;
      ++fired;
      return fault;
    }
    return std::nullopt;
  }

  Status fault_of(FaultPoint point, const std::string& path) REQUIRES(mutex) {
    if (const std::optional<Fault> fault = next_fault(point, path)) {
      return injected(fault->kind, path);
    }
    return ok_status();
  }

  // Counts a change. True when it is the one that loses the power.
  bool count_change() REQUIRES(mutex) {
    ++change_count;
    if (crash_at == 0 || change_count < crash_at) return false;
    dead.store(true);
    return true;
  }
};

namespace {

using State = FaultFileSystem::State;

class FaultWritableFile final : public WritableFile {
 public:
  // `node` is null for a file outside the root.
  FaultWritableFile(std::shared_ptr<State> state, std::unique_ptr<WritableFile> file,
                    FaultNodePtr node, std::string path)
      : state_(std::move(state)),
        file_(std::move(file)),
        node_(std::move(node)),
        path_(std::move(path)) {}

  ~FaultWritableFile() override {
    MutexLock lock(state_->mutex);
    file_.reset();
    node_.reset();  // May remove a link, which the lock orders with everything else.
  }

  Status append(std::span<const std::byte> bytes) override {
    MutexLock lock(state_->mutex);
    QUIPU_TRY_OK(usable());
    const bool crashes = state_->count_change();
    const std::optional<Fault> fault = state_->next_fault(FaultPoint::kAppend, path_);
    if (fault && fault->kind == FaultKind::kHold) {
      while (!state_->faults.empty()) state_->faults_cleared.wait(lock.native());
    } else if (fault) {
      if (fault->short_write) {
        QUIPU_TRY_OK(write(bytes.subspan(0, bytes.size() / 2)));
      }
      return injected(fault->kind, path_);
    }
    QUIPU_TRY_OK(write(bytes));
    if (crashes) return power_lost(path_);
    return ok_status();
  }

  Status sync() override {
    MutexLock lock(state_->mutex);
    QUIPU_TRY_OK(usable());
    if (state_->count_change()) return power_lost(path_);
    Status injected_fault = state_->fault_of(FaultPoint::kSync, path_);
    if (!injected_fault.ok()) {
      sync_failed_ = true;
      return injected_fault;
    }
    if (node_ != nullptr && !state_->syncs_ignored) node_->mark_synced();
    return ok_status();
  }

  Status close() override {
    MutexLock lock(state_->mutex);
    QUIPU_TRY_OK(state_->alive(path_));
    return file_->close();
  }

  std::uint64_t size() const noexcept override { return file_->size(); }

  Status truncate(std::uint64_t size) override {
    MutexLock lock(state_->mutex);
    QUIPU_TRY_OK(usable());
    const bool crashes = state_->count_change();
    if (node_ != nullptr) QUIPU_TRY_OK(node_->note_truncate(size));
    QUIPU_TRY_OK(file_->truncate(size));
    if (crashes) return power_lost(path_);
    return ok_status();
  }

  void preallocate(std::uint64_t offset, std::uint64_t length) override {
    MutexLock lock(state_->mutex);
    if (usable().ok()) file_->preallocate(offset, length);
  }

 private:
  Status usable() const REQUIRES(state_->mutex) {
    QUIPU_TRY_OK(state_->alive(path_));
    if (!sync_failed_) return ok_status();
    return Error{.code = ErrorCode::kIo, .message = path_ + ": an earlier sync failed"};
  }

  Status write(std::span<const std::byte> bytes) REQUIRES(state_->mutex) {
    Status written = file_->append(bytes);
    // Also after an error: part of the bytes may be there.
    if (node_ != nullptr) node_->size = file_->size();
    return written;
  }

  std::shared_ptr<State> state_;
  std::unique_ptr<WritableFile> file_;
  FaultNodePtr node_;
  std::string path_;
  bool sync_failed_ = false;
};

class FaultRandomAccessFile final : public RandomAccessFile {
 public:
  FaultRandomAccessFile(std::shared_ptr<State> state, std::unique_ptr<RandomAccessFile> file,
                        std::string path)
      : state_(std::move(state)), file_(std::move(file)), path_(std::move(path)) {}

  Result<std::size_t> read(std::uint64_t offset, std::span<std::byte> into) const override {
    if (state_->dead.load()) return power_lost(path_);
    return file_->read(offset, into);
  }
  std::uint64_t size() const noexcept override { return file_->size(); }

 private:
  std::shared_ptr<State> state_;
  std::unique_ptr<RandomAccessFile> file_;
  std::string path_;
};

// What a file holds after the power cut. `present` is all that was written to it.
std::string surviving_content(const FaultNode& node, std::string present, Rng& rng,
                              CrashMode mode) {
  const auto floor = static_cast<std::size_t>(node.floor);
  const std::string synced = present.substr(0, floor) + node.cut;
  if (mode == CrashMode::kDropUnsynced) return synced;
  // A truncation that is lost takes what was written after it along.
  if (!node.cut.empty() && rng.below(2) == 0) return synced;
  const std::size_t unsynced = present.size() - floor;
  std::size_t kept = unsynced;
  switch (rng.below(3)) {
    case 0: kept = static_cast<std::size_t>(rng.below(unsynced + 1)); break;
    case 1: kept = mode == CrashMode::kReorder ? unsynced : 0; break;
    default: break;
  }
  present.resize(floor + kept);
  if (mode == CrashMode::kPrefix) return present;
  const std::uint64_t keep_of_eight = rng.below(9);
  for (std::size_t begin = floor; begin < present.size();) {
    const std::size_t end =
        std::min<std::size_t>((begin / kSectorBytes + 1) * kSectorBytes, present.size());
    if (rng.below(8) >= keep_of_eight) {
      // A sector is written whole, so beside synced bytes there can be no garbage.
      const bool garbage = begin % kSectorBytes == 0 && rng.below(2) == 0;
      for (std::size_t at = begin; at < end; ++at) {
        present[at] = garbage ? static_cast<char>(rng.below(256)) : '\0';
      }
    }
    begin = end;
  }
  return present;
}

std::uint64_t count_different(std::string_view before, std::string_view after, std::size_t from) {
  std::uint64_t count = 0;
  for (std::size_t at = from; at < before.size(); ++at) {
    if (at >= after.size() || before[at] != after[at]) ++count;
  }
  return count;
}

// Turns the account of a tree into files. The links of the tree's files are rewritten, the root is
// emptied, and the surviving names are linked anew.
class Materialiser {
 public:
  Materialiser(FileSystem& base, detail::FaultTree& tree, Rng& rng, CrashMode mode)
      : fs_(base), tree_(tree), rng_(rng), mode_(mode) {}

  Result<CrashReport> run() {
    const std::vector<FaultNodePtr> nodes = tree_.nodes();
    for (const FaultNodePtr& node : nodes) report_.unsynced_changes += node->pending.size();
    for (const FaultNodePtr& node : nodes) {
      if (node->is_directory()) keep_changes(*node);
    }
    for (const FaultNodePtr& node : nodes) {
      report_.lost_changes += node->pending.size();
      if (!node->is_directory()) QUIPU_TRY_OK(rewrite(*node));
    }
    QUIPU_TRY(const std::vector<std::string> names, fs_.list(tree_.root_path()));
    for (const std::string& name : names) {
      QUIPU_TRY_OK(remove_tree(fs_, tree_.root_path() + "/" + name));
    }
    QUIPU_TRY_OK(link_entries(*tree_.root(), tree_.root_path()));
    return report_;
  }

 private:
  void keep_changes(FaultNode& directory) {
    if (mode_ == CrashMode::kDropUnsynced || directory.pending.empty()) return;
    const std::uint64_t count = rng_.below(directory.pending.size() + 1);
    if (count == 0) return;
    detail::commit_changes(directory,
                           directory.pending[static_cast<std::size_t>(count - 1)].number);
  }

  Status rewrite(const FaultNode& node) {
    if (node.cut.empty() && node.floor == node.size) return ok_status();
    QUIPU_TRY(const std::string present,
              read_file(fs_, node.shadow, std::numeric_limits<std::uint32_t>::max()));
    const std::string after = surviving_content(node, present, rng_, mode_);
    report_.unsynced_bytes += present.size() - node.floor;
    report_.lost_bytes += count_different(present, after, static_cast<std::size_t>(node.floor));
    QUIPU_TRY(const std::unique_ptr<WritableFile> file,
              fs_.open_writable(node.shadow, OpenMode::kTruncate));
    QUIPU_TRY_OK(file->append(as_byte_span(after)));
    return file->close();
  }

  // As deep as the tree, which the base's own path limits bound.
  Status link_entries(const FaultNode& directory, const std::string& path) {
    for (const auto& [name, node] : directory.synced) {
      const std::string inside = path + "/" + name;
      if (node->is_directory()) {
        QUIPU_TRY_OK(fs_.create_directories(inside));
        QUIPU_TRY_OK(link_entries(*node, inside));
      } else {
        QUIPU_TRY_OK(fs_.hard_link(node->shadow, inside));
      }
    }
    return ok_status();
  }

  FileSystem& fs_;
  detail::FaultTree& tree_;
  Rng& rng_;
  const CrashMode mode_;
  CrashReport report_;
};

}  // namespace

FaultFileSystem::FaultFileSystem(FileSystem& base, const std::string& root)
    : state_(std::make_shared<State>(base, root)) {}

FaultFileSystem::~FaultFileSystem() {
  MutexLock lock(state_->mutex);
  // Files that outlive us find the power lost instead of a tree that is gone.
  state_->dead.store(true);
  // After a power cut the folder is gone, and may be that of the next of our kind already. A folder
  // that stays is removed by the next.
  if (!state_->materialised) static_cast<void>(state_->tree.unload());
}

void FaultFileSystem::crash() {
  MutexLock lock(state_->mutex);
  state_->dead.store(true);
}

void FaultFileSystem::crash_after(std::uint64_t changes) {
  MutexLock lock(state_->mutex);
  state_->crash_at = changes == 0 ? 0 : state_->change_count + changes;
}

bool FaultFileSystem::crashed() const noexcept { return state_->dead.load(); }

std::uint64_t FaultFileSystem::changes() const {
  MutexLock lock(state_->mutex);
  return state_->change_count;
}

Result<CrashReport> FaultFileSystem::materialise(Rng& rng, CrashMode mode) {
  MutexLock lock(state_->mutex);
  if (state_->setup_error.has_value()) return *state_->setup_error;
  if (!state_->dead.load() || state_->materialised) {
    return Error{.code = ErrorCode::kFailedPrecondition,
                 .message = state_->materialised ? "the power cut was materialised already"
                                                 : "the power was not cut yet"};
  }
  state_->materialised = true;
  QUIPU_TRY(const CrashReport report, Materialiser(state_->base, state_->tree, rng, mode).run());
  QUIPU_TRY_OK(state_->tree.unload());
  return report;
}

void FaultFileSystem::ignore_syncs(bool ignore) {
  MutexLock lock(state_->mutex);
  state_->syncs_ignored = ignore;
}

void FaultFileSystem::inject(Fault fault) {
  MutexLock lock(state_->mutex);
  state_->faults.push_back(std::move(fault));
}

void FaultFileSystem::clear_faults() {
  MutexLock lock(state_->mutex);
  state_->faults.clear();
  state_->faults_cleared.notify_all();
}

std::uint64_t FaultFileSystem::faults_fired() const {
  MutexLock lock(state_->mutex);
  return state_->fired;
}

Result<std::unique_ptr<WritableFile>> FaultFileSystem::open_writable(const std::string& path,
                                                                     OpenMode mode) {
  State& state = *state_;
  MutexLock lock(state.mutex);
  QUIPU_TRY_OK(state.alive(path));
  const bool crashes = state.count_change();
  QUIPU_TRY_OK(state.fault_of(FaultPoint::kOpenWritable, path));
  FaultNodePtr node = state.tree.find(path);
  // Opened without truncation first: what a truncation takes away is read before it is gone, and
  // nothing is noted when the file cannot be opened at all.
  QUIPU_TRY(std::unique_ptr<WritableFile> file, state.base.open_writable(path, OpenMode::kAppend));
  if (mode == OpenMode::kTruncate && file->size() > 0) {
    if (node != nullptr) QUIPU_TRY_OK(node->note_truncate(0));
    QUIPU_TRY_OK(file->truncate(0));
  }
  if (node == nullptr && state.tree.contains(path)) {
    QUIPU_TRY(node, state.tree.add_file(path));
  }
  if (crashes) return power_lost(path);
  return std::unique_ptr<WritableFile>(
      std::make_unique<FaultWritableFile>(state_, std::move(file), std::move(node), path));
}

Result<std::unique_ptr<RandomAccessFile>> FaultFileSystem::open_random_access(
    const std::string& path) {
  MutexLock lock(state_->mutex);
  QUIPU_TRY_OK(state_->alive(path));
  QUIPU_TRY(std::unique_ptr<RandomAccessFile> file, state_->base.open_random_access(path));
  return std::unique_ptr<RandomAccessFile>(
      std::make_unique<FaultRandomAccessFile>(state_, std::move(file), path));
}

Result<std::unique_ptr<MappedFile>> FaultFileSystem::map(const std::string& path) {
  MutexLock lock(state_->mutex);
  QUIPU_TRY_OK(state_->alive(path));
  return state_->base.map(path);
}

bool FaultFileSystem::exists(const std::string& path) {
  MutexLock lock(state_->mutex);
  return state_->alive(path).ok() && state_->base.exists(path);
}

bool FaultFileSystem::is_directory(const std::string& path) {
  MutexLock lock(state_->mutex);
  return state_->alive(path).ok() && state_->base.is_directory(path);
}

Result<std::vector<std::string>> FaultFileSystem::list(const std::string& directory) {
  MutexLock lock(state_->mutex);
  QUIPU_TRY_OK(state_->alive(directory));
  return state_->base.list(directory);
}

Result<std::uint64_t> FaultFileSystem::file_size(const std::string& path) {
  MutexLock lock(state_->mutex);
  QUIPU_TRY_OK(state_->alive(path));
  return state_->base.file_size(path);
}

Result<std::int64_t> FaultFileSystem::modified_us(const std::string& path) {
  MutexLock lock(state_->mutex);
  QUIPU_TRY_OK(state_->alive(path));
  return state_->base.modified_us(path);
}

Status FaultFileSystem::create_directories(const std::string& path) {
  State& state = *state_;
  MutexLock lock(state.mutex);
  QUIPU_TRY_OK(state.alive(path));
  std::vector<std::string> missing;  // innermost first
  for (std::string at = detail::normal_path(path);
       state.tree.contains(at) && state.tree.find(at) == nullptr; at = parent_directory(at)) {
    missing.push_back(at);
  }
  if (missing.empty()) return state.base.create_directories(path);
  for (auto next = missing.rbegin(); next != missing.rend(); ++next) {
    const bool crashes = state.count_change();
    QUIPU_TRY_OK(state.base.create_directories(*next));
    QUIPU_TRY_OK(state.tree.add_directory(*next));
    if (crashes) return power_lost(path);
    if (state.syncs_ignored) continue;
    // As the contract says: it is there for good when we return.
    FaultNode& parent = *state.tree.find(parent_directory(*next));
    detail::commit_changes(parent, parent.pending.back().number);
  }
  return ok_status();
}

Status FaultFileSystem::remove_file(const std::string& path) {
  State& state = *state_;
  MutexLock lock(state.mutex);
  QUIPU_TRY_OK(state.alive(path));
  const bool crashes = state.count_change();
  QUIPU_TRY_OK(state.base.remove_file(path));
  if (state.tree.contains(path)) state.tree.remove(path);
  if (crashes) return power_lost(path);
  return ok_status();
}

Status FaultFileSystem::remove_directory(const std::string& path) {
  State& state = *state_;
  MutexLock lock(state.mutex);
  QUIPU_TRY_OK(state.alive(path));
  if (detail::normal_path(path) == state.tree.root_path()) {
    return Error{.code = ErrorCode::kInvalidArgument,
                 .message = path + ": the root of a FaultFileSystem cannot be removed"};
  }
  const bool crashes = state.count_change();
  QUIPU_TRY_OK(state.base.remove_directory(path));
  if (state.tree.contains(path)) state.tree.remove(path);
  if (crashes) return power_lost(path);
  return ok_status();
}

Status FaultFileSystem::rename(const std::string& from, const std::string& to) {
  State& state = *state_;
  MutexLock lock(state.mutex);
  QUIPU_TRY_OK(state.alive(from));
  if (state.tree.contains(from) != state.tree.contains(to)) {
    return Error{.code = ErrorCode::kInvalidArgument,
                 .message = "cannot rename " + from + " to " + to +
                            ": one of them is outside the root of the FaultFileSystem"};
  }
  const bool crashes = state.count_change();
  QUIPU_TRY_OK(state.fault_of(FaultPoint::kRename, from));
  QUIPU_TRY_OK(state.base.rename(from, to));
  if (state.tree.contains(from)) state.tree.rename(from, to);
  if (crashes) return power_lost(from);
  return ok_status();
}

Status FaultFileSystem::hard_link(const std::string& from, const std::string& to) {
  State& state = *state_;
  MutexLock lock(state.mutex);
  QUIPU_TRY_OK(state.alive(from));
  if (state.tree.contains(from) != state.tree.contains(to)) {
    return Error{.code = ErrorCode::kInvalidArgument,
                 .message = "cannot link " + from + " as " + to +
                            ": one of them is outside the root of the FaultFileSystem"};
  }
  const bool crashes = state.count_change();
  QUIPU_TRY_OK(state.base.hard_link(from, to));
  if (state.tree.contains(from)) state.tree.link(from, to);
  if (crashes) return power_lost(from);
  return ok_status();
}

Status FaultFileSystem::sync_directory(const std::string& path) {
  State& state = *state_;
  MutexLock lock(state.mutex);
  QUIPU_TRY_OK(state.alive(path));
  if (state.count_change()) return power_lost(path);
  QUIPU_TRY_OK(state.fault_of(FaultPoint::kSyncDirectory, path));
  const FaultNodePtr node = state.tree.find(path);
  if (node == nullptr || !node->is_directory()) return state.base.sync_directory(path);
  if (!state.syncs_ignored && !node->pending.empty()) {
    detail::commit_changes(*node, node->pending.back().number);
  }
  return ok_status();
}

Result<std::unique_ptr<FileLock>> FaultFileSystem::lock(const std::string& path) {
  State& state = *state_;
  MutexLock lock(state.mutex);
  QUIPU_TRY_OK(state.alive(path));
  QUIPU_TRY(std::unique_ptr<FileLock> held, state.base.lock(path));
  // The base wrote the file without us. What a lock file says need not survive.
  if (state.tree.contains(path) && state.tree.find(path) == nullptr) {
    QUIPU_TRY_OK(state.tree.add_file(path));
  }
  return held;
}

Result<std::uint64_t> FaultFileSystem::free_bytes(const std::string& path) {
  MutexLock lock(state_->mutex);
  QUIPU_TRY_OK(state_->alive(path));
  return state_->base.free_bytes(path);
}

}  // namespace quipu
