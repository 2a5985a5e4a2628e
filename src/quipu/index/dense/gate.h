// Lets many threads work on the graph at once, or one stop them all. Whoever wants to stop them
// waits only for those already inside: later ones queue behind (std::shared_mutex alone may starve
// it).
#pragma once

#include <mutex>
#include <shared_mutex>

namespace quipu::index {

// Threads: any. Not recursive: a holder that asks again may wait for ever.
class Gate {
 public:
  class Shared {
   public:
    explicit Shared(Gate& gate) {
      const std::lock_guard<std::mutex> turn(gate.turn_);
      lock_ = std::shared_lock<std::shared_mutex>(gate.inside_);
    }

   private:
    std::shared_lock<std::shared_mutex> lock_;
  };
  class Alone {
   public:
    explicit Alone(Gate& gate) {
      const std::lock_guard<std::mutex> turn(gate.turn_);
      lock_ = std::unique_lock<std::shared_mutex>(gate.inside_);
    }

   private:
    std::unique_lock<std::shared_mutex> lock_;
  };

 private:
  std::mutex turn_;
  std::shared_mutex inside_;
};

}  // namespace quipu::index
