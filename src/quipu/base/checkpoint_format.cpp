#include "quipu/base/checkpoint_format.h"

#include <algorithm>
#include <set>

#include "quipu/base/bytes.h"
#include "quipu/base/quote.h"

namespace quipu::detail {
namespace {

constexpr std::string_view kMagic = "QUIPUCKP";
constexpr std::string_view kEndMagic = "QUIPUEND";
constexpr std::size_t kKindSize = 16;
constexpr std::size_t kNameSize = 32;

Error corrupt(std::string message) {
  return Error{.code = ErrorCode::kCorruption, .message = std::move(message)};
}

void put_name(ByteWriter& out, std::string_view name, std::size_t size) {
  out.bytes(name);
  for (std::size_t at = name.size(); at < size; ++at) out.u8(0);
}

void put_zeros(std::string& out, std::size_t size) { out.resize(size, '\0'); }

bool all_zero(std::string_view bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](char c) { return c == '\0'; });
}

// The name in a zero-padded field, or empty when it is not one that the writer would have put.
std::string_view take_name(ByteReader& in, std::size_t size) {
  const std::string_view field = in.bytes(size);
  const std::string_view name = field.substr(0, field.find('\0'));
  if (!all_zero(field.substr(name.size()))) return {};
  return is_checkpoint_name(name, size - 1) ? name : std::string_view{};
}

}  // namespace

bool is_checkpoint_name(std::string_view name, std::size_t bytes_max) noexcept {
  if (name.empty() || name.size() > bytes_max) return false;
  return std::all_of(name.begin(), name.end(), [](char c) { return c > ' ' && c < '\x7f'; });
}

std::string encode_header(const CheckpointHeader& header) {
  std::string bytes;
  ByteWriter out(bytes);
  out.bytes(kMagic);
  out.u32(kContainerVersion);
  out.u32(header.version);
  put_name(out, header.kind, kKindSize);
  out.u32(crc32c(bytes));
  put_zeros(bytes, kHeaderSize);
  return bytes;
}

std::string encode_table(const std::vector<CheckpointSection>& sections) {
  std::string bytes;
  ByteWriter out(bytes);
  for (const CheckpointSection& section : sections) {
    put_name(out, section.name, kNameSize);
    out.u64(section.offset);
    out.u64(section.size);
    out.u32(section.crc);
    put_name(out, {}, kEntrySize - kNameSize - 20);
  }
  return bytes;
}

std::string encode_trailer(const CheckpointTrailer& trailer) {
  std::string bytes;
  ByteWriter out(bytes);
  out.bytes(kEndMagic);
  out.u64(trailer.table_offset);
  out.u32(trailer.section_count);
  out.u32(trailer.table_crc);
  out.u32(crc32c(bytes));
  put_zeros(bytes, kTrailerSize);
  return bytes;
}

Result<CheckpointHeader> decode_header(std::string_view bytes) {
  ByteReader in(bytes);
  if (in.bytes(kMagic.size()) != kMagic) return corrupt("is no checkpoint: its magic is missing");
  const std::uint32_t container = in.u32();
  CheckpointHeader header{.kind = {}, .version = in.u32()};
  header.kind = take_name(in, kKindSize);
  const std::uint32_t crc = in.u32();
  const std::string_view rest = in.bytes(in.left());
  if (!in.ok() || bytes.size() != kHeaderSize) return corrupt("its header is cut short");
  if (crc != crc32c(bytes.substr(0, 32))) return corrupt("its header's checksum is wrong");
  if (container > kContainerVersion) {
    return Error{.code = ErrorCode::kFailedPrecondition,
                 .message = "has container version " + std::to_string(container) +
                            ", and this release reads up to " + std::to_string(kContainerVersion),
                 .reason = "checkpoint_kind"};
  }
  if (container == 0 || header.kind.empty() || !all_zero(rest)) {
    return corrupt("its header is malformed");
  }
  return header;
}

Result<CheckpointTrailer> decode_trailer(std::string_view bytes, std::uint64_t file_size) {
  ByteReader in(bytes);
  if (in.bytes(kEndMagic.size()) != kEndMagic) {
    return corrupt("is incomplete: its end mark is missing");
  }
  CheckpointTrailer trailer;
  trailer.table_offset = in.u64();
  trailer.section_count = in.u32();
  trailer.table_crc = in.u32();
  const std::uint32_t crc = in.u32();
  const std::string_view rest = in.bytes(in.left());
  if (!in.ok() || bytes.size() != kTrailerSize) return corrupt("its trailer is cut short");
  if (crc != crc32c(bytes.substr(0, 24))) return corrupt("its trailer's checksum is wrong");
  const std::uint64_t table_size = std::uint64_t{trailer.section_count} * kEntrySize;
  if (trailer.section_count > kSectionsMax || !all_zero(rest) || trailer.table_offset > file_size ||
      file_size - trailer.table_offset != table_size + kTrailerSize) {
    return corrupt("its trailer is malformed");
  }
  return trailer;
}

Result<std::vector<CheckpointSection>> decode_table(std::string_view bytes,
                                                    const CheckpointTrailer& trailer) {
  if (bytes.size() != std::size_t{trailer.section_count} * kEntrySize) {
    return corrupt("its section table is cut short");
  }
  if (crc32c(bytes) != trailer.table_crc) {
    return corrupt("its section table's checksum is wrong");
  }
  std::vector<CheckpointSection> sections;
  std::set<std::string_view> names;
  ByteReader in(bytes);
  std::uint64_t end = kHeaderSize;
  for (std::uint32_t index = 0; index < trailer.section_count; ++index) {
    CheckpointSection section;
    const std::string_view name = take_name(in, kNameSize);
    section.name = name;
    section.offset = in.u64();
    section.size = in.u64();
    section.crc = in.u32();
    const bool zeros = all_zero(in.bytes(kEntrySize - kNameSize - 20));
    if (name.empty() || !zeros) {
      return corrupt("entry " + std::to_string(index) + " of its section table is malformed");
    }
    if (!names.insert(name).second) return corrupt("has two sections named " + in_quotes(name));
    // The format leaves no choice of place, so nothing overlaps and nothing hides between.
    if (section.offset != align_up(end, kCheckpointAlignment) ||
        section.offset > trailer.table_offset ||
        section.size > trailer.table_offset - section.offset) {
      return corrupt("section " + in_quotes(name) + " is out of place");
    }
    end = section.offset + section.size;
    sections.push_back(std::move(section));
  }
  if (align_up(end, kTableAlignment) != trailer.table_offset) {
    return corrupt("its section table is out of place");
  }
  return sections;
}

}  // namespace quipu::detail
