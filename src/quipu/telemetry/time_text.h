// Times as people and programs read them.
#pragma once

#include <cstdint>
#include <string>

namespace quipu::telemetry {

// RFC 3339 in UTC with milliseconds: "2026-03-01T12:00:00.123Z". `time_us` is microseconds since
// the Unix epoch; times outside the years 0 to 9999 are written as the nearest that are inside.
[[nodiscard]] std::string rfc3339(std::int64_t time_us);

// The form of HTTP's Date header (RFC 9110, section 5.6.7): "Sun, 01 Mar 2026 12:00:00 GMT".
[[nodiscard]] std::string http_date(std::int64_t time_us);

}  // namespace quipu::telemetry
