// Epoch-based reclamation (Fraser: Practical Lock-Freedom, 2004, section 5.2.3): memory that
// readers may still be looking at is freed only after every reader that could see it has left.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>

namespace quipu {

// Threads: any. pin() is wait-free but for a thread's first call on a domain.
class EpochDomain {
 public:
  EpochDomain();
  // Runs everything still retired. No guard may be alive.
  ~EpochDomain();
  EpochDomain(const EpochDomain&) = delete;
  EpochDomain& operator=(const EpochDomain&) = delete;

  // While a Guard lives, nothing that was reachable when it was made is freed. Guards nest. A
  // guard may be moved, and destroyed by another thread than the one that made it.
  class Guard {
   public:
    Guard() = default;
    Guard(Guard&& other) noexcept;
    Guard& operator=(Guard&& other) noexcept;
    ~Guard();

   private:
    friend class EpochDomain;
    explicit Guard(void* slot) : slot_(slot) {}
    void* slot_ = nullptr;
  };
  [[nodiscard]] Guard pin();

  // Runs `free` once all guards that are alive now have gone; soon after, from some later
  // retire() or collect() call. `free` must not call back into the domain.
  void retire(std::function<void()> free);
  // Runs what is due. Returns how many are still waiting.
  std::size_t collect();

 private:
  friend struct EpochDomainPeer;  // the tests'
  struct State;
  // pin() for a reader that saw `parity`, be it long ago; see State.
  Guard pin_under(std::uint32_t parity);
  std::unique_ptr<State> state_;
};

}  // namespace quipu
