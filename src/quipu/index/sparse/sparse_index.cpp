#include "quipu/index/sparse/sparse_index.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <functional>
#include <map>
#include <utility>

#include "quipu/assert.h"
#include "quipu/index/postings/merge.h"
#include "quipu/index/postings/posting_cursor.h"
#include "quipu/index/postings/upkeep.h"
#include "quipu/index/sparse/sparse_core.h"

namespace quipu::index {

std::string dimension_key(std::uint32_t dimension) {
  std::string key(4, '\0');
  for (std::size_t i = 0; i < 4; ++i) key[i] = static_cast<char>(dimension >> (24 - 8 * i));
  return key;
}

double idf(std::uint64_t rows, std::uint64_t rows_with_term) noexcept {
  const auto with = static_cast<double>(rows_with_term);
  return std::log1p((static_cast<double>(rows) - with + 0.5) / (with + 0.5));
}

SparseIndex::SparseIndex() = default;
SparseIndex::~SparseIndex() = default;

Result<std::unique_ptr<SparseIndex>> SparseIndex::create(const SparseOptions& options,
                                                         EpochDomain& epochs) {
  if (options.positions && options.kind != PostingKind::kCounts) {
    return Error{ErrorCode::kInvalidArgument, "positions: only texts have them, weights do not"};
  }
  std::unique_ptr<SparseIndex> index(new SparseIndex());
  index->state_ = std::make_unique<State>(options, epochs);
  auto moment = std::make_shared<Moment>();
  moment->segments = std::make_shared<Segments>();
  const MutexLock lock(index->state_->core->mutex);
  index->state_->core->latest = std::move(moment);
  return index;
}

std::uint32_t SparseIndex::State::open_row(SlotId slot, std::uint32_t length, Seq seq) {
  const std::uint32_t before = core->rows.open_row(slot);
  if (before != kNoRow) close_row(before, seq);
  // A row that is not open yet, but for its length.
  const std::uint32_t row = core->rows.add(slot, {}, seq, RowState::kLoose);
  core->lengths.ensure(row + 1);
  std::atomic_ref(core->lengths.item<std::uint32_t>(row))
      .store(length, std::memory_order_relaxed);  // read through a segment, published later
  pending_rows.push_back(row);
  ++totals.rows;
  totals.length += length;
  return row;
}

void SparseIndex::State::close_row(std::uint32_t row, Seq seq) {
  core->rows.close(row, seq);
  pending_closed.push_back(row);
  --totals.rows;
  totals.length -= core->length(row);
}

void SparseIndex::insert(SlotId slot, std::span<const TermAt> terms, Seq seq) {
  QUIPU_ASSERT(state_->core->options.kind == PostingKind::kCounts);
  const std::uint32_t row = state_->open_row(slot, static_cast<std::uint32_t>(terms.size()), seq);
  for (const TermAt& at : terms) {
    auto found = state_->pending.find(at.term);
    if (found == state_->pending.end()) {
      found = state_->pending.try_emplace(std::string(at.term)).first;
    }
    std::vector<State::PendingPosting>& list = found->second;
    if (list.empty() || list.back().row != row) list.push_back({.row = row});
    ++list.back().number;
    if (state_->core->options.positions) list.back().positions.push_back(at.position);
  }
}

void SparseIndex::insert(SlotId slot, std::span<const SparseWeight> weights, Seq seq) {
  QUIPU_ASSERT(state_->core->options.kind == PostingKind::kWeights);
  const std::uint32_t row = state_->open_row(slot, static_cast<std::uint32_t>(weights.size()), seq);
  for (const SparseWeight& each : weights) {
    state_->pending[dimension_key(each.dimension)].push_back(
        {.row = row, .number = std::bit_cast<std::uint32_t>(each.weight)});
  }
}

bool SparseIndex::erase(SlotId slot, Seq seq) {
  const std::uint32_t row = state_->core->rows.open_row(slot);
  if (row == kNoRow) return false;
  state_->close_row(row, seq);
  return true;
}

std::shared_ptr<const Segment> SparseIndex::State::take_pending() {
  SegmentBuilder builder(core->options.kind, core->options.positions);
  for (auto& [key, list] : pending) {
    // Rows are taken anew in any order.
    std::sort(list.begin(), list.end(),
              [](const PendingPosting& a, const PendingPosting& b) { return a.row < b.row; });
    builder.begin_key(key);
    for (PendingPosting& posting : list) {
      std::sort(posting.positions.begin(), posting.positions.end());
      builder.add({.row = posting.row,
                   .number = posting.number,
                   .length = core->length(posting.row),
                   .positions = posting.positions});
    }
    builder.end_key();
  }
  std::sort(pending_rows.begin(), pending_rows.end());
  pending.clear();
  return builder.finish(std::exchange(pending_rows, {}));
}

void SparseIndex::State::merge_small() {
  for (;;) {
    Segments last;
    {
      const MutexLock lock(core->mutex);
      const Segments& list = *core->segments;
      if (list.size() < kSegmentFanIn) return;
      last.assign(list.end() - static_cast<std::ptrdiff_t>(kSegmentFanIn), list.end());
      const std::size_t tier = size_tier(last.back()->rows().size());
      for (const auto& segment : last) {
        if (is_listed(core->busy, segment)) return;
        if (size_tier(segment->rows().size()) > tier) return;
      }
      if (row_count(last) > kWriterMergeRowsMax) return;
      core->busy.insert(core->busy.end(), last.begin(), last.end());
    }
    const std::shared_ptr<const Segment> merged = merge_segments(
        last, {.keep = [](std::uint32_t) { return true; },
               .length_of = [this](std::uint32_t row) { return core->length(row); }});
    const MutexLock lock(core->mutex);
    core->segments = with_merged(*core->segments, last, merged);
    core->busy.resize(core->busy.size() - last.size());  // nobody else takes from its end
  }
}

std::shared_ptr<const SparseIndex::Moment> SparseIndex::publish() {
  State& state = *state_;
  SparseCore& core = *state.core;
  if (!state.pending_rows.empty()) {
    std::shared_ptr<const Segment> fresh = state.take_pending();
    {
      const MutexLock lock(core.mutex);
      auto next = std::make_shared<Segments>(*core.segments);
      next->push_back(std::move(fresh));
      core.segments = std::move(next);
    }
    state.merge_small();
  }
  const MutexLock lock(core.mutex);
  add_closed(core.closed, state.pending_closed);
  state.pending_closed.clear();
  auto moment = std::make_shared<Moment>();
  moment->segments = core.segments;
  moment->closed = core.closed;
  moment->totals = state.totals;
  core.latest = moment;
  return moment;
}

namespace {

// The segments that a merge should take, if any is due: all when too many rows can be left out,
// else a run of at least kSegmentFanIn of one size that the writer leaves alone.
Segments due_sparse_segments(const Segments& free, const std::function<std::size_t()>& gone,
                             std::size_t closed) {
  const std::size_t due = std::max(kClosedMin, row_count(free) * kClosedPercentMax / 100);
  // Rows that a reader of an earlier moment may still see would be there after the merge as well:
  // they are no reason for one.
  if (closed > due && gone() > due) return free;
  std::map<std::size_t, Segments> tiers;
  for (const auto& segment : free) tiers[size_tier(segment->rows().size())].push_back(segment);
  for (auto& [tier, segments] : tiers) {
    if (segments.size() >= kSegmentFanIn && row_count(segments) > kWriterMergeRowsMax)
      return segments;
  }
  return {};
}

}  // namespace

std::size_t SparseIndex::merge(Seq horizon) {
  const std::shared_ptr<SparseCore>& core = state_->core;
  // What is closed by now stays so: rows do not reopen before they are freed.
  const auto is_gone = [&](std::uint32_t row) { return core->rows.closed(row) <= horizon.value(); };
  Segments taken;
  {
    const MutexLock lock(core->mutex);
    const ClosedRows closed = core->closed;
    Segments free;
    for (const auto& segment : *core->segments) {
      if (!is_listed(core->busy, segment)) free.push_back(segment);
    }
    const auto count_gone = [&] {
      const auto rows = std::count_if(closed.most->begin(), closed.most->end(), is_gone) +
                        std::count_if(closed.rest.begin(), closed.rest.end(), is_gone);
      return static_cast<std::size_t>(rows);
    };
    taken = due_sparse_segments(free, count_gone, closed.size());
    if (taken.empty()) return 0;
    core->busy.insert(core->busy.begin(), taken.begin(), taken.end());
  }
  const std::shared_ptr<const Segment> merged =
      merge_segments(taken, {.keep = [&](std::uint32_t row) { return !is_gone(row); },
                             .length_of = [&](std::uint32_t row) { return core->length(row); }});
  std::vector<std::uint32_t> gone;
  for (const auto& segment : taken) {
    std::copy_if(segment->rows().begin(), segment->rows().end(), std::back_inserter(gone), is_gone);
  }
  std::sort(gone.begin(), gone.end());
  {
    const MutexLock lock(core->mutex);
    core->segments = with_merged(*core->segments, taken, merged);
    core->busy.erase(core->busy.begin(),
                     core->busy.begin() + static_cast<std::ptrdiff_t>(taken.size()));
    drop_closed(core->closed, gone);
  }
  const std::size_t looked_at = row_count(taken);
  core->epochs.retire([core, gone = std::move(gone)] { core->rows.release(gone); });
  return looked_at;
}

std::shared_ptr<const SparseIndex::Moment> SparseIndex::moment() const {
  const MutexLock lock(state_->core->mutex);
  return state_->core->latest;
}

SparseTotals SparseIndex::totals(const Moment& moment) { return moment.totals; }

namespace {

std::uint64_t count_hidden(const SparseCore& core, const Segment& segment, std::uint32_t key,
                           std::span<const std::uint32_t> closed, Seq as_of) {
  std::uint64_t hidden = 0;
  PostingCursor cursor(segment, key);
  for (const std::uint32_t row : closed) {
    const std::uint32_t found = cursor.seek(row);
    if (found == kRowsEnd) break;
    if (found == row && !core.rows.visible(row, as_of)) ++hidden;
  }
  return hidden;
}

}  // namespace

std::uint64_t SparseIndex::rows_with(const Moment& moment, std::string_view key, Seq as_of) const {
  const SparseCore& core = *state_->core;
  std::uint64_t rows = 0;
  for (const auto& segment : *moment.segments) {
    const std::optional<std::uint32_t> found = segment->find(key);
    if (!found.has_value()) continue;
    rows += segment->posting_count(*found);
    rows -= count_hidden(core, *segment, *found, *moment.closed.most, as_of);
    rows -= count_hidden(core, *segment, *found, moment.closed.rest, as_of);
  }
  return rows;
}

Result<std::size_t> SparseIndex::search(const Moment& moment, std::span<const SparseTerm> terms,
                                        const SparseSearchParams& params, std::span<SparseHit> hits,
                                        SparseSearchStats* stats) const {
  SparseSearchStats own;
  return sparse_search(*state_->core, moment, terms, params, hits, stats != nullptr ? *stats : own);
}

namespace {

// The rows of one segment that match, by walking the terms' lists side by side.
class Matcher {
 public:
  Matcher(const Segment& segment, std::span<const TermAt> terms, TermMatch how) : how_(how) {
    for (const TermAt& at : terms) {
      const std::optional<std::uint32_t> key = segment.find(at.term);
      if (key.has_value()) {
        lists_.push_back({std::make_unique<PostingCursor>(segment, *key), at.position});
        lists_.back().cursor->seek(0);
      } else if (how != TermMatch::kAny) {
        lists_.clear();
        return;
      }
    }
  }

