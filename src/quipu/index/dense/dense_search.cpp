// How a search is planned and put together: tail, graph, exact scan.
#include <algorithm>
#include <cstddef>
#include <vector>

#include "quipu/base/format.h"
#include "quipu/index/dense/dense_core.h"
#include "quipu/index/flat/exact_scan.h"
#include "quipu/index/hnsw/walk.h"
#include "quipu/index/rows/deadline.h"

namespace quipu::index {
namespace {

constexpr std::size_t kEfMin = 64;
// A walk scores about twenty rows for each of its `ef`, here and there in memory. Up to this many,
// one after the other, a scan is no slower, and exact.
constexpr std::size_t kRowsPerEf = 8;
constexpr std::size_t kMatchesPerEf = 16;
// A two-hop neighbourhood has about 4 m² rows, a thousand for m = 16. Where fewer than one in this
// many matches, too few matching rows see each other for a walk; those few are scanned instead.
constexpr std::size_t kSparsestWalk = 64;
// Filters that more than this many in a hundred rows pass are walked through like no filter.
constexpr std::size_t kScoredPercent = 50;
constexpr std::size_t kSeeds = 8;

// May a row be an answer?
class Admit {
 public:
  Admit(const RowStore& rows, Seq as_of, const SlotFilter* filter)
      : rows_(rows), as_of_(as_of), filter_(filter) {}
  bool operator()(std::uint32_t row) const {
    if (!rows_.visible(row, as_of_)) return false;
    return filter_ == nullptr || filter_->contains(SlotId(rows_.slot(row)));
  }

 private:
  const RowStore& rows_;
  const Seq as_of_;
  const SlotFilter* filter_;
};

class DenseSearch {
 public:
  DenseSearch(const DenseCore& core, std::span<const float> query, const DenseSearchParams& params,
              std::size_t k, DenseSearchStats& stats)
      : core_(core),
        params_(params),
        k_(k),
        ef_(params.ef != 0 ? params.ef : std::max(kEfMin, k + k / 2)),
        stats_(stats),
        deadline_{.at = params.deadline, .clock = params.clock},
        scorer_(core.space.bind(query.data())),
        admit_(core.rows, params.as_of, params.filter) {}

  // The answer in order; an error once the deadline has passed.
  Result<std::vector<ScoredRow>> run() {
    if (params_.filter != nullptr) matches_ = params_.filter->count();
    if (deadline_.passed()) return late();
    if (k_ == 0 || matches_ == 0) return std::vector<ScoredRow>();
    if (scan_at_once()) return scan();
    TopK tail(k_, params_.ties);
    if (!scan_tail(tail)) return late();
    std::vector<ScoredRow> found = tail.take();
    // After the tail: a row that left it before it was looked at is in the graph by now.
    bool whole = false;
    if (!walk(found, whole)) return late();
    if (!whole && found.size() < std::min(k_, possible())) return scan();
    return found;
  }

 private:
  // No more rows than this can be answers.
  [[nodiscard]] std::size_t possible() const {
    const std::size_t rows = core_.live_rows.load(std::memory_order_relaxed) +  // an estimate
                             core_.closed_rows.load(std::memory_order_relaxed);
    return std::min(rows, matches_);
  }

  // Whether an exact scan is the better plan, or asked for.
  [[nodiscard]] bool scan_at_once() const {
    if (params_.exact || !core_.options.graph) return true;
    const std::size_t rows = core_.rows.count();
    if (rows <= kRowsPerEf * ef_) return true;
    return params_.filter != nullptr &&
           (matches_ <= kMatchesPerEf * ef_ || matches_ * kSparsestWalk < rows);
  }

  [[nodiscard]] Error late() const {
    return Error{
        .code = ErrorCode::kDeadlineExceeded,
        .message = format("the search's deadline passed after {} distances",
                          stats_.tail_rows + stats_.graph_distances + stats_.scanned_rows)};
  }

  // Looks at every row that may be an answer.
  Result<std::vector<ScoredRow>> scan() {
    TopK top(k_, params_.ties);
    ExactScan scan(core_.rows, scorer_, deadline_, top);
    const std::uint32_t count = core_.rows.count();
    if (matches_ < count / 2) {
      params_.filter->for_each([&](SlotId slot) {
        const std::uint32_t row = core_.rows.row_of(slot, params_.as_of);
        return row == kNoRow || scan.add(row);
      });
    } else {
      for (std::uint32_t row = 0; row < count && !scan.expired(); ++row) {
        if (admit_(row)) static_cast<void>(scan.add(row));  // the loop looks at expired()
      }
    }
    static_cast<void>(scan.flush());  // as above, below
    stats_.scanned_rows += scan.scanned();
    stats_.exact = true;
    if (scan.expired()) return late();
    return top.take();
  }

