// What all calls of a gRPC server take together, and how much that may be.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "quipu/base/metrics.h"
#include "quipu/result.h"

namespace quipu::api::grpc {

// Threads: any.
class Limits {
 public:
  struct Most {
    std::size_t calls_max = 0;
    std::uint64_t bytes_max = 0;
  };
  Limits(Most most, MetricsRegistry& metrics);

  // Counts a message of that many bytes; leave() takes it away again.
  // Errors: kResourceExhausted ("too_many_calls"), kUnavailable ("buffers_full"); nothing is
  // counted then.
  [[nodiscard]] Status enter(std::size_t bytes);
  void leave(std::size_t bytes);
  [[nodiscard]] std::size_t calls() const noexcept { return calls_.load(); }

 private:
  const Most most_;
  Gauge& in_flight_;
  std::atomic<std::size_t> calls_{0};
  std::atomic<std::uint64_t> bytes_{0};
};

}  // namespace quipu::api::grpc
