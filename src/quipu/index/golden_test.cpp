// Goal: sparse and payload checkpoints that the first release wrote are read by every later one.
// Method: files in tests/golden, and the same index made anew by the same steps: both answer alike.
// The files are made anew, for a format that has never been released, by running these tests with
// QUIPU_WRITE_GOLDEN=1.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "quipu/base/epoch.h"
#include "quipu/base/file_system.h"
#include "quipu/base/test_support.h"
#include "quipu/index/payload/payload_index.h"
#include "quipu/index/sparse/sparse_index.h"

namespace quipu::index {
namespace {

constexpr std::uint32_t kSlots = 300;
// Enough distinct numbers that a rule of arithmetic can give.
constexpr std::uint32_t number(std::uint32_t slot, std::uint32_t of) {
  return (slot * 2'654'435'761U >> 7) % of;
}

std::string golden_path(const std::string& name) {
  return std::string(QUIPU_SOURCE_DIR) + "/tests/golden/" + name + "_v1.bin";
}
bool writes_golden() { return std::getenv("QUIPU_WRITE_GOLDEN") != nullptr; }

template <typename Index>
void write_golden(const std::string& name, const Index& index, Seq seq) {
  ASSERT_EQ(why_not(Index::save(posix_file_system(), golden_path(name), *index.capture(seq))), "");
}

// ---------------------------------------------------------------- sparse

constexpr std::array<std::string_view, 6> kWords = {"rivers", "of", "peru", "knots", "cord", "sea"};

void write_row(SparseIndex& index, PostingKind kind, std::uint32_t slot, Seq seq) {
  if (kind == PostingKind::kCounts) {
    std::vector<TermAt> terms;
    for (std::uint32_t at = 0; at < 3 + number(slot, 9); ++at) {
      terms.push_back({.term = kWords[number(slot + at * 131, kWords.size())], .position = at});
    }
    index.insert(SlotId(slot), terms, seq);
    return;
  }
  std::vector<SparseWeight> weights;
  for (std::uint32_t dimension = 0; dimension < 8; ++dimension) {
    if (number(slot + dimension * 17, 3) == 0) continue;
    weights.push_back({.dimension = dimension * 1'000'003,
                       .weight = 0.25F * static_cast<float>(1 + number(slot, 7)) - 0.5F});
  }
  index.insert(SlotId(slot), weights, seq);
}

std::unique_ptr<SparseIndex> made_sparse(const SparseOptions& options, EpochDomain& epochs,
                                         Seq& seq) {
  auto index = std::move(SparseIndex::create(options, epochs)).value();
  seq = Seq(0);
  const auto next = [&seq] { return seq = Seq(seq.value() + 1); };
  for (std::uint32_t slot = 0; slot < kSlots; ++slot) {
    write_row(*index, options.kind, slot, next());
    if (slot % 50 == 49) static_cast<void>(index->publish());
  }
  for (std::uint32_t slot = 0; slot < kSlots; slot += 7) index->erase(SlotId(slot), next());
  for (std::uint32_t slot = 3; slot < kSlots; slot += 11) {
    write_row(*index, options.kind, slot + 1, next());
  }
  static_cast<void>(index->publish());
  return index;
}

class SparseGolden : public testing::TestWithParam<PostingKind> {};

TEST_P(SparseGolden, IsReadAsItWasWritten) {
  const bool counts = GetParam() == PostingKind::kCounts;
  const SparseOptions options = {.kind = GetParam(), .positions = counts};
  const std::string name = counts ? "sparse_words" : "sparse_weights";
  EpochDomain epochs;
  Seq seq;
  const auto fresh = made_sparse(options, epochs, seq);
  if (writes_golden()) {
    ASSERT_NO_FATAL_FAILURE(write_golden(name, *fresh, seq));
  }
  EpochDomain own;
  const auto opened = SparseIndex::open(posix_file_system(), golden_path(name), options, own);
  ASSERT_EQ(why_not(opened), "");
  ASSERT_EQ(why_not(opened.value()->verify()), "");
  const SparseIndex& golden = *opened.value();
  EXPECT_EQ(golden.stats().live_rows, fresh->stats().live_rows);
  for (std::uint32_t i = 0; i < 30; ++i) {
    std::vector<SparseTerm> terms;
    std::vector<std::string> keys;
    for (std::uint32_t at = 0; at < 3; ++at) {
      keys.push_back(counts ? std::string(kWords[(i + at * (1 + i / 6)) % kWords.size()])
                            : dimension_key((i + at) % 8 * 1'000'003));
    }
    std::sort(keys.begin(), keys.end());
    keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
    for (const std::string& key : keys) terms.push_back({.key = key, .weight = 1.5});
    const SparseSearchParams params = {.as_of = seq, .length_mean = 7};
    std::array<SparseHit, 40> found;
    std::array<SparseHit, 40> wanted;
    const auto count = golden.search(*golden.moment(), terms, params, found);
    ASSERT_EQ(why_not(count), "");
    ASSERT_EQ(count.value(), fresh->search(*fresh->moment(), terms, params, wanted).value());
    ASSERT_GT(count.value(), 0U);
    for (std::size_t hit = 0; hit < count.value(); ++hit) {
      EXPECT_EQ(found[hit].slot, wanted[hit].slot);
      EXPECT_EQ(found[hit].score, wanted[hit].score);
    }
    if (!counts) continue;
    const std::array<TermAt, 2> phrase = {TermAt{.term = kWords[i % 6], .position = 0},
                                          TermAt{.term = kWords[i / 6], .position = 1}};
    SlotBitmap there;
    SlotBitmap here;
    golden.match(*golden.moment(), phrase, TermMatch::kPhrase, seq, there);
    fresh->match(*fresh->moment(), phrase, TermMatch::kPhrase, seq, here);
    EXPECT_EQ(there.count(), here.count());
    here.subtract(there);
    EXPECT_EQ(here.count(), 0U);
  }
}

INSTANTIATE_TEST_SUITE_P(Kinds, SparseGolden,
                         testing::Values(PostingKind::kCounts, PostingKind::kWeights),
                         [](const auto& kind) {
                           return kind.param == PostingKind::kCounts ? "Words" : "Weights";
                         });

// ---------------------------------------------------------------- payload

constexpr std::array<std::string_view, 4> kStrings = {"red", "0193a5e2-7c1f-7d35-9c54-5b2f1c2f9a10",
                                                      "\xc3\xa4hre", ""};

PayloadValues values_at(PayloadKind kind, std::uint32_t slot) {
  PayloadValues values;
  const std::uint32_t drawn = number(slot, 40);
  values.counts = {1 + drawn % 2};
  values.any_null = drawn == 5;
  values.others = drawn == 6;
  switch (kind) {
    case PayloadKind::kKeyword:
    case PayloadKind::kUuid: values.strings = {kStrings[drawn % 4]}; break;
    case PayloadKind::kInteger:
    case PayloadKind::kFloat:
      values.integers = {static_cast<std::int64_t>(drawn) - 20};
      values.floats = {static_cast<double>(drawn) + 0.5};
      break;
    case PayloadKind::kDatetime:
      values.integers = {static_cast<std::int64_t>(drawn) * 86'400'000'000};
      break;
    case PayloadKind::kBool:
      values.any_true = drawn % 3 == 0;
      values.any_false = drawn % 2 == 0;
      break;
    case PayloadKind::kGeo:
      values.points = {{.lon = static_cast<double>(drawn) - 20, .lat = 10}};
      break;
    case PayloadKind::kText:
      values.texts = {
          {{.term = kWords[drawn % 6], .position = 0}, {.term = kWords[drawn / 7], .position = 1}}};
      break;
  }
  return values;
}

class AroundZero final : public GeoRegion {
 public:
  [[nodiscard]] bool contains(GeoPoint point) const noexcept override {
    return point.lon >= -3 && point.lon <= 3;
  }
  [[nodiscard]] std::span<const GeoRect> bounds() const noexcept override { return bounds_; }

 private:
  std::array<GeoRect, 1> bounds_ = {GeoRect{.west = -3, .east = 3, .south = -90, .north = 90}};
};

std::vector<PayloadQuery> queries_of(PayloadKind kind, const GeoRegion& region) {
  std::vector<PayloadQuery> queries = {ValuesCount{.lt = {}, .gt = 1, .lte = {}, .gte = {}},
                                       IsEmpty{}, IsNull{}, AnyElementQuery{}};
  switch (kind) {
    case PayloadKind::kKeyword:
    case PayloadKind::kUuid:
      for (const std::string_view text : kStrings) {
        queries.emplace_back(StringsQuery{.values = {std::string(text)}, .except = false});
        queries.emplace_back(StringsQuery{.values = {std::string(text)}, .except = true});
      }
      if (kind == PayloadKind::kKeyword) {
        queries.emplace_back(StringsThatQuery{.prefix = "r", .check = nullptr});
      }
      break;
    case PayloadKind::kInteger:
    case PayloadKind::kFloat:
      queries.emplace_back(IntegersQuery{.values = {-3, 7}, .except = false});
      queries.emplace_back(NumberRange{.lt = 11.25, .gt = -2.0, .lte = {}, .gte = {}});
      break;
    case PayloadKind::kDatetime:
      queries.emplace_back(TimeQuery{.from_us = 86'400'000'000, .to_us = 864'000'000'000});
      break;
    case PayloadKind::kBool:
      queries.emplace_back(BoolQuery{.value = true});
      queries.emplace_back(BoolQuery{.value = false});
      break;
    case PayloadKind::kGeo: queries.emplace_back(RegionQuery{.region = &region}); break;
    case PayloadKind::kText:
      for (const auto mode : {TextMatchMode::kAll, TextMatchMode::kAny, TextMatchMode::kPhrase}) {
        queries.emplace_back(
            WordsQuery{.mode = mode, .terms = {{"rivers", 0}, {std::string(kWords[1]), 1}}});
      }
      break;
  }
  return queries;
}

std::unique_ptr<PayloadIndex> made_payload(const PayloadOptions& options, EpochDomain& epochs,
                                           Seq& seq) {
  auto index = std::move(PayloadIndex::create(options, epochs)).value();
  seq = Seq(0);
  const auto next = [&seq] { return seq = Seq(seq.value() + 1); };
  for (std::uint32_t slot = 0; slot < kSlots; ++slot) {
    index->insert(SlotId(slot), values_at(options.kind, slot), next());
    if (slot % 50 == 49) static_cast<void>(index->publish());
  }
  for (std::uint32_t slot = 0; slot < kSlots; slot += 7) index->erase(SlotId(slot), next());
  for (std::uint32_t slot = 3; slot < kSlots; slot += 11) {
    index->insert(SlotId(slot), values_at(options.kind, slot + 1), next());
  }
  static_cast<void>(index->publish());
  return index;
}

class PayloadGolden : public testing::TestWithParam<PayloadKind> {};

TEST_P(PayloadGolden, IsReadAsItWasWritten) {
  const PayloadKind kind = GetParam();
  const PayloadOptions options = {.kind = kind, .positions = kind == PayloadKind::kText};
  const std::string name = "payload_" + std::string(payload_kind_name(kind));
  EpochDomain epochs;
  Seq seq;
  const auto fresh = made_payload(options, epochs, seq);
  if (writes_golden()) {
    ASSERT_NO_FATAL_FAILURE(write_golden(name, *fresh, seq));
  }
  EpochDomain own;
  const auto opened = PayloadIndex::open(posix_file_system(), golden_path(name), options, own);
  ASSERT_EQ(why_not(opened), "");
  ASSERT_EQ(why_not(opened.value()->verify()), "");
  const PayloadIndex& golden = *opened.value();
  EXPECT_EQ(golden.stats().points, fresh->stats().points);
  EXPECT_EQ(golden.covers(), seq);
  const AroundZero region;
  std::size_t number_of_query = 0;
  for (const PayloadQuery& query : queries_of(kind, region)) {
    SCOPED_TRACE(number_of_query++);
    std::array<SlotBitmap, 4> found;
    golden.match(*golden.moment(), query, seq, found[0], found[1]);
    fresh->match(*fresh->moment(), query, seq, found[2], found[3]);
    for (const std::size_t i : {0U, 1U}) {
      EXPECT_EQ(found[i].count(), found[i + 2].count());
      found[i + 2].subtract(found[i]);
      EXPECT_EQ(found[i + 2].count(), 0U);
    }
    const bool rare = std::holds_alternative<IsEmpty>(query);  // no point has nothing but nulls
    EXPECT_TRUE(rare || found[0].count() + found[1].count() > 0);
  }
}

INSTANTIATE_TEST_SUITE_P(Kinds, PayloadGolden,
                         testing::Values(PayloadKind::kKeyword, PayloadKind::kInteger,
                                         PayloadKind::kFloat, PayloadKind::kBool,
                                         PayloadKind::kDatetime, PayloadKind::kUuid,
                                         PayloadKind::kGeo, PayloadKind::kText),
                         [](const auto& kind) {
                           return std::string(payload_kind_name(kind.param));
                         });

}  // namespace
}  // namespace quipu::index
