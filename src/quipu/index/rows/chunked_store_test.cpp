#include "quipu/index/rows/chunked_store.h"

#include <gtest/gtest.h>

#include <cstring>
#include <numeric>
#include <vector>

namespace quipu::index {
namespace {

TEST(ChunkedStore, AddressesStayAndFreshItemsAreZero) {
  ChunkedStore store(12, 100);  // eight items in a chunk
  EXPECT_EQ(store.capacity(), 0U);
  std::vector<std::byte*> addresses;
  for (std::uint32_t count = 1; count <= 3000; ++count) {
    store.ensure(count);
    ASSERT_GE(store.capacity(), count);
    std::byte* const item = store.at(count - 1);
    for (int i = 0; i < 12; ++i) ASSERT_EQ(item[i], std::byte{0});
    std::memcpy(item, &count, sizeof(count));
    addresses.push_back(item);
  }
  for (std::uint32_t i = 0; i < addresses.size(); ++i) {
    ASSERT_EQ(store.at(i), addresses[i]);
    ASSERT_EQ(store.item<std::uint32_t>(i), i + 1);
  }
}

TEST(ChunkedStore, ItemsLargerThanAChunkGetOneEach) {
  ChunkedStore store(10'000, 100);
  store.ensure(3);
  EXPECT_EQ(store.capacity(), 3U);
  std::memset(store.at(2), 7, 10'000);
  EXPECT_EQ(store.at(1)[9'999], std::byte{0});
}

TEST(ChunkedStore, WholeAdoptedChunksLieWhereTheyWereAndTheRestIsCopied) {
  for (const std::uint32_t count : {0U, 3U, 16U, 17U, 100U}) {
    std::vector<std::uint32_t> mapped(count);
    std::iota(mapped.begin(), mapped.end(), 5U);
    ChunkedStore store(sizeof(std::uint32_t), 64);  // sixteen items in a chunk
    store.adopt(std::as_writable_bytes(std::span(mapped)));
    store.ensure(count + 40);
    for (std::uint32_t i = 0; i < count; ++i) {
      ASSERT_EQ(store.item<std::uint32_t>(i), i + 5);
      const bool there = &store.item<std::uint32_t>(i) == &mapped[i];
      ASSERT_EQ(there, i < count / 16 * 16) << i << " of " << count;
    }
    for (std::uint32_t i = count; i < count + 40; ++i) {
      ASSERT_EQ(store.item<std::uint32_t>(i), 0U);
      store.item<std::uint32_t>(i) = 1;
    }
  }
}

TEST(PageMemory, IsZeroAlignedAndMovable) {
  for (const bool huge : {false, true}) {
    PageMemory memory(5'000'000, huge);
    ASSERT_GE(memory.size(), 5'000'000U);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(memory.data()) % (huge ? 2U << 20 : 4096U), 0U);
    EXPECT_EQ(memory.data()[memory.size() - 1], std::byte{0});
    memory.data()[memory.size() - 1] = std::byte{1};
    PageMemory moved = std::move(memory);
    EXPECT_EQ(moved.data()[moved.size() - 1], std::byte{1});
    PageMemory assigned;
    assigned = std::move(moved);
    EXPECT_EQ(assigned.data()[assigned.size() - 1], std::byte{1});
  }
}

}  // namespace
}  // namespace quipu::index
