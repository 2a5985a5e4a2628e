// Goal: a snapshot holds what was live when it was taken, whatever happens later.
#include "quipu/engine/live_slots.h"

#include <gtest/gtest.h>

#include <set>
#include <utility>
#include <vector>

#include "quipu/base/rng.h"
#include "quipu/base/test_support.h"

namespace quipu::engine {
namespace {

TEST(LiveSlots, SnapshotsKeepTheirMoment) {
  Rng rng(test_seed());
  LiveSlots slots;
  std::set<std::uint32_t> live;
  std::vector<std::pair<std::shared_ptr<const LiveSlots::Snapshot>, std::set<std::uint32_t>>> kept;
  for (int round = 0; round < 60; ++round) {
    for (std::uint64_t i = rng.below(200); i > 0; --i) {
      const auto slot = static_cast<std::uint32_t>(rng.below(rng.below(2) == 0 ? 50 : 20'000));
      if (rng.below(3) == 0) {
        slots.remove(SlotId(slot));
        live.erase(slot);
      } else {
        slots.add(SlotId(slot));
        live.insert(slot);
      }
    }
    kept.emplace_back(slots.snapshot(), live);
    const auto& [snapshot, wanted] = kept[rng.below(kept.size())];
    std::set<std::uint32_t> found;
    const index::SlotBitmap bitmap = snapshot->bitmap();
    bitmap.for_each([&found](SlotId slot) {
      found.insert(slot.value());
      return true;
    });
    ASSERT_EQ(found, wanted);
    ASSERT_EQ(bitmap.count(), wanted.size());
  }
}

}  // namespace
}  // namespace quipu::engine