  // Calls `visit` for each row, ascending; for kAny a row may come again.
  template <typename Visit>
  void run(const Visit& visit) {
    if (how_ == TermMatch::kAny) {
      for (List& list : lists_) {
        for (std::uint32_t row = list.cursor->row(); row != kRowsEnd; row = list.cursor->next()) {
          visit(row);
        }
      }
      return;
    }
    if (lists_.empty()) return;
    for (std::uint32_t row = lists_.front().cursor->row(); row != kRowsEnd;) {
      std::uint32_t next = row;
      for (List& list : lists_) next = std::max(next, list.cursor->seek(next));
      if (next == row) {
        if (how_ == TermMatch::kAll || in_order()) visit(row);
        next = row + 1;
      }
      row = lists_.front().cursor->seek(next);
    }
  }

 private:
  struct List {
    std::unique_ptr<PostingCursor> cursor;
    std::uint32_t position = 0;
  };

  // Whether the terms stand at the given distances from each other somewhere in the row.
  bool in_order() {
    std::vector<std::uint32_t> starts;
    std::vector<std::uint32_t> positions;
    for (std::size_t i = 0; i < lists_.size(); ++i) {
      positions.clear();
      if (!read(i, positions)) return false;
      const std::uint32_t offset = lists_[i].position - lists_.front().position;
      std::vector<std::uint32_t> here;
      for (const std::uint32_t position : positions) {
        if (position >= offset) here.push_back(position - offset);
      }
      if (i == 0) {
        starts = std::move(here);
        continue;
      }
      std::vector<std::uint32_t> both;
      std::set_intersection(starts.begin(), starts.end(), here.begin(), here.end(),
                            std::back_inserter(both));
      starts = std::move(both);
      if (starts.empty()) return false;
    }
    return true;
  }
  bool read(std::size_t i, std::vector<std::uint32_t>& positions) {
    return lists_[i].cursor->read_positions(positions);
  }

