#include "quipu/index/postings/merge.h"

#include <algorithm>
#include <string_view>
#include <vector>

#include "quipu/index/postings/posting_cursor.h"

namespace quipu::index {
namespace {

class Merge {
 public:
  Merge(std::span<const std::shared_ptr<const Segment>> segments, const MergeRows& rows)
      : segments_(segments),
        rows_(rows),
        kind_(segments.front()->kind()),
        positions_(segments.front()->has_positions()),
        at_(segments.size(), 0) {
    for (const auto& segment : segments) positions_ = positions_ || segment->has_positions();
  }

  std::shared_ptr<const Segment> run() {
    SegmentBuilder builder(kind_, positions_);
    for (std::string_view key; next_key(key);) {
      collect(key);
      builder.begin_key(key);
      for (const Entry& entry : entries_) {
        builder.add({.row = entry.row,
                     .number = entry.number,
                     .length = kind_ == PostingKind::kCounts ? rows_.length_of(entry.row) : 0,
                     .positions = {pool_.data() + entry.position, entry.position_count}});
      }
      builder.end_key();
    }
    return builder.finish(kept_rows());
  }

 private:
  struct Entry {
    std::uint32_t row = 0;
    std::uint32_t number = 0;
    std::size_t position = 0;
    std::uint32_t position_count = 0;
  };

  // The least key that any segment stands at.
  bool next_key(std::string_view& key) const {
    bool any = false;
    for (std::size_t i = 0; i < segments_.size(); ++i) {
      if (at_[i] >= segments_[i]->key_count()) continue;
      const std::string_view mine = segments_[i]->key(at_[i]);
      if (!any || mine < key) key = mine;
      any = true;
    }
    return any;
  }

  // Fills entries_ with the key's postings of all segments, and steps over it. `key` stays valid:
  // it lies in one of the segments.
  void collect(std::string_view key) {
    entries_.clear();
    pool_.clear();
    bool ascending = true;
    for (std::size_t i = 0; i < segments_.size(); ++i) {
      if (at_[i] >= segments_[i]->key_count() || segments_[i]->key(at_[i]) != key) continue;
      PostingCursor cursor(*segments_[i], at_[i]++);
      for (std::uint32_t row = cursor.next(); row != kRowsEnd; row = cursor.next()) {
        if (!rows_.keep(row)) continue;
        ascending = ascending && (entries_.empty() || entries_.back().row < row);
        Entry entry = {.row = row, .number = cursor.number(), .position = pool_.size()};
        if (positions_) static_cast<void>(cursor.read_positions(pool_));
        entry.position_count = static_cast<std::uint32_t>(pool_.size() - entry.position);
        entries_.push_back(entry);
      }
    }
    if (ascending) return;
    std::sort(entries_.begin(), entries_.end(),
              [](const Entry& a, const Entry& b) { return a.row < b.row; });
  }

  [[nodiscard]] std::vector<std::uint32_t> kept_rows() const {
    std::vector<std::uint32_t> kept;
    for (const auto& segment : segments_) {
      std::copy_if(segment->rows().begin(), segment->rows().end(), std::back_inserter(kept),
                   rows_.keep);
    }
    std::sort(kept.begin(), kept.end());
    return kept;
  }

  const std::span<const std::shared_ptr<const Segment>> segments_;
  const MergeRows& rows_;
  const PostingKind kind_;
  bool positions_;
  std::vector<std::uint32_t> at_;
  std::vector<Entry> entries_;
  std::vector<std::uint32_t> pool_;
};

}  // namespace

std::shared_ptr<const Segment> merge_segments(
    std::span<const std::shared_ptr<const Segment>> segments, const MergeRows& rows) {
  return Merge(segments, rows).run();
}

}  // namespace quipu::index
