#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <map>
#include <optional>
#include <set>
#include <system_error>
#include <utility>

#include "quipu/assert.h"
#include "quipu/base/file_system.h"
#include "quipu/base/log.h"
#include "quipu/base/thread_annotations.h"

namespace quipu {
namespace {

// People's memories are nobody else's to read.
constexpr mode_t kFileMode = 0600;
constexpr mode_t kDirectoryMode = 0700;
// Linux moves at most 2 GiB a call; smaller pieces change nothing but the number of calls.
constexpr std::size_t kTransferBytesMax = std::size_t{1} << 30U;
// Directories above a path that create_directories will make at most.
constexpr std::size_t kMissingParentsMax = 256;

Error os_error(std::string_view action, const std::string& path, int number) {
  Error error{.code = ErrorCode::kIo,
              .message = "cannot " + std::string(action) + " " + path + ": " +
                         std::generic_category().message(number)};
  switch (number) {
    case ENOENT: error.code = ErrorCode::kNotFound; break;
    case EEXIST: error.code = ErrorCode::kAlreadyExists; break;
    case ENOSPC:
    case EDQUOT:
    case EFBIG:  // a limit on the size of files
      error.code = ErrorCode::kResourceExhausted;
      error.reason = "disk_full";
      break;
    default: break;
  }
  return error;
}

// Repeats a call that a signal interrupted. `call` returns -1 and sets errno when it fails.
template <typename Call>
auto retry_interrupted(const Call& call) {
  for (;;) {
    const auto result = call();
    if (result != -1 || errno != EINTR) return result;
  }
}

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&&) = delete;
  ~Descriptor() {
    // Nothing is lost: what had to survive was synced, and its errors were looked at, before.
    if (fd_ >= 0) static_cast<void>(::close(fd_));
  }
  [[nodiscard]] int get() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

Result<Descriptor> open_descriptor(const std::string& path, int flags, std::string_view action) {
  const int fd =
      retry_interrupted([&] { return ::open(path.c_str(), flags | O_CLOEXEC, kFileMode); });
  if (fd < 0) return os_error(action, path, errno);
  return Descriptor(fd);
}

Result<struct stat> stat_of(const Descriptor& file, const std::string& path) {
  struct stat info {};
  if (::fstat(file.get(), &info) != 0) return os_error("look at", path, errno);
  return info;
}

class PosixWritableFile final : public WritableFile {
 public:
  PosixWritableFile(Descriptor file, std::string path, std::uint64_t size)
      : file_(std::move(file)), path_(std::move(path)), size_(size) {}

  Status append(std::span<const std::byte> bytes) override {
    QUIPU_TRY_OK(usable("write"));
    while (!bytes.empty()) {
      const std::size_t part = std::min(bytes.size(), kTransferBytesMax);
      // At our own place, so that a truncate needs no seek.
      const ssize_t written = retry_interrupted(
          [&] { return ::pwrite(file_.get(), bytes.data(), part, static_cast<off_t>(size_)); });
      if (written < 0) return os_error("write", path_, errno);
      if (written == 0) return os_error("write", path_, EIO);
      size_ += static_cast<std::uint64_t>(written);
      bytes = bytes.subspan(static_cast<std::size_t>(written));
    }
    return ok_status();
  }

  Status sync() override {
    QUIPU_TRY_OK(usable("sync"));
    if (retry_interrupted([&] { return ::fdatasync(file_.get()); }) == 0) return ok_status();
    // The kernel may have dropped the pages that it could not write and will report the failure
    // only once: a later sync would succeed without them.
    failed_ = true;
    return os_error("sync", path_, errno);
  }

  Status close() override {
    if (file_.get() < 0) return ok_status();
    // Not repeated after EINTR: Linux has closed the descriptor by then.
    if (::close(file_.release()) != 0 && errno != EINTR) return os_error("close", path_, errno);
    return ok_status();
  }

  std::uint64_t size() const noexcept override { return size_; }

