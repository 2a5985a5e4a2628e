#include "quipu/storage/snapshot/snapshot_file.h"

#include <utility>
#include <vector>

#include <zstd.h>

#include "quipu/assert.h"
#include "quipu/base/format.h"

namespace quipu::storage {
namespace {

constexpr std::string_view kSnapshotMagic = "QUIPUSNP";
constexpr std::size_t kStartBytes = 16;      // magic, version, zeros, checksum
constexpr std::size_t kFrameHeadBytes = 16;  // kind, form, zeros, two sizes, checksum
constexpr std::uint8_t kPlainForm = 0;
constexpr std::uint8_t kZstdForm = 1;
constexpr int kZstdLevel = 3;  // its default: some 300 MB/s, and vectors shrink little by more
constexpr std::size_t kDigestBytes = 64;  // hexadecimal

// A window beyond this is refused, so that a file cannot ask for memory.
constexpr int kWindowLogMax = 27;

}  // namespace

SnapshotWriter::SnapshotWriter(WritableFile& file) : file_(file) {}

Status SnapshotWriter::append(std::string_view bytes) {
  digest_.update(bytes);
  size_ += bytes.size();
  return file_.append(as_byte_span(bytes));
}

Status SnapshotWriter::begin_once() {
  if (size_ > 0) return ok_status();
  std::string start(kSnapshotMagic);
  ByteWriter out(start);
  out.u16(kSnapshotVersion);
  out.u16(0);
  out.u32(crc32c(start));
  QUIPU_ASSERT(start.size() == kStartBytes);
  return append(start);
}

Status SnapshotWriter::frame(SnapshotFrameKind kind, std::string_view content) {
  QUIPU_ASSERT(content.size() <= kSnapshotFrameBytesMax);
  QUIPU_TRY_OK(begin_once());
  compressed_.resize(ZSTD_compressBound(content.size()));
  const std::size_t size = ZSTD_compress(compressed_.data(), compressed_.size(), content.data(),
                                         content.size(), kZstdLevel);
  const bool smaller = ZSTD_isError(size) == 0 && size < content.size();
  const std::string_view stored = smaller ? std::string_view(compressed_).substr(0, size) : content;
  std::string head;
  ByteWriter out(head);
  out.u8(static_cast<std::uint8_t>(kind));
  out.u8(smaller ? kZstdForm : kPlainForm);
  out.u16(0);
  out.u32(static_cast<std::uint32_t>(stored.size()));
  out.u32(static_cast<std::uint32_t>(content.size()));
  out.u32(crc32c(stored, crc32c(head)));
  QUIPU_TRY_OK(append(head));
  return append(stored);
}

Status SnapshotWriter::description(std::string_view content) {
  return frame(SnapshotFrameKind::kDescription, content);
}

Status SnapshotWriter::points(std::string_view content, std::uint64_t count) {
  ++frames_;
  points_ += count;
  return frame(SnapshotFrameKind::kPoints, content);
}

Status SnapshotWriter::end() {
  QUIPU_TRY_OK(begin_once());
  std::string content;
  ByteWriter out(content);
  out.u64(frames_);
  out.u64(points_);
  out.bytes(digest_.hex());
  QUIPU_TRY_OK(frame(SnapshotFrameKind::kEnd, content));
  QUIPU_TRY_OK(file_.sync());
  sha256_ = digest_.hex();
  return ok_status();
}

Error SnapshotReader::damaged(const std::string& what) const {
  return Error{ErrorCode::kCorruption,
               format("{} is not a whole snapshot of a collection: {}", path_, what),
               "snapshot_damaged"};
}

Result<std::unique_ptr<SnapshotReader>> SnapshotReader::open(FileSystem& fs,
                                                             const std::string& path) {
  QUIPU_TRY(std::unique_ptr<RandomAccessFile> file, fs.open_random_access(path));
  std::unique_ptr<SnapshotReader> reader(new SnapshotReader(path, std::move(file)));
  QUIPU_TRY_OK(reader->read_start());
  return reader;
}

Status SnapshotReader::read(std::size_t size, std::string& into) {
  if (size > file_->size() - offset_) {
    return damaged(format("it ends at byte {} in the middle of a frame", file_->size()));
  }
  into.resize(size);
  QUIPU_TRY(const std::size_t got,
            file_->read(offset_, std::as_writable_bytes(std::span(into.data(), into.size()))));
  if (got != size) return damaged(format("it ends at byte {} while it is read", offset_ + got));
  offset_ += size;
  digest_.update(into);
  return ok_status();
}

Status SnapshotReader::read_start() {
  if (file_->size() < kStartBytes) {
    return damaged(format("it has {} bytes, which is too few", file_->size()));
  }
  std::string start;
  QUIPU_TRY_OK(read(kStartBytes, start));
  if (!start.starts_with(kSnapshotMagic)) {
    return damaged(
        "it does not begin as one of Quipu's; what a Qdrant server holds is copied by 'quipu "
        "import qdrant URL'");
  }
  ByteReader in(std::string_view(start).substr(kSnapshotMagic.size()));
  const std::uint16_t version = in.u16();
  in.u16();
  const std::uint32_t checksum = in.u32();
  if (checksum != crc32c(std::string_view(start).substr(0, kStartBytes - 4))) {
    return damaged("the checksum of its first bytes does not match");
  }
  if (version != kSnapshotVersion) {
    return damaged(format("its version is {}; this program knows {}", version, kSnapshotVersion));
  }
  return ok_status();
}

Status SnapshotReader::check_order(SnapshotFrameKind kind) const {
  if (kind < SnapshotFrameKind::kDescription || kind > SnapshotFrameKind::kEnd) {
    return damaged(format("a frame has unknown kind {}", static_cast<int>(kind)));
  }
  if ((kind == SnapshotFrameKind::kDescription) == (frames_ == 0)) return ok_status();
  return damaged(frames_ == 0 ? "it does not begin with its description"
                              : "it has two descriptions");
}

Status SnapshotReader::check_end(std::string_view content, const std::string& digest_before) {
  ByteReader in(content);
  const std::uint64_t frames = in.u64();
  const std::uint64_t points = in.u64();
  const std::string_view digest = in.bytes(kDigestBytes);
  if (!in.ok() || in.left() != 0) return damaged("its end does not decode");
  if (frames != frames_ - 1 || points != points_) {
    return damaged(format("its end tells of {} frames with {} points; there were {} with {}",
                          frames, points, frames_ - 1, points_));
  }
  if (digest != digest_before) return damaged("its digest does not match");
  if (offset_ != file_->size()) {
    return damaged(format("{} bytes follow its end", file_->size() - offset_));
  }
  return ok_status();
}

Result<std::optional<SnapshotFrame>> SnapshotReader::next() {
  if (ended_) return std::optional<SnapshotFrame>();
  const std::uint64_t begin = offset_;
  if (begin == file_->size()) return damaged(format("it has no end: it stops at byte {}", begin));
  const std::string digest_before = digest_.hex();
  std::string head;
  QUIPU_TRY_OK(read(kFrameHeadBytes, head));
  ByteReader in(head);
  const auto kind = static_cast<SnapshotFrameKind>(in.u8());
  const std::uint8_t form = in.u8();
  in.u16();
  const std::size_t stored_size = in.u32();
  const std::size_t content_size = in.u32();
  const std::uint32_t checksum = in.u32();
  if (stored_size > kSnapshotFrameBytesMax || content_size > kSnapshotFrameBytesMax) {
    return damaged(format("the frame at byte {} has {} bytes for {}; the limit is {}", begin,
                          stored_size, content_size, kSnapshotFrameBytesMax));
  }
  QUIPU_TRY_OK(read(stored_size, stored_));
  const std::uint32_t sum = crc32c(std::string_view(head).substr(0, kFrameHeadBytes - 4));
  if (checksum != crc32c(stored_, sum)) {
    return damaged(format("the checksum of the frame at byte {} does not match", begin));
  }
  QUIPU_TRY_OK(check_order(kind));
  QUIPU_TRY_OK(unpack(form, content_size, begin));
  if (kind == SnapshotFrameKind::kEnd) {
    QUIPU_TRY_OK(check_end(content_, digest_before));
    sha256_ = digest_.hex();
    ended_ = true;
  }
  ++frames_;
  return std::optional<SnapshotFrame>(SnapshotFrame{.kind = kind, .content = content_});
}

Status SnapshotReader::unpack(std::uint8_t form, std::size_t content_size, std::uint64_t at) {
  if (form == kPlainForm) {
    if (stored_.size() != content_size) return damaged(format("the sizes at byte {} differ", at));
    content_.swap(stored_);
    return ok_status();
  }
  if (form != kZstdForm) return damaged(format("the frame at byte {} has form {}", at, form));
  content_.resize(content_size);
  const std::unique_ptr<ZSTD_DCtx, std::size_t (*)(ZSTD_DCtx*)> context(ZSTD_createDCtx(),
                                                                        ZSTD_freeDCtx);
  QUIPU_ASSERT(context != nullptr);
  ZSTD_DCtx_setParameter(context.get(), ZSTD_d_windowLogMax, kWindowLogMax);
  const std::size_t size = ZSTD_decompressDCtx(context.get(), content_.data(), content_.size(),
                                               stored_.data(), stored_.size());
  if (ZSTD_isError(size) != 0 || size != content_size) {
    return damaged(format("the frame at byte {} does not unpack", at));
  }
  return ok_status();
}

}  // namespace quipu::storage
