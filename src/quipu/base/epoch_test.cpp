#include "quipu/base/epoch.h"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace quipu {

struct EpochDomainPeer {
  static EpochDomain::Guard pin_under(EpochDomain& domain, std::uint32_t parity) {
    return domain.pin_under(parity);
  }
};

namespace {

TEST(Epoch, FreesAtOnceWithoutGuards) {
  EpochDomain domain;
  int freed = 0;
  domain.retire([&] { ++freed; });
  EXPECT_EQ(domain.collect(), 0U);
  EXPECT_EQ(freed, 1);
  EXPECT_EQ(domain.collect(), 0U);
  EXPECT_EQ(freed, 1);
}

TEST(Epoch, AGuardHoldsBackWhatWasRetiredAfterIt) {
  EpochDomain domain;
  int freed = 0;
  auto guard = domain.pin();
  domain.retire([&] { ++freed; });
  // Many looks, with guards of others coming and going, must not wear the first guard out.
  for (int i = 0; i < 100; ++i) {
    auto other = domain.pin();
    EXPECT_EQ(domain.collect(), 1U);
  }
  EXPECT_EQ(freed, 0);
  guard = EpochDomain::Guard();
  EXPECT_EQ(domain.collect(), 0U);
  EXPECT_EQ(freed, 1);
}

TEST(Epoch, AGuardMadeLaterDoesNotHoldBackForEver) {
  EpochDomain domain;
  int freed = 0;
  auto first = domain.pin();
  domain.retire([&] { ++freed; });
  EXPECT_EQ(domain.collect(), 1U);
  // From here on there is always a guard alive, each overlapping the next.
  int rounds = 0;
  while (freed == 0) {
    ASSERT_LT(rounds++, 10);
    auto next = domain.pin();
    std::swap(first, next);
    next = EpochDomain::Guard();
    domain.collect();
  }
  EXPECT_EQ(freed, 1);
}

// A reader that is held up between looking at the epoch and counting itself counts under an old
// one.
TEST(Epoch, AReaderThatCountsItselfLateIsSeen) {
  for (const std::uint32_t parity : {0U, 1U}) {
    EpochDomain domain;
    for (int grace_periods = 0; grace_periods < 4; ++grace_periods) {
      SCOPED_TRACE("parity " + std::to_string(parity) + " after " + std::to_string(grace_periods));
      int freed = 0;
      auto late = EpochDomainPeer::pin_under(domain, parity);
      domain.retire([&] { ++freed; });
      for (int look = 0; look < 3; ++look) EXPECT_EQ(domain.collect(), 1U);
      EXPECT_EQ(freed, 0);
      late = EpochDomain::Guard();
      EXPECT_EQ(domain.collect(), 0U);
      EXPECT_EQ(freed, 1);
    }
  }
}

TEST(Epoch, GuardsNestAndMove) {
  EpochDomain domain;
  int freed = 0;
  {
    auto outer = domain.pin();
    domain.retire([&] { ++freed; });
    {
      auto inner = domain.pin();
      EpochDomain::Guard moved = std::move(inner);
      EXPECT_EQ(domain.collect(), 1U);
    }
    EXPECT_EQ(domain.collect(), 1U);
    EpochDomain::Guard moved = std::move(outer);
    EXPECT_EQ(domain.collect(), 1U);
    EpochDomain::Guard& alias = moved;
    moved = std::move(alias);  // Moving onto itself keeps the pin.
    EXPECT_EQ(domain.collect(), 1U);
  }
  EXPECT_EQ(domain.collect(), 0U);
  EXPECT_EQ(freed, 1);
}

TEST(Epoch, AnotherThreadMayReleaseAGuard) {
  EpochDomain domain;
  int freed = 0;
  EpochDomain::Guard guard;
  std::thread([&] { guard = domain.pin(); }).join();
  domain.retire([&] { ++freed; });
  EXPECT_EQ(domain.collect(), 1U);
  std::thread([held = std::move(guard)]() mutable { held = EpochDomain::Guard(); }).join();
  EXPECT_EQ(domain.collect(), 0U);
  EXPECT_EQ(freed, 1);
}

TEST(Epoch, RetireAloneFreesInTheEnd) {
  EpochDomain domain;
  std::size_t freed = 0;
  for (int i = 0; i < 1000; ++i) domain.retire([&] { ++freed; });
  EXPECT_GE(freed, 800U);
  EXPECT_EQ(domain.collect(), 0U);
  EXPECT_EQ(freed, 1000U);
}

TEST(Epoch, TheDestructorRunsWhatIsLeft) {
  int freed = 0;
  {
    EpochDomain domain;
    domain.retire([&] { ++freed; });
  }
  EXPECT_EQ(freed, 1);
}

using EpochDeathTest = ::testing::Test;
TEST(EpochDeathTest, AGuardThatOutlivesItsDomainIsABug) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        auto domain = std::make_unique<EpochDomain>();
        auto guard = domain->pin();
        domain.reset();
      },
      "drained");
}