  Status truncate(std::uint64_t size) override {
    QUIPU_TRY_OK(usable("truncate"));
    const int result =
        retry_interrupted([&] { return ::ftruncate(file_.get(), static_cast<off_t>(size)); });
    if (result != 0) return os_error("truncate", path_, errno);
    size_ = size;
    return ok_status();
  }

  void preallocate(std::uint64_t offset, std::uint64_t length) override {
    if (file_.get() < 0 || length == 0) return;
    // A hint: file systems without it go on without it, and a full disk is reported by the append.
    static_cast<void>(retry_interrupted([&] {
      return ::fallocate(file_.get(), FALLOC_FL_KEEP_SIZE, static_cast<off_t>(offset),
                         static_cast<off_t>(length));
    }));
  }

 private:
  [[nodiscard]] Status usable(std::string_view action) const {
    if (file_.get() < 0) return os_error(action, path_, EBADF);
    if (!failed_) return ok_status();
    return Error{.code = ErrorCode::kIo,
                 .message = "cannot " + std::string(action) + " " + path_ +
                            ": an earlier sync failed, so what the disk holds is unknown"};
  }

  Descriptor file_;
  std::string path_;
  std::uint64_t size_;
  bool failed_ = false;
};

class PosixRandomAccessFile final : public RandomAccessFile {
 public:
  PosixRandomAccessFile(Descriptor file, std::string path, std::uint64_t size)
      : file_(std::move(file)), path_(std::move(path)), size_(size) {}

  Result<std::size_t> read(std::uint64_t offset, std::span<std::byte> into) const override {
    std::size_t total = 0;
    while (total < into.size()) {
      const std::size_t part = std::min(into.size() - total, kTransferBytesMax);
      const ssize_t got = retry_interrupted([&] {
        return ::pread(file_.get(), into.data() + total, part, static_cast<off_t>(offset + total));
      });
      if (got < 0) return os_error("read", path_, errno);
      if (got == 0) break;
      total += static_cast<std::size_t>(got);
    }
    return total;
  }

  std::uint64_t size() const noexcept override { return size_; }

 private:
  Descriptor file_;
  std::string path_;
  std::uint64_t size_;
};

class PosixMappedFile final : public MappedFile {
 public:
  explicit PosixMappedFile(std::span<std::byte> bytes) : bytes_(bytes) {}
  PosixMappedFile(const PosixMappedFile&) = delete;
  PosixMappedFile& operator=(const PosixMappedFile&) = delete;
  ~PosixMappedFile() override {
    // It can fail only for an address that is no mapping of ours.
    if (!bytes_.empty()) QUIPU_ASSERT(::munmap(bytes_.data(), bytes_.size()) == 0);
  }
  std::span<std::byte> bytes() noexcept override { return bytes_; }

 private:
  std::span<std::byte> bytes_;
};

// Which files this process has locked. flock() alone would do on a local disk; over NFS it becomes
// a lock of the process, which a second owner in the same process would be given too.
class LockTable {
 public:
  using Key = std::pair<dev_t, ino_t>;
  bool insert(Key key) {
    MutexLock lock(mutex_);
    return held_.insert(key).second;
  }
  void erase(Key key) {
    MutexLock lock(mutex_);
    held_.erase(key);
  }

 private:
  Mutex mutex_;
  std::set<Key> held_ GUARDED_BY(mutex_);
};

LockTable& lock_table() {
  static LockTable table;
  return table;
}

class PosixFileLock final : public FileLock {
 public:
  PosixFileLock(Descriptor file, LockTable::Key key) : file_(std::move(file)), key_(key) {}
  PosixFileLock(const PosixFileLock&) = delete;
  PosixFileLock& operator=(const PosixFileLock&) = delete;
  // The descriptor is closed, and so the system's lock dropped, after this body: a second owner in
  // between is refused by the system, which is right.
  ~PosixFileLock() override { lock_table().erase(key_); }

