// Time as a parameter: nothing below the server reads a clock of its own.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>

namespace quipu {

// Threads: all functions may be called from any thread.
class Clock {
 public:
  virtual ~Clock() = default;
  // Microseconds since the Unix epoch, UTC. May jump when the system's clock is set.
  [[nodiscard]] virtual std::int64_t now_us() const noexcept = 0;
  // A point on a clock that never goes back; for deadlines and durations.
  [[nodiscard]] virtual std::chrono::steady_clock::time_point steady_now() const noexcept = 0;
  // Waits on `condition` until notified or `deadline` has passed on this clock; may wake early.
  virtual void wait_until(std::condition_variable& condition, std::unique_lock<std::mutex>& lock,
                          std::chrono::steady_clock::time_point deadline) = 0;
};

[[nodiscard]] inline double to_ms(std::chrono::steady_clock::duration duration) noexcept {
  return std::chrono::duration<double, std::milli>(duration).count();
}

// The machine's own clocks. Lives as long as the process.
[[nodiscard]] Clock& system_clock() noexcept;

}  // namespace quipu
