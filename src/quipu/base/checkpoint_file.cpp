#include "quipu/base/checkpoint_file.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "quipu/assert.h"
#include "quipu/base/bytes.h"
#include "quipu/base/checkpoint_format.h"
#include "quipu/base/quote.h"

namespace quipu {
namespace {

using detail::CheckpointHeader;
using detail::CheckpointSection;
using detail::CheckpointTrailer;

// Small appends are gathered to this; also the piece that verify() reads at a time.
constexpr std::size_t kPieceBytes = std::size_t{256} << 10U;
// How often open() tries again when the file is replaced between its two openings.
constexpr int kOpenAttemptsMax = 8;

Error invalid(std::string message) {
  return Error{.code = ErrorCode::kInvalidArgument, .message = std::move(message)};
}

// Puts the file's name before what a decoder said about its bytes.
Error about(const std::string& path, Error error) {
  error.message = "checkpoint " + path + ": " + error.message;
  return error;
}

Error corrupt(const std::string& path, std::string what) {
  return about(path, Error{.code = ErrorCode::kCorruption, .message = std::move(what)});
}

}  // namespace

// ---------------------------------------------------------------- writing

struct CheckpointWriter::State {
  State(FileSystem& file_system, std::string final_path)
      : fs(file_system), path(std::move(final_path)), beside(path + ".tmp") {}

  FileSystem& fs;
  const std::string path;
  const std::string beside;
  std::unique_ptr<WritableFile> file;
  std::vector<CheckpointSection> sections;
  std::string pending;           // not yet handed to `file`
  std::uint64_t written = 0;     // `pending` included
  std::optional<Error> failure;  // the first; the writer is of no use after it
  bool finished = false;

  Status flush() {
    QUIPU_TRY_OK(file->append(as_byte_span(pending)));
    pending.clear();
    return ok_status();
  }

  Status put(std::string_view bytes) {
    written += bytes.size();
    if (pending.size() + bytes.size() < kPieceBytes) {
      pending.append(bytes);
      return ok_status();
    }
    QUIPU_TRY_OK(flush());
    if (bytes.size() < kPieceBytes) {
      pending.assign(bytes);
      return ok_status();
    }
    return file->append(as_byte_span(bytes));
  }

  Status pad(std::size_t alignment) {
    const std::uint64_t target = detail::align_up(written, alignment);
    return put(std::string(static_cast<std::size_t>(target - written), '\0'));
  }

  Status complete() {
    QUIPU_TRY_OK(pad(detail::kTableAlignment));
    const std::string table = detail::encode_table(sections);
    const CheckpointTrailer trailer{.table_offset = written,
                                    .section_count = static_cast<std::uint32_t>(sections.size()),
                                    .table_crc = crc32c(table)};
    QUIPU_TRY_OK(put(table));
    QUIPU_TRY_OK(put(detail::encode_trailer(trailer)));
    QUIPU_TRY_OK(flush());
    QUIPU_TRY_OK(file->sync());
    QUIPU_TRY_OK(file->close());
    QUIPU_TRY_OK(fs.rename(beside, path));
    finished = true;  // From here on there is nothing beside to remove.
    return fs.sync_directory(parent_directory(path));
  }

  // Remembers the first failure and repeats it.
  Status kept(Status status) {
    if (!status.ok() && !failure.has_value()) failure = status.error();
    return status;
  }

