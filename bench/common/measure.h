// What a benchmark reads from the operating system about itself, and small statistics.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "quipu/result.h"

namespace quipu::bench {

// Nanoseconds. CPU time beside wall time, because the machines that measure are shared.
[[nodiscard]] std::int64_t wall_ns() noexcept;         // since some moment
[[nodiscard]] std::int64_t thread_cpu_ns() noexcept;   // of the calling thread
[[nodiscard]] std::int64_t process_cpu_ns() noexcept;  // of all threads

// The number after `field` ("RssAnon:") in a file of lines such as /proc/self/status, in the unit
// of that file; 0 when it is not there.
[[nodiscard]] std::uint64_t proc_number(const std::string& path, std::string_view field);

struct Memory {
  std::uint64_t anonymous_bytes = 0;
  std::uint64_t file_bytes = 0;
};
[[nodiscard]] Memory resident_memory();

// Whether a thread of this process beside the caller's runs, waits for a core or for the disk at
// this moment. CPU time alone would take a background thread that a busy machine starves for an
// idle one.
[[nodiscard]] bool other_threads_busy();

// The value at quantile `q` (0..1) of `values`, which are reordered. Not empty.
[[nodiscard]] double quantile(std::span<double> values, double q);

// "--name value" pairs. Reading an unknown or malformed one is an error, not a default.
class Flags {
 public:
  // Errors: kInvalidArgument naming what is not a pair.
  [[nodiscard]] static Result<Flags> parse(std::span<const char* const> arguments);
  [[nodiscard]] Result<std::string> text(std::string_view name) const;
  [[nodiscard]] Result<std::uint64_t> number(std::string_view name) const;

 private:
  std::vector<std::pair<std::string, std::string>> pairs_;
};

}  // namespace quipu::bench
