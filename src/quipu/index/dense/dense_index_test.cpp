// Single properties of the dense index; whole histories are in dense_index_model_test.cpp.
#include "quipu/index/dense/dense_index.h"

#include <gtest/gtest.h>

#include <atomic>
#include <limits>
#include <thread>

#include "quipu/base/limits.h"
#include "quipu/index/dense/dense_test_support.h"

namespace quipu::index {
namespace {

constexpr std::uint32_t kSmallDim = 16;

DenseOptions small_options(Metric metric = Metric::kCosine) {
  return {.dim = kSmallDim, .metric = metric, .m = 12, .ef_construction = 100};
}

// An index and its twin, filled alike.
struct Pair {
  EpochDomain epochs;
  std::unique_ptr<DenseIndex> index;
  Vectors model;
  Seq seq{0};

  explicit Pair(const DenseOptions& options) : index(make_index(options, epochs)) {}

  void put(std::uint32_t slot, const std::vector<float>& vector) {
    seq = Seq(seq.value() + 1);
    index->insert(SlotId(slot), vector, seq);
    model[slot] = vector;
  }
  void fill(Rng& rng, std::uint32_t count) {
    const DenseOptions& options = index->options();
    for (std::uint32_t slot = 0; slot < count; ++slot) {
      put(slot, random_vector(rng, options.dim, options.metric));
    }
  }
  void link_all() {
    while (index->link(256) > 0) {
    }
  }
  double recall(Rng& rng, std::size_t k, DenseSearchParams params, int queries) {
    Recall recall;
    params.as_of = seq;
    for (int i = 0; i < queries; ++i) {
      const DenseOptions& options = index->options();
      const auto query = random_vector(rng, options.dim, options.metric);
      check_search(*index, model, query, params, k, recall);
    }
    return recall.mean();
  }
};

std::string refusal(const DenseOptions& options) {
  EpochDomain epochs;
  return why_not(DenseIndex::create(options, epochs));
}

TEST(DenseIndex, RefusesOptionsOutOfTheirBounds) {
  EXPECT_EQ(refusal({.dim = 1, .m = 2, .ef_construction = 2}), "");
  EXPECT_EQ(refusal({.dim = limits::kDimMax, .m = 128, .ef_construction = 10'000}), "");
  const std::string prefix = "invalid_argument: ";
  EXPECT_EQ(refusal({.dim = 0}), prefix + "dim is 0; it must be from 1 to 65536");
  EXPECT_EQ(refusal({.dim = 65'537}), prefix + "dim is 65537; it must be from 1 to 65536");
  EXPECT_EQ(refusal({.dim = 4, .m = 1}), prefix + "m is 1; it must be from 2 to 128");
  EXPECT_EQ(refusal({.dim = 4, .m = 129}), prefix + "m is 129; it must be from 2 to 128");
  EXPECT_EQ(refusal({.dim = 4, .m = 16, .ef_construction = 15}),
            prefix + "ef_construction is 15; it must be from 16 to 10000");
  EXPECT_EQ(refusal({.dim = 4, .ef_construction = 10'001}),
            prefix + "ef_construction is 10001; it must be from 16 to 10000");
  EXPECT_EQ(refusal({.dim = 4, .metric = static_cast<Metric>(9)}),
            prefix + "metric is 9; it must be from 0 to 3");
}

TEST(DenseIndex, RefusesQueriesThatCannotBeAnswered) {
  Pair pair(small_options());
  std::vector<DenseHit> hits(10);
  const std::vector<float> good(kSmallDim, 0.25F);
  const DenseSearchParams params = {.as_of = Seq(1)};
  const auto ask = [&](std::span<const float> query, const DenseSearchParams& how) {
    return why_not(pair.index->search(query, how, hits));
  };
  EXPECT_EQ(ask(good, params), "");
  const std::string prefix = "invalid_argument: ";
  EXPECT_EQ(ask(std::span(good).first(kSmallDim - 1), params),
            prefix + "the query has 15 dimensions; the index has 16");
  std::vector<float> bad = good;
  bad[7] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(ask(bad, params), prefix + "the query holds a number that is not finite");
  bad[7] = -std::numeric_limits<float>::infinity();
  EXPECT_EQ(ask(bad, params), prefix + "the query holds a number that is not finite");
  EXPECT_EQ(ask(good, {.as_of = Seq(1), .ef = 9}),
            prefix + "ef is 9; it must be at least the 10 hits asked for");
  EXPECT_EQ(ask(good, {.as_of = Seq(1), .ef = 10}), "");
  EXPECT_EQ(ask(good, {.as_of = Seq(1), .ef = limits::kEfMax}), "");
  EXPECT_EQ(ask(good, {.as_of = Seq(1), .ef = limits::kEfMax + 1}),
            prefix + "ef is 100001; it must be at most 100000");
  EXPECT_EQ(ask(good, {.as_of = Seq(1), .deadline = {}}),
            prefix + "a deadline was given without a clock");
}

// Moves on by a step whenever it is looked at.
class SteppingClock final : public Clock {
 public:
  std::int64_t now_us() const noexcept override { return 0; }
  std::chrono::steady_clock::time_point steady_now() const noexcept override {
    return std::chrono::steady_clock::time_point(std::chrono::milliseconds(++looks_));
  }
  void wait_until(std::condition_variable&, std::unique_lock<std::mutex>&,
                  std::chrono::steady_clock::time_point) override {}
  int looks() const { return looks_; }

 private:
  mutable int looks_ = 0;
};

TEST(DenseIndex, GivesUpAtTheDeadlineInEveryStage) {
  Rng rng(5);
  Pair pair(small_options());
  pair.fill(rng, 3000);
  const std::vector<float> query = random_vector(rng, kSmallDim, Metric::kCosine);
  std::vector<DenseHit> hits(10);
  const auto ask = [&](int looks, DenseSearchParams params) {
    SteppingClock clock;
    params.as_of = pair.seq;
    params.clock = &clock;
    params.deadline = std::chrono::steady_clock::time_point(std::chrono::milliseconds(looks));
    const auto count = pair.index->search(query, params, hits);
    EXPECT_EQ(clock.looks() >= looks, !count.ok());
    return count.ok() || count.error().code != ErrorCode::kDeadlineExceeded;
  };
  EXPECT_FALSE(ask(1, {}));               // before anything
  EXPECT_FALSE(ask(2, {}));               // in the tail
  EXPECT_FALSE(ask(2, {.exact = true}));  // in a scan
  pair.link_all();
  EXPECT_FALSE(ask(2, {.ef = 1000}));  // in the graph
  EXPECT_TRUE(ask(1'000'000, {.ef = 1000}));
}

TEST(DenseIndex, EmptyIsSmallAndAnswersNothing) {
  Pair pair(small_options());
  EXPECT_LT(pair.index->stats().bytes_used, 10'000U);
  std::vector<DenseHit> hits(10);
  const std::vector<float> query(kSmallDim, 1.0F);
  for (const bool exact : {false, true}) {
    const auto count = pair.index->search(query, {.as_of = Seq(9), .exact = exact}, hits);
    ASSERT_TRUE(count.ok());
    EXPECT_EQ(count.value(), 0U);
  }
  EXPECT_EQ(pair.index->link(10), 0U);
  EXPECT_EQ(pair.index->consolidate(10, Seq(9)), 0U);
  EXPECT_FALSE(pair.index->erase(SlotId(3), Seq(10)));
  EXPECT_EQ(why_not(pair.index->verify()), "");
}

TEST(DenseIndex, FindsAllWhenAskedForMore) {
  Rng rng(7);
  Pair pair(small_options());
  pair.fill(rng, 50);
  pair.link_all();
  for (const std::size_t k : {std::size_t{0}, std::size_t{1}, std::size_t{50}, std::size_t{500}}) {
    EXPECT_EQ(pair.recall(rng, k, {}, 5), 1.0) << k;
  }
}

TEST(DenseIndex, AFilterThatNothingOrOnlyTheGonePassesFindsNothing) {
  Rng rng(8);
  Pair pair(small_options());
  pair.fill(rng, 400);
  pair.link_all();
  pair.seq = Seq(pair.seq.value() + 1);
  EXPECT_TRUE(pair.index->erase(SlotId(17), pair.seq));
  EXPECT_FALSE(pair.index->erase(SlotId(17), pair.seq));
  pair.model.erase(17);
  SlotBitmap nothing;
  EXPECT_EQ(pair.recall(rng, 5, {.filter = &nothing}, 2), 1.0);
  SlotBitmap gone;
  gone.add(SlotId(17));
  gone.add(SlotId(100'000));
  EXPECT_EQ(pair.recall(rng, 5, {.filter = &gone}, 2), 1.0);
}

TEST(DenseIndex, AQueryOfAnyLengthGivesCosines) {
  Rng rng(9);
  Pair pair(small_options());
  pair.fill(rng, 300);
  std::vector<float> query = pair.model.at(42);
  for (float& value : query) value *= 1000;
  std::vector<DenseHit> hits(1);
  ASSERT_EQ(pair.index->search(query, {.as_of = pair.seq}, hits).value(), 1U);
  EXPECT_EQ(hits[0].slot, SlotId(42));
  EXPECT_NEAR(hits[0].distance, 0, 1e-5);
}

TEST(DenseIndex, DistancesThatOverflowComeLast) {
  Pair pair({.dim = 2, .metric = Metric::kDot, .m = 4, .ef_construction = 16});
  pair.put(1, {3e38F, 3e38F});
  pair.put(2, {1, 1});
  pair.put(3, {3e38F, -3e38F});
  std::vector<DenseHit> hits(3);
  const std::vector<float> query = {3e38F, 3e38F};
  ASSERT_EQ(pair.index->search(query, {.as_of = pair.seq}, hits).value(), 3U);
  EXPECT_EQ(hits[0].slot, SlotId(1));
  EXPECT_EQ(hits[1].slot, SlotId(2));
  EXPECT_EQ(hits[2].slot, SlotId(3));
}

TEST(DenseIndex, CopiesOfOneVectorComeBySlotAndHideNobody) {
  Rng rng(11);
  Pair pair(small_options(Metric::kEuclidean));
  const std::vector<float> copied = random_vector(rng, kSmallDim, Metric::kEuclidean);
  for (std::uint32_t slot = 0; slot < 1500; ++slot) {
    // Two of three are copies, as in collections of boilerplate.
    pair.put(slot, slot % 3 == 0 ? random_vector(rng, kSmallDim, Metric::kEuclidean) : copied);
  }
  pair.link_all();
  EXPECT_GE(pair.recall(rng, 10, {}, 60), 0.95);
  Recall of_copies;
  ASSERT_NO_FATAL_FAILURE(
      check_search(*pair.index, pair.model, copied, {.as_of = pair.seq}, 10, of_copies));
  EXPECT_EQ(of_copies.mean(), 1.0);
  Recall exact;
  ASSERT_NO_FATAL_FAILURE(
      check_search(*pair.index, pair.model, copied, {.as_of = pair.seq, .exact = true}, 10, exact));
}

TEST(DenseIndex, OneThreadBuildsOneGraph) {
  std::vector<std::vector<DenseHit>> answers;
  for (int build = 0; build < 2; ++build) {
    Rng rng(13);
    Pair pair(small_options());
    pair.fill(rng, 1200);
    pair.index->link(500);
    for (std::uint32_t slot = 0; slot < 300; ++slot) {
      pair.put(slot, random_vector(rng, kSmallDim, Metric::kCosine));
    }
    // Small steps the first time, one big one the second.
    while (pair.index->link(build == 0 ? 7 : 100'000) > 0) {
    }
    pair.index->consolidate(1000, pair.seq);
    std::vector<DenseHit> all;
    for (int i = 0; i < 40; ++i) {
      std::vector<DenseHit> hits(10);
      const auto query = random_vector(rng, kSmallDim, Metric::kCosine);
      DenseSearchStats stats;
      ASSERT_TRUE(pair.index->search(query, {.as_of = pair.seq, .ef = 12}, hits, &stats).ok());
      all.insert(all.end(), hits.begin(), hits.end());
      all.push_back({.slot = SlotId(stats.graph_distances), .row = RowId(stats.hops)});
    }
    answers.push_back(std::move(all));
  }
  ASSERT_EQ(answers[0].size(), answers[1].size());
  for (std::size_t i = 0; i < answers[0].size(); ++i) {
    ASSERT_EQ(answers[0][i].slot, answers[1][i].slot) << i;
    ASSERT_EQ(answers[0][i].row, answers[1][i].row) << i;
    ASSERT_EQ(answers[0][i].distance, answers[1][i].distance) << i;
  }
}

// Goal: rows that are linked at the same moment find each other, as two chunks of one page do that
// come in one batch.
// Method: couples of nearly equal vectors, far from all others, linked by two threads that begin
// each couple together; a search that finds one of a couple finds both.
TEST(DenseIndex, RowsLinkedAtTheSameTimeFindEachOther) {
  constexpr std::uint32_t kCouples = 2000;
  Pair pair({.dim = kSmallDim, .metric = Metric::kEuclidean, .m = 12, .ef_construction = 40});
  Rng rng(test_seed());
  std::vector<std::vector<float>> centres(kCouples, std::vector<float>(kSmallDim));
  for (std::uint32_t i = 0; i < kCouples; ++i) {
    for (float& value : centres[i]) value = static_cast<float>(rng.normal() * 10);
    pair.put(2 * i, centres[i]);
    pair.put(2 * i + 1, centres[i]);
  }
  std::atomic<std::uint32_t> begun{0};
  const auto link = [&] {
    for (std::uint32_t couple = 1; couple <= kCouples; ++couple) {
      begun.fetch_add(1);
      while (begun.load() < 2 * couple) std::this_thread::yield();
      EXPECT_EQ(pair.index->link(1), 1U);
    }
  };
  std::thread other(link);
  link();
  other.join();
  std::uint32_t apart = 0;
  for (std::uint32_t i = 0; i < kCouples; ++i) {
    std::vector<DenseHit> hits(2);
    const auto count = pair.index->search(centres[i], {.as_of = pair.seq, .ef = 64}, hits);
    ASSERT_EQ(why_not(count), "");
    const bool first = hits[0].slot == SlotId(2 * i) || hits[1].slot == SlotId(2 * i);
    const bool second = hits[0].slot == SlotId(2 * i + 1) || hits[1].slot == SlotId(2 * i + 1);
    if (first != second) ++apart;  // neither: the walk did not come here at all
  }
  EXPECT_EQ(apart, 0U);
}

TEST(DenseIndex, CountsWhatItHoldsAndDid) {
  Rng rng(14);
  Pair pair(small_options());
  pair.fill(rng, 1000);
  DenseStats stats = pair.index->stats();
  EXPECT_EQ(stats.live_rows, 1000U);
  EXPECT_EQ(stats.tail_rows, 1000U);
  EXPECT_EQ(stats.linked_rows, 0U);
  EXPECT_GE(stats.bytes_used, 1000 * kSmallDim * sizeof(float));
  EXPECT_EQ(pair.index->link(600), 600U);
  std::vector<DenseHit> hits(10);
  DenseSearchStats did;
  const auto query = random_vector(rng, kSmallDim, Metric::kCosine);
  ASSERT_TRUE(pair.index->search(query, {.as_of = pair.seq}, hits, &did).ok());
  EXPECT_EQ(did.tail_rows, 400U);
  EXPECT_GT(did.graph_distances, 0U);
  EXPECT_GT(did.hops, 0U);
  EXPECT_FALSE(did.exact);
  EXPECT_EQ(did.scanned_rows, 0U);
  ASSERT_TRUE(pair.index->search(query, {.as_of = pair.seq, .exact = true}, hits, &did).ok());
  EXPECT_TRUE(did.exact);
  EXPECT_EQ(did.scanned_rows, 1000U);
  pair.put(3, query);    // linked before
  pair.put(900, query);  // in the tail before
  stats = pair.index->stats();
  EXPECT_EQ(stats.live_rows, 1000U);
  EXPECT_EQ(stats.closed_rows, 2U);
  EXPECT_EQ(stats.free_rows, 0U);
  EXPECT_EQ(pair.index->consolidate(10, Seq(pair.seq.value() - 1)), 1U);  // 900 is too recent
  EXPECT_EQ(pair.index->consolidate(10, pair.seq), 1U);
  while (pair.epochs.collect() > 0) {
  }
  EXPECT_EQ(pair.index->stats().free_rows, 2U);
  EXPECT_EQ(pair.index->link(1000), 401U);
  stats = pair.index->stats();
  EXPECT_EQ(stats.linked_rows, 1000U);
  EXPECT_EQ(stats.tail_rows, 0U);
  EXPECT_EQ(stats.closed_rows, 0U);
}

TEST(DenseIndex, FreedRowsAreUsedAgain) {
  Rng rng(15);
  Pair pair(small_options());
  pair.fill(rng, 500);
  pair.link_all();
  const std::uint64_t bytes = pair.index->stats().bytes_used;
  for (int round = 0; round < 20; ++round) {
    pair.fill(rng, 100);  // updates
    pair.link_all();
    EXPECT_EQ(pair.index->consolidate(1000, pair.seq), 100U);
    while (pair.epochs.collect() > 0) {
    }
  }
  const DenseStats stats = pair.index->stats();
  EXPECT_EQ(stats.live_rows, 500U);
  EXPECT_LE(stats.live_rows + stats.free_rows, 600U);
  EXPECT_LT(stats.bytes_used, bytes + bytes / 2);
  EXPECT_GE(pair.recall(rng, 10, {}, 50), 0.95);
}

TEST(DenseIndex, EveryBandOfFiltersFindsItsNearest) {
  Rng rng(16);
  Pair pair({.dim = 12, .metric = Metric::kEuclidean, .m = 12, .ef_construction = 80});
  constexpr std::uint32_t kSlots = 5000;
  pair.fill(rng, kSlots);
  pair.link_all();
  for (const double band : {0.001, 0.01, 0.05, 0.15, 0.3, 0.5, 0.7, 0.9, 1.0}) {
    SlotBitmap random;
    SlotBitmap near;  // only slots from one side of space: a filter that agrees with some queries
    SlotBitmap far;   // and its complement
    for (const auto& [slot, vector] : pair.model) {
      if (rng.uniform() < band) random.add(SlotId(slot));
      (vector[0] < 0 ? near : far).add(SlotId(slot));
    }
    EXPECT_GE(pair.recall(rng, 10, {.ef = 40, .filter = &random}, 40), 0.95) << band;
    if (band == 0.5) {
      EXPECT_GE(pair.recall(rng, 10, {.ef = 40, .filter = &near}, 60), 0.95);
      EXPECT_GE(pair.recall(rng, 10, {.ef = 40, .filter = &far}, 60), 0.95);
    }
  }
}

TEST(DenseIndex, AFilterAgainstTheQueryStillGetsItsHits) {
  Rng rng(17);
  Pair pair({.dim = 8, .metric = Metric::kEuclidean, .m = 8, .ef_construction = 60});
  // Two far islands; the filter passes one of them, queries stand in the other.
  SlotBitmap filter;
  for (std::uint32_t slot = 0; slot < 4000; ++slot) {
    std::vector<float> vector = random_vector(rng, 8, Metric::kEuclidean);
    const bool other = slot % 4 == 0;
    for (float& value : vector) value += other ? 40.0F : 0.0F;
    pair.put(slot, vector);
    if (other) filter.add(SlotId(slot));
  }
  pair.link_all();
  EXPECT_GE(pair.recall(rng, 10, {.ef = 20, .filter = &filter}, 40), 0.9);
  EXPECT_GE(pair.recall(rng, 100, {.ef = 100, .filter = &filter}, 10), 0.9);
}

// invariants.md, rule 20: what a walk cannot reach is found by scanning.
TEST(DenseIndex, KHitsComeBackEvenWhereTheWalkDriesUp) {
  Rng rng(18);
  Pair pair(small_options());
  pair.fill(rng, 2000);
  pair.link_all();
  // All but a few are closed and not consolidated: the walk sees almost nothing it may return.
  for (std::uint32_t slot = 0; slot < 2000; ++slot) {
    if (slot % 100 == 0) continue;
    pair.seq = Seq(pair.seq.value() + 1);
    ASSERT_TRUE(pair.index->erase(SlotId(slot), pair.seq));
    pair.model.erase(slot);
  }
  EXPECT_GE(pair.recall(rng, 20, {}, 20), 0.95);
  EXPECT_GE(pair.recall(rng, 5, {.ef = 5}, 20), 0.5);  // their number is checked; ef is tiny
}

constexpr int kChurnQueries = 1500;  // so that chance moves a mean by less than what is asked

void churn(Rng& rng, Pair& pair, std::uint32_t slots, std::uint32_t batch) {
  for (std::uint32_t first = 0; first < slots; first += batch) {
    for (std::uint32_t slot = first; slot < std::min(slots, first + batch); ++slot) {
      if (slot % 2 == 0) {
        // Gone and come back as another, the way of a delete and an insert.
        pair.seq = Seq(pair.seq.value() + 1);
        EXPECT_TRUE(pair.index->erase(SlotId(slot), pair.seq));
      }
      pair.put(slot, random_vector(rng, pair.index->options().dim, pair.index->options().metric));
    }
    pair.link_all();
    pair.index->consolidate(slots, pair.seq);
    while (pair.epochs.collect() > 0) {
    }
  }
}

TEST(DenseIndex, RecallAfterAllHasChangedIsThatOfAFreshBuild) {
  constexpr std::uint32_t kSlots = 3000;
  Rng rng(19);
  const DenseOptions options = {
      .dim = 24, .metric = Metric::kCosine, .m = 16, .ef_construction = 100};
  Pair churned(options);
  churned.fill(rng, kSlots);
  churned.link_all();
  churn(rng, churned, kSlots, 100);
  churn(rng, churned, kSlots, 700);
  Rng churned_queries(99);
  const double after = churned.recall(churned_queries, 10, {.ef = 16}, kChurnQueries);
  Pair fresh(options);
  for (const auto& [slot, vector] : churned.model) fresh.put(slot, vector);
  fresh.link_all();
  Rng queries(99);
  const double built = fresh.recall(queries, 10, {.ef = 16}, kChurnQueries);
  GTEST_LOG_(INFO) << "recall@10 at ef 16: churned " << after << ", fresh " << built;
  EXPECT_GE(after, built - 0.005);
  EXPECT_GE(built, 0.9);
}

}  // namespace
}  // namespace quipu::index
