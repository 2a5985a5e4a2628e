#include "quipu/base/datetime.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ctime>
#include <string>

#include "quipu/base/format.h"
#include "quipu/base/test_support.h"

namespace quipu {
namespace {

using testing::HasSubstr;

constexpr std::int64_t kSecond = 1'000'000;
// 2024-05-01T10:30:15Z, from `date -u -d ... +%s`.
constexpr std::int64_t kMay = 1'714'559'415 * kSecond;

TEST(Datetime, ReadsTheFormsItPromises) {
  const struct {
    const char* text;
    std::int64_t micros;
  } cases[] = {
      {"2024-05-01", 1'714'521'600 * kSecond},
      {"2024-05-01T10:30", kMay - 15 * kSecond},
      {"2024-05-01 10:30", kMay - 15 * kSecond},
      {"2024-05-01T10:30:15", kMay},
      {"2024-05-01t10:30:15z", kMay},
      {"2024-05-01T10:30:15Z", kMay},
      {"2024-05-01 10:30:15", kMay},
      {"2024-05-01   10:30:15", kMay},
      {"  2024-05-01T10:30:15", kMay},
      {"\t2024-5-1T10:30:15", kMay},
      {"2024- 5- 1T 10: 30: 15", kMay},
      {"2024-05-01 10:30:15 UTC", kMay},
      {"2024-05-01T10:30:15utc", kMay},
      {"2024-05-01T12:30:15+02:00", kMay},
      {"2024-05-01T12:30:15+0200", kMay},
      {"2024-05-01T12:30:15+02", kMay},
      {"2024-05-01 12:30:15 +02:00", kMay},
      {"2024-05-01T05:00:15-05:30", kMay},
      {"2024-05-01T05:00:15-0530", kMay},
      {"2024-05-01T10:30:15-00:00", kMay},
      {"2024-05-01T10:30:15.5Z", kMay + 500'000},
      {"2024-05-01T10:30:15.123456", kMay + 123'456},
      {"2024-05-01T10:30:15.1234569", kMay + 123'456},
      {"2024-05-01T10:30:15.000000999+00:00", kMay},
      {"2024-05-01 12:30:15.25+02", kMay + 250'000},
      {"1970-01-01", 0},
      {"1970-01-01T00:00:00+01:00", -3600 * kSecond},
      {"1969-12-31T23:59:59.999999Z", -1},
      {"2016-12-31T23:59:60Z", 1'483'228'800 * kSecond},
      {"2000-02-29", 951'782'400 * kSecond},
      {"0000-01-01", -62'167'219'200 * kSecond},
      {"9999-12-31T23:59:59.999999Z", 253'402'300'800 * kSecond - 1},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(try_parse_datetime(c.text), c.micros) << c.text;
    const Result<std::int64_t> read = parse_datetime(c.text);
    ASSERT_EQ(why_not(read), "") << c.text;
    EXPECT_EQ(read.value(), c.micros) << c.text;
  }
}

TEST(Datetime, RefusesTheRestAndSaysWhy) {
  const struct {
    const char* text;
    const char* why;
  } cases[] = {
      {"", "as in 2024-05-01"},
      {"yesterday", "as in 2024-05-01"},
      {"24-05-01", "as in 2024-05-01"},
      {"+2024-05-01", "as in 2024-05-01"},
      {"2024/05/01", "as in 2024-05-01"},
      {"2024-05", "as in 2024-05-01"},
      {"2024-00-01", "month must be"},
      {"2024-13-01", "month must be"},
      {"2024-05-00", "no such day"},
      {"2024-04-31", "no such day"},
      {"2023-02-29", "no such day"},
      {"1900-02-29", "no such day"},
      {"2024-05-011", "'T' or a space"},
      {"2024-05-01 ", "hour must be"},
      {"2024-05-01T", "hour must be"},
      {"2024-05-01T24:00:00", "hour must be"},
      {"2024-05-01T10", "as in 10:30:15"},
      {"2024-05-01T10:60:00", "minutes must be"},
      {"2024-05-01T10:30:", "seconds must be"},
      {"2024-05-01T10:30:61", "seconds must be"},
      {"2024-05-01T10:30Z", "without seconds"},
      {"2024-05-01T10:30:15.", "after the decimal point"},
      {"2024-05-01T10:30:15.Z", "after the decimal point"},
      {"2024-05-01T10:30:15X", "time zone is written"},
      {"2024-05-01T10:30:15 CET", "time zone is written"},
      {"2024-05-01T10:30:15+2", "zone's hours"},
      {"2024-05-01T10:30:15+24:00", "zone's hours"},
      {"2024-05-01T10:30:15+02:", "zone's minutes"},
      {"2024-05-01T10:30:15+02:60", "zone's minutes"},
      {"2024-05-01T10:30:15+02:00x", "after the end"},
      {"2024-05-01T10:30:15Z ", "after the end"},
      {"2024-05-01T10:30:15 ", "time zone is written"},
      {"2024-05-01T10:30:15.5 ", "time zone is written"},
      {"2024-05-01T10:30:15+ 2:00", "zone's hours"},
  };
  for (const auto& c : cases) {
    EXPECT_FALSE(try_parse_datetime(c.text).has_value()) << c.text;
    const Result<std::int64_t> read = parse_datetime(c.text);
    ASSERT_FALSE(read.ok()) << c.text;
    EXPECT_EQ(read.error().stable_reason(), "invalid_datetime");
    EXPECT_THAT(read.error().message, HasSubstr(c.why)) << c.text;
  }
}

// The C library's calendar is the other opinion.
TEST(Datetime, AgreesWithTheCLibrary) {
  Rng rng(test_seed());
  for (int round = 0; round < 20'000; ++round) {
    const std::int64_t seconds =
        -62'167'219'200 + static_cast<std::int64_t>(rng.below(315'569'520'000));
    const auto micros = static_cast<std::int64_t>(rng.below(1'000'000));
    const auto time = static_cast<std::time_t>(seconds);
    std::tm tm{};
    ASSERT_NE(::gmtime_r(&time, &tm), nullptr);
    const std::string text =
        format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}Z", tm.tm_year + 1900, tm.tm_mon + 1,
               tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, micros);
    EXPECT_EQ(try_parse_datetime(text), seconds * kSecond + micros) << text;
  }
}

}  // namespace
}  // namespace quipu
