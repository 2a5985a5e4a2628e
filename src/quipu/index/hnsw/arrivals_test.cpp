#include "quipu/index/hnsw/arrivals.h"

#include <gtest/gtest.h>

#include <atomic>
#include <numeric>
#include <thread>
#include <vector>

namespace quipu::index::hnsw {
namespace {

std::vector<std::uint32_t> since(const Arrivals& arrivals, std::uint64_t mark) {
  std::vector<std::uint32_t> nodes;
  arrivals.for_each_since(mark, [&](std::uint32_t node) { nodes.push_back(node); });
  return nodes;
}

TEST(Arrivals, TellWhatCameSinceTheMark) {
  Arrivals arrivals;
  EXPECT_TRUE(since(arrivals, arrivals.mark()).empty());
  arrivals.add(0);
  const std::uint64_t mark = arrivals.mark();
  EXPECT_TRUE(since(arrivals, mark).empty());
  arrivals.add(7);
  arrivals.add(3);
  EXPECT_EQ(since(arrivals, mark), (std::vector<std::uint32_t>{7, 3}));
  EXPECT_EQ(since(arrivals, 0), (std::vector<std::uint32_t>{0, 7, 3}));
}

TEST(Arrivals, KeepTheLatest) {
  Arrivals arrivals;
  for (std::uint32_t node = 0; node < 3000; ++node) arrivals.add(node);
  std::vector<std::uint32_t> latest(Arrivals::kKept);
  std::iota(latest.begin(), latest.end(), 3000 - std::uint32_t{Arrivals::kKept});
  EXPECT_EQ(since(arrivals, 5), latest);
}

// Goal: of two that come at the same time, one sees the other at least.
TEST(Arrivals, OfTwoAtOnceOneSeesTheOther) {
  constexpr std::uint32_t kRounds = 20000;
  Arrivals arrivals;
  std::atomic<std::uint32_t> begun{0};
  std::atomic<std::uint32_t> ended{0};
  std::vector<char> seen[2] = {std::vector<char>(kRounds), std::vector<char>(kRounds)};
  const auto come = [&](std::uint32_t who) {
    for (std::uint32_t round = 0; round < kRounds; ++round) {
      const std::uint64_t mark = arrivals.mark();
      begun.fetch_add(1);
      while (begun.load() < 2 * (round + 1)) std::this_thread::yield();
      arrivals.add(2 * round + who);
      arrivals.for_each_since(mark, [&](std::uint32_t node) {
        if (node == 2 * round + (1 - who)) seen[who][round] = 1;
      });
      ended.fetch_add(1);
      while (ended.load() < 2 * (round + 1)) std::this_thread::yield();
    }
  };
  std::thread other(come, 1);
  come(0);
  other.join();
  for (std::uint32_t round = 0; round < kRounds; ++round) {
    ASSERT_TRUE(seen[0][round] != 0 || seen[1][round] != 0) << round;
  }
}

}  // namespace
}  // namespace quipu::index::hnsw
