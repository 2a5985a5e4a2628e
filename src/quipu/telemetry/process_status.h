// What the operating system says of this process.
#pragma once

#include <cstdint>

namespace quipu::telemetry {

struct ProcessStatus {
  std::uint64_t resident_bytes = 0;
  double cpu_seconds = 0;  // user and system, all threads, since the start
  std::uint64_t threads = 0;
  std::uint64_t open_descriptors = 0;
};

// Reads /proc; what cannot be read stays 0. Cost: tens of microseconds.
[[nodiscard]] ProcessStatus process_status();

}  // namespace quipu::telemetry