  const TermMatch how_;
  std::vector<List> lists_;
};

}  // namespace

void SparseIndex::match(const Moment& moment, std::span<const TermAt> terms, TermMatch how,
                        Seq as_of, SlotBitmap& into) const {
  QUIPU_ASSERT(how != TermMatch::kPhrase || options().positions);
  const RowStore& rows = state_->core->rows;
  for (const auto& segment : *moment.segments) {
    Matcher(*segment, terms, how).run([&](std::uint32_t row) {
      if (row < rows.count() && rows.visible(row, as_of)) into.add(SlotId(rows.slot(row)));
    });
  }
}

SparseStats SparseIndex::stats() const {
  const SparseCore& core = *state_->core;
  SparseStats stats;
  const MutexLock lock(core.mutex);
  stats.live_rows = core.latest->totals.rows;
  stats.closed_rows = core.closed.size();
  stats.segments = core.segments->size();
  stats.bytes_used = sizeof(State) + sizeof(SparseCore) + core.rows.bytes_used() +
                     std::uint64_t{core.rows.count()} * sizeof(std::uint32_t) +
                     core.closed.size() * sizeof(std::uint32_t);
  for (const auto& segment : *core.segments) {
    stats.bytes_used += segment->bytes_used();
    stats.keys += segment->key_count();
    for (const KeyMeta& key : segment->arrays().keys) stats.postings += key.count;
  }
  return stats;
}

const SparseOptions& SparseIndex::options() const noexcept { return state_->core->options; }

}  // namespace quipu::index
