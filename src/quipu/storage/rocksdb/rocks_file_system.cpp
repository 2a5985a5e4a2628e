#include "quipu/storage/rocksdb/rocks_file_system.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <span>
#include <string_view>
#include <system_error>
#include <utility>

#include "quipu/assert.h"

namespace quipu::storage {
namespace {

using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;
using rocksdb::Slice;

// RocksDB asks for as much space ahead as a memtable is large; an idle store should not take 35 MB.
constexpr std::size_t kPreallocateBytesMax = 4U << 20U;

constexpr std::string_view kOldTableSuffix = ".ldb";

template <typename T>
IOStatus status_of(const Result<T>& result) {
  return result.ok() ? IOStatus::OK() : to_io_status(result.error());
}

std::span<std::byte> bytes_at(char* data, std::size_t size) {
  return {reinterpret_cast<std::byte*>(data), size};
}

using SharedPath = std::shared_ptr<const std::string>;

// Shared, so that noting it on each read costs no copy, and a file may be closed meanwhile.
SharedPath& noted_path() {
  thread_local SharedPath path;
  return path;
}

class SequentialFile final : public rocksdb::FSSequentialFile {
 public:
  SequentialFile(std::unique_ptr<RandomAccessFile> file, SharedPath path)
      : file_(std::move(file)), path_(std::move(path)) {}

  IOStatus Read(std::size_t n, const IOOptions&, Slice* result, char* scratch,
                IODebugContext*) override {
    noted_path() = path_;
    const Result<std::size_t> got = file_->read(offset_, bytes_at(scratch, n));
    *result = Slice(scratch, got.ok() ? got.value() : 0);
    if (!got.ok()) return to_io_status(got.error());
    offset_ += got.value();
    return IOStatus::OK();
  }
  IOStatus Skip(std::uint64_t n) override {
    offset_ = std::min(offset_ + n, std::max(offset_, file_->size()));
    return IOStatus::OK();
  }
  IOStatus InvalidateCache(std::size_t, std::size_t) override { return IOStatus::OK(); }

 private:
  std::unique_ptr<RandomAccessFile> file_;
  SharedPath path_;
  std::uint64_t offset_ = 0;
};

class RandomFile final : public rocksdb::FSRandomAccessFile {
 public:
  RandomFile(std::unique_ptr<RandomAccessFile> file, SharedPath path)
      : file_(std::move(file)), path_(std::move(path)) {}

  IOStatus Read(std::uint64_t offset, std::size_t n, const IOOptions&, Slice* result, char* scratch,
                IODebugContext*) const override {
    noted_path() = path_;
    const Result<std::size_t> got = file_->read(offset, bytes_at(scratch, n));
    *result = Slice(scratch, got.ok() ? got.value() : 0);
    return status_of(got);
  }
  IOStatus InvalidateCache(std::size_t, std::size_t) override { return IOStatus::OK(); }

 private:
  std::unique_ptr<RandomAccessFile> file_;
  SharedPath path_;
};

// RocksDB writes its options to a file at each open, for tools. Quipu never reads them back, so
// they are not worth two syncs.
bool is_options_file(std::string_view path) {
  return path.substr(path.rfind('/') + 1).starts_with("OPTIONS-");
}

class Directory final : public rocksdb::FSDirectory {
 public:
  Directory(quipu::FileSystem& files, std::string path) : files_(files), path_(std::move(path)) {}
  IOStatus Fsync(const IOOptions&, IODebugContext*) override {
    return status_of(files_.sync_directory(path_));
  }
  IOStatus FsyncWithDirOptions(const IOOptions& options, IODebugContext* debug,
                               const rocksdb::DirFsyncOptions& why) override {
    if (is_options_file(why.renamed_new_name)) return IOStatus::OK();
    return Fsync(options, debug);
  }
  IOStatus Close(const IOOptions&, IODebugContext*) override { return IOStatus::OK(); }

 private:
  quipu::FileSystem& files_;
  std::string path_;
};

class Lock final : public rocksdb::FileLock {
 public:
  explicit Lock(std::unique_ptr<quipu::FileLock> lock) : lock_(std::move(lock)) {}

