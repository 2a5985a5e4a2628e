// Goal: after any history, a search as of any moment that a reader holds on to finds nearly what a
// full scan of that moment finds, no dead or false hit, and k of them whenever k match.
// Method: weighted random operations on few slots (so that they collide), against a std::map; some
// moments are kept, with their map and their guard, and asked again later.
#include <gtest/gtest.h>

#include <deque>

#include "quipu/index/dense/dense_test_support.h"

namespace quipu::index {
namespace {

struct Case {
  const char* name;
  Metric metric;
  std::uint32_t dim;
  bool graph;
  std::uint64_t slots;
  int steps;
};

struct Moment {
  EpochDomain::Guard guard;
  Seq seq;
  Vectors model;
};

class History {
 public:
  History(const Case& c, std::uint64_t seed)
      : case_(c),
        rng_(seed),
        options_({.dim = c.dim,
                  .metric = c.metric,
                  .graph = c.graph,
                  .m = 8,
                  .ef_construction = 64,
                  .seed = seed}),
        index_(make_index(options_, epochs_)) {}

  void step() {
    const std::uint64_t dice = rng_.below(1000);
    if (dice < 420) {
      insert();
    } else if (dice < 560) {
      erase();
    } else if (dice < 660) {
      static_cast<void>(index_->link(rng_.below(40)));
    } else if (dice < 700) {
      consolidate();
    } else if (dice < 715) {
      keep_moment();
    } else if (dice < 720) {
      reopen();
    } else {
      search();
    }
    if (rng_.below(50) == 0) static_cast<void>(epochs_.collect());
  }

  void check_recall() const {
    EXPECT_GE(recall_.mean(), 0.95) << "over " << recall_.count() << " searches";
    EXPECT_GT(recall_.count(), 100U);
    if (case_.graph && case_.slots > 100) {
      EXPECT_GT(walks_, 20U) << "the graph was never asked";
    }
  }
  // At the end nothing may be lost to leaks: all closed rows can be freed and used again.
  void check_drained() {
    moments_.clear();
    while (index_->link(1000) > 0) {
    }
    while (index_->consolidate(64, seq_) > 0) {
    }
    const DenseStats stats = index_->stats();
    EXPECT_EQ(stats.live_rows, model_.size());
    EXPECT_EQ(stats.closed_rows, 0U);
    EXPECT_EQ(stats.tail_rows, 0U);
    EXPECT_EQ(stats.linked_rows, case_.graph ? model_.size() : 0U);
    EXPECT_EQ(why_not(index_->verify()), "");
    for (int i = 0; i < 30; ++i) search();
  }

 private:
  void insert() {
    const auto slot = static_cast<std::uint32_t>(rng_.below(case_.slots));
    std::vector<float> vector = random_vector(rng_, case_.dim, case_.metric);
    // Some points are copies of others.
    if (!model_.empty() && rng_.below(10) == 0) vector = model_.begin()->second;
    next_seq();
    index_->insert(SlotId(slot), vector, seq_);
    model_[slot] = std::move(vector);
  }

  void erase() {
    const auto slot = static_cast<std::uint32_t>(rng_.below(case_.slots));
    next_seq();
    ASSERT_EQ(index_->erase(SlotId(slot), seq_), model_.erase(slot) == 1);
  }

  // Now and then several operations share a log number, as those of one batch do.
  void next_seq() {
    const bool kept = !moments_.empty() && moments_.back().seq == seq_;
    if (kept || rng_.below(8) != 0) seq_ = Seq(seq_.value() + 1);
  }

  void consolidate() {
    const Seq horizon = moments_.empty() ? seq_ : moments_.front().seq;
    static_cast<void>(index_->consolidate(rng_.below(60), horizon));
  }

  void keep_moment() {
    if (moments_.size() == 3) moments_.pop_front();
    moments_.push_back({epochs_.pin(), seq_, model_});
  }

