#include "quipu/base/log.h"

#include <unistd.h>

#include <atomic>
#include <cerrno>

#include "quipu/base/json.h"

namespace quipu {
namespace {

std::string_view level_name(LogLevel level) noexcept {
  switch (level) {
    case LogLevel::kDebug: return "debug";
    case LogLevel::kInfo: return "info";
    case LogLevel::kWarning: return "warning";
    case LogLevel::kError: return "error";
  }
  return "unknown";
}

// One write() for each line, so that lines of several threads do not mix.
void write_to_stderr(LogLevel level, std::string_view message,
                     std::initializer_list<LogField> fields) noexcept {
  if (level < LogLevel::kWarning) return;
  std::string line = "quipu: ";
  line += level_name(level);
  line += ": ";
  line += message;
  for (const LogField& field : fields) {
    line += ' ';
    line += field.key;
    line += '=';
    // Quoted, so that a value from outside cannot forge a second line.
    append_json_string(line, field.value);
  }
  line += '\n';
  std::string_view rest = line;
  while (!rest.empty()) {
    const ssize_t written = ::write(STDERR_FILENO, rest.data(), rest.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return;  // A log that cannot be written has nowhere to say so.
    rest.remove_prefix(static_cast<std::size_t>(written));
  }
}

std::atomic<LogSink> installed_sink = &write_to_stderr;
std::atomic<LogLevel> lowest_level = LogLevel::kInfo;

}  // namespace

void set_log_sink(LogSink sink) noexcept {
  installed_sink.store(sink == nullptr ? &write_to_stderr : sink);
}

void set_log_level(LogLevel level) noexcept { lowest_level.store(level); }

LogLevel log_level() noexcept { return lowest_level.load(); }

void log(LogLevel level, std::string_view message,
         std::initializer_list<LogField> fields) noexcept {
  if (level < lowest_level.load()) return;
  installed_sink.load()(level, message, fields);
}

}  // namespace quipu