  Status usable() const {
    if (failure.has_value()) return *failure;
    if (!finished) return ok_status();
    return Error{.code = ErrorCode::kFailedPrecondition,
                 .message = "checkpoint " + path + " is finished already"};
  }
};

CheckpointWriter::CheckpointWriter() = default;

CheckpointWriter::~CheckpointWriter() {
  if (state_ == nullptr || state_->finished) return;
  state_->file.reset();
  // A left-over file is overwritten by the next writer; here is nobody to tell.
  static_cast<void>(state_->fs.remove_file(state_->beside));
}

Result<std::unique_ptr<CheckpointWriter>> CheckpointWriter::create(FileSystem& fs,
                                                                   const std::string& path,
                                                                   std::string_view kind,
                                                                   std::uint32_t version) {
  if (!detail::is_checkpoint_name(kind, detail::kKindBytesMax)) {
    return about(path,
                 invalid("the kind " + in_quotes(kind) + " must have 1 to " +
                         std::to_string(detail::kKindBytesMax) + " printable ASCII characters"));
  }
  std::unique_ptr<CheckpointWriter> writer(new CheckpointWriter());
  auto state = std::make_unique<State>(fs, path);
  QUIPU_TRY(state->file, fs.open_writable(state->beside, OpenMode::kTruncate));
  writer->state_ = std::move(state);
  QUIPU_TRY_OK(
      writer->state_->put(detail::encode_header({.kind = std::string(kind), .version = version})));
  return writer;
}

Status CheckpointWriter::begin_section(std::string_view name) {
  State& state = *state_;
  QUIPU_TRY_OK(state.usable());
  if (!detail::is_checkpoint_name(name, detail::kSectionNameBytesMax)) {
    return about(state.path, invalid("the section name " + in_quotes(name) + " must have 1 to " +
                                     std::to_string(detail::kSectionNameBytesMax) +
                                     " printable ASCII characters"));
  }
  const auto same = [name](const CheckpointSection& other) { return other.name == name; };
  if (std::any_of(state.sections.begin(), state.sections.end(), same)) {
    return about(state.path, invalid("there is a section " + in_quotes(name) + " already"));
  }
  if (state.sections.size() == detail::kSectionsMax) {
    return about(state.path,
                 invalid("more than " + std::to_string(detail::kSectionsMax) + " sections"));
  }
  QUIPU_TRY_OK(state.kept(state.pad(detail::kCheckpointAlignment)));
  state.sections.push_back({.name = std::string(name), .offset = state.written});
  return ok_status();
}

Status CheckpointWriter::append(std::span<const std::byte> bytes) {
  State& state = *state_;
  QUIPU_TRY_OK(state.usable());
  if (state.sections.empty()) {
    return about(state.path, invalid("bytes before the first begin_section()"));
  }
  CheckpointSection& section = state.sections.back();
  section.size += bytes.size();
  section.crc = crc32c(as_text(bytes), section.crc);
  return state.kept(state.put(as_text(bytes)));
}

Status CheckpointWriter::finish() {
  QUIPU_TRY_OK(state_->usable());
  return state_->kept(state_->complete());
}

std::uint64_t CheckpointWriter::bytes_written() const noexcept { return state_->written; }

// ---------------------------------------------------------------- reading

struct CheckpointFile::State {
  std::string path;
  CheckpointHeader header;
  std::vector<CheckpointSection> sections;
  std::uint64_t table_offset = 0;
  std::unique_ptr<MappedFile> mapping;
  // Of the same file as the mapping even when another has since been renamed over it.
  std::unique_ptr<RandomAccessFile> file;
};

namespace {

Result<std::string> read_exactly(const RandomAccessFile& file, const std::string& path,
                                 std::uint64_t offset, std::size_t size) {
  std::string bytes(size, '\0');
  QUIPU_TRY(const std::size_t got,
            file.read(offset, std::as_writable_bytes(std::span(bytes.data(), bytes.size()))));
  if (got != size) return corrupt(path, "ends early");
  return bytes;
}

// Whether the mapping shows the same header, table and trailer as the file: if not, the path was
// given another file between the two openings.
bool same_file(std::span<const std::byte> mapped, std::uint64_t file_size, std::string_view header,
               std::string_view tail) {
  const std::string_view text = as_text(mapped);
  return text.size() == file_size && text.starts_with(header) && text.ends_with(tail);
}

Status check_padding(const RandomAccessFile& file, const std::string& path, std::uint64_t begin,
                     std::uint64_t end) {
  QUIPU_TRY(const std::string bytes,
            read_exactly(file, path, begin, static_cast<std::size_t>(end - begin)));
  if (bytes.find_first_not_of('\0') == std::string::npos) return ok_status();
  return corrupt(path, "has bytes other than zero between its sections");
}

}  // namespace

CheckpointFile::CheckpointFile() = default;
CheckpointFile::~CheckpointFile() = default;

Result<std::unique_ptr<CheckpointFile>> CheckpointFile::open(FileSystem& fs,
                                                             const std::string& path,
                                                             std::string_view kind) {
  for (int attempt = 0; attempt < kOpenAttemptsMax; ++attempt) {
    auto state = std::make_unique<State>();
    state->path = path;
    QUIPU_TRY(state->file, fs.open_random_access(path));
    const std::uint64_t size = state->file->size();
    if (size < detail::kHeaderSize + detail::kTrailerSize) {
      return corrupt(path, "has " + std::to_string(size) + " bytes, too few for a checkpoint");
    }
    QUIPU_TRY(const std::string header, read_exactly(*state->file, path, 0, detail::kHeaderSize));
    Result<CheckpointHeader> decoded = detail::decode_header(header);
    if (!decoded.ok()) return about(path, std::move(decoded).error());
    state->header = std::move(decoded).value();
    if (state->header.kind != kind) {
      return about(path, Error{.code = ErrorCode::kFailedPrecondition,
                               .message = "holds " + in_quotes(state->header.kind) + ", not " +
                                          in_quotes(kind),
                               .reason = "checkpoint_kind"});
    }
    QUIPU_TRY(const std::string end,
              read_exactly(*state->file, path, size - detail::kTrailerSize, detail::kTrailerSize));
    const Result<CheckpointTrailer> trailer = detail::decode_trailer(end, size);
    if (!trailer.ok()) return about(path, trailer.error());
    state->table_offset = trailer.value().table_offset;
    const auto tail_size = static_cast<std::size_t>(size - state->table_offset);
    QUIPU_TRY(const std::string tail,
              read_exactly(*state->file, path, state->table_offset, tail_size));
    Result<std::vector<CheckpointSection>> sections = detail::decode_table(
        std::string_view(tail).substr(0, tail.size() - detail::kTrailerSize), trailer.value());
    if (!sections.ok()) return about(path, std::move(sections).error());
    state->sections = std::move(sections).value();
    QUIPU_TRY(state->mapping, fs.map(path));
    if (!same_file(state->mapping->bytes(), size, header, tail)) continue;
    std::unique_ptr<CheckpointFile> opened(new CheckpointFile());
    opened->state_ = std::move(state);
    return opened;
  }
  return Error{.code = ErrorCode::kUnavailable,
               .message = "checkpoint " + path + " was replaced " +
                          std::to_string(kOpenAttemptsMax) + " times while it was opened"};
}

std::uint32_t CheckpointFile::version() const noexcept { return state_->header.version; }

Result<std::span<std::byte>> CheckpointFile::section(std::string_view name) const {
  for (const CheckpointSection& section : state_->sections) {
    if (section.name != name) continue;
    return state_->mapping->bytes().subspan(static_cast<std::size_t>(section.offset),
                                            static_cast<std::size_t>(section.size));
  }
  return corrupt(state_->path, "has no section " + in_quotes(name));
}

Error CheckpointFile::odd_section(std::string_view name) const {
  return corrupt(state_->path,
                 "section " + in_quotes(name) + " holds no whole number of its elements");
}

Status CheckpointFile::verify() const {
  const State& state = *state_;
  std::uint64_t end = detail::kHeaderSize;
  std::string piece;
  for (const CheckpointSection& section : state.sections) {
    QUIPU_TRY_OK(check_padding(*state.file, state.path, end, section.offset));
    end = section.offset + section.size;
    std::uint32_t crc = 0;
    for (std::uint64_t at = section.offset; at < end; at += piece.size()) {
      const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(kPieceBytes, end - at));
      QUIPU_TRY(piece, read_exactly(*state.file, state.path, at, size));
      crc = crc32c(piece, crc);
    }
    if (crc != section.crc) {
      return corrupt(state.path, "section " + in_quotes(section.name) + " has a wrong checksum");
    }
  }
  return check_padding(*state.file, state.path, end, state.table_offset);
}

}  // namespace quipu
