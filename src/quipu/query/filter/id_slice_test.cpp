#include "quipu/query/filter/id_slice.h"

#include <gtest/gtest.h>

#include <cstddef>
#include <numeric>
#include <vector>

#include "quipu/base/test_support.h"

namespace quipu::query {
namespace {

// Computed with an implementation that gives the paper's vector, a129ca6149be45e5, for its key.
TEST(IdSlice, HashesAsSipHash24) {
  const std::uint64_t by_length[] = {0x1e924b9d737700d7, 0x8b5a0baa49fbc58d, 0x62c3506f27376c25,
                                     0x680fa79f0e7fdfe9, 0xef7bdf3ee24abec8, 0x68f1ce874c39785b,
                                     0x1f01e817d7d793af, 0xb3d67eaf2c11480b, 0xc72b1c24fc2f7938,
                                     0x610e7ab6ada60b22, 0x789ad31dad123412, 0xca6dc49af65ed779,
                                     0x1176313427ceaaf0, 0x3c6f1970dd62f235, 0xda6a048115121cab,
                                     0xd0567cd44e891363, 0xc902632ed88f897f, 0xe05a24800edfeef2};
  for (std::size_t length = 0; length < std::size(by_length); ++length) {
    std::vector<std::uint8_t> bytes(length);
    std::iota(bytes.begin(), bytes.end(), std::uint8_t{0});
    EXPECT_EQ(siphash24(bytes), by_length[length]) << length;
  }
}

TEST(IdSlice, HashesIdsAsQdrantDoes) {
  EXPECT_EQ(slice_hash(PointId::number(0)), 0xe849e8bb6ffe2567U);
  EXPECT_EQ(slice_hash(PointId::number(1)), 0x8004c5a694105f5eU);
  EXPECT_EQ(slice_hash(PointId::number(42)), 0x0fc2553f07619dd3U);
  EXPECT_EQ(slice_hash(PointId::number(UINT64_MAX)), 0x8050c18b6ac9d15eU);
  EXPECT_EQ(slice_hash(PointId::uuid(0x550e8400e29b41d4, 0xa716446655440000)), 0xf5d0ca21ba34d504U);
}

TEST(IdSlice, SlicesCoverEachIdOnce) {
  Rng rng(test_seed());
  std::vector<std::size_t> sizes(7, 0);
  for (int round = 0; round < 7'000; ++round) {
    const PointId id =
        rng.below(2) == 0 ? PointId::number(rng.next()) : PointId::uuid(rng.next(), rng.next());
    std::size_t slices = 0;
    for (std::uint32_t index = 0; index < 7; ++index) {
      if (!in_slice(id, {.total = 7, .index = index})) continue;
      ++slices;
      ++sizes[index];
    }
    EXPECT_EQ(slices, 1U);
    EXPECT_TRUE(in_slice(id, {}));  // the only slice of one
  }
  for (const std::size_t size : sizes) EXPECT_NEAR(static_cast<double>(size), 1'000, 200);
}

}  // namespace
}  // namespace quipu::query
