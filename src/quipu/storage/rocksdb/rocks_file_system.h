// RocksDB's FileSystem over ours: every file of RocksDB goes through the one FileSystem that the
// engine was given (invariants.md, rule 23), in production as in tests.
#pragma once

#include <rocksdb/file_system.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "quipu/base/file_system.h"
#include "quipu/base/thread_annotations.h"
#include "quipu/result.h"
#include "quipu/storage/rocksdb/log_check.h"

namespace quipu::storage {

// What was appended to files since the object was made, by what they hold. Any thread.
struct WrittenBytes {
  std::atomic<std::uint64_t> wal{0};
  std::atomic<std::uint64_t> tables{0};
  std::atomic<std::uint64_t> blobs{0};
};

// How much of the newest manifest has been synced. Any thread.
class SyncedManifest {
 public:
  void note(const ManifestMark& mark) {
    MutexLock lock(mutex_);
    if (mark > newest_) newest_ = mark;
  }
  [[nodiscard]] ManifestMark get() {
    MutexLock lock(mutex_);
    return newest_;
  }

 private:
  Mutex mutex_;
  ManifestMark newest_ GUARDED_BY(mutex_);
};

// The error as RocksDB wants it: disk_full as NoSpace, which it can resume from; the message kept.
[[nodiscard]] rocksdb::IOStatus to_io_status(const Error& error);

// The path of the file that this thread last read through a RocksFileSystem, for errors whose text
// does not say it; empty before the first.
[[nodiscard]] std::string last_file_read();

// Beyond translating, it keeps two promises that RocksDB leaves to luck:
// - A write-ahead log is synced before its successor is created. So writes that were not synced are
//   lost from the end only, never from the middle, although they span files.
// - An append that failed half-way is taken back where the file can be cut, so that a record of a
//   full disk is not followed by whole ones.
// Unsupported: random read-write files and memory-mapped buffers, which only features that Quipu
// does not use would open.
//
// Threads: any. Nothing here throws.
class RocksFileSystem final : public rocksdb::FileSystem {
 public:
  // `files` is borrowed for the object's life.
  explicit RocksFileSystem(quipu::FileSystem& files) : files_(files) {}

  // Hands over a lock that was taken before RocksDB asks for it: LockFile(path) will give it out.
  void adopt_lock(std::string path, std::unique_ptr<quipu::FileLock> lock);
  [[nodiscard]] const WrittenBytes& written() const noexcept { return counters_->written; }
  // Makes all that was written to the write-ahead logs durable. Instead of RocksDB's own function
  // for that, which ends the process by an assertion when it meets a log whose last append had
  // failed (Debian builds RocksDB with its assertions on).
  Status sync_wal();
  // Whether an append or a sync of the newest log has failed. RocksDB asserts that it is never
  // written to again.
  [[nodiscard]] bool newest_wal_failed();
  [[nodiscard]] ManifestMark synced_manifest() { return counters_->manifest.get(); }

  [[nodiscard]] const char* Name() const override { return "quipu"; }
  rocksdb::IOStatus NewSequentialFile(const std::string& path, const rocksdb::FileOptions& options,
                                      std::unique_ptr<rocksdb::FSSequentialFile>* result,
                                      rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus NewRandomAccessFile(const std::string& path,
                                        const rocksdb::FileOptions& options,
                                        std::unique_ptr<rocksdb::FSRandomAccessFile>* result,
                                        rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus NewWritableFile(const std::string& path, const rocksdb::FileOptions& options,
                                    std::unique_ptr<rocksdb::FSWritableFile>* result,
                                    rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus ReopenWritableFile(const std::string& path, const rocksdb::FileOptions& options,
                                       std::unique_ptr<rocksdb::FSWritableFile>* result,
                                       rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus NewDirectory(const std::string& path, const rocksdb::IOOptions& options,
                                 std::unique_ptr<rocksdb::FSDirectory>* result,
                                 rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus FileExists(const std::string& path, const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus GetChildren(const std::string& path, const rocksdb::IOOptions& options,
                                std::vector<std::string>* result,
                                rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus DeleteFile(const std::string& path, const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus Truncate(const std::string& path, std::size_t size,
                             const rocksdb::IOOptions& options,
                             rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus CreateDir(const std::string& path, const rocksdb::IOOptions& options,
                              rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus CreateDirIfMissing(const std::string& path, const rocksdb::IOOptions& options,
                                       rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus DeleteDir(const std::string& path, const rocksdb::IOOptions& options,
                              rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus GetFileSize(const std::string& path, const rocksdb::IOOptions& options,
                                std::uint64_t* size, rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus GetFileModificationTime(const std::string& path,
                                            const rocksdb::IOOptions& options,
                                            std::uint64_t* seconds,
                                            rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus RenameFile(const std::string& from, const std::string& to,
                               const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* debug) override;
  // An error that a copy could help against is NotSupported, upon which checkpoints copy.
  rocksdb::IOStatus LinkFile(const std::string& from, const std::string& to,
                             const rocksdb::IOOptions& options,
                             rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus LockFile(const std::string& path, const rocksdb::IOOptions& options,
                             rocksdb::FileLock** lock, rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus UnlockFile(rocksdb::FileLock* lock, const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus GetTestDirectory(const rocksdb::IOOptions& options, std::string* path,
                                     rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus GetAbsolutePath(const std::string& path, const rocksdb::IOOptions& options,
                                    std::string* absolute, rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus GetFreeSpace(const std::string& path, const rocksdb::IOOptions& options,
                                 std::uint64_t* bytes, rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus IsDirectory(const std::string& path, const rocksdb::IOOptions& options,
                                bool* is_directory, rocksdb::IODebugContext* debug) override;

  // An open file, shared by the handle that RocksDB owns and by what must sync it later. Public for
  // the handle's class in the .cpp.
  class Writable;
  // What open files report to; they may outlive this object.
  struct Counters {
    WrittenBytes written;
    SyncedManifest manifest;
  };

 private:
  rocksdb::IOStatus open_writable(const std::string& path, quipu::OpenMode mode,
                                  const rocksdb::FileOptions& options,
                                  std::unique_ptr<rocksdb::FSWritableFile>* result);
  [[nodiscard]] std::shared_ptr<Writable> newest_wal();

  quipu::FileSystem& files_;
  const std::shared_ptr<Counters> counters_ = std::make_shared<Counters>();
  Mutex mutex_;
  std::weak_ptr<Writable> newest_wal_ GUARDED_BY(mutex_);
  std::string adopted_path_ GUARDED_BY(mutex_);
  std::unique_ptr<quipu::FileLock> adopted_lock_ GUARDED_BY(mutex_);
};

}  // namespace quipu::storage
