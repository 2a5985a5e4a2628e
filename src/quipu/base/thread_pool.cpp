#include "quipu/base/thread_pool.h"

#include <pthread.h>
#include <sys/resource.h>

#include <condition_variable>
#include <deque>
#include <thread>
#include <utility>
#include <vector>

#include "quipu/assert.h"
#include "quipu/base/log.h"
#include "quipu/base/thread_annotations.h"

namespace quipu {
namespace {

constexpr std::size_t kThreadNameMax = 15;  // the system's limit, without the final zero
constexpr int kLowPriorityNice = 10;

void prepare_thread(const ThreadPool::Options& options) {
  // Names and priorities are comforts: a pool without them still does its work.
  static_cast<void>(::pthread_setname_np(::pthread_self(), options.name.c_str()));
  if (!options.low_priority) return;
  // On Linux "process 0" is the calling thread.
  if (::setpriority(PRIO_PROCESS, 0, kLowPriorityNice) != 0) {
    log_debug("cannot lower a thread's priority", {{"pool", options.name}});
  }
}

}  // namespace

struct ThreadPool::State {
  explicit State(Options pool_options) : options(std::move(pool_options)) {}
  void work();

  const Options options;
  mutable Mutex mutex;
  std::condition_variable has_work;
  std::deque<std::function<void()>> queue GUARDED_BY(mutex);
  bool stopping GUARDED_BY(mutex) = false;
  // Taken before `mutex`; makes a second stop() wait for the first one's joins.
  Mutex join_mutex;
  std::vector<std::thread> threads GUARDED_BY(join_mutex);
};

namespace {
// The pool that the current thread works for; a task that stopped its own pool would join itself.
thread_local const void* working_for = nullptr;
}  // namespace

void ThreadPool::State::work() {
  working_for = this;
  prepare_thread(options);
  for (;;) {
    std::function<void()> task;
    {
      MutexLock lock(mutex);
      while (queue.empty() && !stopping) has_work.wait(lock.native());
      if (queue.empty()) return;
      task = std::move(queue.front());
      queue.pop_front();
    }
    task();
    // `task` dies here, outside the lock: what it captured may be slow to destroy, or submit more.
  }
}

ThreadPool::ThreadPool(Options options) : state_(std::make_unique<State>(std::move(options))) {
  QUIPU_ASSERT(state_->options.thread_count > 0);
  QUIPU_ASSERT(state_->options.name.size() <= kThreadNameMax);
  State* const state = state_.get();
  MutexLock lock(state->join_mutex);
  state->threads.reserve(state->options.thread_count);
  for (std::size_t index = 0; index < state->options.thread_count; ++index) {
    state->threads.emplace_back([state] { state->work(); });
  }
}

ThreadPool::~ThreadPool() { stop(); }

Status ThreadPool::submit(std::function<void()> task) {
  {
    MutexLock lock(state_->mutex);
    if (state_->stopping) {
      return Error{.code = ErrorCode::kCancelled,
                   .message = "thread pool \"" + state_->options.name + "\" is stopped"};
    }
    if (state_->queue.size() >= state_->options.queue_tasks_max) {
      return Error{.code = ErrorCode::kResourceExhausted,
                   .message = "thread pool \"" + state_->options.name + "\": " +
                              std::to_string(state_->queue.size()) + " tasks wait, the limit is " +
                              std::to_string(state_->options.queue_tasks_max),
                   .reason = "queue_full"};
    }
    state_->queue.push_back(std::move(task));
  }
  state_->has_work.notify_one();
  return ok_status();
}

void ThreadPool::stop() {
  QUIPU_ASSERT(working_for != state_.get());
  {
    MutexLock lock(state_->mutex);
    state_->stopping = true;
  }
  state_->has_work.notify_all();
  MutexLock lock(state_->join_mutex);
  for (std::thread& thread : state_->threads) thread.join();
  state_->threads.clear();
}

std::size_t ThreadPool::queue_depth() const {
  MutexLock lock(state_->mutex);
  return state_->queue.size();
}

std::size_t ThreadPool::thread_count() const noexcept { return state_->options.thread_count; }

}  // namespace quipu
