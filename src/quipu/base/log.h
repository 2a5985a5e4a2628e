// Structured log lines: a level, a message and fields. base only hands them to the sink that the
// program installs (telemetry/ writes them as console text or JSON).
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace quipu {

enum class LogLevel : std::uint8_t { kDebug, kInfo, kWarning, kError };

struct LogField {
  std::string_view key;
  std::string value;
};

// Threads: called from any, possibly at once. Must not throw or log.
using LogSink = void (*)(LogLevel level, std::string_view message,
                         std::initializer_list<LogField> fields) noexcept;

// Replaces the sink; null restores the default, which writes warnings and errors to standard error.
void set_log_sink(LogSink sink) noexcept;
void set_log_level(LogLevel level) noexcept;
[[nodiscard]] LogLevel log_level() noexcept;

void log(LogLevel level, std::string_view message,
         std::initializer_list<LogField> fields = {}) noexcept;
inline void log_debug(std::string_view m, std::initializer_list<LogField> f = {}) noexcept {
  log(LogLevel::kDebug, m, f);
}
inline void log_info(std::string_view m, std::initializer_list<LogField> f = {}) noexcept {
  log(LogLevel::kInfo, m, f);
}
inline void log_warning(std::string_view m, std::initializer_list<LogField> f = {}) noexcept {
  log(LogLevel::kWarning, m, f);
}
inline void log_error(std::string_view m, std::initializer_list<LogField> f = {}) noexcept {
  log(LogLevel::kError, m, f);
}

}  // namespace quipu
