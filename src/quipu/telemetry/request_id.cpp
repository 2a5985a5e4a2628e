#include "quipu/telemetry/request_id.h"

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "quipu/base/rng.h"

namespace quipu::telemetry {

bool valid_request_id(std::string_view id) noexcept {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == ':' || c == '-';
  };
  return !id.empty() && id.size() <= kRequestIdBytesMax && std::ranges::all_of(id, allowed);
}

std::string make_request_id() {
  static const std::uint64_t start = entropy();
  static std::atomic<std::uint64_t> count{0};
  // Relaxed: only that each value is handed out once matters. The multiplication by an odd number
  // is a bijection, so ids differ as long as the count does.
  const std::uint64_t step = count.fetch_add(1, std::memory_order_relaxed);
  std::uint64_t id = (start + step) * 0x9e3779b97f4a7c15ULL;
  id ^= id >> 32;
  std::string text(16, '0');
  for (std::size_t i = 16; i-- > 0; id >>= 4) text[i] = "0123456789abcdef"[id & 15];
  return text;
}

}  // namespace quipu::telemetry
