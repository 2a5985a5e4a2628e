// The bytes of the checkpoint container (docs/format/checkpoint.md), apart from any file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "quipu/result.h"

namespace quipu::detail {

inline constexpr std::uint32_t kContainerVersion = 1;
inline constexpr std::size_t kCheckpointAlignment = 4096;  // of sections
inline constexpr std::size_t kTableAlignment = 64;
inline constexpr std::size_t kHeaderSize = 64;
inline constexpr std::size_t kEntrySize = 64;
inline constexpr std::size_t kTrailerSize = 64;
inline constexpr std::size_t kKindBytesMax = 15;
inline constexpr std::size_t kSectionNameBytesMax = 31;
inline constexpr std::size_t kSectionsMax = 4096;

struct CheckpointSection {
  std::string name;
  std::uint64_t offset = 0;
  std::uint64_t size = 0;
  std::uint32_t crc = 0;
};

struct CheckpointHeader {
  std::string kind;
  std::uint32_t version = 0;
};

struct CheckpointTrailer {
  std::uint64_t table_offset = 0;
  std::uint32_t section_count = 0;
  std::uint32_t table_crc = 0;
};

[[nodiscard]] constexpr std::uint64_t align_up(std::uint64_t offset, std::uint64_t alignment) {
  return (offset + alignment - 1) / alignment * alignment;
}

// 1 to `bytes_max` printable ASCII characters without a space.
[[nodiscard]] bool is_checkpoint_name(std::string_view name, std::size_t bytes_max) noexcept;

[[nodiscard]] std::string encode_header(const CheckpointHeader& header);
[[nodiscard]] std::string encode_table(const std::vector<CheckpointSection>& sections);
[[nodiscard]] std::string encode_trailer(const CheckpointTrailer& trailer);

// Each takes exactly the bytes that its encoder makes. Errors: kCorruption, or kFailedPrecondition
// ("checkpoint_kind") for a newer container version; the messages do not name the file.
[[nodiscard]] Result<CheckpointHeader> decode_header(std::string_view bytes);
[[nodiscard]] Result<CheckpointTrailer> decode_trailer(std::string_view bytes,
                                                       std::uint64_t file_size);
// Also checks that the sections lie where the format puts them, between the header and the table.
[[nodiscard]] Result<std::vector<CheckpointSection>> decode_table(std::string_view bytes,
                                                                  const CheckpointTrailer& trailer);

}  // namespace quipu::detail
