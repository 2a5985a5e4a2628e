// A shared pointer that one thread replaces while others take copies of it.
//
// std::atomic<std::shared_ptr> of libstdc++ 12 lets go of its own lock with a relaxed store after a
// load, which the memory model does not allow to order anything; the thread sanitizer says so.
#pragma once

#include <atomic>
#include <memory>
#include <thread>
#include <utility>

namespace quipu {

// Threads: any. The lock is held for the copy of a pointer, never while anything is destroyed.
template <typename T>
class AtomicSharedPtr {
 public:
  AtomicSharedPtr() = default;
  AtomicSharedPtr(const AtomicSharedPtr&) = delete;
  AtomicSharedPtr& operator=(const AtomicSharedPtr&) = delete;

  // What the pointee's writer did before store() is seen with it.
  [[nodiscard]] std::shared_ptr<T> load() const {
    lock();
    std::shared_ptr<T> copy = value_;
    unlock();
    return copy;
  }
  void store(std::shared_ptr<T> next) {
    lock();
    value_.swap(next);
    unlock();
  }

 private:
  void lock() const {
    while (locked_.exchange(true, std::memory_order_acquire)) {  // pairs with unlock()
      std::this_thread::yield();
    }
  }
  void unlock() const { locked_.store(false, std::memory_order_release); }

  mutable std::atomic<bool> locked_{false};
  std::shared_ptr<T> value_;
};

}  // namespace quipu
