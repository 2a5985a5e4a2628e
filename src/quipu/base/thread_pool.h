// A fixed number of threads over a bounded queue.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "quipu/result.h"

namespace quipu {

// Threads: submit() from any, tasks included. Tasks must not throw.
class ThreadPool {
 public:
  struct Options {
    std::string name;              // at most 15 characters; shown by the system's tools
    std::size_t thread_count = 1;  // at least 1
    std::size_t queue_tasks_max = 1024;
    bool low_priority = false;  // lowers the threads' scheduling priority (nice 10)
  };
  explicit ThreadPool(Options options);
  // Runs what was accepted, then joins.
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  // Errors: kResourceExhausted ("queue_full") when queue_tasks_max tasks wait already,
  // kCancelled after stop().
  Status submit(std::function<void()> task);
  // Refuses new tasks, runs the accepted ones, joins. Safe to call twice, not from a task.
  void stop();
  [[nodiscard]] std::size_t queue_depth() const;
  [[nodiscard]] std::size_t thread_count() const noexcept;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace quipu
