// Goal: while one thread writes, two link, one consolidates and captures, and two search, every
// search sees exactly its moment. Run it under the thread sanitizer.
// Method: slots come in pairs that are always written by one log number, with vectors that name the
// round; a search as of a moment must find both of a pair, of the same round, and never a round
// that is not of its moment.
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "quipu/index/dense/dense_test_support.h"

namespace quipu::index {
namespace {

constexpr std::uint32_t kStressDim = 8;
constexpr std::uint32_t kPairs = 60;
constexpr std::uint64_t kRounds = 60;
constexpr std::uint64_t kSearchesMin = 10;

// The round is in the first number, the pair in the rest.
std::vector<float> vector_of(std::uint32_t pair, std::uint64_t round) {
  Rng rng(pair + 1);
  std::vector<float> vector(kStressDim);
  vector[0] = static_cast<float>(round) * 0.001F;
  for (std::size_t i = 1; i < kStressDim; ++i) vector[i] = static_cast<float>(rng.normal() * 10);
  return vector;
}

class Stress {
 public:
  Stress()
      : index_(make_index(
            {.dim = kStressDim, .metric = Metric::kEuclidean, .m = 6, .ef_construction = 40},
            epochs_)) {}

  // One log number for each (round, pair): the number's round is (seq - 1) / kPairs.
  void write() {
    for (std::uint64_t round = 0; round < kRounds; ++round) {
      for (std::uint32_t pair = 0; pair < kPairs; ++pair) {
        const Seq seq(round * kPairs + pair + 1);
        const std::vector<float> vector = vector_of(pair, round);
        if (pair % 7 == round % 7) {
          EXPECT_EQ(index_->erase(SlotId(2 * pair), seq), round > 0);
        }
        index_->insert(SlotId(2 * pair), vector, seq);
        index_->insert(SlotId(2 * pair + 1), vector, seq);
        published_.store(seq.value());
      }
      if (round % 16 == 7) capture();
    }
    // On a busy machine the readers may not have begun yet.
    while (searches_.load() <= kSearchesMin) std::this_thread::yield();
    done_.store(true);
  }

  void link() {
    while (!done_.load() || index_->stats().tail_rows > 0) {
      if (index_->link(16) == 0) std::this_thread::yield();
    }
  }

  void consolidate() {
    while (!done_.load()) {
      // Readers announce the moment that they are about to choose before they choose it.
      std::uint64_t horizon = published_.load();
      for (const std::atomic<std::uint64_t>& oldest : oldest_) {
        horizon = std::min(horizon, oldest.load());
      }
      if (index_->consolidate(50, Seq(horizon)) == 0) std::this_thread::yield();
      static_cast<void>(epochs_.collect());
    }
  }

  void search(std::size_t reader) {
    Rng rng(reader);
    while (!done_.load()) {
      oldest_[reader].store(0);  // nothing may be freed while the moment is chosen
      const EpochDomain::Guard guard = epochs_.pin();
      const Seq as_of(published_.load());
      oldest_[reader].store(as_of.value());
      if (as_of.value() == 0) continue;
      ask(rng, as_of);
      oldest_[reader].store(UINT64_MAX);
      searches_.fetch_add(1);
    }
  }

  void check_end() {
    EXPECT_GT(searches_.load(), kSearchesMin);
    while (index_->consolidate(1000, Seq(published_.load())) > 0) {
    }
    const DenseStats stats = index_->stats();
    EXPECT_EQ(stats.live_rows, 2 * kPairs);
    EXPECT_EQ(stats.linked_rows, 2 * kPairs);
    EXPECT_EQ(stats.closed_rows, 0U);
    EXPECT_EQ(why_not(index_->verify()), "");
  }

  void check_recall() {
    // An approximate search with a tiny ef may miss; a graph that lost rows would miss often.
    EXPECT_LE(misses(), 8U);
  }

 private:
  // How many of 400 searches at the end do not find what they look for.
  std::uint64_t misses() {
    Rng rng(77);
    missed_.store(0);
    for (int i = 0; i < 400; ++i) ask(rng, Seq(published_.load()));
    return missed_.load();
  }

  void capture() {
    const auto capture = index_->capture(Seq(published_.load()));
    ASSERT_EQ(why_not(DenseIndex::save(posix_file_system(), dir_.file("dense"), *capture)), "");
    EpochDomain epochs;
    const auto opened =
        DenseIndex::open(posix_file_system(), dir_.file("dense"), index_->options(), epochs);
    ASSERT_EQ(why_not(opened), "");
    ASSERT_EQ(why_not(opened.value()->verify()), "");
  }

  void ask(Rng& rng, Seq as_of) {
    const std::uint64_t written = as_of.value();
    const auto pair =
        static_cast<std::uint32_t>(rng.below(std::min<std::uint64_t>(kPairs, written)));
    const std::uint64_t round = (written - 1 - pair) / kPairs;
    const std::vector<float> wanted = vector_of(pair, round);
    SlotBitmap filter;
    for (std::uint32_t slot = 0; slot < 2 * kPairs; ++slot) {
      if (slot / 2 == pair || slot % 3 != 0) filter.add(SlotId(slot));
    }
    DenseSearchParams params = {.as_of = as_of, .ef = 10};
    params.exact = rng.below(4) == 0;
    if (rng.below(2) == 0) params.filter = &filter;
    std::vector<DenseHit> hits(2);
    const Result<std::size_t> count = index_->search(wanted, params, hits);
    ASSERT_TRUE(count.ok());
    ASSERT_EQ(count.value(), 2U);
    const bool found = hits[0].slot == SlotId(2 * pair) && hits[1].slot == SlotId(2 * pair + 1);
    if (!found) {
      ASSERT_FALSE(params.exact);
      missed_.fetch_add(1);
      return;
    }
    std::vector<float> vector(kStressDim);
    for (const DenseHit& hit : hits) {
      index_->copy_vector(hit.row, vector);
      ASSERT_EQ(vector, wanted) << "as of " << written;
    }
  }

  TempDir dir_;
  EpochDomain epochs_;
  std::unique_ptr<DenseIndex> index_;
  std::atomic<std::uint64_t> published_{0};
  std::atomic<std::uint64_t> oldest_[2] = {UINT64_MAX, UINT64_MAX};
  std::atomic<std::uint64_t> searches_{0};
  std::atomic<std::uint64_t> missed_{0};
  std::atomic<bool> done_{false};
};

void run(Stress& stress) {
  std::vector<std::thread> threads;
  threads.emplace_back([&] { stress.write(); });
  threads.emplace_back([&] { stress.link(); });
  threads.emplace_back([&] { stress.link(); });
  threads.emplace_back([&] { stress.consolidate(); });
  threads.emplace_back([&] { stress.search(0); });
  threads.emplace_back([&] { stress.search(1); });
  for (std::thread& thread : threads) thread.join();
  stress.check_end();
}

TEST(DenseIndexStress, EverySearchSeesItsMoment) {
  Stress stress;
  run(stress);
  stress.check_recall();
}

}  // namespace
}  // namespace quipu::index
