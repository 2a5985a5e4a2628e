// The container of every view checkpoint and other file of ours: magic, version, a table of named
// sections, each 4096-byte aligned so that it can be mapped, each with its checksum.
// Format: docs/format/checkpoint.md.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "quipu/base/file_system.h"
#include "quipu/result.h"

namespace quipu {

// Writes a container beside `path` and, in finish(), syncs it and renames it into place.
// Threads: one. Destroying an unfinished writer removes what it wrote.
class CheckpointWriter {
 public:
  // `kind`: at most 15 characters, what the file holds ("dense", "slots"); `version`: of the kind's
  // own content, for its reader to judge.
  [[nodiscard]] static Result<std::unique_ptr<CheckpointWriter>> create(FileSystem& fs,
                                                                        const std::string& path,
                                                                        std::string_view kind,
                                                                        std::uint32_t version);
  ~CheckpointWriter();
  // Starts a section; its name is unique in the file and at most 31 characters.
  Status begin_section(std::string_view name);
  Status append(std::span<const std::byte> bytes);
  template <typename T>
  Status append_array(std::span<const T> values) {
    return append(std::as_bytes(values));
  }
  Status finish();
  [[nodiscard]] std::uint64_t bytes_written() const noexcept;

 private:
  CheckpointWriter();
  struct State;
  std::unique_ptr<State> state_;
};

// A mapped container. open() checks magic, version, the section table and its checksum, bounds and
// alignment; section contents are checked by verify(), which reads the whole file.
// Threads: sections may be read by any; verify() may run beside readers.
class CheckpointFile {
 public:
  // Errors: kNotFound, kIo, kCorruption (naming the file and what is wrong), kFailedPrecondition
  // ("checkpoint_kind") when the kind or a newer container version is not what was asked for.
  [[nodiscard]] static Result<std::unique_ptr<CheckpointFile>> open(FileSystem& fs,
                                                                    const std::string& path,
                                                                    std::string_view kind);
  ~CheckpointFile();
  [[nodiscard]] std::uint32_t version() const noexcept;
  // Private copy-on-write memory, 4096-byte aligned; valid while this object lives. Errors:
  // kCorruption when there is none of that name.
  [[nodiscard]] Result<std::span<std::byte>> section(std::string_view name) const;
  // As section(), for `T`s; kCorruption when the size is no multiple of T's.
  template <typename T>
  [[nodiscard]] Result<std::span<T>> array(std::string_view name) const {
    QUIPU_TRY(const std::span<std::byte> bytes, section(name));
    if (bytes.size() % sizeof(T) != 0) return odd_section(name);
    return std::span<T>(reinterpret_cast<T*>(bytes.data()), bytes.size() / sizeof(T));
  }
  // Compares every section's checksum against the file on disk (not against the mapping, which the
  // owner may have written to).
  Status verify() const;

 private:
  CheckpointFile();
  [[nodiscard]] Error odd_section(std::string_view name) const;
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace quipu
