// A helper program with limits on its time, memory and output: a hostile document stays outside of
// this process.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "quipu/result.h"

namespace quipu::text {

struct ChildLimits {
  std::chrono::milliseconds time_max{10'000};  // of the clock on the wall, and of its CPU time
  std::size_t output_bytes_max = 64U << 20;
  std::uint64_t memory_bytes_max = 1ULL << 30;  // of address space
};

// Runs arguments[0], sought in PATH, feeds it `input` and returns what it wrote to its standard
// output. Its error stream is dropped; its working directory holds no files of anybody; it inherits
// no descriptor and an environment of PATH and LC_ALL alone. On return it has ended and is reaped.
// Threads: any. Blocks for time_max at most.
// Errors: kUnavailable ("reader_missing"): there is no such program. kResourceExhausted:
// "document_time", "document_too_large". kInvalidArgument ("document_malformed"): it failed or was
// killed by a signal. kIo.
[[nodiscard]] Result<std::string> run_child(const std::vector<std::string>& arguments,
                                            std::string_view input, const ChildLimits& limits);

}  // namespace quipu::text
