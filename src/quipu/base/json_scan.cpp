#include "quipu/base/json_scan.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <vector>

namespace quipu::detail {
namespace {

constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Reads front to back; every function returns false after it has noted the problem.
class Scanner {
 public:
  Scanner(std::string_view text, std::size_t depth_max) : text_(text), depth_max_(depth_max) {}

  std::optional<JsonProblem> run() {
    skip_space();
    if (!values()) return problem_;
    if (at_ < text_.size()) {
      refuse(at_, "more text after the value");
      return problem_;
    }
    return std::nullopt;
  }

 private:
  bool refuse(std::size_t offset, std::string_view what) {
    problem_ = {.offset = offset, .what = what};
    return false;
  }
  [[nodiscard]] bool next_is(char c) const { return at_ < text_.size() && text_[at_] == c; }
  bool take(char c) {
    if (!next_is(c)) return false;
    ++at_;
    return true;
  }
  void skip_space() {
    while (at_ < text_.size() && std::string_view(" \t\n\r").find(text_[at_]) != text_.npos) ++at_;
  }
  void skip_digits() {
    while (at_ < text_.size() && is_digit(text_[at_])) ++at_;
  }

  // One value with all that is in it. `open_` holds the closing character of each container that
  // we are in, instead of a recursion.
  bool values() {
    for (;;) {
      bool opened = false;
      if (!value_start(opened)) return false;
      if (opened) continue;  // at the first value inside
      // After a value: close what ends here, or go on to the next value.
      for (;;) {
        skip_space();
        if (open_.empty()) return true;
        if (take(open_.back())) {
          open_.pop_back();
          continue;
        }
        if (!take(',')) {
          return refuse(at_, open_.back() == '}' ? "expected ',' or '}'" : "expected ',' or ']'");
        }
        skip_space();
        if (open_.back() == '}' && !member_name()) return false;
        break;
      }
    }
  }

  // A scalar, an empty container (done), or the opening of one that is not empty (`opened`).
  bool value_start(bool& opened) {
    if (at_ == text_.size()) return refuse(at_, "expected a value, found the end");
    switch (text_[at_]) {
      case '{': return container('}', opened);
      case '[': return container(']', opened);
      case '"': return string();
      case 't': return literal("true");
      case 'f': return literal("false");
      case 'n': return literal("null");
      default: return number();
    }
  }

  bool container(char close, bool& opened) {
    if (open_.size() >= depth_max_) return refuse(at_, "nested too deeply");
    ++at_;
    skip_space();
    if (take(close)) return true;
    open_.push_back(close);
    opened = true;
    return close == ']' || member_name();
  }

  bool member_name() {
    if (!next_is('"')) return refuse(at_, "expected a member's name in quotes");
    if (!string()) return false;
    skip_space();
    if (!take(':')) return refuse(at_, "expected ':' after a member's name");
    skip_space();
    return true;
  }

  bool literal(std::string_view word) {
    if (text_.substr(at_, word.size()) != word) return refuse(at_, "expected a value");
    at_ += word.size();
    return true;
  }

  bool string() {
    const std::size_t begin = at_++;
    while (at_ < text_.size()) {
      const auto byte = static_cast<unsigned char>(text_[at_]);
      if (byte == '"') {
        ++at_;
        return true;
      }
      if (byte < 0x20) return refuse(at_, "a control character in a string must be escaped");
      if (byte == '\\') {
        if (!escape()) return false;
        continue;
      }
      const std::size_t size = utf8_character_size(text_.substr(at_));
      if (size == 0) return refuse(at_, "a string is not valid UTF-8");
      at_ += size;
    }
    return refuse(begin, "a string does not end");
  }

  bool escape() {
    const std::size_t begin = at_++;
    if (at_ == text_.size()) return refuse(begin, "a string does not end");
    const char kind = text_[at_++];
    if (kind != 'u') {
      if (std::string_view("\"\\/bfnrt").find(kind) != std::string_view::npos) return true;
      return refuse(begin, "an unknown escape in a string");
    }
    std::uint32_t unit = 0;
    if (!hex_unit(unit)) return refuse(begin, "\\u wants four hexadecimal digits");
    if (unit >= 0xDC00 && unit <= 0xDFFF) return refuse(begin, "a lone low surrogate");
    if (unit < 0xD800 || unit > 0xDBFF) return true;
    std::uint32_t low = 0;
    if (!take('\\') || !take('u') || !hex_unit(low) || low < 0xDC00 || low > 0xDFFF) {
      return refuse(begin, "a lone high surrogate");
    }
    return true;
  }

  bool hex_unit(std::uint32_t& unit) {
    if (text_.size() - at_ < 4) return false;
    const char* const begin = text_.data() + at_;
    const std::from_chars_result read = std::from_chars(begin, begin + 4, unit, 16);
    if (read.ec != std::errc() || read.ptr != begin + 4) return false;
    at_ += 4;
    return true;
  }

