// Property: bytes are either refused, or are exactly what the writer makes of their sections.
// Since no fuzzer guesses a checksum, the bytes are tried once as they are and once with the right
// checksums put in where the format has them.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "quipu/assert.h"
#include "quipu/base/bytes.h"
#include "quipu/base/checkpoint_file.h"
#include "quipu/base/checkpoint_format.h"

namespace {

using quipu::Error;
using quipu::ErrorCode;
using quipu::Result;
using quipu::Status;
namespace format = quipu::detail;

constexpr const char* kPath = "view";

class MemoryWriter final : public quipu::WritableFile {
 public:
  explicit MemoryWriter(std::string& bytes) : bytes_(bytes) { bytes_.clear(); }
  Status append(std::span<const std::byte> bytes) override {
    bytes_.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    return quipu::ok_status();
  }
  Status sync() override { return quipu::ok_status(); }
  Status close() override { return quipu::ok_status(); }
  std::uint64_t size() const noexcept override { return bytes_.size(); }
  Status truncate(std::uint64_t size) override {
    bytes_.resize(static_cast<std::size_t>(size));
    return quipu::ok_status();
  }
  void preallocate(std::uint64_t, std::uint64_t) override {}

 private:
  std::string& bytes_;
};

class MemoryReader final : public quipu::RandomAccessFile {
 public:
  explicit MemoryReader(const std::string& bytes) : bytes_(bytes) {}
  Result<std::size_t> read(std::uint64_t offset, std::span<std::byte> into) const override {
    if (offset >= bytes_.size()) return std::size_t{0};
    const std::size_t size =
        std::min(into.size(), bytes_.size() - static_cast<std::size_t>(offset));
    std::memcpy(into.data(), bytes_.data() + offset, size);
    return size;
  }
  std::uint64_t size() const noexcept override { return bytes_.size(); }

 private:
  const std::string& bytes_;
};

class MemoryMapping final : public quipu::MappedFile {
 public:
  explicit MemoryMapping(std::string bytes) : bytes_(std::move(bytes)) {}
  std::span<std::byte> bytes() noexcept override {
    return std::as_writable_bytes(std::span(bytes_.data(), bytes_.size()));
  }

 private:
  std::string bytes_;
};

// Files without a disk: the few calls that checkpoints make.
class MemoryFiles final : public quipu::FileSystem {
 public:
  Result<std::unique_ptr<quipu::WritableFile>> open_writable(const std::string& path,
                                                             quipu::OpenMode) override {
    return std::unique_ptr<quipu::WritableFile>(std::make_unique<MemoryWriter>(files[path]));
  }
  Result<std::unique_ptr<quipu::RandomAccessFile>> open_random_access(
      const std::string& path) override {
    return std::unique_ptr<quipu::RandomAccessFile>(std::make_unique<MemoryReader>(files[path]));
  }
  Result<std::unique_ptr<quipu::MappedFile>> map(const std::string& path) override {
    return std::unique_ptr<quipu::MappedFile>(std::make_unique<MemoryMapping>(files[path]));
  }
  Status rename(const std::string& from, const std::string& to) override {
    files[to] = std::move(files[from]);
    files.erase(from);
    return quipu::ok_status();
  }
  Status sync_directory(const std::string&) override { return quipu::ok_status(); }
  Status remove_file(const std::string& path) override {
    files.erase(path);
    return quipu::ok_status();
  }
  bool exists(const std::string& path) override { return files.count(path) > 0; }
  bool is_directory(const std::string&) override { return false; }
  Result<std::vector<std::string>> list(const std::string&) override { return unused(); }
  Result<std::uint64_t> file_size(const std::string&) override { return unused(); }
  Result<std::int64_t> modified_us(const std::string&) override { return unused(); }
  Status create_directories(const std::string&) override { return unused(); }
  Status remove_directory(const std::string&) override { return unused(); }
  Status hard_link(const std::string&, const std::string&) override { return unused(); }
  Result<std::unique_ptr<quipu::FileLock>> lock(const std::string&) override { return unused(); }
  Result<std::uint64_t> free_bytes(const std::string&) override { return unused(); }

