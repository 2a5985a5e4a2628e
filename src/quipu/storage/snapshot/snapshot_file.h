// The file of a collection's snapshot: checksummed, compressed frames, written and read in a
// stream. What is inside the frames is for the engine to say.
// Format: docs/format/collection_snapshot.md.
//
// Memory: one frame of at most kSnapshotFrameBytesMax and its compressed form.
// Threads: one for each object.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "quipu/base/bytes.h"
#include "quipu/base/file_system.h"
#include "quipu/base/sha256.h"
#include "quipu/result.h"

namespace quipu::storage {

inline constexpr std::uint16_t kSnapshotVersion = 1;
// Content of one frame: an operation of the largest size, and a little more.
inline constexpr std::size_t kSnapshotFrameBytesMax = (64U << 20) + 4'096;

enum class SnapshotFrameKind : std::uint8_t {  // On disk: append only.
  kDescription = 1,                            // the first frame, and only that
  kPoints = 2,
  kEnd = 3,  // the last frame, and only that
};

// Written front to back: description(), points() any number of times, end(). An error leaves a file
// that no reader takes.
class SnapshotWriter {
 public:
  // Borrows the file, which is empty.
  explicit SnapshotWriter(WritableFile& file);
  Status description(std::string_view content);
  // `count`: of the points that the content has.
  Status points(std::string_view content, std::uint64_t count);
  // Syncs the file.
  Status end();
  // After end(). SHA-256 of the whole file, in lower-case hexadecimal.
  [[nodiscard]] const std::string& sha256() const noexcept { return sha256_; }
  [[nodiscard]] std::uint64_t size() const noexcept { return size_; }

 private:
  Status begin_once();
  Status frame(SnapshotFrameKind kind, std::string_view content);
  Status append(std::string_view bytes);

  WritableFile& file_;
  Sha256 digest_;
  std::uint64_t size_ = 0;
  std::uint64_t frames_ = 0;  // of points
  std::uint64_t points_ = 0;
  std::string compressed_;
  std::string sha256_;
};

struct SnapshotFrame {
  SnapshotFrameKind kind = SnapshotFrameKind::kDescription;
  std::string_view content;  // valid until the next call
};

class SnapshotReader {
 public:
  // Errors: kCorruption ("snapshot_damaged") for a file that is none of ours or of a later release,
  // naming what was found; kIo.
  [[nodiscard]] static Result<std::unique_ptr<SnapshotReader>> open(FileSystem& fs,
                                                                    const std::string& path);
  // The next frame, checked; nothing after the last one, which is the end frame, whose counts and
  // digest were compared. Errors: as above, naming the place.
  Result<std::optional<SnapshotFrame>> next();
  // The points of a frame of points, as its reader counted them.
  void count_points(std::uint64_t count) noexcept { points_ += count; }
  // After the last frame. SHA-256 of the whole file, in lower-case hexadecimal.
  [[nodiscard]] const std::string& sha256() const noexcept { return sha256_; }
  [[nodiscard]] std::uint64_t size() const noexcept { return file_->size(); }

 private:
  SnapshotReader(std::string path, std::unique_ptr<RandomAccessFile> file)
      : path_(std::move(path)), file_(std::move(file)) {}
  Status read_start();
  // Of exactly that many bytes.
  Status read(std::size_t size, std::string& into);
  Status check_order(SnapshotFrameKind kind) const;
  // Makes the content of what was stored.
  Status unpack(std::uint8_t form, std::size_t content_size, std::uint64_t at);
  Status check_end(std::string_view content, const std::string& digest_before);
  [[nodiscard]] Error damaged(const std::string& what) const;

  const std::string path_;
  const std::unique_ptr<RandomAccessFile> file_;
  Sha256 digest_;
  std::uint64_t offset_ = 0;
  std::uint64_t frames_ = 0;  // all
  std::uint64_t points_ = 0;
  std::string stored_;
  std::string content_;
  std::string sha256_;
  bool ended_ = false;
};

}  // namespace quipu::storage
