#include "quipu/index/payload/payload_index.h"

#include <algorithm>
#include <map>
#include <utility>

#include "quipu/assert.h"
#include "quipu/index/payload/payload_core.h"
#include "quipu/index/postings/upkeep.h"

namespace quipu::index {
namespace {

// A dictionary's offsets have 32 bits; what would pass this stays in several segments.
constexpr std::uint64_t kKeyBytesMax = std::uint64_t{3} << 30;

bool fit_together(const PayloadSegments& segments) {
  std::uint64_t bytes = 0;
  for (const auto& segment : segments) bytes += segment->postings->arrays().key_bytes.size();
  return bytes <= kKeyBytesMax;
}

// The segments that a merge should take, if any is due: all when it would free many rows, else a
// run of at least kSegmentFanIn of one size that the writer leaves alone.
PayloadSegments due_payload_segments(const PayloadSegments& free, std::size_t gone) {
  const bool many_gone = gone > std::max(kClosedMin, row_count(free) * kClosedPercentMax / 100);
  if (many_gone && fit_together(free)) return free;
  std::map<std::size_t, PayloadSegments> tiers;
  for (const auto& segment : free) tiers[size_tier(segment->rows().size())].push_back(segment);
  for (auto& [tier, segments] : tiers) {
    if (segments.size() >= kSegmentFanIn && row_count(segments) > kWriterMergeRowsMax &&
        fit_together(segments)) {
      return segments;
    }
  }
  return {};
}

}  // namespace

PayloadIndex::PayloadIndex() = default;
PayloadIndex::~PayloadIndex() = default;

Result<std::unique_ptr<PayloadIndex>> PayloadIndex::create(const PayloadOptions& options,
                                                           EpochDomain& epochs) {
  if (options.positions && options.kind != PayloadKind::kText) {
    return Error{ErrorCode::kInvalidArgument,
                 "positions: only a text index has them, not one of kind " +
                     std::string(payload_kind_name(options.kind))};
  }
  std::unique_ptr<PayloadIndex> index(new PayloadIndex());
  index->state_ = std::make_unique<State>(options, epochs);
  auto moment = std::make_shared<Moment>();
  moment->segments = std::make_shared<PayloadSegments>();
  const MutexLock lock(index->state_->core->mutex);
  index->state_->core->latest = std::move(moment);
  return index;
}

void PayloadIndex::State::close_rows(std::uint32_t first, Seq seq) {
  // A closed row is not found again, so that even a damaged chain ends.
  for (std::uint32_t row = first; row != PayloadRows::kNone; row = core->rows.next_of(row)) {
    core->rows.close(row, seq);
    pending_closed.push_back(row);
  }
  --points;
  last = std::max(last, seq);
}

void PayloadIndex::insert(SlotId slot, const PayloadValues& values, Seq seq) {
  State& state = *state_;
  QUIPU_ASSERT(!values.counts.empty());
  PayloadRows& rows = state.core->rows;
  const std::uint32_t before = rows.open_row(slot);
  if (before != PayloadRows::kNone) state.close_rows(before, seq);
  std::uint32_t row = rows.add(slot, seq);
  state.builder.add(row, values, 0);
  if (state.core->options.kind == PayloadKind::kText) {
    // Each string has a row of its own, since words of two strings do not match together.
    for (std::size_t text = 1; text < values.texts.size(); ++text) {
      row = rows.add(slot, seq, row);
      state.builder.add(row, values, text);
    }
  }
  ++state.points;
  state.last = std::max(state.last, seq);
}

bool PayloadIndex::erase(SlotId slot, Seq seq) {
  const std::uint32_t row = state_->core->rows.open_row(slot);
  if (row == PayloadRows::kNone) return false;
  state_->close_rows(row, seq);
  return true;
}

void PayloadIndex::State::merge_small() {
  for (;;) {
    PayloadSegments taken;
    {
      const MutexLock lock(core->mutex);
      const PayloadSegments& list = *core->segments;
      if (list.size() < kSegmentFanIn) return;
      taken.assign(list.end() - static_cast<std::ptrdiff_t>(kSegmentFanIn), list.end());
      const std::size_t tier = size_tier(taken.back()->rows().size());
      for (const auto& segment : taken) {
        if (is_listed(core->busy, segment) || size_tier(segment->rows().size()) > tier) return;
      }
      if (row_count(taken) > kWriterMergeRowsMax) return;
      core->busy.insert(core->busy.end(), taken.begin(), taken.end());
    }
    const std::shared_ptr<const PayloadSegment> merged =
        merge_payload_segments(taken, [](std::uint32_t) { return true; });
    const MutexLock lock(core->mutex);
    core->segments = with_merged(*core->segments, taken, merged);
    core->busy.resize(core->busy.size() - taken.size());  // nobody else takes from its end
  }
}

std::shared_ptr<const PayloadIndex::Moment> PayloadIndex::publish() {
  State& state = *state_;
  PayloadCore& core = *state.core;
  if (!state.builder.empty()) {
    std::shared_ptr<const PayloadSegment> fresh = state.builder.take();
    {
      const MutexLock lock(core.mutex);
      auto next = std::make_shared<PayloadSegments>(*core.segments);
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
  moment->points = state.points;
  moment->last = state.last;
  core.latest = moment;
  return moment;
}

std::size_t PayloadIndex::merge(Seq horizon) {
  const std::shared_ptr<PayloadCore>& core = state_->core;
  ClosedRows closed;
  {
    const MutexLock lock(core->mutex);
    closed = core->closed;
  }
  // Rows that a reader may still see are not freed, however many they are.
  const auto is_gone = [&](std::uint32_t row) {
    return row < core->rows.count() && core->rows.closed(row) <= horizon.value();
  };
  const auto gone_count =
      static_cast<std::size_t>(std::count_if(closed.most->begin(), closed.most->end(), is_gone) +
                               std::count_if(closed.rest.begin(), closed.rest.end(), is_gone));
  PayloadSegments taken;
  {
    const MutexLock lock(core->mutex);
    PayloadSegments free;
    for (const auto& segment : *core->segments) {
      if (!is_listed(core->busy, segment)) free.push_back(segment);
    }
    taken = due_payload_segments(free, gone_count);
    if (taken.empty()) return 0;
    core->busy.insert(core->busy.begin(), taken.begin(), taken.end());
  }
  // What is closed by now stays so: rows do not reopen before they are freed. And what the writer
  // closes from now on, it closes after the horizon.
  std::vector<std::uint32_t> gone;
  for (const auto& segment : taken) {
    std::copy_if(segment->rows().begin(), segment->rows().end(), std::back_inserter(gone), is_gone);
  }
  std::sort(gone.begin(), gone.end());
  const auto keep = [&](std::uint32_t row) {
    return !std::binary_search(gone.begin(), gone.end(), row);
  };
  const std::shared_ptr<const PayloadSegment> merged = merge_payload_segments(taken, keep);
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

std::shared_ptr<const PayloadIndex::Moment> PayloadIndex::moment() const {
  const MutexLock lock(state_->core->mutex);
  return state_->core->latest;
}

std::uint64_t PayloadIndex::points(const Moment& moment) { return moment.points; }

PayloadVisibility::PayloadVisibility(const PayloadCore& core, const PayloadIndex::Moment& moment,
                                     Seq as_of, std::uint64_t rows_expected)
    : rows_(core.rows), as_of_(as_of), count_(core.rows.count()) {
  if (as_of < moment.last) return;  // rows may be too young, which the list does not tell
  all_ = moment.closed.size() == 0;
  // A bit for each row is read from the cache where its moments would not be.
  if (all_ || rows_expected < count_ / 64 + moment.closed.size()) return;
  hidden_.resize(count_ / 64 + 1);
  const auto hide = [&](std::uint32_t row) {
    if (row < count_ && !rows_.visible(row, as_of)) {
      hidden_[row / 64] |= std::uint64_t{1} << (row % 64);
    }
  };
  std::for_each(moment.closed.most->begin(), moment.closed.most->end(), hide);
  std::for_each(moment.closed.rest.begin(), moment.closed.rest.end(), hide);
}

PayloadStats PayloadIndex::stats() const {
  const PayloadCore& core = *state_->core;
  PayloadStats stats;
  const MutexLock lock(core.mutex);
  stats.points = core.latest->points;
  stats.closed_rows = core.closed.size();
  stats.segments = core.segments->size();
  stats.bytes_used = sizeof(State) + sizeof(PayloadCore) + core.rows.bytes_used() +
                     core.closed.size() * sizeof(std::uint32_t);
  for (const auto& segment : *core.segments) {
    stats.bytes_used += segment->bytes_used();
    stats.keys += segment->postings->key_count();
    for (const KeyMeta& key : segment->postings->arrays().keys) stats.entries += key.count;
    stats.entries += segment->integers.size() + segment->floats.size() + segment->uuids.size() +
                     segment->points.size();
  }
  return stats;
}

const PayloadOptions& PayloadIndex::options() const noexcept { return state_->core->options; }
Seq PayloadIndex::covers() const noexcept { return state_->covers; }

}  // namespace quipu::index
