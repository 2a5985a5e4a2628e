// Waiting for the one answer of something that calls back.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include "quipu/result.h"

namespace quipu::engine {

// Threads: the callback is called once, on any; wait() once, on another.
template <typename T>
class Waiting {
 public:
  // Keeps what it needs: it may be called after this object has gone.
  [[nodiscard]] std::function<void(Result<T>)> callback() const {
    return [shared = shared_](Result<T> result) {
      const std::lock_guard lock(shared->mutex);
      shared->result.emplace(std::move(result));
      shared->condition.notify_one();
    };
  }
  [[nodiscard]] Result<T> wait() {
    std::unique_lock lock(shared_->mutex);
    shared_->condition.wait(lock, [this] { return shared_->result.has_value(); });
    return std::move(*shared_->result);
  }

 private:
  struct Shared {
    std::mutex mutex;
    std::condition_variable condition;
    std::optional<Result<T>> result;
  };
  std::shared_ptr<Shared> shared_ = std::make_shared<Shared>();
};

}  // namespace quipu::engine
