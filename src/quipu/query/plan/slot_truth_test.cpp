// Goal: the logic of three values over bitmaps says, slot by slot, what the table says.
// Method: random truths over few slots, against an array of values.
#include "quipu/query/plan/slot_truth.h"

#include <gtest/gtest.h>

#include <array>
#include <vector>

#include "quipu/base/test_support.h"

namespace quipu::query {
namespace {

constexpr std::uint32_t kSlots = 200;
enum class Value : std::uint8_t { kNever, kMaybe, kYes };
using SlotValues = std::array<Value, kSlots>;

struct Pair {
  SlotTruth truth;
  SlotValues values;
};

// `unbounded`: no slot surely does not.
Pair draw(Rng& rng, bool unbounded) {
  Pair pair;
  index::SlotBitmap least;
  index::SlotBitmap most;
  const bool exact = !unbounded && rng.below(3) == 0;
  for (std::uint32_t slot = 0; slot < kSlots; ++slot) {
    pair.values[slot] = exact ? (rng.below(2) == 0 ? Value::kNever : Value::kYes)
                              : static_cast<Value>(rng.below(3));
    if (unbounded && pair.values[slot] == Value::kNever) pair.values[slot] = Value::kMaybe;
    if (pair.values[slot] == Value::kYes) least.add(SlotId(slot));
    if (pair.values[slot] != Value::kNever) most.add(SlotId(slot));
  }
  if (unbounded) {
    pair.truth.or_with(SlotTruth::exactly(least));
  } else {
    pair.truth = SlotTruth::between(std::move(least), std::move(most));
  }
  return pair;
}

void expect_equal(const SlotTruth& truth, const SlotValues& values) {
  std::size_t yes = 0;
  std::size_t not_no = 0;
  for (std::uint32_t slot = 0; slot < kSlots; ++slot) {
    ASSERT_EQ(truth.least().contains(SlotId(slot)), values[slot] == Value::kYes) << slot;
    if (truth.bounded()) {
      ASSERT_EQ(truth.most().contains(SlotId(slot)), values[slot] != Value::kNever) << slot;
    } else {
      ASSERT_NE(values[slot], Value::kNever);
    }
    yes += values[slot] == Value::kYes ? 1U : 0U;
    not_no += values[slot] != Value::kNever ? 1U : 0U;
  }
  ASSERT_EQ(truth.least().count(), yes);
  if (truth.bounded()) {
    ASSERT_EQ(truth.most().count(), not_no);
    ASSERT_EQ(truth.exact(), yes == not_no);
  }
}

TEST(SlotTruth, FollowsTheTable) {
  Rng rng(test_seed());
  for (int round = 0; round < 500; ++round) {
    const Pair a = draw(rng, rng.below(4) == 0);
    const Pair b = draw(rng, rng.below(4) == 0);
    expect_equal(a.truth, a.values);
    SlotValues both{};
    SlotValues one{};
    SlotValues without{};
    for (std::uint32_t slot = 0; slot < kSlots; ++slot) {
      both[slot] = std::min(a.values[slot], b.values[slot]);
      one[slot] = std::max(a.values[slot], b.values[slot]);
      const auto negated = static_cast<Value>(2 - static_cast<int>(b.values[slot]));
      without[slot] = std::min(a.values[slot], negated);
    }
    SlotTruth truth = a.truth;
    truth.and_with(b.truth);
    ASSERT_NO_FATAL_FAILURE(expect_equal(truth, both));
    truth = a.truth;
    truth.or_with(b.truth);
    ASSERT_NO_FATAL_FAILURE(expect_equal(truth, one));
    truth = a.truth;
    if (!truth.bounded()) continue;
    truth.and_not(b.truth);
    ASSERT_NO_FATAL_FAILURE(expect_equal(truth, without));
    truth.weaken();
    for (Value& value : without) value = value == Value::kNever ? Value::kNever : Value::kMaybe;
    ASSERT_NO_FATAL_FAILURE(expect_equal(truth, without));
  }
}

TEST(SlotCounter, CountsInBinary) {
  Rng rng(test_seed());
  for (int round = 0; round < 50; ++round) {
    SlotCounter counter;
    std::vector<std::uint64_t> counts(kSlots, 0);
    const std::uint64_t bitmaps = rng.below(20);
    for (std::uint64_t i = 0; i < bitmaps; ++i) {
      index::SlotBitmap slots;
      const std::uint64_t end = rng.below(kSlots + 1);  // bitmaps of several lengths
      for (std::uint32_t slot = 0; slot < end; ++slot) {
        if (rng.below(3) == 0) continue;
        slots.add(SlotId(slot));
        ++counts[slot];
      }
      counter.add(slots);
    }
    for (std::uint64_t wanted = 1; wanted < bitmaps + 3; ++wanted) {
      const index::SlotBitmap found = counter.at_least(wanted);
      for (std::uint32_t slot = 0; slot < kSlots; ++slot) {
        ASSERT_EQ(found.contains(SlotId(slot)), counts[slot] >= wanted) << wanted;
      }
    }
  }
}

}  // namespace
}  // namespace quipu::query