 private:
  std::unique_ptr<quipu::FileLock> lock_;
};

bool is_wal(std::string_view path) { return path.ends_with(".log"); }

// The number of a manifest's file name; 0 for other files, a number that RocksDB does not give.
std::uint64_t manifest_number(std::string_view path) {
  constexpr std::string_view kPrefix = "/MANIFEST-";
  const std::size_t at = path.rfind('/');
  if (at == std::string_view::npos || !path.substr(at).starts_with(kPrefix)) return 0;
  const std::string_view digits = path.substr(at + kPrefix.size());
  std::uint64_t number = 0;
  const std::from_chars_result read =
      std::from_chars(digits.data(), digits.data() + digits.size(), number);
  return read.ec == std::errc() && read.ptr == digits.data() + digits.size() ? number : 0;
}

std::atomic<std::uint64_t>* counter_of(WrittenBytes& written, std::string_view path) {
  if (is_wal(path)) return &written.wal;
  if (path.ends_with(".sst")) return &written.tables;
  if (path.ends_with(".blob")) return &written.blobs;
  return nullptr;
}

}  // namespace

IOStatus to_io_status(const Error& error) {
  switch (error.code) {
    case ErrorCode::kNotFound: return IOStatus::PathNotFound(error.message);
    case ErrorCode::kResourceExhausted: return IOStatus::NoSpace(error.message);
    case ErrorCode::kCorruption: return IOStatus::Corruption(error.message);
    case ErrorCode::kInvalidArgument: return IOStatus::InvalidArgument(error.message);
    case ErrorCode::kUnimplemented: return IOStatus::NotSupported(error.message);
    default: return IOStatus::IOError(error.message);
  }
}

std::string last_file_read() {
  const SharedPath& path = noted_path();
  return path == nullptr ? std::string() : *path;
}

// RocksDB's handle and the file system hold one of these; the file closes with the last of them.
// Our files are for one thread at a time, but RocksDB syncs a log while another thread appends.
class RocksFileSystem::Writable {
 public:
  Writable(std::unique_ptr<quipu::WritableFile> file, std::string path,
           std::shared_ptr<Counters> counters)
      : path_(std::move(path)),
        counters_(std::move(counters)),
        written_(counter_of(counters_->written, path_)),
        manifest_number_(manifest_number(path_)),
        file_(std::move(file)) {}

  IOStatus append(const Slice& data) {
    MutexLock lock(mutex_);
    const std::uint64_t size = file_->size();
    synced_ = false;
    const Status appended = file_->append(std::as_bytes(std::span(data.data(), data.size())));
    if (appended.ok()) {
      // Relaxed: a count, with which nothing is published.
      if (written_ != nullptr) written_->fetch_add(data.size(), std::memory_order_relaxed);
      return IOStatus::OK();
    }
    failed_ = true;
    // Where cutting fails too, the half record stays: recovery knows it by its checksum.
    if (file_->size() > size) static_cast<void>(file_->truncate(size));
    return to_io_status(appended.error());
  }
  // Costs nothing when nothing was appended since the last one, or after the close.
  Status sync() {
    MutexLock lock(mutex_);
    if (closed_ || synced_ || is_options_file(path_)) return ok_status();
    Status status = file_->sync();
    synced_ = status.ok();
    failed_ = failed_ || !status.ok();
    if (!status.ok()) return status;
    if (manifest_number_ != 0) {
      counters_->manifest.note({.number = manifest_number_, .bytes = file_->size()});
    }
    return ok_status();
  }
  [[nodiscard]] bool failed() {
    MutexLock lock(mutex_);
    return failed_;
  }
  IOStatus close() {
    MutexLock lock(mutex_);
    if (closed_) return IOStatus::OK();
    closed_ = true;
    return status_of(file_->close());
  }
  IOStatus truncate(std::uint64_t size) {
    MutexLock lock(mutex_);
    synced_ = false;
    return status_of(file_->truncate(size));
  }
  std::uint64_t size() {
    MutexLock lock(mutex_);
    return file_->size();
  }
  void preallocate(std::uint64_t offset, std::uint64_t length) {
    MutexLock lock(mutex_);
    if (!closed_) file_->preallocate(offset, length);
  }
  [[nodiscard]] const std::string& path() const noexcept { return path_; }
  // Relaxed: whoever does not see the note yet syncs the directory once more.
  [[nodiscard]] bool name_synced() const noexcept {
    return name_synced_.load(std::memory_order_relaxed);
  }
  void note_name_synced() noexcept { name_synced_.store(true, std::memory_order_relaxed); }

