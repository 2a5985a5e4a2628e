#include "quipu/base/clock.h"

namespace quipu {
namespace {

class SystemClock final : public Clock {
 public:
  std::int64_t now_us() const noexcept override {
    const auto since_epoch = std::chrono::system_clock::now().time_since_epoch();
    return std::chrono::duration_cast<std::chrono::microseconds>(since_epoch).count();
  }
  std::chrono::steady_clock::time_point steady_now() const noexcept override {
    return std::chrono::steady_clock::now();
  }
  void wait_until(std::condition_variable& condition, std::unique_lock<std::mutex>& lock,
                  std::chrono::steady_clock::time_point deadline) override {
    // Whether it was notified or timed out, the caller looks at its own condition and clock again.
    static_cast<void>(condition.wait_until(lock, deadline));
  }
};

}  // namespace

Clock& system_clock() noexcept {
  static SystemClock clock;
  return clock;
}

}  // namespace quipu