  [[nodiscard]] bool scan_tail(TopK& top) {
    ExactScan scan(core_.rows, scorer_, deadline_, top);
    core_.tail.for_each([&](std::uint32_t row) { return !admit_(row) || scan.add(row); });
    static_cast<void>(scan.flush());  // expired() says it
    stats_.tail_rows = scan.scanned();
    return !scan.expired();
  }

  // Merges the graph's answers into `found`. Sets `whole` when the graph is empty, so that the tail
  // was everything. False once the deadline has passed.
  [[nodiscard]] bool walk(std::vector<ScoredRow>& found, bool& whole) {
    const hnsw::ScratchLease scratch;
    hnsw::Walk walk(core_.nodes, scorer_, admit_, *scratch, deadline_);
    whole = !walk.ready();
    if (whole) return true;
    walk.descend(0);
    walk.begin();
    auto through = hnsw::Through::kScored;
    if (params_.filter != nullptr && matches_ * 100 < live_rows() * kScoredPercent) {
      through = hnsw::Through::kBridged;
      seed(walk);
    }
    const bool in_time = walk.run(0, ef_, through);
    stats_.graph_distances = walk.counts().distances;
    stats_.hops = walk.counts().hops;
    if (in_time) merge(walk.found(), found);
    return in_time;
  }

  [[nodiscard]] std::size_t live_rows() const {
    return core_.live_rows.load(std::memory_order_relaxed);  // an estimate
  }

  // Starts the walk at a few matching rows too: where the filter's rows lie far from the query, the
  // way to them may lead through none that match.
  template <typename Walk>
  void seed(Walk& walk) const {
    // A fixed stride that shares no factor with the powers of two; the same rows for every query.
    constexpr std::uint64_t kStride = 0x9e3779b97f4a7c15ULL;
    const std::uint64_t bound = walk.bound();
    const std::size_t tries_max = 4 * kSeeds * kSparsestWalk;
    std::size_t seeds = 0;
    std::uint64_t at = kStride;
    for (std::size_t i = 0; i < tries_max && seeds < kSeeds; ++i, at += kStride) {
      const auto row = static_cast<std::uint32_t>(((at >> 32) * bound) >> 32);
      if (core_.rows.state(row) != RowState::kLinked || !admit_(row)) continue;
      walk.begin_at(row);
      ++seeds;
    }
  }

  // Adds a walk's answers to the tail's and keeps the k nearest.
  void merge(const std::vector<hnsw::WalkNode>& walked, std::vector<ScoredRow>& found) const {
    // A row that was linked meanwhile may be in both.
    std::vector<std::uint32_t> known;
    known.reserve(found.size());
    for (const ScoredRow& row : found) known.push_back(row.row);
    std::sort(known.begin(), known.end());
    const std::size_t tail_count = found.size();
    for (const hnsw::WalkNode& entry : walked) {
      if (!entry.admitted()) continue;
      const std::uint32_t row = entry.node();
      if (std::binary_search(known.begin(), known.end(), row)) continue;
      // Sorted by distance: what comes after k of them and is farther cannot be an answer.
      if (found.size() - tail_count >= k_ && entry.distance > found.back().distance) break;
      found.push_back({.distance = entry.distance, .slot = core_.rows.slot(row), .row = row});
    }
    std::sort(found.begin(), found.end(), Nearer(params_.ties));
    if (found.size() > k_) found.resize(k_);
  }

  const DenseCore& core_;
  const DenseSearchParams& params_;
  const std::size_t k_;
  const std::size_t ef_;
  std::size_t matches_ = SIZE_MAX;
  DenseSearchStats& stats_;
  const Deadline deadline_;
  const FloatSpace::Scorer scorer_;
  const Admit admit_;
};

}  // namespace

Result<std::size_t> dense_search(const DenseCore& core, std::span<const float> query,
                                 const DenseSearchParams& params, std::span<DenseHit> hits,
                                 DenseSearchStats& stats) {
  DenseSearch search(core, query, params, hits.size(), stats);
  QUIPU_TRY(const std::vector<ScoredRow> found, search.run());
  for (std::size_t i = 0; i < found.size(); ++i) {
    hits[i] = {
        .slot = SlotId(found[i].slot), .row = RowId(found[i].row), .distance = found[i].distance};
  }
  return found.size();
}

}  // namespace quipu::index