 private:
  const std::string path_;
  const std::shared_ptr<Counters> counters_;
  std::atomic<std::uint64_t>* const written_;  // In counters_; null for files that are not counted.
  const std::uint64_t manifest_number_;
  Mutex mutex_;
  std::unique_ptr<quipu::WritableFile> file_ GUARDED_BY(mutex_);
  bool synced_ GUARDED_BY(mutex_) = false;
  bool closed_ GUARDED_BY(mutex_) = false;
  bool failed_ GUARDED_BY(mutex_) = false;
  std::atomic<bool> name_synced_{false};
};

namespace {

class WritableHandle final : public rocksdb::FSWritableFile {
 public:
  WritableHandle(std::shared_ptr<RocksFileSystem::Writable> file,
                 const rocksdb::FileOptions& options)
      : rocksdb::FSWritableFile(options), file_(std::move(file)) {}
  WritableHandle(const WritableHandle&) = delete;
  WritableHandle& operator=(const WritableHandle&) = delete;
  // RocksDB closes what it cares for; the error of this close belongs to a file given up.
  ~WritableHandle() override { file_->close().PermitUncheckedError(); }

  // The overloads with checksums stay the base class's, which drop them.
  using rocksdb::FSWritableFile::Append;
  IOStatus Append(const Slice& data, const IOOptions&, IODebugContext*) override {
    return file_->append(data);
  }
  IOStatus Truncate(std::uint64_t size, const IOOptions&, IODebugContext*) override {
    return file_->truncate(size);
  }
  IOStatus Close(const IOOptions&, IODebugContext*) override { return file_->close(); }
  // Appends go to the operating system at once.
  IOStatus Flush(const IOOptions&, IODebugContext*) override { return IOStatus::OK(); }
  IOStatus Sync(const IOOptions&, IODebugContext*) override { return status_of(file_->sync()); }
  [[nodiscard]] bool IsSyncThreadSafe() const override { return true; }
  std::uint64_t GetFileSize(const IOOptions&, IODebugContext*) override { return file_->size(); }
  IOStatus InvalidateCache(std::size_t, std::size_t) override { return IOStatus::OK(); }
  void SetPreallocationBlockSize(std::size_t size) override {
    rocksdb::FSWritableFile::SetPreallocationBlockSize(std::min(size, kPreallocateBytesMax));
  }
  IOStatus Allocate(std::uint64_t offset, std::uint64_t length, const IOOptions&,
                    IODebugContext*) override {
    file_->preallocate(offset, length);
    return IOStatus::OK();
  }