  std::map<std::string, std::string> files;

 private:
  static Error unused() {
    return Error{.code = ErrorCode::kUnimplemented, .message = "no checkpoint asks for this"};
  }
};

// The table of a file that open() has accepted.
std::vector<format::CheckpointSection> table_of(const std::string& bytes) {
  const std::string_view all = bytes;
  const auto trailer =
      format::decode_trailer(all.substr(all.size() - format::kTrailerSize), all.size());
  QUIPU_ASSERT(trailer.ok());
  const auto begin = static_cast<std::size_t>(trailer.value().table_offset);
  const auto table = format::decode_table(
      all.substr(begin, all.size() - format::kTrailerSize - begin), trailer.value());
  QUIPU_ASSERT(table.ok());
  return table.value();
}

void check(const std::string& bytes) {
  if (bytes.size() < format::kHeaderSize) return;
  MemoryFiles fs;
  fs.files[kPath] = bytes;
  const auto header = format::decode_header(std::string_view(bytes).substr(0, format::kHeaderSize));
  const std::string kind = header.ok() ? header.value().kind : "view";
  const auto opened = quipu::CheckpointFile::open(fs, kPath, kind);
  if (!opened.ok()) return;
  QUIPU_ASSERT(header.ok());
  const std::vector<format::CheckpointSection> table = table_of(bytes);
  for (const format::CheckpointSection& section : table) {
    const auto content = opened.value()->section(section.name);
    QUIPU_ASSERT(content.ok());
    QUIPU_ASSERT(content.value().size() == section.size);
    QUIPU_ASSERT(section.offset % format::kCheckpointAlignment == 0);
  }
  if (!opened.value()->verify().ok()) return;
  auto writer = quipu::CheckpointWriter::create(fs, "again", kind, opened.value()->version());
  QUIPU_ASSERT(writer.ok());
  for (const format::CheckpointSection& section : table) {
    QUIPU_ASSERT(writer.value()->begin_section(section.name).ok());
    QUIPU_ASSERT(writer.value()->append(opened.value()->section(section.name).value()).ok());
  }
  QUIPU_ASSERT(writer.value()->finish().ok());
  QUIPU_ASSERT(fs.files["again"] == bytes);
}

void put_u32(std::string& bytes, std::size_t at, std::uint32_t value) {
  std::string raw;
  quipu::ByteWriter(raw).u32(value);
  bytes.replace(at, raw.size(), raw);
}

// Puts in the checksums that the bytes would need, wherever their own numbers say that they are.
std::string with_checksums(std::string bytes) {
  if (bytes.size() < format::kHeaderSize + format::kTrailerSize) return bytes;
  const std::size_t trailer = bytes.size() - format::kTrailerSize;
  quipu::ByteReader numbers(std::string_view(bytes).substr(trailer + 8));
  const std::uint64_t table = numbers.u64();
  if (table <= trailer) {
    const auto begin = static_cast<std::size_t>(table);
    for (std::size_t at = begin; at + format::kEntrySize <= trailer; at += format::kEntrySize) {
      quipu::ByteReader entry(std::string_view(bytes).substr(at + 32));
      const std::uint64_t offset = entry.u64();
      const std::uint64_t size = entry.u64();
      if (offset > bytes.size() || size > bytes.size() - offset) continue;
      const std::string_view content = std::string_view(bytes).substr(
          static_cast<std::size_t>(offset), static_cast<std::size_t>(size));
      put_u32(bytes, at + 48, quipu::crc32c(content));
    }
    put_u32(bytes, trailer + 20,
            quipu::crc32c(std::string_view(bytes).substr(begin, trailer - begin)));
  }
  put_u32(bytes, trailer + 24, quipu::crc32c(std::string_view(bytes).substr(trailer, 24)));
  put_u32(bytes, 32, quipu::crc32c(std::string_view(bytes).substr(0, 32)));
  return bytes;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  check(bytes);
  check(with_checksums(bytes));
  return 0;
}