// Readers chase pointers while writers replace and retire what they point to. A freed node is
// poisoned before its memory goes, so a reader that meets one sees it even without a sanitizer.
struct Node {
  std::atomic<std::uint64_t> value{0};
  std::atomic<std::uint64_t> check{0};
  explicit Node(std::uint64_t v) : value(v), check(~v) {}
};

TEST(EpochStress, ReadersNeverMeetAFreedNode) {
  constexpr int kCells = 4;
  constexpr int kReaders = 4;
  constexpr int kWriters = 2;
  constexpr int kSwapsPerWriter = 4000;
  EpochDomain domain;
  std::array<std::atomic<Node*>, kCells> cells{};
  for (auto& cell : cells) cell.store(new Node(1));
  std::atomic<int> writers_left{kWriters};
  std::atomic<std::uint64_t> freed{0};
  std::atomic<std::uint64_t> bad{0};
  std::atomic<std::uint64_t> reads{0};

  const auto read = [&](int seed) {
    EpochDomain::Guard kept;  // Now and then a long pin that overlaps the short ones.
    auto i = static_cast<std::uint64_t>(seed);
    while (writers_left.load(std::memory_order_acquire) != 0) {
      ++i;
      if (i % 64 == 0) kept = domain.pin();
      if (i % 64 == 40) kept = EpochDomain::Guard();
      const auto guard = domain.pin();
      const Node* node = cells[i % kCells].load(std::memory_order_acquire);
      const std::uint64_t value = node->value.load(std::memory_order_relaxed);
      if (node->check.load(std::memory_order_relaxed) != ~value) bad.fetch_add(1);
      if (value == 0) bad.fetch_add(1);
      reads.fetch_add(1, std::memory_order_relaxed);
    }
  };
  const auto write = [&](int seed) {
    for (int i = 0; i < kSwapsPerWriter; ++i) {
      auto* fresh = new Node(static_cast<std::uint64_t>(i) + 2);
      const auto cell = static_cast<std::size_t>(i + seed) % kCells;
      Node* old = cells[cell].exchange(fresh, std::memory_order_acq_rel);
      domain.retire([old, &freed] {
        old->value.store(0, std::memory_order_relaxed);
        delete old;
        freed.fetch_add(1);
      });
      if (i % 100 == 0) domain.collect();
      if (i % 16 == 0) std::this_thread::yield();
    }
    writers_left.fetch_sub(1, std::memory_order_release);
  };

  std::vector<std::thread> threads;
  for (int i = 0; i < kReaders; ++i) threads.emplace_back(read, i);
  for (int i = 0; i < kWriters; ++i) threads.emplace_back(write, i);
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(bad.load(), 0U);
  EXPECT_GT(reads.load(), 0U);
  EXPECT_EQ(domain.collect(), 0U);
  EXPECT_EQ(freed.load(), static_cast<std::uint64_t>(kWriters * kSwapsPerWriter));
  for (auto& cell : cells) delete cell.load();
}

// The same, with guards that are made by one thread and released by another.
TEST(EpochStress, GuardsReleasedElsewhereStillProtect) {
  constexpr int kSwaps = 4000;
  EpochDomain domain;
  std::atomic<Node*> cell{new Node(1)};
  struct Held {
    EpochDomain::Guard guard;
    const Node* node = nullptr;
  };
  std::atomic<Held*> mailbox{nullptr};
  std::atomic<bool> done{false};
  std::atomic<std::uint64_t> bad{0};

  std::thread maker([&] {
    while (!done.load(std::memory_order_acquire)) {
      auto held = std::make_unique<Held>();
      held->guard = domain.pin();
      held->node = cell.load(std::memory_order_acquire);
      delete mailbox.exchange(held.release(), std::memory_order_acq_rel);
    }
  });
  std::thread user([&] {
    while (!done.load(std::memory_order_acquire)) {
      const std::unique_ptr<Held> held(mailbox.exchange(nullptr, std::memory_order_acq_rel));
      if (held == nullptr) continue;
      const std::uint64_t value = held->node->value.load(std::memory_order_relaxed);
      if (held->node->check.load(std::memory_order_relaxed) != ~value || value == 0) {
        bad.fetch_add(1);
      }
    }
  });
  for (int i = 0; i < kSwaps; ++i) {
    Node* old =
        cell.exchange(new Node(static_cast<std::uint64_t>(i) + 2), std::memory_order_acq_rel);
    domain.retire([old] {
      old->value.store(0, std::memory_order_relaxed);
      delete old;
    });
    if (i % 10 == 0) domain.collect();
    if (i % 16 == 0) std::this_thread::yield();
  }
  done.store(true, std::memory_order_release);
  maker.join();
  user.join();
  delete mailbox.load();
  EXPECT_EQ(bad.load(), 0U);
  EXPECT_EQ(domain.collect(), 0U);
  delete cell.load();
}

}  // namespace
}  // namespace quipu