  bool number() {
    const std::size_t begin = at_;
    const bool negative = take('-');
    if (at_ == text_.size() || !is_digit(text_[at_])) return refuse(begin, "expected a value");
    const std::size_t digits_begin = at_;
    if (!take('0')) skip_digits();
    if (at_ < text_.size() && is_digit(text_[at_])) {
      return refuse(begin, "a number has leading zeros");
    }
    bool whole = true;
    if (take('.')) {
      whole = false;
      const std::size_t fraction = at_;
      skip_digits();
      if (at_ == fraction) return refuse(begin, "a number's '.' wants a digit after it");
    }
    if (take('e') || take('E')) {
      whole = false;
      if (!take('+')) take('-');
      const std::size_t exponent = at_;
      skip_digits();
      if (at_ == exponent) return refuse(begin, "a number's exponent has no digits");
    }
    const std::string_view token = text_.substr(begin, at_ - begin);
    const bool fits = whole ? fits_integer(token, negative) : fits_double(token, digits_begin);
    return fits || refuse(begin, "a number is out of range");
  }

  static bool fits_integer(std::string_view token, bool negative) {
    std::int64_t small = 0;
    std::uint64_t large = 0;
    const char* const end = token.data() + token.size();
    return negative ? std::from_chars(token.data(), end, small).ec == std::errc()
                    : std::from_chars(token.data(), end, large).ec == std::errc();
  }

  bool fits_double(std::string_view token, std::size_t digits_begin) const {
    double value = 0;
    const char* const end = token.data() + token.size();
    if (std::from_chars(token.data(), end, value).ec == std::errc()) return true;
    // Out of range at one end or the other. Too small is read as the nearest, zero or a denormal.
    return decimal_magnitude(text_.substr(digits_begin, at_ - digits_begin)) < 0;
  }

  // Roughly the decimal logarithm of an unsigned number that is not whole.
  static std::int64_t decimal_magnitude(std::string_view digits) {
    const std::size_t mark = std::min(digits.find_first_of("eE"), digits.size());
    std::int64_t exponent = 0;
    if (mark < digits.size()) {
      std::string_view power = digits.substr(mark + 1);
      const bool negative = power[0] == '-';
      if (power[0] == '-' || power[0] == '+') power.remove_prefix(1);
      constexpr std::int64_t kHuge = 1'000'000'000'000;
      const auto read = std::from_chars(power.data(), power.data() + power.size(), exponent);
      if (read.ec != std::errc() || exponent > kHuge) exponent = kHuge;
      if (negative) exponent = -exponent;
    }
    const std::string_view mantissa = digits.substr(0, mark);
    const std::size_t point = std::min(mantissa.find('.'), mantissa.size());
    const std::size_t first = mantissa.find_first_of("123456789");
    if (first == std::string_view::npos) return -1;
    const auto places = static_cast<std::int64_t>(point) - static_cast<std::int64_t>(first);
    return exponent + places;
  }

  std::string_view text_;
  std::size_t depth_max_;
  std::size_t at_ = 0;
  std::vector<char> open_;
  JsonProblem problem_;
};

}  // namespace

std::optional<JsonProblem> find_json_problem(std::string_view text, std::size_t depth_max) {
  return Scanner(text, depth_max).run();
}

std::string describe_json_place(std::string_view text, std::size_t offset) {
  const std::string_view before = text.substr(0, offset);
  const auto lines = std::count(before.begin(), before.end(), '\n');
  const std::size_t line_begin = before.rfind('\n') + 1;  // npos + 1 is 0
  return "line " + std::to_string(lines + 1) + ", column " +
         std::to_string(before.size() - line_begin + 1);
}

std::size_t utf8_character_size(std::string_view text) noexcept {
  const auto byte = [text](std::size_t place) {
    return place < text.size() ? static_cast<unsigned char>(text[place]) : 0U;
  };
  const auto follows = [&byte](std::size_t place) { return (byte(place) & 0xC0U) == 0x80U; };
  const unsigned first = byte(0);
  if (first < 0x80) return 1;
  if (first < 0xC2) return 0;  // a continuation byte, or an over-long form
  if (first < 0xE0) return follows(1) ? 2 : 0;
  if (first < 0xF0) {
    if (!follows(1) || !follows(2)) return 0;
    if (first == 0xE0 && byte(1) < 0xA0) return 0;   // over-long
    if (first == 0xED && byte(1) >= 0xA0) return 0;  // a surrogate
    return 3;
  }
  if (first > 0xF4 || !follows(1) || !follows(2) || !follows(3)) return 0;
  if (first == 0xF0 && byte(1) < 0x90) return 0;   // over-long
  if (first == 0xF4 && byte(1) >= 0x90) return 0;  // beyond U+10FFFF
  return 4;
}

}  // namespace quipu::detail
