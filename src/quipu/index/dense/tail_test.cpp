// Goal: the tail offers each row once, in order, and shows exactly the entries not taken out.
// Method: random operations against a list.
#include "quipu/index/dense/tail.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <set>

#include "quipu/base/rng.h"
#include "quipu/base/test_support.h"

namespace quipu::index {
namespace {

std::vector<std::uint32_t> entries(const Tail& tail) {
  std::vector<std::uint32_t> rows;
  tail.for_each([&](std::uint32_t row) {
    rows.push_back(row);
    return true;
  });
  return rows;
}

TEST(Tail, FollowsAnyHistory) {
  Rng rng(test_seed());
  Tail tail;
  std::vector<std::uint32_t> there;     // all entries
  std::deque<std::uint32_t> unclaimed;  // those not offered yet
  std::vector<Tail::Claim> claims;
  std::set<std::uint32_t> unwanted;
  std::size_t retired_count = 0;
  const auto wanted = [&](std::uint32_t row) { return unwanted.count(row) == 0; };
  const auto take_out = [&](std::uint32_t row) {
    there.erase(std::find(there.begin(), there.end(), row));
  };
  std::uint32_t next = 0;
  for (int step = 0; step < 20'000; ++step) {
    Tail::Retired retired;
    const std::uint64_t dice = rng.below(100);
    if (dice < 36) {
      if (rng.below(5) == 0) unwanted.insert(next);
      tail.append(next);
      there.push_back(next);
      unclaimed.push_back(next++);
    } else if (dice < 64) {
      while (!unclaimed.empty() && !wanted(unclaimed.front())) unclaimed.pop_front();
      const Tail::Claim claim = tail.claim(wanted);
      ASSERT_EQ(claim.row, unclaimed.empty() ? kNoRow : unclaimed.front());
      if (claim.row == kNoRow) continue;
      unclaimed.pop_front();
      claims.push_back(claim);
    } else if (dice < 98) {
      if (claims.empty()) continue;
      const std::size_t which = rng.below(std::min<std::size_t>(claims.size(), 40));
      tail.clear(claims[which], retired);
      take_out(claims[which].row);
      claims.erase(claims.begin() + static_cast<std::ptrdiff_t>(which));
    } else {
      // The older ones of the unwanted go, claimed rows never.
      const auto gone = [&](std::uint32_t row) { return !wanted(row) && row + 300 < next; };
      tail.clear_if(gone, retired);
      for (const std::uint32_t row : std::vector<std::uint32_t>(there)) {
        if (gone(row)) take_out(row);
      }
      std::erase_if(unclaimed, gone);
    }
    retired_count += retired.size();
    if (step % 97 == 0) {
      ASSERT_EQ(entries(tail), there) << "in step " << step;
      ASSERT_EQ(tail.waiting(), unclaimed.size() + claims.size());
    }
  }
  EXPECT_EQ(entries(tail), there);
  EXPECT_GT(retired_count, 0U) << "no segment was ever done with";
  EXPECT_LE(tail.bytes_used(), (next / 510 + 1 - retired_count) * 4096);
}

TEST(Tail, AVisitorMayStop) {
  Tail tail;
  for (std::uint32_t row = 0; row < 2000; ++row) tail.append(row);
  std::uint32_t visited = 0;
  tail.for_each([&](std::uint32_t) { return ++visited < 700; });
  EXPECT_EQ(visited, 700U);
}

}  // namespace
}  // namespace quipu::index
