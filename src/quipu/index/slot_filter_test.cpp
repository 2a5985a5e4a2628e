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
