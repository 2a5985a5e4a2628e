#include "bench/common/measure.h"

#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <fstream>

namespace quipu::bench {
namespace {

std::int64_t read_clock(clockid_t clock) noexcept {
  timespec now = {};
  ::clock_gettime(clock, &now);
  return static_cast<std::int64_t>(now.tv_sec) * 1'000'000'000 + now.tv_nsec;
}

}  // namespace

std::int64_t wall_ns() noexcept { return read_clock(CLOCK_MONOTONIC); }
std::int64_t thread_cpu_ns() noexcept { return read_clock(CLOCK_THREAD_CPUTIME_ID); }
std::int64_t process_cpu_ns() noexcept { return read_clock(CLOCK_PROCESS_CPUTIME_ID); }

std::uint64_t proc_number(const std::string& path, std::string_view field) {
  std::ifstream in(path);
  std::string line;
  while (std::getline(in, line)) {
    if (!line.starts_with(field)) continue;
    const std::size_t digit = line.find_first_of("0123456789", field.size());
    if (digit == std::string::npos) return 0;
    std::uint64_t number = 0;
    std::from_chars(line.data() + digit, line.data() + line.size(), number);
    return number;
  }
  return 0;
}

Memory resident_memory() {
  const std::string path = "/proc/self/status";  // in kB
  return {proc_number(path, "RssAnon:") * 1024, proc_number(path, "RssFile:") * 1024};
}

bool other_threads_busy() {
  const std::string self = std::to_string(::gettid());
  std::error_code error;  // a thread may end while it is looked at
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task", error)) {
    if (task.path().filename() == self) continue;
    std::ifstream in(task.path() / "stat");
    std::string line;
    std::getline(in, line);
    const std::size_t name_end = line.rfind(')');  // what is before may be anything
    if (name_end == std::string::npos || name_end + 2 >= line.size()) continue;
    const char state = line[name_end + 2];
    if (state == 'R' || state == 'D') return true;
  }
  return false;
}

double quantile(std::span<double> values, double q) {
  QUIPU_ASSERT(!values.empty());
  const auto rank = static_cast<std::size_t>(std::min(
      std::ceil(q * static_cast<double>(values.size())), static_cast<double>(values.size())));
  const std::size_t index = rank == 0 ? 0 : rank - 1;  // the nearest-rank definition
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(index),
                   values.end());
  return values[index];
}

Result<Flags> Flags::parse(std::span<const char* const> arguments) {
  Flags flags;
  for (std::size_t i = 0; i < arguments.size(); i += 2) {
    const std::string_view name = arguments[i];
    if (!name.starts_with("--") || i + 1 == arguments.size()) {
      return Error{ErrorCode::kInvalidArgument,
                   "'" + std::string(name) + "' is not a '--name value' pair"};
    }
    flags.pairs_.emplace_back(name.substr(2), arguments[i + 1]);
  }
  return flags;
}

Result<std::string> Flags::text(std::string_view name) const {
  for (const auto& [key, value] : pairs_) {
    if (key == name) return value;
  }
  return Error{ErrorCode::kInvalidArgument, "--" + std::string(name) + " is missing"};
}

Result<std::uint64_t> Flags::number(std::string_view name) const {
  QUIPU_TRY(const std::string value, text(name));
  std::uint64_t number = 0;
  const char* const end = value.data() + value.size();
  const auto [stop, error] = std::from_chars(value.data(), end, number);
  if (error != std::errc() || stop != end) {
    return Error{ErrorCode::kInvalidArgument,
                 "--" + std::string(name) + " '" + value + "' is not a whole number"};
  }
  return number;
}

}  // namespace quipu::bench
