// A moment after which a search gives up.
#pragma once

#include <chrono>

#include "quipu/base/clock.h"

namespace quipu::index {

// Cheap when there is none. `clock` may be null only without a deadline.
struct Deadline {
  std::chrono::steady_clock::time_point at = std::chrono::steady_clock::time_point::max();
  const Clock* clock = nullptr;

  [[nodiscard]] bool passed() const noexcept {
    if (at == std::chrono::steady_clock::time_point::max()) return false;
    return clock->steady_now() >= at;
  }
};

}  // namespace quipu::index