 private:
  Descriptor file_;
  LockTable::Key key_;
};

// Who holds a lock, as it wrote into the file itself; empty when it cannot be known.
std::string lock_holder(const Descriptor& file) {
  char text[32];
  const ssize_t got = retry_interrupted([&] { return ::pread(file.get(), text, sizeof(text), 0); });
  if (got <= 0) return {};
  std::uint64_t process = 0;
  const std::from_chars_result read = std::from_chars(text, text + got, process);
  if (read.ec != std::errc() || process == 0) return {};
  return " (process " + std::to_string(process) + ")";
}

Error locked_error(const std::string& path, const std::string& holder) {
  return Error{.code = ErrorCode::kFailedPrecondition,
               .message = path + " is locked by another owner" + holder,
               .reason = "locked"};
}

Status sync_directory_at(const std::string& path) {
  QUIPU_TRY(const Descriptor directory, open_descriptor(path, O_RDONLY | O_DIRECTORY, "open"));
  if (retry_interrupted([&] { return ::fsync(directory.get()); }) != 0) {
    return os_error("sync", path, errno);
  }
  return ok_status();
}

bool is_directory_at(const std::string& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
}

class PosixFileSystem final : public FileSystem {
 public:
  Result<std::unique_ptr<WritableFile>> open_writable(const std::string& path,
                                                      OpenMode mode) override {
    const int flags = O_WRONLY | O_CREAT | (mode == OpenMode::kTruncate ? O_TRUNC : 0);
    QUIPU_TRY(Descriptor file, open_descriptor(path, flags, "open"));
    QUIPU_TRY(const struct stat info, stat_of(file, path));
    return std::unique_ptr<WritableFile>(std::make_unique<PosixWritableFile>(
        std::move(file), path, static_cast<std::uint64_t>(info.st_size)));
  }

  Result<std::unique_ptr<RandomAccessFile>> open_random_access(const std::string& path) override {
    QUIPU_TRY(Descriptor file, open_descriptor(path, O_RDONLY, "open"));
    QUIPU_TRY(const struct stat info, stat_of(file, path));
    if (S_ISDIR(info.st_mode)) return os_error("open", path, EISDIR);
    return std::unique_ptr<RandomAccessFile>(std::make_unique<PosixRandomAccessFile>(
        std::move(file), path, static_cast<std::uint64_t>(info.st_size)));
  }

  Result<std::unique_ptr<MappedFile>> map(const std::string& path) override {
    QUIPU_TRY(const Descriptor file, open_descriptor(path, O_RDONLY, "open"));
    QUIPU_TRY(const struct stat info, stat_of(file, path));
    if (S_ISDIR(info.st_mode)) return os_error("map", path, EISDIR);
    const auto size = static_cast<std::size_t>(info.st_size);
    std::span<std::byte> bytes;
    if (size > 0) {  // The system refuses an empty mapping, but an empty file is a file.
      // NORESERVE: only pages that are written to cost memory, and few are.
      void* const at =
          ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE, file.get(), 0);
      if (at == MAP_FAILED) return os_error("map", path, errno);
      bytes = {static_cast<std::byte*>(at), size};
    }
    return std::unique_ptr<MappedFile>(std::make_unique<PosixMappedFile>(bytes));
  }

  bool exists(const std::string& path) override {
    struct stat info {};
    return ::lstat(path.c_str(), &info) == 0;
  }

  bool is_directory(const std::string& path) override { return is_directory_at(path); }

  Result<std::vector<std::string>> list(const std::string& directory) override {
    DIR* const stream = ::opendir(directory.c_str());
    if (stream == nullptr) return os_error("list", directory, errno);
    const std::unique_ptr<DIR, int (*)(DIR*)> closer(stream, &::closedir);
    std::vector<std::string> names;
    for (;;) {
      errno = 0;  // the only way to tell the end from an error
      const struct dirent* const entry = ::readdir(stream);
      if (entry == nullptr) break;
      const std::string_view name = entry->d_name;
      if (name != "." && name != "..") names.emplace_back(name);
    }
    if (errno != 0) return os_error("list", directory, errno);
    return names;
  }

