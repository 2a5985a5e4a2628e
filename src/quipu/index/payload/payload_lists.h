// Small helpers of those that read a payload index's dictionaries.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "quipu/base/bytes.h"
#include "quipu/index/payload/payload_segment.h"

namespace quipu::index {

template <typename T>
[[nodiscard]] std::vector<T> distinct_values(std::vector<T> values) {
  std::sort(values.begin(), values.end());
  values.erase(std::unique(values.begin(), values.end()), values.end());
  return values;
}

[[nodiscard]] inline bool is_long(std::string_view text) noexcept {
  return text.size() > kHeldBytesMax;
}

// The count that count_key() made the key of; 0 of a damaged one.
[[nodiscard]] inline std::uint32_t count_of_key(std::string_view key) {
  ByteReader in(key.substr(1));
  return in.u32_big_endian();
}

}  // namespace quipu::index
