// A small, fast, seeded random source: xoshiro256** (Blackman, Vigna: Scrambled Linear
// Pseudorandom Number Generators, 2018), seeded through splitmix64.
#pragma once

#include <cstdint>
#include <limits>

namespace quipu {

// Not for secrets. Threads: one at a time; give each thread its own.
class Rng {
 public:
  using result_type = std::uint64_t;
  explicit Rng(std::uint64_t seed) noexcept;
  // Uniform over all 64-bit numbers. Also makes this a std::uniform_random_bit_generator.
  [[nodiscard]] std::uint64_t next() noexcept;
  std::uint64_t operator()() noexcept { return next(); }
  static constexpr std::uint64_t min() noexcept { return 0; }
  static constexpr std::uint64_t max() noexcept {
    return std::numeric_limits<std::uint64_t>::max();
  }
  // Uniform in [0, bound); `bound` at least 1.
  [[nodiscard]] std::uint64_t below(std::uint64_t bound) noexcept;
  // Uniform in [0, 1).
  [[nodiscard]] double uniform() noexcept;
  // Standard normal (mean 0, deviation 1).
  [[nodiscard]] double normal() noexcept;

 private:
  std::uint64_t state_[4];
};

// 64 bits from the operating system: for seeds at the edge of the program, nowhere else.
[[nodiscard]] std::uint64_t entropy() noexcept;

}  // namespace quipu