 private:
  std::shared_ptr<RocksFileSystem::Writable> file_;
};

}  // namespace

void RocksFileSystem::adopt_lock(std::string path, std::unique_ptr<quipu::FileLock> lock) {
  MutexLock guard(mutex_);
  adopted_path_ = std::move(path);
  adopted_lock_ = std::move(lock);
}

IOStatus RocksFileSystem::NewSequentialFile(const std::string& path, const rocksdb::FileOptions&,
                                            std::unique_ptr<rocksdb::FSSequentialFile>* result,
                                            IODebugContext*) {
  result->reset();
  Result<std::unique_ptr<RandomAccessFile>> file = files_.open_random_access(path);
  if (!file.ok()) return to_io_status(file.error());
  *result = std::make_unique<SequentialFile>(std::move(file).value(),
                                             std::make_shared<const std::string>(path));
  return IOStatus::OK();
}

IOStatus RocksFileSystem::NewRandomAccessFile(const std::string& path, const rocksdb::FileOptions&,
                                              std::unique_ptr<rocksdb::FSRandomAccessFile>* result,
                                              IODebugContext*) {
  result->reset();
  Result<std::unique_ptr<RandomAccessFile>> file = files_.open_random_access(path);
  if (!file.ok() && file.error().code == ErrorCode::kNotFound && path.ends_with(kOldTableSuffix)) {
    // For a missing table RocksDB tries LevelDB's name next, and would report that one as missing.
    const std::string_view stem(path.data(), path.size() - kOldTableSuffix.size());
    return IOStatus::PathNotFound("no such file", std::string(stem) + ".sst");
  }
  if (!file.ok()) return to_io_status(file.error());
  *result = std::make_unique<RandomFile>(std::move(file).value(),
                                         std::make_shared<const std::string>(path));
  return IOStatus::OK();
}

std::shared_ptr<RocksFileSystem::Writable> RocksFileSystem::newest_wal() {
  MutexLock lock(mutex_);
  return newest_wal_.lock();
}

bool RocksFileSystem::newest_wal_failed() {
  const std::shared_ptr<Writable> wal = newest_wal();
  return wal != nullptr && wal->failed();
}

Status RocksFileSystem::sync_wal() {
  // Earlier logs were synced before this one was begun, see open_writable().
  const std::shared_ptr<Writable> wal = newest_wal();
  if (wal == nullptr) return ok_status();
  QUIPU_TRY_OK(wal->sync());
  // Its name too, the first time.
  if (wal->name_synced()) return ok_status();
  QUIPU_TRY_OK(files_.sync_directory(wal->path().substr(0, wal->path().rfind('/'))));
  wal->note_name_synced();
  return ok_status();
}

IOStatus RocksFileSystem::open_writable(const std::string& path, quipu::OpenMode mode,
                                        const rocksdb::FileOptions& options,
                                        std::unique_ptr<rocksdb::FSWritableFile>* result) {
  result->reset();
  if (is_wal(path)) {
    const std::shared_ptr<Writable> previous = newest_wal();
    if (previous != nullptr && previous->path() != path) {
      if (const Status synced = previous->sync(); !synced.ok()) return to_io_status(synced.error());
    }
  }
  Result<std::unique_ptr<quipu::WritableFile>> file = files_.open_writable(path, mode);
  if (!file.ok()) return to_io_status(file.error());
  auto shared = std::make_shared<Writable>(std::move(file).value(), path, counters_);
  if (is_wal(path)) {
    MutexLock lock(mutex_);
    newest_wal_ = shared;
  }
  *result = std::make_unique<WritableHandle>(std::move(shared), options);
  return IOStatus::OK();
}

IOStatus RocksFileSystem::NewWritableFile(const std::string& path,
                                          const rocksdb::FileOptions& options,
                                          std::unique_ptr<rocksdb::FSWritableFile>* result,
                                          IODebugContext*) {
  return open_writable(path, quipu::OpenMode::kTruncate, options, result);
}

IOStatus RocksFileSystem::ReopenWritableFile(const std::string& path,
                                             const rocksdb::FileOptions& options,
                                             std::unique_ptr<rocksdb::FSWritableFile>* result,
                                             IODebugContext*) {
  return open_writable(path, quipu::OpenMode::kAppend, options, result);
}

IOStatus RocksFileSystem::NewDirectory(const std::string& path, const IOOptions&,
                                       std::unique_ptr<rocksdb::FSDirectory>* result,
                                       IODebugContext*) {
  result->reset();
  if (!files_.is_directory(path)) return IOStatus::PathNotFound(path, "no such directory");
  *result = std::make_unique<Directory>(files_, path);
  return IOStatus::OK();
}

IOStatus RocksFileSystem::FileExists(const std::string& path, const IOOptions&, IODebugContext*) {
  return files_.exists(path) ? IOStatus::OK() : IOStatus::NotFound(path);
}

IOStatus RocksFileSystem::GetChildren(const std::string& path, const IOOptions&,
                                      std::vector<std::string>* result, IODebugContext*) {
  result->clear();
  Result<std::vector<std::string>> names = files_.list(path);
  if (!names.ok()) {
    // A missing directory has a code of its own here, unlike a missing file.
    if (names.error().code == ErrorCode::kNotFound) {
      return IOStatus::NotFound(names.error().message);
    }
    return to_io_status(names.error());
  }
  *result = std::move(names).value();
  return IOStatus::OK();
}

IOStatus RocksFileSystem::DeleteFile(const std::string& path, const IOOptions&, IODebugContext*) {
  return status_of(files_.remove_file(path));
}

IOStatus RocksFileSystem::Truncate(const std::string& path, std::size_t size, const IOOptions&,
                                   IODebugContext*) {
  if (!files_.exists(path)) return IOStatus::PathNotFound(path);
  Result<std::unique_ptr<quipu::WritableFile>> file =
      files_.open_writable(path, quipu::OpenMode::kAppend);
  if (!file.ok()) return to_io_status(file.error());
  if (Status cut = file.value()->truncate(size); !cut.ok()) return to_io_status(cut.error());
  return status_of(file.value()->close());
}

IOStatus RocksFileSystem::CreateDir(const std::string& path, const IOOptions&, IODebugContext*) {
  if (files_.exists(path)) return IOStatus::IOError(path, "the directory exists already");
  return status_of(files_.create_directories(path));
}

IOStatus RocksFileSystem::CreateDirIfMissing(const std::string& path, const IOOptions&,
                                             IODebugContext*) {
  return status_of(files_.create_directories(path));
}

IOStatus RocksFileSystem::DeleteDir(const std::string& path, const IOOptions&, IODebugContext*) {
  return status_of(files_.remove_directory(path));
}

IOStatus RocksFileSystem::GetFileSize(const std::string& path, const IOOptions&,
                                      std::uint64_t* size, IODebugContext*) {
  const Result<std::uint64_t> found = files_.file_size(path);
  *size = found.ok() ? found.value() : 0;
  return status_of(found);
}

IOStatus RocksFileSystem::GetFileModificationTime(const std::string& path, const IOOptions&,
                                                  std::uint64_t* seconds, IODebugContext*) {
  constexpr std::int64_t kUsPerSecond = 1'000'000;
  const Result<std::int64_t> found = files_.modified_us(path);
  *seconds =
      found.ok()
          ? static_cast<std::uint64_t>(std::max<std::int64_t>(found.value(), 0) / kUsPerSecond)
          : 0;
  return status_of(found);
}

IOStatus RocksFileSystem::RenameFile(const std::string& from, const std::string& to,
                                     const IOOptions&, IODebugContext*) {
  return status_of(files_.rename(from, to));
}

IOStatus RocksFileSystem::LinkFile(const std::string& from, const std::string& to, const IOOptions&,
                                   IODebugContext*) {
  const Status linked = files_.hard_link(from, to);
  if (linked.ok()) return IOStatus::OK();
  // Another device, or a file system without links: both come as kIo.
  if (linked.error().code == ErrorCode::kIo) return IOStatus::NotSupported(linked.error().message);
  return to_io_status(linked.error());
}

IOStatus RocksFileSystem::LockFile(const std::string& path, const IOOptions&,
                                   rocksdb::FileLock** lock, IODebugContext*) {
  *lock = nullptr;
  {
    MutexLock guard(mutex_);
    if (adopted_lock_ != nullptr && adopted_path_ == path) {
      *lock = std::make_unique<Lock>(std::move(adopted_lock_)).release();
      return IOStatus::OK();
    }
  }
  Result<std::unique_ptr<quipu::FileLock>> taken = files_.lock(path);
  if (!taken.ok()) return to_io_status(taken.error());
  *lock = std::make_unique<Lock>(std::move(taken).value()).release();
  return IOStatus::OK();
}

IOStatus RocksFileSystem::UnlockFile(rocksdb::FileLock* lock, const IOOptions&, IODebugContext*) {
  // Taken back from RocksDB, which got it from LockFile.
  const std::unique_ptr<rocksdb::FileLock> owned(lock);
  return IOStatus::OK();
}

IOStatus RocksFileSystem::GetTestDirectory(const IOOptions&, std::string*, IODebugContext*) {
  return IOStatus::NotSupported("test directories are the tests' own matter");
}

IOStatus RocksFileSystem::GetAbsolutePath(const std::string& path, const IOOptions&,
                                          std::string* absolute, IODebugContext*) {
  std::error_code error;
  const std::filesystem::path found = std::filesystem::absolute(path, error);
  if (error) return IOStatus::IOError(path, error.message());
  *absolute = found.string();
  return IOStatus::OK();
}

IOStatus RocksFileSystem::GetFreeSpace(const std::string& path, const IOOptions&,
                                       std::uint64_t* bytes, IODebugContext*) {
  const Result<std::uint64_t> found = files_.free_bytes(path);
  *bytes = found.ok() ? found.value() : 0;
  return status_of(found);
}

IOStatus RocksFileSystem::IsDirectory(const std::string& path, const IOOptions&, bool* is_directory,
                                      IODebugContext*) {
  *is_directory = files_.is_directory(path);
  return *is_directory || files_.exists(path) ? IOStatus::OK() : IOStatus::PathNotFound(path);
}

}  // namespace quipu::storage
