#include "quipu/base/epoch.h"

#include <array>
#include <utility>
#include <vector>

#include "quipu/assert.h"
#include "quipu/base/thread_annotations.h"

namespace quipu {
namespace {

// Readers spread over this many counters, so that pins of different threads touch different cache
// lines. More threads than slots share them, which costs speed and nothing else.
constexpr std::size_t kSlotCount = 64;
// A retire() looks for finished readers only this often: looking touches every slot.
constexpr std::size_t kRetiresPerLook = 64;

// A thread's number, given out on its first pin and the same for all domains.
std::size_t thread_number() noexcept {
  static std::atomic<std::size_t> next{0};
  // Relaxed: only the uniqueness of the number matters, and nothing is published with it.
  thread_local const std::size_t number = next.fetch_add(1, std::memory_order_relaxed);
  return number;
}

}  // namespace

// Guards are counted, by the parity of the epoch that they saw, in the slot of the thread that made
// them; a guard remembers its counter, so any thread may release it. Something retired is freed
// after both parities were seen at zero in every slot, each at some moment after the retirement:
// the inactive one first, then, after new readers were sent to the other, the one that was active.
// A reader that read the epoch long ago and counts itself late, under either parity, is either seen
// by the look at that counter, or counts itself after the look, and then it started after the
// retirement and cannot have seen what was retired.
struct EpochDomain::State {
  using Counter = std::atomic<std::uint64_t>;
  struct alignas(64) Slot {
    std::array<Counter, 2> guards{};
  };
  enum class Phase : std::uint8_t { kIdle, kInactiveParity, kActiveParity };

  std::array<Slot, kSlotCount> slots;
  alignas(64) std::atomic<std::uint32_t> parity{0};

  Mutex mutex;
  Phase phase GUARDED_BY(mutex) = Phase::kIdle;
  // Retired before the running grace period began: freed at its end.
  std::vector<std::function<void()>> current GUARDED_BY(mutex);
  // Retired since: the next grace period's.
  std::vector<std::function<void()>> next GUARDED_BY(mutex);

  // Whether every slot's counter of `which` was zero when looked at.
  [[nodiscard]] bool drained(std::uint32_t which) noexcept {
    for (Slot& slot : slots) {
      // A read-modify-write instead of a load, because these have one order per counter. Acquire
      // pairs with the release of ~Guard: what the reader did is over before we free. Release pairs
      // with the acquire of pin(): a reader that counts itself after this look sees the unlinking
      // that came before it.
      if (slot.guards[which].fetch_add(0, std::memory_order_acq_rel) != 0) return false;
    }
    return true;
  }

  // Takes the grace period as far as it goes; what may be freed now is added to `due`.
  void advance(std::vector<std::function<void()>>& due) REQUIRES(mutex) {
    while (true) {
      // Relaxed: only changed below, under the mutex.
      const std::uint32_t active = parity.load(std::memory_order_relaxed);
      switch (phase) {
        case Phase::kIdle:
          if (next.empty()) return;
          current.swap(next);
          phase = Phase::kInactiveParity;
          break;
        case Phase::kInactiveParity:
          if (!drained(1 - active)) return;
          // Relaxed: a reader may go by an old value for as long as it likes, see above.
          parity.store(1 - active, std::memory_order_relaxed);
          phase = Phase::kActiveParity;
          break;
        case Phase::kActiveParity:
          if (!drained(1 - active)) return;
          for (auto& free : current) due.push_back(std::move(free));
          current.clear();
          phase = Phase::kIdle;
          break;
      }
    }
  }
};

EpochDomain::EpochDomain() : state_(std::make_unique<State>()) {}

EpochDomain::~EpochDomain() {
  // A guard that is still alive would write to freed memory when it goes.
  QUIPU_ASSERT(state_->drained(0));
  QUIPU_ASSERT(state_->drained(1));
  QUIPU_ASSERT(collect() == 0);
}

EpochDomain::Guard::Guard(Guard&& other) noexcept : slot_(std::exchange(other.slot_, nullptr)) {}

EpochDomain::Guard& EpochDomain::Guard::operator=(Guard&& other) noexcept {
  Guard taken(std::move(other));
  std::swap(slot_, taken.slot_);
  return *this;
}

EpochDomain::Guard::~Guard() {
  if (slot_ == nullptr) return;
  // Release pairs with the acquire in State::drained().
  static_cast<State::Counter*>(slot_)->fetch_sub(1, std::memory_order_release);
}

EpochDomain::Guard EpochDomain::pin() {
  // Relaxed: either parity is right, see State; reading the newer one only lets grace periods end
  // while readers come and go without a pause.
  return pin_under(state_->parity.load(std::memory_order_relaxed));
}

EpochDomain::Guard EpochDomain::pin_under(std::uint32_t parity) {
  State::Counter& counter = state_->slots[thread_number() % kSlotCount].guards[parity];
  // Acquire pairs with the release in State::drained().
  counter.fetch_add(1, std::memory_order_acquire);
  return Guard(&counter);
}

void EpochDomain::retire(std::function<void()> free) {
  std::vector<std::function<void()>> due;
  {
    MutexLock lock(state_->mutex);
    state_->next.push_back(std::move(free));
    if (state_->next.size() % kRetiresPerLook == 0) state_->advance(due);
  }
  for (auto& run : due) run();
}

std::size_t EpochDomain::collect() {
  std::vector<std::function<void()>> due;
  std::size_t waiting = 0;
  {
    MutexLock lock(state_->mutex);
    state_->advance(due);
    waiting = state_->current.size() + state_->next.size();
  }
  for (auto& run : due) run();
  return waiting;
}

}  // namespace quipu
