// The two ways to compute bytes.h's crc32c, for it to choose from and for tests to compare.
#pragma once

#include <cstdint>
#include <string_view>

namespace quipu::detail {

// Both take and give the finished sum, as crc32c() does.
[[nodiscard]] std::uint32_t crc32c_table(std::string_view bytes, std::uint32_t crc) noexcept;
// Only where crc32c_has_hardware().
[[nodiscard]] std::uint32_t crc32c_hardware(std::string_view bytes, std::uint32_t crc) noexcept;
[[nodiscard]] bool crc32c_has_hardware() noexcept;

}  // namespace quipu::detail
