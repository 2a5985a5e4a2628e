// What the model test does not draw: limits, errors, numbers that doubles do not tell apart, and
// readers beside the writer.
#include "quipu/index/payload/payload_index.h"

#include <gtest/gtest.h>

#include <atomic>
#include <limits>
#include <string>
#include <thread>
#include <vector>

#include "quipu/base/test_support.h"
#include "quipu/index/payload/geo_cells.h"
#include "quipu/index/payload/payload_segment.h"

namespace quipu::index {
namespace {

std::unique_ptr<PayloadIndex> made(PayloadKind kind, EpochDomain& epochs) {
  auto index = PayloadIndex::create({.kind = kind}, epochs);
  EXPECT_EQ(why_not(index), "");
  return std::move(index).value();
}

PayloadValues string_value(std::string_view text) {
  PayloadValues values;
  values.counts = {1};
  values.strings = {text};
  return values;
}

struct Found {
  SlotBitmap sure;
  SlotBitmap maybe;
};
Found match(const PayloadIndex& index, const PayloadQuery& query, Seq as_of) {
  Found found;
  index.match(*index.moment(), query, as_of, found.sure, found.maybe);
  return found;
}

class LateClock final : public Clock {
 public:
  [[nodiscard]] std::int64_t now_us() const noexcept override { return 0; }
  [[nodiscard]] std::chrono::steady_clock::time_point steady_now() const noexcept override {
    return std::chrono::steady_clock::time_point(std::chrono::hours(1));
  }
  void wait_until(std::condition_variable&, std::unique_lock<std::mutex>&,
                  std::chrono::steady_clock::time_point) override {}
};

TEST(PayloadIndex, TextAloneHasPositions) {
  EpochDomain epochs;
  const auto refused =
      PayloadIndex::create({.kind = PayloadKind::kKeyword, .positions = true}, epochs);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, ErrorCode::kInvalidArgument);
  EXPECT_NE(refused.error().message.find("keyword"), std::string::npos);
}

TEST(PayloadIndex, EmptyAnswersEverything) {
  EpochDomain epochs;
  const auto index = made(PayloadKind::kKeyword, epochs);
  EXPECT_TRUE(match(*index, StringsQuery{.values = {"a"}}, Seq(0)).sure.empty());
  EXPECT_TRUE(match(*index, IsEmpty{true}, Seq(0)).sure.empty());
  EXPECT_EQ(index->estimate(*index->moment(), AnyElementQuery{}).high, 0U);
  const auto facets = index->facet(*index->moment(), {}, 10);
  ASSERT_EQ(why_not(facets), "");
  EXPECT_TRUE(facets.value().empty());
  EXPECT_FALSE(index->erase(SlotId(7), Seq(1)));
  EXPECT_EQ(index->merge(Seq(1)), 0U);
  EXPECT_EQ(why_not(index->verify()), "");
}

TEST(PayloadIndex, LongStringsAreJudged) {
  EpochDomain epochs;
  const auto index = made(PayloadKind::kKeyword, epochs);
  const std::string longest(kHeldBytesMax, 'a');
  const std::string too_long(kHeldBytesMax + 1, 'a');
  index->insert(SlotId(1), string_value(longest), Seq(1));
  index->insert(SlotId(2), string_value(too_long), Seq(2));
  index->insert(SlotId(3), string_value("a"), Seq(3));
  static_cast<void>(index->publish());
  Found found = match(*index, StringsQuery{.values = {longest}}, Seq(3));
  EXPECT_TRUE(found.sure.contains(SlotId(1)));
  EXPECT_EQ(found.sure.count(), 1U);
  EXPECT_TRUE(found.maybe.empty());
  found = match(*index, StringsQuery{.values = {too_long}}, Seq(3));
  EXPECT_TRUE(found.sure.empty());
  EXPECT_TRUE(found.maybe.contains(SlotId(2)));
  EXPECT_EQ(found.maybe.count(), 1U);
  // It is none of the short ones, whatever it is.
  found = match(*index, StringsQuery{.values = {"a"}, .except = true}, Seq(3));
  EXPECT_EQ(found.sure.count(), 2U);
  EXPECT_TRUE(found.maybe.empty());
  found = match(*index, StringsQuery{.values = {"a", too_long}, .except = true}, Seq(3));
  EXPECT_EQ(found.sure.count(), 1U);
  EXPECT_TRUE(found.maybe.contains(SlotId(2)));
}

TEST(PayloadIndex, GivesUpAtTheDeadline) {
  EpochDomain epochs;
  const auto index = made(PayloadKind::kInteger, epochs);
  PayloadValues values;
  values.counts = {1};
  for (std::uint32_t slot = 0; slot < 10'000; ++slot) {
    values.integers = {slot};
    index->insert(SlotId(slot), values, Seq(1));
  }
  const auto moment = index->publish();
  LateClock clock;
  const PayloadScope scope = {
      .as_of = Seq(1), .deadline = std::chrono::steady_clock::time_point(), .clock = &clock};
  const auto facets = index->facet(*moment, scope, 3);
  ASSERT_FALSE(facets.ok());
  EXPECT_EQ(facets.error().code, ErrorCode::kDeadlineExceeded);
  const Status walked =
      index->walk_ordered(*moment, scope, {}, [](const OrderValue&, SlotId) { return true; });
  ASSERT_FALSE(walked.ok());
  EXPECT_EQ(walked.error().code, ErrorCode::kDeadlineExceeded);
}

TEST(OrderValue, ComparesIntegersAndDoublesExactly) {
  const auto integer = [](std::int64_t value) { return OrderValue{value}; };
  const auto real = [](double value) { return OrderValue{value}; };
  constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
  constexpr std::int64_t kLeast = std::numeric_limits<std::int64_t>::min();
  EXPECT_TRUE(integer(3) == real(3));
  EXPECT_TRUE(integer(3) < real(3.5));
  EXPECT_TRUE(real(-3.5) < integer(-3));
  EXPECT_TRUE(integer(-4) < real(-3.5));
  EXPECT_TRUE(integer(kMost) < real(9223372036854775808.0));
  EXPECT_TRUE(integer(kLeast) == real(-9223372036854775808.0));
  EXPECT_TRUE(real(-1e300) < integer(kLeast));
  // 2^53 + 1 is no double.
  EXPECT_TRUE(real(9007199254740992.0) < integer(9007199254740993));
  EXPECT_TRUE(integer(9007199254740993) < real(9007199254740994.0));
}

TEST(GeoCells, HoldEveryPlaceOfTheRectangle) {
  Rng rng(test_seed());
  std::size_t inside = 0;
  for (int round = 0; round < 2000; ++round) {
    const double width = 360 * rng.uniform() * rng.uniform();
    const double height = 180 * rng.uniform() * rng.uniform();
    GeoRect rect;
    rect.west = -180 + rng.uniform() * (360 - width);
    rect.east = std::min(180.0, rect.west + width * (rng.below(4) == 0 ? 1e-9 : 1));
    rect.south = -90 + rng.uniform() * (180 - height);
    rect.north = std::min(90.0, rect.south + height);
    if (rng.below(10) == 0) rect = {};
    const std::vector<CellRange> ranges = cells_of(rect);
    ASSERT_LE(ranges.size(), kCellRangesMax);
    for (std::size_t i = 1; i < ranges.size(); ++i) ASSERT_LT(ranges[i - 1].last, ranges[i].first);
    const auto holds = [&ranges](GeoPoint point) {
      const std::uint64_t cell = cell_of(point);
      return std::any_of(ranges.begin(), ranges.end(), [cell](const CellRange& range) {
        return range.first <= cell && cell <= range.last;
      });
    };
    for (int i = 0; i < 20; ++i) {
      const double x = rng.below(5) == 0 ? static_cast<double>(rng.below(2)) : rng.uniform();
      const double y = rng.below(5) == 0 ? static_cast<double>(rng.below(2)) : rng.uniform();
      const GeoPoint point = {
          .lon = std::clamp(rect.west + x * (rect.east - rect.west), rect.west, rect.east),
          .lat = std::clamp(rect.south + y * (rect.north - rect.south), rect.south, rect.north)};
      ASSERT_TRUE(holds(point)) << point.lon << " " << point.lat;
      const GeoPoint other = {.lon = rng.uniform() * 360 - 180, .lat = rng.uniform() * 180 - 90};
      inside += holds(other) ? 1U : 0U;
    }
  }
  EXPECT_LT(inside, 2000U * 20 / 2);  // most rectangles are small, and so are their cells
  EXPECT_EQ(cell_of({.lon = 181, .lat = 0}), kOffMapCell);
  EXPECT_EQ(cell_of({.lon = 0, .lat = -90.5}), kOffMapCell);
  EXPECT_LT(cell_of({.lon = 180, .lat = 90}), kOffMapCell);
}

// Goal: readers beside the writer and a merging thread see whole moments: each point has one value.
TEST(PayloadIndex, ReadersSeeWholeMoments) {
  constexpr std::uint32_t kPoints = 200;
  EpochDomain epochs;
  const auto index = made(PayloadKind::kKeyword, epochs);
  std::atomic<std::uint64_t> published{0};
  const auto write_all = [&](std::uint64_t seq) {
    for (std::uint32_t slot = 0; slot < kPoints; ++slot) {
      index->insert(SlotId(slot), string_value((slot + seq) % 3 == 0 ? "a" : "b"), Seq(seq));
    }
    static_cast<void>(index->publish());
    published.store(seq);
  };
  write_all(1);
  std::atomic<bool> done{false};
  std::atomic<std::uint64_t> reads{0};
  std::vector<std::thread> threads;
  std::atomic<std::uint64_t> oldest{1};  // that a reader asks for
  threads.emplace_back([&] {
    while (!done.load()) {
      static_cast<void>(index->merge(Seq(oldest.load())));
      epochs.collect();
      std::this_thread::yield();
    }
  });
  threads.emplace_back([&] {
    while (!done.load()) {
      const EpochDomain::Guard guard = epochs.pin();
      const Seq as_of(published.load());
      oldest.store(as_of.value());
      const auto moment = index->moment();
      // The moment may be newer than what is asked for; the horizon holds.
      SlotBitmap a;
      SlotBitmap b;
      SlotBitmap maybe;
      index->match(*moment, StringsQuery{.values = {"a"}}, as_of, a, maybe);
      index->match(*moment, StringsQuery{.values = {"b"}}, as_of, b, maybe);
      for (std::uint32_t slot = 0; slot < kPoints; ++slot) {
        const bool expected = (slot + as_of.value()) % 3 == 0;
        if (a.contains(SlotId(slot)) != expected || b.contains(SlotId(slot)) == expected) {
          ADD_FAILURE() << "slot " << slot << " as of " << as_of.value();
          done.store(true);
        }
      }
      reads.fetch_add(1);
    }
  });
  for (std::uint64_t seq = 2; (seq < 60 || reads.load() < 20) && !done.load(); ++seq) {
    write_all(seq);
  }
  done.store(true);
  for (std::thread& thread : threads) thread.join();
  EXPECT_GE(reads.load(), 20U);
}

}  // namespace
}  // namespace quipu::index
