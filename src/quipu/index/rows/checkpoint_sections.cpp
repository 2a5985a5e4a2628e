#include "quipu/index/rows/checkpoint_sections.h"

#include <algorithm>

#include "quipu/base/format.h"

namespace quipu::index {

Error damaged_checkpoint(const std::string& path, std::string_view what) {
  return {.code = ErrorCode::kCorruption, .message = format("{}: {}", path, what)};
}

Result<std::vector<std::uint32_t>> read_rows(const CheckpointFile& file, const std::string& path,
                                             std::string_view name, std::uint32_t rows) {
  QUIPU_TRY(const std::span<std::uint32_t> section, file.array<std::uint32_t>(name));
  std::vector<std::uint32_t> list(section.begin(), section.end());
  const bool inside =
      std::all_of(list.begin(), list.end(), [rows](std::uint32_t row) { return row < rows; });
  if (!inside) {
    return damaged_checkpoint(path, format("section {} names a row that is not there", name));
  }
  return list;
}

Result<std::span<std::byte>> sized_section(const CheckpointFile& file, const std::string& path,
                                           std::string_view name, std::uint64_t count,
                                           std::size_t item_bytes) {
  QUIPU_TRY(const std::span<std::byte> section, file.section(name));
  if (section.size() != count * item_bytes) {
    return damaged_checkpoint(path, format("section {} has {} bytes; {} items of {} are expected",
                                           name, section.size(), count, item_bytes));
  }
  return section;
}

Result<std::span<std::byte>> counted_section(const CheckpointFile& file, const std::string& path,
                                             std::string_view name, std::size_t item_bytes) {
  QUIPU_TRY(const std::span<std::byte> section, file.section(name));
  if (section.size() % item_bytes != 0 || section.size() / item_bytes > UINT32_MAX) {
    return damaged_checkpoint(
        path, format("section {} has {} bytes, which is no possible number of items", name,
                     section.size()));
  }
  return section;
}

}  // namespace quipu::index
