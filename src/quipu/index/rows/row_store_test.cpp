#include "quipu/index/rows/row_store.h"

#include <gtest/gtest.h>

#include "quipu/base/rng.h"
#include "quipu/base/test_support.h"

namespace quipu::index {
namespace {

constexpr std::uint32_t kRowDim = 3;

std::uint32_t add(RowStore& rows, std::uint32_t slot, std::uint64_t seq) {
  const auto value = static_cast<float>(seq);
  const float vector[kRowDim] = {value, value + 1, value + 2};
  const std::uint32_t open = rows.open_row(SlotId(slot));
  if (open != kNoRow) rows.close(open, Seq(seq));
  return rows.add(SlotId(slot), vector, Seq(seq), RowState::kTail);
}

TEST(RowStore, EachMomentHasItsRow) {
  RowStore rows(kRowDim);
  EXPECT_EQ(rows.row_of(SlotId(4), Seq(1)), kNoRow);
  const std::uint32_t first = add(rows, 4, 10);
  const std::uint32_t second = add(rows, 4, 20);
  const std::uint32_t third = add(rows, 4, 20);  // twice in one batch: the last one counts
  rows.close(third, Seq(30));
  const std::uint32_t fourth = add(rows, 4, 40);
  const auto at = [&](std::uint64_t seq) { return rows.row_of(SlotId(4), Seq(seq)); };
  EXPECT_EQ(at(9), kNoRow);
  EXPECT_EQ(at(10), first);
  EXPECT_EQ(at(19), first);
  EXPECT_EQ(at(20), third);
  EXPECT_EQ(at(29), third);
  EXPECT_EQ(at(30), kNoRow);
  EXPECT_EQ(at(39), kNoRow);
  EXPECT_EQ(at(40), fourth);
  EXPECT_FALSE(rows.visible(second, Seq(20)));
  EXPECT_EQ(rows.vector(third)[2], 22.0F);
  EXPECT_EQ(rows.row_of(SlotId(3), Seq(40)), kNoRow);
  EXPECT_EQ(rows.row_of(SlotId(5), Seq(40)), kNoRow);
}

TEST(RowStore, ReleasedRowsAreWrittenAnewButNotWhileHeld) {
  RowStore rows(kRowDim);
  const std::uint32_t first = add(rows, 1, 1);
  const std::uint32_t second = add(rows, 2, 2);
  rows.close(first, Seq(3));
  rows.close(second, Seq(4));
  rows.release({&first, 1});
  auto hold = rows.hold();
  const auto another = rows.hold();
  rows.release({&second, 1});
  EXPECT_EQ(rows.free_count(), 2U);
  EXPECT_EQ(add(rows, 3, 5), first);  // was free before the hold
  EXPECT_EQ(add(rows, 4, 6), 2U);
  hold.reset();
  EXPECT_EQ(add(rows, 5, 7), 3U);
}

TEST(RowStore, TheLastHoldSetsFree) {
  RowStore rows(kRowDim);
  const std::uint32_t row = add(rows, 1, 1);
  {
    const auto hold = rows.hold();
    rows.close(row, Seq(2));
    rows.release({&row, 1});
    EXPECT_EQ(add(rows, 2, 3), 1U);
  }
  EXPECT_EQ(add(rows, 3, 4), row);
}

// A slot's chain of rows may lead to rows that were released and written anew, for the same slot or
// another, even in a circle.
TEST(RowStore, ChainsThroughReleasedRowsEnd) {
  RowStore rows(kRowDim);
  Rng rng(test_seed());
  std::vector<std::uint32_t> closed;
  for (std::uint64_t seq = 1; seq < 3000; ++seq) {
    const auto slot = static_cast<std::uint32_t>(rng.below(3));
    const std::uint32_t before = rows.open_row(SlotId(slot));
    const std::uint32_t row = add(rows, slot, seq);
    if (before != kNoRow) closed.push_back(before);
    ASSERT_EQ(rows.row_of(SlotId(slot), Seq(seq)), row);
    ASSERT_EQ(rows.row_of(SlotId(slot), Seq(0)), kNoRow);
    if (rng.below(3) == 0) {
      rows.release(closed);
      closed.clear();
    }
  }
  EXPECT_LT(rows.count(), 100U);
}

}  // namespace
}  // namespace quipu::index
