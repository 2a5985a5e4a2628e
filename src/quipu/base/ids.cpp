#include "quipu/ids.h"

#include <charconv>

#include "quipu/base/quote.h"

namespace quipu {
namespace {

constexpr std::size_t kUuidTextSize = 36;
constexpr std::size_t kNumberDigitsMax = 20;

Error bad_id(std::string_view text, std::string_view why) {
  return Error{.code = ErrorCode::kInvalidArgument,
               .message = "point id " + in_quotes(text) + ": " + std::string(why),
               .reason = "invalid_point_id"};
}

constexpr bool is_hyphen_place(std::size_t place) {
  return place == 8 || place == 13 || place == 18 || place == 23;
}

// The digit's value, or -1.
constexpr int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

Result<PointId> parse_uuid(std::string_view text) {
  std::uint64_t halves[2] = {0, 0};
  std::size_t digits = 0;
  for (std::size_t place = 0; place < kUuidTextSize; ++place) {
    if (is_hyphen_place(place)) {
      if (text[place] != '-') return bad_id(text, "a UUID has hyphens at 8, 13, 18 and 23");
      continue;
    }
    const int value = hex_value(text[place]);
    if (value < 0) return bad_id(text, "a UUID has only hexadecimal digits and hyphens");
    std::uint64_t& half = halves[digits / 16];
    half = (half << 4U) | static_cast<std::uint64_t>(value);
    ++digits;
  }
  return PointId::uuid(halves[0], halves[1]);
}

}  // namespace

Result<PointId> PointId::parse(std::string_view text) {
  if (text.size() == kUuidTextSize) return parse_uuid(text);
  if (text.empty() || text.size() > kNumberDigitsMax) {
    return bad_id(text, "must be a decimal number of 1 to 20 digits or a UUID of 36 characters");
  }
  std::uint64_t value = 0;
  const char* const end = text.data() + text.size();
  const std::from_chars_result read = std::from_chars(text.data(), end, value);
  if (read.ec == std::errc::result_out_of_range) {
    return bad_id(text, "the number is larger than 18446744073709551615");
  }
  if (read.ec != std::errc() || read.ptr != end) {
    return bad_id(text, "must be a decimal number of 1 to 20 digits or a UUID of 36 characters");
  }
  // Otherwise one point would have many spellings.
  if (text.size() > 1 && text[0] == '0') return bad_id(text, "has leading zeros");
  return number(value);
}

std::string PointId::to_string() const {
  if (!is_uuid()) return std::to_string(low_);
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  text.reserve(kUuidTextSize);
  for (std::size_t digit = 0; digit < 32; ++digit) {
    if (is_hyphen_place(text.size())) text.push_back('-');
    const std::uint64_t half = digit < 16 ? high_ : low_;
    const std::size_t shift = 60 - 4 * (digit % 16);
    text.push_back(kDigits[static_cast<std::size_t>((half >> shift) & 0xFU)]);
  }
  return text;
}

}  // namespace quipu
