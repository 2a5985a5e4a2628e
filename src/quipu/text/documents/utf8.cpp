#include "quipu/text/documents/utf8.h"

#include <cstdint>

namespace quipu::text {
namespace {

// The size of the sequence that a lead byte opens and the bounds of its second byte; size 0 for
// bytes that open none.
struct Lead {
  std::size_t size;
  std::uint8_t second_min;
  std::uint8_t second_max;
};

Lead lead_of(std::uint8_t byte) noexcept {
  if (byte < 0x80) return {1, 0, 0};
  if (byte < 0xc2) return {0, 0, 0};
  if (byte < 0xe0) return {2, 0x80, 0xbf};
  if (byte == 0xe0) return {3, 0xa0, 0xbf};
  if (byte == 0xed) return {3, 0x80, 0x9f};
  if (byte < 0xf0) return {3, 0x80, 0xbf};
  if (byte == 0xf0) return {4, 0x90, 0xbf};
  if (byte < 0xf4) return {4, 0x80, 0xbf};
  if (byte == 0xf4) return {4, 0x80, 0x8f};
  return {0, 0, 0};
}

}  // namespace

std::optional<std::size_t> first_invalid_utf8(std::string_view bytes) noexcept {
  const auto at = [&](std::size_t i) { return static_cast<std::uint8_t>(bytes[i]); };
  std::size_t i = 0;
  while (i < bytes.size()) {
    const Lead lead = lead_of(at(i));
    if (lead.size == 0 || lead.size > bytes.size() - i) return i;
    if (lead.size > 1 && (at(i + 1) < lead.second_min || at(i + 1) > lead.second_max)) return i;
    for (std::size_t j = 2; j < lead.size; ++j) {
      if ((at(i + j) & 0xc0U) != 0x80U) return i;
    }
    i += lead.size;
  }
  return std::nullopt;
}

std::size_t utf8_floor(std::string_view bytes, std::size_t size) noexcept {
  if (size >= bytes.size()) return bytes.size();
  while (size > 0 && (static_cast<std::uint8_t>(bytes[size]) & 0xc0U) == 0x80U) --size;
  return size;
}

}  // namespace quipu::text