  void reopen() {
    moments_.clear();  // a process that starts has no readers from before
    const auto capture = index_->capture(seq_);
    ASSERT_EQ(why_not(DenseIndex::save(posix_file_system(), dir_.file("dense"), *capture)), "");
    auto opened = DenseIndex::open(posix_file_system(), dir_.file("dense"), options_, epochs_);
    ASSERT_EQ(why_not(opened), "");
    const DenseStats before = index_->stats();
    index_ = std::move(opened).value();
    ASSERT_EQ(why_not(index_->verify()), "");
    const DenseStats after = index_->stats();
    ASSERT_EQ(after.live_rows, before.live_rows);
    ASSERT_EQ(after.closed_rows, before.closed_rows);
    ASSERT_EQ(after.linked_rows, before.linked_rows);
    ASSERT_EQ(after.live_rows, model_.size());
  }

  void search() {
    const bool past = !moments_.empty() && rng_.below(3) == 0;
    const Moment* moment = past ? &moments_[rng_.below(moments_.size())] : nullptr;
    const Vectors& model = past ? moment->model : model_;
    DenseSearchParams params;
    params.as_of = past ? moment->seq : seq_;
    const std::size_t k = 1 + rng_.below(rng_.below(20) == 0 ? 300 : 12);
    params.ef = static_cast<std::uint32_t>(std::max<std::size_t>(k, 24));
    params.exact = rng_.below(10) == 0;
    SlotBitmap filter;
    if (rng_.below(2) == 0) {
      const double pass = rng_.uniform() * rng_.uniform();
      for (std::uint32_t slot = 0; slot < case_.slots; ++slot) {
        if (rng_.uniform() < pass) filter.add(SlotId(slot));
      }
      params.filter = &filter;
    }
    const std::vector<float> query = random_vector(rng_, case_.dim, case_.metric);
    DenseSearchStats stats;
    Recall exact;
    ASSERT_NO_FATAL_FAILURE(
        check_search(*index_, model, query, params, k, params.exact ? exact : recall_, &stats));
    EXPECT_EQ(exact.mean(), 1.0);
    if (stats.hops > 0) ++walks_;
  }

  const Case case_;
  Rng rng_;
  TempDir dir_;
  EpochDomain epochs_;
  DenseOptions options_;
  std::unique_ptr<DenseIndex> index_;
  Vectors model_;
  Seq seq_{1};
  std::deque<Moment> moments_;
  Recall recall_;
  std::size_t walks_ = 0;
};

class DenseIndexModel : public testing::TestWithParam<Case> {};

TEST_P(DenseIndexModel, FollowsAnyHistory) {
  History history(GetParam(), test_seed());
  for (int step = 0; step < GetParam().steps; ++step) {
    ASSERT_NO_FATAL_FAILURE(history.step()) << "in step " << step;
  }
  history.check_recall();
  ASSERT_NO_FATAL_FAILURE(history.check_drained());
}

INSTANTIATE_TEST_SUITE_P(
    All, DenseIndexModel,
    testing::Values(Case{"cosine", Metric::kCosine, 12, true, 500, 5000},
                    Case{"dot", Metric::kDot, 9, true, 500, 3000},
                    Case{"euclidean", Metric::kEuclidean, 16, true, 500, 3000},
                    Case{"manhattan", Metric::kManhattan, 8, true, 500, 3000},
                    Case{"one_dimension", Metric::kEuclidean, 1, true, 300, 2000},
                    Case{"one_line", Metric::kCosine, 1, true, 300, 1500},
                    Case{"long_vectors", Metric::kCosine, 1111, true, 300, 1200},
                    Case{"flat", Metric::kCosine, 12, false, 300, 2000},
                    Case{"three_slots", Metric::kEuclidean, 4, true, 3, 1500}),
    [](const testing::TestParamInfo<Case>& test) { return std::string(test.param.name); });

}  // namespace
}  // namespace quipu::index