  Result<std::uint64_t> file_size(const std::string& path) override {
    struct stat info {};
    if (::stat(path.c_str(), &info) != 0) return os_error("look at", path, errno);
    return static_cast<std::uint64_t>(info.st_size);
  }

  Result<std::int64_t> modified_us(const std::string& path) override {
    struct stat info {};
    if (::stat(path.c_str(), &info) != 0) return os_error("look at", path, errno);
    return static_cast<std::int64_t>(info.st_mtim.tv_sec) * 1'000'000 +
           static_cast<std::int64_t>(info.st_mtim.tv_nsec) / 1'000;
  }

  Status create_directories(const std::string& path) override {
    std::vector<std::string> missing;  // innermost first
    std::string at = path;
    while (!is_directory_at(at)) {
      if (missing.size() == kMissingParentsMax) return os_error("create", path, ENAMETOOLONG);
      missing.push_back(at);
      std::string parent = parent_directory(at);
      if (parent == at) break;
      at = std::move(parent);
    }
    for (auto next = missing.rbegin(); next != missing.rend(); ++next) {
      // Somebody else may have made it since, which is as good; a file of that name is not.
      if (::mkdir(next->c_str(), kDirectoryMode) != 0 &&
          (errno != EEXIST || !is_directory_at(*next))) {
        return os_error("create the directory", *next, errno);
      }
      QUIPU_TRY_OK(sync_directory_at(parent_directory(*next)));
    }
    return ok_status();
  }

  Status remove_file(const std::string& path) override {
    if (::unlink(path.c_str()) != 0) return os_error("remove", path, errno);
    return ok_status();
  }

  Status remove_directory(const std::string& path) override {
    if (::rmdir(path.c_str()) == 0) return ok_status();
    // Some systems say EEXIST for a directory that is not empty; that is no kAlreadyExists.
    return os_error("remove the directory", path, errno == EEXIST ? ENOTEMPTY : errno);
  }

  Status rename(const std::string& from, const std::string& to) override {
    if (::rename(from.c_str(), to.c_str()) == 0) return ok_status();
    return os_error("rename " + from + " to", to, errno);
  }

  Status hard_link(const std::string& from, const std::string& to) override {
    if (::link(from.c_str(), to.c_str()) == 0) return ok_status();
    return os_error("link " + from + " as", to, errno);
  }

  Status sync_directory(const std::string& path) override { return sync_directory_at(path); }

  Result<std::unique_ptr<FileLock>> lock(const std::string& path) override {
    QUIPU_TRY(Descriptor file, open_descriptor(path, O_RDWR | O_CREAT, "open"));
    QUIPU_TRY(const struct stat info, stat_of(file, path));
    const LockTable::Key key{info.st_dev, info.st_ino};
    if (!lock_table().insert(key)) return locked_error(path, lock_holder(file));
    if (retry_interrupted([&] { return ::flock(file.get(), LOCK_EX | LOCK_NB); }) != 0) {
      const int number = errno;
      lock_table().erase(key);
      if (number == EWOULDBLOCK) return locked_error(path, lock_holder(file));
      return os_error("lock", path, number);
    }
    // For the message that the next one gets; a lock without it is still a lock.
    const std::string holder = std::to_string(::getpid()) + "\n";
    if (::ftruncate(file.get(), 0) != 0 ||
        ::pwrite(file.get(), holder.data(), holder.size(), 0) < 0) {
      log_debug("cannot note the holder in a lock file", {{"path", path}});
    }
    return std::unique_ptr<FileLock>(std::make_unique<PosixFileLock>(std::move(file), key));
  }

  Result<std::uint64_t> free_bytes(const std::string& path) override {
    struct statvfs info {};
    if (retry_interrupted([&] { return ::statvfs(path.c_str(), &info); }) != 0) {
      return os_error("look at the disk of", path, errno);
    }
    return static_cast<std::uint64_t>(info.f_bavail) * static_cast<std::uint64_t>(info.f_frsize);
  }
};

}  // namespace

FileSystem& posix_file_system() noexcept {
  static PosixFileSystem file_system;
  return file_system;
}

}  // namespace quipu
