#include "quipu/telemetry/log_output.h"

#include <spdlog/logger.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/rotating_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>

#include <atomic>
#include <exception>
#include <memory>
#include <utility>

#include "quipu/base/clock.h"
#include "quipu/base/json.h"
#include "quipu/telemetry/time_text.h"

namespace quipu::telemetry {
namespace {

std::string_view level_name(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug: return "debug";
    case LogLevel::kInfo: return "info";
    case LogLevel::kWarning: return "warning";
    case LogLevel::kError: return "error";
  }
  return "error";
}

spdlog::level::level_enum spdlog_level(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug: return spdlog::level::debug;
    case LogLevel::kInfo: return spdlog::level::info;
    case LogLevel::kWarning: return spdlog::level::warn;
    case LogLevel::kError: return spdlog::level::err;
  }
  return spdlog::level::err;
}

bool plain(std::string_view text) {
  for (const char c : text) {
    if (static_cast<unsigned char>(c) <= 0x20 || c == '"' || c == '=' || c == '\x7f') return false;
  }
  return !text.empty();
}

// The message of a console line: control characters would let a value forge lines or colours.
void append_printable(std::string& out, std::string_view text) {
  for (const char c : text) {
    const bool control = static_cast<unsigned char>(c) < 0x20 || c == '\x7f';
    out += control ? '?' : c;
  }
}

std::string console_line(std::int64_t time_us, LogLevel level, std::string_view message,
                         std::initializer_list<LogField> fields) {
  std::string line = rfc3339(time_us);
  line += ' ';
  line += level_name(level);
  line.append(8 - std::min<std::size_t>(level_name(level).size(), 7), ' ');
  append_printable(line, message);
  for (const LogField& field : fields) {
    line += ' ';
    append_printable(line, field.key);
    line += '=';
    if (plain(field.value)) {
      line += field.value;
    } else {
      append_json_string(line, field.value);
    }
  }
  return line;
}

std::string json_line(std::int64_t time_us, LogLevel level, std::string_view message,
                      std::initializer_list<LogField> fields) {
  std::string line;
  JsonWriter writer(line);
  writer.begin_object();
  writer.key("time").value(std::string_view(rfc3339(time_us)));
  writer.key("level").value(level_name(level));
  writer.key("message").value(message);
  for (const LogField& field : fields) writer.key(field.key).value(std::string_view(field.value));
  writer.end_object();
  return line;
}

struct Output {
  LogFormat format = LogFormat::kConsole;
  std::unique_ptr<spdlog::logger> logger;
};

// Swapped whole when an output is installed. A line in flight keeps the one that it began with.
std::shared_ptr<Output> g_output;  // only through std::atomic_load and std::atomic_store

void write_line(LogLevel level, std::string_view message,
                std::initializer_list<LogField> fields) noexcept {
  const std::shared_ptr<Output> output = std::atomic_load(&g_output);
  if (output == nullptr) return;
  // Nothing can be done about a log line that cannot be written: spdlog reports its own I/O errors
  // to standard error, at most once a second.
  try {
    const std::string line =
        format_log_line(output->format, system_clock().now_us(), level, message, fields);
    output->logger->log(spdlog_level(level), spdlog::string_view_t(line.data(), line.size()));
  } catch (const std::exception&) {
    return;
  }
}

Status check_options(const LogOutputOptions& options) {
  if (options.rotate_bytes < 1024) {
    return Error{
        ErrorCode::kInvalidArgument,
        "log rotation at " + std::to_string(options.rotate_bytes) + " bytes: the least is 1024"};
  }
  if (options.rotate_files > 100) {
    return Error{ErrorCode::kInvalidArgument, "keeping " + std::to_string(options.rotate_files) +
                                                  " rotated log files: the most is 100"};
  }
  return ok_status();
}

}  // namespace

std::string format_log_line(LogFormat format, std::int64_t time_us, LogLevel level,
                            std::string_view message, std::initializer_list<LogField> fields) {
  return format == LogFormat::kJson ? json_line(time_us, level, message, fields)
                                    : console_line(time_us, level, message, fields);
}

Status install_log_output(const LogOutputOptions& options) {
  QUIPU_TRY_OK(check_options(options));
  auto output = std::make_shared<Output>();
  output->format = options.format;
  try {
    spdlog::sink_ptr sink;
    if (options.file.empty()) {
      sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
    } else {
      sink = std::make_shared<spdlog::sinks::rotating_file_sink_mt>(
          options.file, options.rotate_bytes, options.rotate_files);
    }
    output->logger = std::make_unique<spdlog::logger>("quipu", std::move(sink));
    // The line is complete already; the library only ends it. The level was judged by base/log.h.
    output->logger->set_pattern("%v");
    output->logger->set_level(spdlog::level::trace);
    output->logger->flush_on(options.file.empty() ? spdlog::level::trace : spdlog::level::warn);
  } catch (const std::exception& problem) {
    return Error{ErrorCode::kIo,
                 "cannot open the log file " + options.file + ": " + problem.what()};
  }
  std::atomic_store(&g_output, std::move(output));
  set_log_sink(&write_line);
  return ok_status();
}

void remove_log_output() noexcept {
  set_log_sink(nullptr);
  const std::shared_ptr<Output> output = std::atomic_exchange(&g_output, std::shared_ptr<Output>());
  if (output != nullptr) output->logger->flush();
}

}  // namespace quipu::telemetry
