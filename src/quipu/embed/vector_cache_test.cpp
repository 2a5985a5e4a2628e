// Goal: what was put in last is found, and memory stays bounded. Method: a stupid list as a twin.
#include "quipu/embed/vector_cache.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <thread>

#include "quipu/base/rng.h"

namespace quipu::embed {
namespace {

VectorRef vector_of(float value, std::size_t dim) {
  auto vector = std::make_shared<CachedVector>();
  vector->values.assign(dim, value);
  return vector;
}

TEST(VectorCache, DropsTheLeastRecentlyUsed) {
  // All keys fall into one shard, which holds exactly three vectors.
  const std::uint64_t one = 16 * 4 + 288;
  VectorCache cache(one * 3 * 16);
  std::vector<Digest128> recent;  // the twin: most recent last
  Rng rng(3);
  for (int i = 0; i < 5000; ++i) {
    const Digest128 key{.high = 16 * rng.below(6), .low = rng.below(2)};
    const auto known = std::find(recent.begin(), recent.end(), key);
    const VectorRef found = cache.find(key);
    ASSERT_EQ(found != nullptr, known != recent.end());
    if (found != nullptr) {
      ASSERT_EQ(found->values[0], static_cast<float>(key.high + key.low));
      recent.erase(known);
    } else {
      cache.insert(key, vector_of(static_cast<float>(key.high + key.low), 16));
      if (recent.size() == 3) recent.erase(recent.begin());
    }
    recent.push_back(key);
    ASSERT_EQ(cache.bytes_used(), recent.size() * one);
  }
}

TEST(VectorCache, ShrinksAndReplacesAndKeepsNothingTooLarge) {
  VectorCache cache(16 * 10'000);
  for (std::uint64_t i = 0; i < 160; ++i) cache.insert({i, i}, vector_of(1, 100));
  const std::uint64_t before = cache.bytes_used();
  EXPECT_EQ(before, 160U * (400 + 288));
  cache.insert({1, 1}, vector_of(2, 100));
  EXPECT_EQ(cache.bytes_used(), before);
  EXPECT_EQ(cache.find({1, 1})->values[0], 2);
  const std::uint64_t freed = cache.shrink(16 * 2000);
  EXPECT_EQ(freed, before - cache.bytes_used());
  EXPECT_LE(cache.bytes_used(), 16U * 2000);
  EXPECT_GT(cache.bytes_used(), 0U);
  cache.insert({5, 99}, vector_of(1, 10'000));
  EXPECT_EQ(cache.find({5, 99}), nullptr);
  cache.shrink(0);
  EXPECT_EQ(cache.bytes_used(), 0U);
  VectorCache none(0);
  none.insert({1, 1}, vector_of(1, 1));
  EXPECT_EQ(none.find({1, 1}), nullptr);
}

TEST(VectorCache, ManyThreads) {
  VectorCache cache(16 * 5000);
  std::vector<std::thread> threads;
  for (std::uint64_t t = 0; t < 4; ++t) {
    threads.emplace_back([&cache, t] {
      Rng rng(t);
      for (int i = 0; i < 5000; ++i) {
        const Digest128 key{rng.below(100), rng.below(3)};
        if (const VectorRef found = cache.find(key)) {
          EXPECT_EQ(found->values[0], static_cast<float>(key.high));
        } else {
          cache.insert(key, vector_of(static_cast<float>(key.high), 50));
        }
        if (i % 1000 == 0) cache.shrink(16 * 1000);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_LE(cache.bytes_used(), 16U * 5000);
}

}  // namespace
}  // namespace quipu::embed
