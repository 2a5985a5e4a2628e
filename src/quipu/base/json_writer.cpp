#include <array>
#include <charconv>
#include <cmath>
#include <type_traits>

#include "quipu/base/json.h"
#include "quipu/base/json_scan.h"

namespace quipu {
namespace {

// From here on a whole number may be read as an integer that a double does not hold, or not at all.
constexpr double kWholeMax = 9007199254740992.0;  // 2^53

template <typename Number>
void append_number(std::string& out, Number number) {
  char text[32];  // the longest shortest form of a double has 24 characters
  const std::to_chars_result end = std::to_chars(text, text + sizeof(text), number);
  out.append(text, end.ptr);
}

// Whether a reader that takes `text` for a double and rounds that to a float gets `number`.
bool survives_double(std::string_view text, float number) {
  double read = 0;
  const auto done = std::from_chars(text.data(), text.data() + text.size(), read);
  return done.ec == std::errc() && static_cast<float>(read) == number;
}

template <typename Float>
void append_float(std::string& out, Float number) {
  if (!std::isfinite(number)) {
    out += "null";
    return;
  }
  const std::size_t begin = out.size();
  append_number(out, number);
  if constexpr (std::is_same_v<Float, float>) {
    // Readers of JSON, ours among them, know doubles only. For a few floats (7.038531e-26 is one)
    // the shortest text is read as a double halfway between two floats, and then rounded to the
    // other.
    if (!survives_double(std::string_view(out).substr(begin), number)) {
      out.resize(begin);
      append_number(out, static_cast<double>(number));
    }
  }
  // Keeps what would otherwise be read as an integer a floating-point number, where it matters: the
  // sign of minus zero, and whole numbers beyond 64 bits.
  const bool risky =
      std::fabs(number) >= static_cast<Float>(kWholeMax) || (number == 0 && std::signbit(number));
  if (risky && out.find_first_of(".e", begin) == std::string::npos) out += ".0";
}

// What stands for a byte inside a JSON string: 0 for itself, 'u' for \u00XX, otherwise the letter
// after the backslash. Bytes from 0x80 on are marked 1: they want a UTF-8 check.
constexpr std::array<char, 256> make_escapes() {
  std::array<char, 256> escapes{};
  for (std::size_t byte = 0; byte < 0x20; ++byte) escapes[byte] = 'u';
  escapes['\b'] = 'b';
  escapes['\f'] = 'f';
  escapes['\n'] = 'n';
  escapes['\r'] = 'r';
  escapes['\t'] = 't';
  escapes['"'] = '"';
  escapes['\\'] = '\\';
  for (std::size_t byte = 0x80; byte < 0x100; ++byte) escapes[byte] = 1;
  return escapes;
}
constexpr std::array<char, 256> kEscapes = make_escapes();

void append_escape(std::string& out, unsigned char byte, char escape) {
  out.push_back('\\');
  out.push_back(escape);
  if (escape != 'u') return;
  constexpr std::string_view kDigits = "0123456789abcdef";
  out += "00";
  out.push_back(kDigits[byte >> 4U]);
  out.push_back(kDigits[byte & 0xFU]);
}

}  // namespace

void append_json_string(std::string& out, std::string_view text) {
  out.push_back('"');
  std::size_t run = 0;  // where the bytes begin that are copied as they are
  std::size_t at = 0;
  while (at < text.size()) {
    const auto byte = static_cast<unsigned char>(text[at]);
    const char escape = kEscapes[byte];
    if (escape == 0) {
      ++at;
      continue;
    }
    if (escape == 1) {
      const std::size_t size = detail::utf8_character_size(text.substr(at));
      if (size > 0) {
        at += size;
        continue;
      }
      out.append(text, run, at - run);
      out += "\xEF\xBF\xBD";
    } else {
      out.append(text, run, at - run);
      append_escape(out, byte, escape);
    }
    run = ++at;
  }
  out.append(text, run, text.size() - run);
  out.push_back('"');
}

void JsonWriter::separate() {
  if (comma_) out_.push_back(',');
  comma_ = true;
}

JsonWriter& JsonWriter::begin_object() {
  separate();
  out_.push_back('{');
  comma_ = false;
  return *this;
}

JsonWriter& JsonWriter::end_object() {
  out_.push_back('}');
  comma_ = true;
  return *this;
}

JsonWriter& JsonWriter::begin_array() {
  separate();
  out_.push_back('[');
  comma_ = false;
  return *this;
}

JsonWriter& JsonWriter::end_array() {
  out_.push_back(']');
  comma_ = true;
  return *this;
}

JsonWriter& JsonWriter::key(std::string_view name) {
  separate();
  append_json_string(out_, name);
  out_.push_back(':');
  comma_ = false;
  return *this;
}

JsonWriter& JsonWriter::value(std::string_view text) {
  separate();
  append_json_string(out_, text);
  return *this;
}

JsonWriter& JsonWriter::value(bool flag) {
  separate();
  out_ += flag ? "true" : "false";
  return *this;
}

JsonWriter& JsonWriter::value(std::int64_t number) {
  separate();
  append_number(out_, number);
  return *this;
}

JsonWriter& JsonWriter::value(std::uint64_t number) {
  separate();
  append_number(out_, number);
  return *this;
}

JsonWriter& JsonWriter::value(double number) {
  separate();
  append_float(out_, number);
  return *this;
}

JsonWriter& JsonWriter::value(float number) {
  separate();
  append_float(out_, number);
  return *this;
}

JsonWriter& JsonWriter::floats(std::span<const float> numbers) {
  begin_array();
  for (const float number : numbers) value(number);
  return end_array();
}

JsonWriter& JsonWriter::null() {
  separate();
  out_ += "null";
  return *this;
}

JsonWriter& JsonWriter::raw(std::string_view json) {
  separate();
  out_ += json;
  return *this;
}

}  // namespace quipu
