// Clang's thread-safety annotations; empty for other compilers. The `thread-safety` preset checks
// them with clang.
#pragma once

#include <condition_variable>
#include <mutex>

#if defined(__clang__)
#define QUIPU_TSA(x) __attribute__((x))
#else
#define QUIPU_TSA(x)
#endif
#define CAPABILITY(x) QUIPU_TSA(capability(x))
#define SCOPED_CAPABILITY QUIPU_TSA(scoped_lockable)
#define GUARDED_BY(x) QUIPU_TSA(guarded_by(x))
#define PT_GUARDED_BY(x) QUIPU_TSA(pt_guarded_by(x))
#define REQUIRES(...) QUIPU_TSA(requires_capability(__VA_ARGS__))
#define ACQUIRE(...) QUIPU_TSA(acquire_capability(__VA_ARGS__))
#define RELEASE(...) QUIPU_TSA(release_capability(__VA_ARGS__))
#define TRY_ACQUIRE(...) QUIPU_TSA(try_acquire_capability(__VA_ARGS__))
#define EXCLUDES(...) QUIPU_TSA(locks_excluded(__VA_ARGS__))
#define NO_THREAD_SAFETY_ANALYSIS QUIPU_TSA(no_thread_safety_analysis)

namespace quipu {

// std::mutex, known to the analysis.
class CAPABILITY("mutex") Mutex {
 public:
  void lock() ACQUIRE() { mutex_.lock(); }
  void unlock() RELEASE() { mutex_.unlock(); }
  bool try_lock() TRY_ACQUIRE(true) { return mutex_.try_lock(); }
  std::mutex& native() { return mutex_; }

 private:
  std::mutex mutex_;
};

// Holds a Mutex for a scope; unlock() and lock() allow waits and early releases.
class SCOPED_CAPABILITY MutexLock {
 public:
  explicit MutexLock(Mutex& mutex) ACQUIRE(mutex) : lock_(mutex.native()) {}
  ~MutexLock() RELEASE() {}
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;
  void unlock() RELEASE() { lock_.unlock(); }
  void lock() ACQUIRE() { lock_.lock(); }
  // For condition variables: wait(lock.native()).
  std::unique_lock<std::mutex>& native() { return lock_; }

 private:
  std::unique_lock<std::mutex> lock_;
};

}  // namespace quipu
