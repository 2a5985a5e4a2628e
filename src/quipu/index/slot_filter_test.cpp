#include "quipu/index/slot_filter.h"

#include <gtest/gtest.h>

#include <set>

#include "quipu/base/rng.h"
#include "quipu/base/test_support.h"

namespace quipu::index {
namespace {

TEST(SlotBitmap, HoldsWhatASetHolds) {
  Rng rng(test_seed());
  SlotBitmap bitmap;
  std::set<std::uint32_t> twin;
  for (int i = 0; i < 2000; ++i) {
    const auto slot = static_cast<std::uint32_t>(rng.below(5000));
    bitmap.add(SlotId(slot));
    twin.insert(slot);
    ASSERT_EQ(bitmap.count(), twin.size());
  }
  for (std::uint32_t slot = 0; slot < 6000; ++slot) {
    ASSERT_EQ(bitmap.contains(SlotId(slot)), twin.count(slot) == 1) << slot;
  }
  std::vector<std::uint32_t> visited;
  bitmap.for_each([&](SlotId slot) {
    visited.push_back(slot.value());
    return true;
  });
  EXPECT_EQ(visited, std::vector<std::uint32_t>(twin.begin(), twin.end()));
}

TEST(SlotBitmap, CombinesAsSetsDo) {
  Rng rng(test_seed());
  for (int round = 0; round < 200; ++round) {
    SlotBitmap bitmaps[2];
    std::set<std::uint32_t> twins[2];
    for (int i = 0; i < 2; ++i) {
      const std::uint64_t bound = 1 + rng.below(5000);  // of different lengths
      for (std::uint64_t count = rng.below(3000); count > 0; --count) {
        const auto slot = static_cast<std::uint32_t>(rng.below(bound));
        bitmaps[i].add(SlotId(slot));
        twins[i].insert(slot);
      }
    }
    const auto expect_equal = [](const SlotBitmap& bitmap, const std::set<std::uint32_t>& twin) {
      ASSERT_EQ(bitmap.count(), twin.size());
      ASSERT_EQ(bitmap.empty(), twin.empty());
      for (const std::uint32_t slot : twin) ASSERT_TRUE(bitmap.contains(SlotId(slot))) << slot;
    };
    std::set<std::uint32_t> either = twins[0];
    either.insert(twins[1].begin(), twins[1].end());
    std::set<std::uint32_t> both;
    std::set<std::uint32_t> first;
    for (const std::uint32_t slot : twins[0]) {
      (twins[1].count(slot) == 1 ? both : first).insert(slot);
    }
    SlotBitmap result = bitmaps[0];
    result.unite(bitmaps[1]);
    expect_equal(result, either);
    EXPECT_TRUE(result.contains_all_of(bitmaps[0]));
    EXPECT_TRUE(result.contains_all_of(bitmaps[1]));
    EXPECT_EQ(bitmaps[0].contains_all_of(bitmaps[1]), both.size() == twins[1].size());
    result = bitmaps[0];
    result.unite_words({bitmaps[1].words().begin(), bitmaps[1].words().end()});
    expect_equal(result, either);
    result = bitmaps[0];
    result.intersect(bitmaps[1]);
    expect_equal(result, both);
    // What was cut off does not matter.
    SlotBitmap other = bitmaps[1];
    other.intersect(bitmaps[0]);
    EXPECT_TRUE(result == other);
    EXPECT_EQ(result == bitmaps[0], first.empty());
    result = bitmaps[0];
    result.subtract(bitmaps[1]);
    expect_equal(result, first);
    result.clear();
    expect_equal(result, {});
  }
}

TEST(SlotBitmap, StopsWhenToldTo) {
  SlotBitmap bitmap;
  for (const std::uint32_t slot : {63U, 64U, 0U, 1000U}) bitmap.add(SlotId(slot));
  std::vector<std::uint32_t> visited;
  bitmap.for_each([&](SlotId slot) {
    visited.push_back(slot.value());
    return slot.value() < 64;
  });
  EXPECT_EQ(visited, (std::vector<std::uint32_t>{0, 63, 64}));
  SlotBitmap empty;
  EXPECT_FALSE(empty.contains(SlotId(0)));
  empty.for_each([](SlotId) {
    ADD_FAILURE();
    return true;
  });
}

}  // namespace
}  // namespace quipu::index
