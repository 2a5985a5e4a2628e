// Sections of the views' checkpoint files: arrays as they lie in memory.
//
// Errors of all that read: kCorruption naming the file and what is wrong.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "quipu/base/checkpoint_file.h"
#include "quipu/result.h"

namespace quipu::index {

[[nodiscard]] Error damaged_checkpoint(const std::string& path, std::string_view what);

template <typename T>
Status write_array(CheckpointWriter& writer, std::string_view name, const std::vector<T>& values) {
  QUIPU_TRY_OK(writer.begin_section(name));
  return writer.append_array(std::span<const T>(values));
}

// A section that lists rows, each below `rows`.
[[nodiscard]] Result<std::vector<std::uint32_t>> read_rows(const CheckpointFile& file,
                                                           const std::string& path,
                                                           std::string_view name,
                                                           std::uint32_t rows);
// A section of `count` items of `item_bytes`.
[[nodiscard]] Result<std::span<std::byte>> sized_section(const CheckpointFile& file,
                                                         const std::string& path,
                                                         std::string_view name, std::uint64_t count,
                                                         std::size_t item_bytes);
// A section of whole items, at most 2^32 of them.
[[nodiscard]] Result<std::span<std::byte>> counted_section(const CheckpointFile& file,
                                                           const std::string& path,
                                                           std::string_view name,
                                                           std::size_t item_bytes);

}  // namespace quipu::index
