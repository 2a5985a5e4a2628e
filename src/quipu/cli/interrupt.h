// Ctrl-C as a request to stop after what is under way.
#pragma once

#include <atomic>
#include <csignal>

namespace quipu::cli {

// While it lives, the first Ctrl-C sets requested(); the second one has the usual effect.
// One at a time.
class InterruptGuard {
 public:
  InterruptGuard();
  ~InterruptGuard();
  InterruptGuard(const InterruptGuard&) = delete;
  InterruptGuard& operator=(const InterruptGuard&) = delete;
  // Never set without a guard.
  [[nodiscard]] static const std::atomic<bool>& requested() noexcept;

 private:
  struct sigaction before_ {};
};

}  // namespace quipu::cli
