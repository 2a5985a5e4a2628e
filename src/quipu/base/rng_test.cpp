#include "quipu/base/rng.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "quipu/base/clock.h"
#include "quipu/base/test_support.h"

namespace quipu {
namespace {

TEST(Rng, GivesThePublishedSequence) {
  // From a Python rendering of the authors' xoshiro256** and splitmix64.
  Rng zero(0);
  EXPECT_EQ(zero.next(), 0x99ec5f36cb75f2b4ULL);
  EXPECT_EQ(zero.next(), 0xbf6e1f784956452aULL);
  EXPECT_EQ(zero.next(), 0x1a5f849d4933e6e0ULL);
  Rng other(42);
  EXPECT_EQ(other(), 0x15780b2e0c2ec716ULL);
  EXPECT_EQ(other(), 0x6104d9866d113a7eULL);
}

TEST(Rng, BelowIsUniformAndStaysBelow) {
  Rng rng(test_seed());
  EXPECT_EQ(rng.below(1), 0U);
  for (const std::uint64_t bound : {2ULL, 3ULL, 10ULL, (1ULL << 63U) + 1, ~0ULL}) {
    for (int round = 0; round < 200; ++round) ASSERT_LT(rng.below(bound), bound);
  }
  // Chi-square with 9 degrees of freedom: 46 is passed by chance once in two million runs.
  constexpr int kRounds = 50'000;
  std::array<int, 10> counts{};
  for (int round = 0; round < kRounds; ++round) ++counts[rng.below(10)];
  double chi_square = 0;
  for (const int count : counts) {
    const double off = count - kRounds / 10.0;
    chi_square += off * off / (kRounds / 10.0);
  }
  EXPECT_LT(chi_square, 46.0);
}

TEST(Rng, BelowHasNoBiasForHugeBounds) {
  // With 3/4 of all numbers, a plain remainder would give the lower third twice as often.
  Rng rng(test_seed());
  constexpr std::uint64_t kBound = 3ULL << 62U;
  constexpr int kRounds = 30'000;
  int low = 0;
  for (int round = 0; round < kRounds; ++round) low += rng.below(kBound) < (1ULL << 62U) ? 1 : 0;
  EXPECT_NEAR(low, kRounds / 3.0, 6 * std::sqrt(kRounds * 2.0 / 9.0));
}

TEST(Rng, UniformAndNormalHaveTheirMoments) {
  Rng rng(test_seed());
  constexpr int kRounds = 40'000;
  double uniform_sum = 0;
  double sum = 0;
  double squares = 0;
  for (int round = 0; round < kRounds; ++round) {
    const double u = rng.uniform();
    ASSERT_GE(u, 0.0);
    ASSERT_LT(u, 1.0);
    uniform_sum += u;
    const double n = rng.normal();
    ASSERT_TRUE(std::isfinite(n));
    sum += n;
    squares += n * n;
  }
  // Six standard deviations of each mean.
  EXPECT_NEAR(uniform_sum / kRounds, 0.5, 6 * std::sqrt(1 / 12.0 / kRounds));
  EXPECT_NEAR(sum / kRounds, 0.0, 6 / std::sqrt(kRounds));
  EXPECT_NEAR(squares / kRounds, 1.0, 6 * std::sqrt(2.0 / kRounds));
}

TEST(Rng, ServesTheStandardLibrary) {
  Rng rng(7);
  std::vector<int> numbers = {1, 2, 3, 4, 5, 6, 7, 8};
  std::shuffle(numbers.begin(), numbers.end(), rng);
  EXPECT_FALSE(std::is_sorted(numbers.begin(), numbers.end()));
  std::sort(numbers.begin(), numbers.end());
  EXPECT_EQ(numbers, (std::vector<int>{1, 2, 3, 4, 5, 6, 7, 8}));
}

TEST(Rng, EntropyIsNotConstant) { EXPECT_NE(entropy(), entropy()); }

TEST(Clock, RunsForwardAndKnowsTheCentury) {
  Clock& clock = system_clock();
  const auto before = clock.steady_now();
  EXPECT_GT(clock.now_us(), 1'700'000'000LL * 1'000'000);  // 2023
  EXPECT_LT(clock.now_us(), 4'102'444'800LL * 1'000'000);  // 2100
  EXPECT_GE(clock.steady_now(), before);
}

TEST(Clock, WaitUntilReturnsAtTheDeadline) {
  Clock& clock = system_clock();
  std::mutex mutex;
  std::condition_variable condition;
  std::unique_lock lock(mutex);
  const auto deadline = clock.steady_now() + std::chrono::milliseconds(5);
  while (clock.steady_now() < deadline) clock.wait_until(condition, lock, deadline);
  EXPECT_TRUE(lock.owns_lock());
  EXPECT_GE(clock.steady_now(), deadline);
}

}  // namespace
}  // namespace quipu
