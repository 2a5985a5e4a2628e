#include "quipu/telemetry/time_text.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <string_view>

namespace quipu::telemetry {
namespace {

constexpr std::int64_t kFirstUs = -62'167'219'200'000'000;  // 0000-01-01T00:00:00Z
constexpr std::int64_t kLastUs = 253'402'300'799'999'999;   // 9999-12-31T23:59:59.999999Z

struct Parts {
  std::chrono::year_month_day date;
  unsigned weekday = 0;  // 0 is Sunday
  unsigned hour = 0;
  unsigned minute = 0;
  unsigned second = 0;
  unsigned millisecond = 0;
};

Parts split(std::int64_t time_us) {
  const std::chrono::sys_time<std::chrono::microseconds> time{
      std::chrono::microseconds(std::clamp(time_us, kFirstUs, kLastUs))};
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const auto in_day = (time - day).count();
  Parts parts;
  parts.date = std::chrono::year_month_day(day);
  parts.weekday = std::chrono::weekday(day).c_encoding();
  parts.hour = static_cast<unsigned>(in_day / 3'600'000'000);
  parts.minute = static_cast<unsigned>(in_day / 60'000'000 % 60);
  parts.second = static_cast<unsigned>(in_day / 1'000'000 % 60);
  parts.millisecond = static_cast<unsigned>(in_day / 1000 % 1000);
  return parts;
}

void append_digits(std::string& out, unsigned value, int width) {
  char digits[8];
  for (int i = width - 1; i >= 0; --i) {
    digits[i] = static_cast<char>('0' + value % 10);
    value /= 10;
  }
  out.append(digits, static_cast<std::size_t>(width));
}

void append_clock(std::string& out, const Parts& parts) {
  append_digits(out, parts.hour, 2);
  out += ':';
  append_digits(out, parts.minute, 2);
  out += ':';
  append_digits(out, parts.second, 2);
}

}  // namespace

std::string rfc3339(std::int64_t time_us) {
  const Parts parts = split(time_us);
  std::string out;
  out.reserve(24);
  append_digits(out, static_cast<unsigned>(static_cast<int>(parts.date.year())), 4);
  out += '-';
  append_digits(out, static_cast<unsigned>(parts.date.month()), 2);
  out += '-';
  append_digits(out, static_cast<unsigned>(parts.date.day()), 2);
  out += 'T';
  append_clock(out, parts);
  out += '.';
  append_digits(out, parts.millisecond, 3);
  out += 'Z';
  return out;
}

std::string http_date(std::int64_t time_us) {
  static constexpr std::array<std::string_view, 7> kDays = {"Sun", "Mon", "Tue", "Wed",
                                                            "Thu", "Fri", "Sat"};
  static constexpr std::array<std::string_view, 12> kMonths = {
      "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const Parts parts = split(time_us);
  std::string out(kDays[parts.weekday]);
  out += ", ";
  append_digits(out, static_cast<unsigned>(parts.date.day()), 2);
  out += ' ';
  out += kMonths[static_cast<unsigned>(parts.date.month()) - 1];
  out += ' ';
  append_digits(out, static_cast<unsigned>(static_cast<int>(parts.date.year())), 4);
  out += ' ';
  append_clock(out, parts);
  out += " GMT";
  return out;
}

}  // namespace quipu::telemetry
