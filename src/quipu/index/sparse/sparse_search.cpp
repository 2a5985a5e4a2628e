// Searching an inverted index for the largest sums: MaxScore (Turtle, Flood: Query Evaluation:
// Strategies and Optimizations, 1995) over windows of rows, with the bounds of blocks (Ding, Suel:
// Faster Top-k Document Retrieval Using Block-Max Indexes, SIGIR 2011) to step over windows in
// which nothing can be good enough.
//
// The lists are sorted by the most that they can add. Those that together cannot lift a row over
// the worst kept hit are not walked: a row is found by the other lists, and asked for in these.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "quipu/base/format.h"
#include "quipu/index/flat/top_k.h"
#include "quipu/index/postings/posting_cursor.h"
#include "quipu/index/rows/deadline.h"
#include "quipu/index/sparse/sparse_core.h"

namespace quipu::index {
namespace {

constexpr std::uint32_t kWindowRows = 2048;

// What a posting adds to its row's score by BM25, as a multiple of 2^-32: such parts add up to the
// same sum in any order.
class CountScorer {
 public:
  using Sum = std::int64_t;
  CountScorer(const SparseCore& core, const SparseSearchParams& params)
      : core_(core),
        k1_(params.bm25.k1),
        flat_(params.bm25.k1 * (1 - params.bm25.b)),
        slope_(params.bm25.k1 * params.bm25.b / std::max(params.length_mean, 1e-9)) {}

  [[nodiscard]] Sum part(double weight, std::uint32_t row, std::uint32_t count) const {
    return part_of(weight, count, core_.length(row));
  }
  [[nodiscard]] Sum bound(double weight, const BlockMeta& block) const {
    return part_of(weight, block.bound_a, block.bound_b) + 1;  // one for the rounding
  }
  [[nodiscard]] static double score(Sum sum) { return static_cast<double>(sum) * 0x1p-32; }

 private:
  [[nodiscard]] Sum part_of(double weight, std::uint32_t count, std::uint32_t length) const {
    const auto times = static_cast<double>(count);
    const double norm = flat_ + slope_ * static_cast<double>(length);
    return std::llrint(weight * times * (k1_ + 1) / (times + norm) * 0x1p32);
  }
  const SparseCore& core_;
  const double k1_;
  const double flat_;
  const double slope_;
};

class WeightScorer {
 public:
  using Sum = double;
  [[nodiscard]] static Sum part(double weight, std::uint32_t /*row*/, std::uint32_t bits) {
    return weight * static_cast<double>(std::bit_cast<float>(bits));
  }
  // A row without the dimension gets nothing, which is more than a negative part.
  [[nodiscard]] static Sum bound(double weight, const BlockMeta& block) {
    const double most = std::max(part(weight, 0, block.bound_a), part(weight, 0, block.bound_b));
    return std::max(most + std::abs(most) * 1e-12, 0.0);  // sums round
  }
  [[nodiscard]] static double score(Sum sum) { return sum; }
};

template <typename Scorer>
class SparseSearch {
 public:
  using Sum = typename Scorer::Sum;
  SparseSearch(const SparseCore& core, const SparseSearchParams& params, const Scorer& scorer,
               std::size_t k, SparseSearchStats& stats)
      : core_(core),
        params_(params),
        scorer_(scorer),
        deadline_{.at = params.deadline, .clock = params.clock},
        stats_(stats),
        row_count_(core.rows.count()),
        top_(k, params.ties),
        sums_(kWindowRows),
        hit_(kWindowRows / 64) {}

  // False once the deadline has passed.
  bool run(const Segment& segment, std::span<const SparseTerm> terms) {
    lists_.clear();
    for (const SparseTerm& term : terms) {
      const std::optional<std::uint32_t> key = segment.find(term.key);
      if (!key.has_value()) continue;
      List list = {.cursor = std::make_unique<PostingCursor>(segment, *key), .weight = term.weight};
      for (const BlockMeta& block : list.cursor->blocks()) {
        list.bound = std::max(list.bound, scorer_.bound(term.weight, block));
      }
      list.cursor->seek(0);
      lists_.push_back(std::move(list));
    }
    if (lists_.empty()) return true;
    ++stats_.segments;
    std::stable_sort(lists_.begin(), lists_.end(),
                     [](const List& a, const List& b) { return a.bound < b.bound; });
    first_ = 0;
    below_ = 0;
    return walk();
  }
  [[nodiscard]] std::vector<ScoredRow> take() { return top_.take(); }

