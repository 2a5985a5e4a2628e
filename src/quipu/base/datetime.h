// Reading dates and times as people and programs write them.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "quipu/result.h"

namespace quipu {

// Microseconds since 1970-01-01T00:00:00Z of `text`, which is RFC 3339 or a relative of it:
//
//   2024-05-01                     midnight
//   2024-05-01T10:30               'T', 't' or spaces between date and time; seconds may be absent
//   2024-05-01T10:30:15.123456789  digits beyond the microsecond are cut off
//   ... Z, UTC, +02:00, +0200, +02 a zone, spaces before it allowed, after a time with seconds
//
// Without a zone the time is in UTC. Years are 0000 to 9999; months, days, hours, minutes and
// seconds have one or two digits; second 60 (a leap second) is the next minute's first. Spaces are
// allowed before each of these numbers, not at the end. Cost: no allocation.
[[nodiscard]] std::optional<std::int64_t> try_parse_datetime(std::string_view text) noexcept;

// The same, with a reason. Errors: kInvalidArgument ("invalid_datetime"), quoting `text`.
[[nodiscard]] Result<std::int64_t> parse_datetime(std::string_view text);

}  // namespace quipu
