#include "quipu/base/atomic_shared_ptr.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace quipu {
namespace {

TEST(AtomicSharedPtr, IsEmptyUntilStored) {
  AtomicSharedPtr<const int> pointer;
  EXPECT_EQ(pointer.load(), nullptr);
  pointer.store(std::make_shared<const int>(7));
  EXPECT_EQ(*pointer.load(), 7);
  pointer.store(nullptr);
  EXPECT_EQ(pointer.load(), nullptr);
}

// Goal: a copy is whole and stays alive, however often the pointer is replaced. Run it under the
// thread and address sanitizers.
TEST(AtomicSharedPtr, CopiesLiveOnWhileItIsReplaced) {
  AtomicSharedPtr<const std::vector<int>> pointer;
  pointer.store(std::make_shared<const std::vector<int>>(100, 0));
  std::atomic<bool> done{false};
  const auto read = [&] {
    int before = 0;
    while (!done.load()) {
      const auto copy = pointer.load();
      ASSERT_EQ(copy->size(), 100U);
      ASSERT_EQ(copy->front(), copy->back());
      ASSERT_GE(copy->front(), before);  // never backwards
      before = copy->front();
    }
  };
  std::thread one(read);
  std::thread two(read);
  for (int i = 1; i <= 20'000; ++i) pointer.store(std::make_shared<const std::vector<int>>(100, i));
  done.store(true);
  one.join();
  two.join();
  EXPECT_EQ(pointer.load()->front(), 20'000);
}

}  // namespace
}  // namespace quipu