 private:
  struct List {
    std::unique_ptr<PostingCursor> cursor;
    double weight = 0;
    Sum bound = 0;
  };
  struct Chosen {
    std::uint32_t row = 0;
    Sum sum = 0;
  };

  // Whether a row of at most this sum is not kept. Scores are compared as the floats that callers
  // get, so that equal ones are equal.
  [[nodiscard]] bool hopeless(Sum most) const {
    return static_cast<float>(Scorer::score(most)) < -top_.bound();
  }

  // Moves lists that cannot make a hit by themselves out of the walk.
  void set_aside() {
    while (first_ < lists_.size() && hopeless(below_ + lists_[first_].bound)) {
      below_ += lists_[first_].bound;
      ++first_;
    }
  }

  bool walk() {
    for (;;) {
      set_aside();
      if (first_ + 1 == lists_.size()) return walk_last();
      std::uint32_t begin = kRowsEnd;
      for (std::size_t i = first_; i < lists_.size(); ++i) {
        begin = std::min(begin, lists_[i].cursor->row());
      }
      if (begin == kRowsEnd) return true;
      if (deadline_.passed()) return false;
      const std::uint32_t end = begin + std::min(kWindowRows, kRowsEnd - begin);
      if (hopeless(window_bound(begin, end))) {
        for (std::size_t i = first_; i < lists_.size(); ++i) lists_[i].cursor->seek(end);
      } else {
        add_up(begin, end);
        offer_all(begin);
      }
    }
  }

  // Damaged blocks may say anything.
  static std::uint32_t row_after(std::uint32_t row) { return row == kRowsEnd ? row : row + 1; }

  // The same with one list left to walk: its blocks are the windows, and there is nothing to add
  // up.
  bool walk_last() {
    List& list = lists_.back();
    PostingCursor& cursor = *list.cursor;
    const BlockMeta* const blocks_end = cursor.blocks().data() + cursor.blocks().size();
    while (cursor.row() != kRowsEnd) {
      if (deadline_.passed()) return false;
      const BlockMeta* block = cursor.block_of(cursor.row());
      std::uint32_t begin = 0;  // behind the blocks that are stepped over, which are not decoded
      while (block != nullptr && block != blocks_end &&
             hopeless(below_ + scorer_.bound(list.weight, *block))) {
        begin = std::max(begin, row_after(block->last_row));
        ++block;
      }
      if (block == nullptr || block == blocks_end) return true;
      cursor.seek(begin);
      chosen_.clear();
      cursor.visit_until(row_after(block->last_row), [&](std::uint32_t row, std::uint32_t number) {
        ++stats_.postings;
        if (row < row_count_) choose(row, scorer_.part(list.weight, row, number));
      });
      offer_chosen();
    }
    return true;
  }

  // The most that a row of the window can have.
  Sum window_bound(std::uint32_t begin, std::uint32_t end) {
    Sum sum = below_;
    for (std::size_t i = first_; i < lists_.size(); ++i) {
      PostingCursor& cursor = *lists_[i].cursor;
      if (cursor.row() >= end) continue;
      Sum most = 0;
      const BlockMeta* block = cursor.block_of(std::max(begin, cursor.row()));
      const BlockMeta* const blocks_end = cursor.blocks().data() + cursor.blocks().size();
      for (; block != nullptr && block != blocks_end; ++block) {
        most = std::max(most, scorer_.bound(lists_[i].weight, *block));
        if (block->last_row >= end) break;
      }
      sum += most;
    }
    return sum;
  }

