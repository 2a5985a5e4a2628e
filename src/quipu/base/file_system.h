// Every file of Quipu, RocksDB's and our own, goes through a FileSystem, so that a test can drop,
// tear and reorder what was not synced (invariants.md, rule 23).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "quipu/result.h"

namespace quipu {

// A file being written from front to back. Threads: one at a time.
// Destroying it closes it without a sync; errors of that close are lost, so call close().
class WritableFile {
 public:
  virtual ~WritableFile() = default;
  // Adds `bytes` at the end. On an error an unknown part of them may have been written.
  virtual Status append(std::span<const std::byte> bytes) = 0;
  // Returns when all that was appended survives a power cut (fdatasync).
  virtual Status sync() = 0;
  virtual Status close() = 0;
  // Bytes in the file so far, those there before an append-mode open included.
  [[nodiscard]] virtual std::uint64_t size() const noexcept = 0;
  // Cuts or extends the file; later appends go to its new end.
  virtual Status truncate(std::uint64_t size) = 0;
  // Reserves disk space ahead of the end without changing size(); a hint that may do nothing.
  virtual void preallocate(std::uint64_t offset, std::uint64_t length) = 0;
};

// Threads: any number may read at once.
class RandomAccessFile {
 public:
  virtual ~RandomAccessFile() = default;
  // Fills `into` from `offset`; returns how many bytes there were, fewer only at the file's end.
  virtual Result<std::size_t> read(std::uint64_t offset, std::span<std::byte> into) const = 0;
  [[nodiscard]] virtual std::uint64_t size() const noexcept = 0;
};

// A private, copy-on-write mapping of a whole file: writes to it stay in this process's memory.
class MappedFile {
 public:
  virtual ~MappedFile() = default;
  [[nodiscard]] virtual std::span<std::byte> bytes() noexcept = 0;
};

// Held until destroyed; the operating system drops it when the process dies.
class FileLock {
 public:
  virtual ~FileLock() = default;
};

enum class OpenMode : std::uint8_t { kTruncate, kAppend };

// Paths are bytes in the host's form. Threads: any.
// Errors: kNotFound, kAlreadyExists, kResourceExhausted (no space, or a quota's or a file size's
// limit: reason "disk_full"), kIo.
class FileSystem {
 public:
  virtual ~FileSystem() = default;
  virtual Result<std::unique_ptr<WritableFile>> open_writable(const std::string& path,
                                                              OpenMode mode) = 0;
  virtual Result<std::unique_ptr<RandomAccessFile>> open_random_access(const std::string& path) = 0;
  virtual Result<std::unique_ptr<MappedFile>> map(const std::string& path) = 0;
  [[nodiscard]] virtual bool exists(const std::string& path) = 0;
  [[nodiscard]] virtual bool is_directory(const std::string& path) = 0;
  // Names, not paths; without "." and ".."; in no order.
  virtual Result<std::vector<std::string>> list(const std::string& directory) = 0;
  virtual Result<std::uint64_t> file_size(const std::string& path) = 0;
  virtual Result<std::int64_t> modified_us(const std::string& path) = 0;
  // Makes the directory and its missing parents, all of which survive a power cut when it returns;
  // one that is there is no error.
  virtual Status create_directories(const std::string& path) = 0;
  virtual Status remove_file(const std::string& path) = 0;
  // Must be empty.
  virtual Status remove_directory(const std::string& path) = 0;
  // Replaces `to` if it is there, at once for every reader.
  virtual Status rename(const std::string& from, const std::string& to) = 0;
  virtual Status hard_link(const std::string& from, const std::string& to) = 0;
  // Returns when the directory's entries (creations, renames, removals) survive a power cut.
  virtual Status sync_directory(const std::string& path) = 0;
  // Errors: kFailedPrecondition ("locked") when another process or owner holds it.
  virtual Result<std::unique_ptr<FileLock>> lock(const std::string& path) = 0;
  virtual Result<std::uint64_t> free_bytes(const std::string& path) = 0;
};

// The host's files. Lives as long as the process.
[[nodiscard]] FileSystem& posix_file_system() noexcept;

// The directory that the last part of `path` is in: "/a" for "/a/b" and "/a/b/", "." for "b", "/"
// for
// "/". Only the text is looked at.
[[nodiscard]] std::string parent_directory(std::string_view path);

// Helpers over any FileSystem.
// Errors: as the FileSystem, and kResourceExhausted when the file is larger than `size_max`.
Result<std::string> read_file(FileSystem& fs, const std::string& path, std::uint64_t size_max);
// Writes beside (path + ".tmp"), syncs, renames into place and syncs the directory: after a crash
// the old content or the new, never a mixture. One caller for each path at a time.
Status write_file_atomically(FileSystem& fs, const std::string& path, std::string_view content);
// Removes a file, or a directory with all that is in it, without following symbolic links. What is
// not there is no error.
Status remove_tree(FileSystem& fs, const std::string& path);

}  // namespace quipu
