#include "quipu/ids.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <vector>

#include "quipu/base/key_value.h"
#include "quipu/base/rng.h"
#include "quipu/base/test_support.h"
#include "quipu/metric.h"

namespace quipu {
namespace {

TEST(PointId, ReadsNumbers) {
  EXPECT_EQ(PointId::parse("0").value(), PointId::number(0));
  EXPECT_EQ(PointId::parse("42").value(), PointId::number(42));
  EXPECT_EQ(PointId::parse("18446744073709551615").value(), PointId::number(~std::uint64_t{0}));
}

TEST(PointId, ReadsUuidsOfAnyCase) {
  const PointId id = PointId::uuid(0x0123456789abcdefULL, 0xfedcba9876543210ULL);
  EXPECT_EQ(PointId::parse("01234567-89ab-cdef-fedc-ba9876543210").value(), id);
  EXPECT_EQ(PointId::parse("01234567-89AB-CDEF-FEDC-BA9876543210").value(), id);
  EXPECT_EQ(id.to_string(), "01234567-89ab-cdef-fedc-ba9876543210");
}

TEST(PointId, RefusesEverythingElse) {
  for (const std::string_view text : {"",
                                      " 1",
                                      "1 ",
                                      "+1",
                                      "-1",
                                      "01",
                                      "00",
                                      "0x1",
                                      "1.0",
                                      "1e3",
                                      "18446744073709551616",
                                      "99999999999999999999",
                                      "184467440737095516150",
                                      "0123456789abcdeffedcba9876543210",
                                      "{01234567-89ab-cdef-fedc-ba9876543210}",
                                      "01234567-89ab-cdef-fedc-ba987654321",
                                      "01234567-89ab-cdef-fedc-ba98765432100",
                                      "0123456789ab-cdef-fedc-ba9876543210-",
                                      "01234567-89ab-cdef-fedc-ba987654321g",
                                      "01234567+89ab-cdef-fedc-ba9876543210",
                                      "01234567-89ab-cdef-fedc-ba98765432 0",
                                      "\xff",
                                      "١"}) {
    const Result<PointId> parsed = PointId::parse(text);
    ASSERT_FALSE(parsed.ok()) << text;
    EXPECT_EQ(parsed.error().code, ErrorCode::kInvalidArgument);
    EXPECT_EQ(parsed.error().reason, "invalid_point_id");
  }
  const std::string zero_inside("1\0", 2);
  EXPECT_FALSE(PointId::parse(zero_inside).ok());
}

TEST(PointId, TheErrorShowsALittleOfTheText) {
  const Result<PointId> parsed = PointId::parse(std::string(10'000, 'x') + "\n");
  ASSERT_FALSE(parsed.ok());
  EXPECT_LT(parsed.error().message.size(), 300U);
  EXPECT_EQ(parsed.error().message.find('\n'), std::string::npos);
}

TEST(PointId, TextAndBack) {
  Rng rng(test_seed());
  for (int round = 0; round < 2000; ++round) {
    // Shifts make small numbers, with their leading zeros, as likely as large ones.
    const std::uint64_t a = rng.next() >> rng.below(64);
    const std::uint64_t b = rng.next() >> rng.below(64);
    for (const PointId id : {PointId::number(a), PointId::uuid(a, b)}) {
      ASSERT_EQ(PointId::parse(id.to_string()).value(), id) << id.to_string();
    }
  }
}

TEST(PointId, NumbersOrderBeforeUuids) {
  const std::vector<PointId> sorted = {PointId::number(0),     PointId::number(2),
                                       PointId::number(~0ULL), PointId::uuid(0, 0),
                                       PointId::uuid(0, 9),    PointId::uuid(1, 0)};
  EXPECT_TRUE(std::is_sorted(sorted.begin(), sorted.end()));
  EXPECT_EQ(std::set<PointId>(sorted.begin(), sorted.end()).size(), sorted.size());
  EXPECT_EQ(PointId(), PointId::number(0));
}

TEST(PointId, TheHashIsFixedForAllTime) {
  // It chooses shards: computed once by a script of splitmix64's finalizer, never to change.
  std::set<std::uint64_t> seen;
  for (std::uint64_t number = 0; number < 1000; ++number) {
    seen.insert(stable_hash(PointId::number(number)));
    seen.insert(stable_hash(PointId::uuid(0, number)));
    seen.insert(stable_hash(PointId::uuid(number + 1, 0)));
  }
  EXPECT_EQ(seen.size(), 3000U);
  static_assert(stable_hash(PointId::number(0)) == 0xa706dd2f4d197e6fULL);
  static_assert(stable_hash(PointId::number(1)) == 0x08b4fda8c892b50eULL);
  static_assert(stable_hash(PointId::uuid(1, 2)) == 0x9678f88d73ae2751ULL);
}

TEST(StrongId, DiffersFromItsNumber) {
  static_assert(!std::is_convertible_v<std::uint64_t, Seq>);
  static_assert(!std::is_same_v<ShardId, CollectionId>);
  EXPECT_EQ(Seq().value(), 0U);
  EXPECT_LT(Seq(1), Seq(2));
  EXPECT_EQ(std::hash<SlotId>{}(SlotId(7)), std::hash<std::uint32_t>{}(7));
}

TEST(Metric, NamesReadBack) {
  for (const Metric metric :
       {Metric::kCosine, Metric::kDot, Metric::kEuclidean, Metric::kManhattan}) {
    EXPECT_EQ(parse_metric(metric_name(metric)).value(), metric);
  }
  EXPECT_EQ(metric_name(Metric::kCosine), "cosine");
  EXPECT_EQ(metric_name(Metric::kDot), "dot");
  EXPECT_EQ(metric_name(Metric::kEuclidean), "euclidean");
  EXPECT_EQ(metric_name(Metric::kManhattan), "manhattan");
  for (const std::string_view text : {"", "Cosine", "cosine ", "l2"}) {
    const Result<Metric> parsed = parse_metric(text);
    ASSERT_FALSE(parsed.ok());
    EXPECT_EQ(parsed.error().code, ErrorCode::kInvalidArgument);
    for (const std::string_view name : {"cosine", "dot", "euclidean", "manhattan"}) {
      EXPECT_NE(parsed.error().message.find(name), std::string::npos);
    }
  }
  EXPECT_NE(parse_metric("l2").error().message.find("\"l2\""), std::string::npos);
}

TEST(Family, NamesAreWhatIsOnDisk) {
  std::set<std::string_view> names;
  for (std::size_t index = 0; index < kFamilyCount; ++index) {
    names.insert(family_name(static_cast<Family>(index)));
  }
  EXPECT_EQ(names,
            (std::set<std::string_view>{"meta", "log", "points", "vectors", "edges", "access",
                                        "dedup", "jobs", "history", "audit", "views"}));
}

}  // namespace
}  // namespace quipu