  // All sums and hits are zero before and after a window.
  void add_up(std::uint32_t begin, std::uint32_t end) {
    for (std::size_t i = first_; i < lists_.size(); ++i) {
      const double weight = lists_[i].weight;
      lists_[i].cursor->visit_until(end, [&](std::uint32_t row, std::uint32_t number) {
        const std::uint32_t at = row - begin;
        ++stats_.postings;
        if (at >= kWindowRows || row >= row_count_) return;  // damaged
        sums_[at] += scorer_.part(weight, row, number);
        hit_[at / 64] |= std::uint64_t{1} << (at % 64);
      });
    }
  }

  void offer_all(std::uint32_t begin) {
    chosen_.clear();
    for (std::uint32_t word = 0; word < hit_.size(); ++word) {
      for (std::uint64_t bits = hit_[word]; bits != 0; bits &= bits - 1) {
        const std::uint32_t at = word * 64 + static_cast<std::uint32_t>(std::countr_zero(bits));
        choose(begin + at, sums_[at]);
        sums_[at] = 0;
      }
      hit_[word] = 0;
    }
    offer_chosen();
  }

  // Whether a row is visible is a line of memory for each, and none is near the other: they are
  // all asked for before the first is needed.
  void choose(std::uint32_t row, Sum sum) {
    if (hopeless(sum + below_)) return;
    core_.rows.prefetch_meta(row);
    chosen_.push_back({row, sum});
  }
  void offer_chosen() {
    for (const Chosen& each : chosen_) {
      if (!hopeless(each.sum + below_)) offer(each.row, each.sum);  // the bound rises meanwhile
    }
  }

  void offer(std::uint32_t row, Sum sum) {
    if (!core_.rows.visible(row, params_.as_of)) return;
    const SlotId slot(core_.rows.slot(row));
    if (params_.filter != nullptr && !params_.filter->contains(slot)) return;
    ++stats_.candidates;
    Sum rest = below_;
    for (std::size_t i = first_; i-- > 0;) {
      rest -= lists_[i].bound;
      PostingCursor& cursor = *lists_[i].cursor;
      if (cursor.seek(row) == row) sum += scorer_.part(lists_[i].weight, row, cursor.number());
      if (hopeless(sum + rest)) return;
    }
    top_.offer(
        {.distance = -static_cast<float>(Scorer::score(sum)), .slot = slot.value(), .row = row});
  }

  const SparseCore& core_;
  const SparseSearchParams& params_;
  const Scorer& scorer_;
  const Deadline deadline_;
  SparseSearchStats& stats_;
  const std::uint32_t row_count_;  // what a damaged list says beyond is no row
  TopK top_;
  std::vector<List> lists_;  // ascending by bound
  std::size_t first_ = 0;    // of the lists that are walked
  Sum below_ = 0;            // the bounds of those before, together
  std::vector<Sum> sums_;
  std::vector<std::uint64_t> hit_;
  std::vector<Chosen> chosen_;  // of the window's rows, those that may be kept
};

template <typename Scorer>
Result<std::size_t> search_with(const SparseCore& core, const SparseIndex::Moment& moment,
                                std::span<const SparseTerm> terms, const SparseSearchParams& params,
                                const Scorer& scorer, std::span<SparseHit> hits,
                                SparseSearchStats& stats) {
  SparseSearch<Scorer> search(core, params, scorer, hits.size(), stats);
  for (const auto& segment : *moment.segments) {
    if (search.run(*segment, terms)) continue;
    return Error{
        .code = ErrorCode::kDeadlineExceeded,
        .message = format("the search's deadline passed after {} postings", stats.postings)};
  }
  const std::vector<ScoredRow> found = search.take();
  for (std::size_t i = 0; i < found.size(); ++i) {
    hits[i] = {.slot = SlotId(found[i].slot), .score = -found[i].distance};
  }
  return found.size();
}

}  // namespace

Result<std::size_t> sparse_search(const SparseCore& core, const SparseIndex::Moment& moment,
                                  std::span<const SparseTerm> terms,
                                  const SparseSearchParams& params, std::span<SparseHit> hits,
                                  SparseSearchStats& stats) {
  if (hits.empty()) return std::size_t{0};
  if (core.options.kind == PostingKind::kWeights) {
    return search_with(core, moment, terms, params, WeightScorer(), hits, stats);
  }
  return search_with(core, moment, terms, params, CountScorer(core, params), hits, stats);
}

}  // namespace quipu::index
