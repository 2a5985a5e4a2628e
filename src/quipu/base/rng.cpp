#include "quipu/base/rng.h"

#include <sys/random.h>

#include <bit>
#include <cerrno>
#include <cmath>
#include <cstddef>
#include <numbers>

#include "quipu/assert.h"

namespace quipu {
namespace {

__extension__ using Wide = unsigned __int128;

// One step of splitmix64, which the authors of xoshiro recommend for seeding it: it never gives the
// all-zero state, from which xoshiro would not move.
std::uint64_t splitmix64(std::uint64_t& state) noexcept {
  state += 0x9e3779b97f4a7c15ULL;
  std::uint64_t z = state;
  z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27U)) * 0x94d049bb133111ebULL;
  return z ^ (z >> 31U);
}

}  // namespace

Rng::Rng(std::uint64_t seed) noexcept : state_{} {
  for (std::uint64_t& word : state_) word = splitmix64(seed);
}

std::uint64_t Rng::next() noexcept {
  const std::uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
  const std::uint64_t t = state_[1] << 17U;
  state_[2] ^= state_[0];
  state_[3] ^= state_[1];
  state_[1] ^= state_[2];
  state_[0] ^= state_[3];
  state_[2] ^= t;
  state_[3] = std::rotl(state_[3], 45);
  return result;
}

std::uint64_t Rng::below(std::uint64_t bound) noexcept {
  QUIPU_ASSERT(bound > 0);
  // Lemire: Fast Random Integer Generation in an Interval (2019). The product's high half is the
  // number; products whose low half is below 2^64 mod bound would favour some numbers.
  Wide product = Wide{next()} * bound;
  if (static_cast<std::uint64_t>(product) < bound) {
    const std::uint64_t unfair = (0 - bound) % bound;
    while (static_cast<std::uint64_t>(product) < unfair) product = Wide{next()} * bound;
  }
  return static_cast<std::uint64_t>(product >> 64U);
}

double Rng::uniform() noexcept { return static_cast<double>(next() >> 11U) * 0x1p-53; }

double Rng::normal() noexcept {
  // Box and Muller (1958). One minus, because the logarithm wants (0, 1]. The second number of the
  // pair is not kept: a generator without hidden state is easier to reason about in tests.
  const double radius = std::sqrt(-2.0 * std::log(1.0 - uniform()));
  return radius * std::cos(2.0 * std::numbers::pi * uniform());
}

std::uint64_t entropy() noexcept {
  std::uint64_t value = 0;
  // Up to 256 bytes come whole once the pool is ready, but a signal may interrupt the wait for it.
  ssize_t got = -1;
  do {
    got = ::getrandom(&value, sizeof(value), 0);
  } while (got < 0 && errno == EINTR);
  QUIPU_ASSERT(got == static_cast<ssize_t>(sizeof(value)));
  return value;
}

}  // namespace quipu
