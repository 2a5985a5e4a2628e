#include "quipu/base/datetime.h"

#include <algorithm>
#include <cstddef>
#include <string>

#include "quipu/base/quote.h"

namespace quipu {
namespace {

constexpr std::int64_t kMicrosPerSecond = 1'000'000;
constexpr std::int64_t kSecondsPerDay = 86'400;

constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }
constexpr bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
constexpr bool is_leap(std::int64_t year) {
  return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}
constexpr std::int64_t days_in_month(std::int64_t year, std::int64_t month) {
  if (month == 2) return is_leap(year) ? 29 : 28;
  return month == 4 || month == 6 || month == 9 || month == 11 ? 30 : 31;
}

// Days from 0000-01-01 to the first of January of `year`, in the Gregorian calendar.
constexpr std::int64_t days_before_year(std::int64_t year) {
  if (year == 0) return 0;
  const std::int64_t past = year - 1;  // the years 1..past, and year 0, which is a leap year
  return 366 + past * 365 + past / 4 - past / 100 + past / 400;
}
constexpr std::int64_t kDaysBefore1970 = days_before_year(1970);
static_assert(kDaysBefore1970 == 719'528);

constexpr std::int64_t days_since_1970(std::int64_t year, std::int64_t month, std::int64_t day) {
  std::int64_t days = days_before_year(year) - kDaysBefore1970;
  for (std::int64_t before = 1; before < month; ++before) days += days_in_month(year, before);
  return days + day - 1;
}

// Reads from the front of a text. After the first problem it stands still.
class Reader {
 public:
  explicit Reader(std::string_view text) : rest_(text) {}

  [[nodiscard]] bool done() const { return rest_.empty(); }
  [[nodiscard]] std::string_view problem() const { return problem_; }
  bool fail(std::string_view problem) {
    if (problem_.empty()) problem_ = problem;
    return false;
  }
  bool skip_spaces() {
    const std::size_t before = rest_.size();
    while (!rest_.empty() && is_space(rest_.front())) rest_.remove_prefix(1);
    return rest_.size() < before;
  }
  [[nodiscard]] bool next_is(char c) const { return !rest_.empty() && rest_.front() == c; }
  bool take(char c) {
    if (!next_is(c)) return false;
    rest_.remove_prefix(1);
    return true;
  }
  [[nodiscard]] bool next_is_digit() const { return !rest_.empty() && is_digit(rest_.front()); }
  // Reads `digits_min` to `digits_max` digits as a number of at most `max`.
  bool number(std::size_t digits_min, std::size_t digits_max, std::int64_t max,
              std::string_view problem, std::int64_t& into) {
    std::size_t digits = 0;
    into = 0;
    while (digits < digits_max && digits < rest_.size() && is_digit(rest_[digits])) {
      into = into * 10 + (rest_[digits] - '0');
      ++digits;
    }
    if (digits < digits_min || into > max) return fail(problem);
    rest_.remove_prefix(digits);
    return true;
  }
  // The same after spaces, which Qdrant's parser allows before every number but the zone's.
  bool spaced_number(std::size_t digits_min, std::size_t digits_max, std::int64_t max,
                     std::string_view problem, std::int64_t& into) {
    skip_spaces();
    return number(digits_min, digits_max, max, problem, into);
  }
  // The microseconds after a decimal point that was read already.
  bool fraction(std::int64_t& micros) {
    if (!next_is_digit()) return fail("there must be a digit after the decimal point");
    std::int64_t unit = kMicrosPerSecond / 10;
    micros = 0;
    for (; next_is_digit(); rest_.remove_prefix(1), unit /= 10) {
      micros += unit * (rest_.front() - '0');  // beyond the microsecond, unit is 0
    }
    return true;
  }
  bool take_utc() {
    if (take('Z') || take('z')) return true;
    const std::string_view word = rest_.substr(0, 3);
    constexpr std::string_view kUtc = "utc";
    const bool same = std::equal(word.begin(), word.end(), kUtc.begin(), kUtc.end(),
                                 [](char a, char b) { return (a | 0x20) == b; });
    if (same) rest_.remove_prefix(3);
    return same;
  }

 private:
  std::string_view rest_;
  std::string_view problem_;
};

bool read_date(Reader& in, std::int64_t& days) {
  constexpr std::string_view kForm = "a date is written as in 2024-05-01";
  std::int64_t year = 0;
  std::int64_t month = 0;
  std::int64_t day = 0;
  if (!in.spaced_number(4, 4, 9999, kForm, year)) return false;
  if (!in.take('-')) return in.fail(kForm);
  if (!in.spaced_number(1, 2, 12, "the month must be 01 to 12", month)) return false;
  if (month == 0) return in.fail("the month must be 01 to 12");
  if (!in.take('-')) return in.fail(kForm);
  constexpr std::string_view kDay = "the month has no such day";
  if (!in.spaced_number(1, 2, days_in_month(year, month), kDay, day)) return false;
  if (day == 0) return in.fail(kDay);
  days = days_since_1970(year, month, day);
  return true;
}

// Reads "+02:00", "+0200", "+02" or "Z", if there is any. Seconds to subtract.
bool read_zone(Reader& in, std::int64_t& offset_s) {
  offset_s = 0;
  if (in.done()) return true;
  in.skip_spaces();
  if (in.take_utc()) return true;
  const bool minus = in.next_is('-');
  if (!in.take('-') && !in.take('+')) {
    return in.fail("a time zone is written as Z, UTC or as in +02:00");
  }
  std::int64_t hours = 0;
  std::int64_t minutes = 0;
  if (!in.number(2, 2, 23, "the zone's hours must be 00 to 23", hours)) return false;
  const bool colon = in.take(':');
  if (colon || !in.done()) {
    if (!in.number(2, 2, 59, "the zone's minutes must be 00 to 59", minutes)) return false;
  }
  offset_s = (hours * 60 + minutes) * 60;
  if (minus) offset_s = -offset_s;
  return true;
}

bool read_time(Reader& in, std::int64_t& micros) {
  constexpr std::string_view kForm = "a time is written as in 10:30:15";
  std::int64_t hours = 0;
  std::int64_t minutes = 0;
  std::int64_t seconds = 0;
  std::int64_t fraction = 0;
  std::int64_t offset_s = 0;
  if (!in.spaced_number(1, 2, 23, "the hour must be 00 to 23", hours)) return false;
  if (!in.take(':')) return in.fail(kForm);
  if (!in.spaced_number(1, 2, 59, "the minutes must be 00 to 59", minutes)) return false;
  if (in.take(':')) {
    if (!in.spaced_number(1, 2, 60, "the seconds must be 00 to 60", seconds)) return false;
    if (in.take('.') && !in.fraction(fraction)) return false;
    if (!read_zone(in, offset_s)) return false;
  } else if (!in.done()) {
    return in.fail("a time without seconds has no fraction and no zone after it");
  }
  micros = ((hours * 60 + minutes) * 60 + seconds - offset_s) * kMicrosPerSecond + fraction;
  return true;
}

// Empty when `micros` is set; otherwise what is wrong.
std::string_view read_datetime(std::string_view text, std::int64_t& micros) {
  Reader in(text);
  std::int64_t days = 0;
  std::int64_t time = 0;
  if (!read_date(in, days)) return in.problem();
  if (!in.done()) {
    if (!in.take('T') && !in.take('t') && !in.skip_spaces()) {
      return "after the date comes 'T' or a space, then the time";
    }
    if (!read_time(in, time)) return in.problem();
    if (!in.done()) return "there is something after the end of it";
  }
  micros = days * kSecondsPerDay * kMicrosPerSecond + time;
  return {};
}

}  // namespace

std::optional<std::int64_t> try_parse_datetime(std::string_view text) noexcept {
  std::int64_t micros = 0;
  if (!read_datetime(text, micros).empty()) return std::nullopt;
  return micros;
}

Result<std::int64_t> parse_datetime(std::string_view text) {
  std::int64_t micros = 0;
  const std::string_view problem = read_datetime(text, micros);
  if (problem.empty()) return micros;
  return Error{.code = ErrorCode::kInvalidArgument,
               .message = in_quotes(text) + " is no date and time: " + std::string(problem),
               .reason = "invalid_datetime"};
}

}  // namespace quipu
