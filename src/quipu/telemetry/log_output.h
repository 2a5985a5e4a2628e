// Log lines on their way out of the process: console text or JSON lines, to standard error or to a
// file that is rotated by size.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

#include "quipu/base/log.h"
#include "quipu/result.h"

namespace quipu::telemetry {

enum class LogFormat : std::uint8_t { kConsole, kJson };

struct LogOutputOptions {
  LogFormat format = LogFormat::kConsole;
  std::string file = {};                 // "": standard error
  std::size_t rotate_bytes = 64U << 20;  // of a file, before it becomes file.1; at least 1 KiB
  std::size_t rotate_files = 5;          // older ones kept, 0..100
};

// One line, without its end:
//   console  2026-03-01T12:00:00.123Z info  message key=value key="two words"
//   JSON     {"time":"…","level":"info","message":"…","key":"value"}
// Every byte that could end a line or a string is escaped, so a value from a request cannot forge a
// line. `time_us` is microseconds since the epoch.
[[nodiscard]] std::string format_log_line(LogFormat format, std::int64_t time_us, LogLevel level,
                                          std::string_view message,
                                          std::initializer_list<LogField> fields);

// Sends all further log lines of the process to this output. Threads: any; call it before the
// program starts its threads, or to reopen. Lines of warning and above are flushed at once.
// Errors: kInvalidArgument naming option, value and limits; kIo when the file cannot be opened (the
// output stays as it was).
Status install_log_output(const LogOutputOptions& options);

// Flushes, and gives the lines back to the default sink of base/log.h.
void remove_log_output() noexcept;

}  // namespace quipu::telemetry
