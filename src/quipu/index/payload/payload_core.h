// What a payload index is made of. Shared by the index and whatever waits for a grace period.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "quipu/base/checkpoint_file.h"
#include "quipu/base/epoch.h"
#include "quipu/base/thread_annotations.h"
#include "quipu/index/payload/payload_index.h"
#include "quipu/index/payload/payload_rows.h"
#include "quipu/index/payload/payload_segment.h"
#include "quipu/index/postings/upkeep.h"

namespace quipu::index {

struct PayloadCore {
  PayloadCore(const PayloadOptions& chosen, EpochDomain& domain)
      : options(chosen), epochs(domain), rows(chosen.kind == PayloadKind::kText) {}

  const PayloadOptions options;
  EpochDomain& epochs;
  std::shared_ptr<CheckpointFile> mapped;  // before what points into it
  PayloadRows rows;

  mutable Mutex mutex;  // never held while anything is merged
  std::shared_ptr<const PayloadSegments> segments GUARDED_BY(mutex) =
      std::make_shared<PayloadSegments>();
  // What a merge is reading; nobody else takes these out of the list.
  PayloadSegments busy GUARDED_BY(mutex);
  ClosedRows closed GUARDED_BY(mutex);  // those that are not freed yet
  std::shared_ptr<const PayloadIndex::Moment> latest GUARDED_BY(mutex);
};

class PayloadIndex::Moment {
 public:
  std::shared_ptr<const PayloadSegments> segments;
  ClosedRows closed;
  std::uint64_t points = 0;
  Seq last;  // of the writes that it shows
};

inline constexpr std::uint32_t kPayloadVersion = 1;  // docs/format/payload_checkpoint.md

// The image's own arrays; the segments are the moment's.
class PayloadIndex::Capture {
 public:
  PayloadOptions options;
  Seq covers;
  std::shared_ptr<const Moment> moment;
  PayloadRows::Image rows;
  std::vector<std::uint32_t> closed;
  std::vector<std::uint32_t> free;
};

struct PayloadIndex::State {
  State(const PayloadOptions& options, EpochDomain& epochs)
      : core(std::make_shared<PayloadCore>(options, epochs)), builder(options) {}

  // Closes the slot's rows from its first one on.
  void close_rows(std::uint32_t first, Seq seq);
  // Merges while the last segments are small, many and of one size. Larger ones are merge()'s.
  void merge_small();

  std::shared_ptr<PayloadCore> core;
  Seq covers;
  // Writer.
  PayloadSegmentBuilder builder;
  std::vector<std::uint32_t> pending_closed;
  std::uint64_t points = 0;
  Seq last;
};

// Which rows of a moment are seen. Threads: one.
class PayloadVisibility {
 public:
  // `rows_expected`: about how many will be asked for; many are worth a preparation.
  PayloadVisibility(const PayloadCore& core, const PayloadIndex::Moment& moment, Seq as_of,
                    std::uint64_t rows_expected);

  // False for rows that are not there, which only a damaged file names.
  [[nodiscard]] bool sees(std::uint32_t row) const noexcept {
    if (row >= count_) return false;
    if (all_) return true;
    if (!hidden_.empty()) return ((hidden_[row / 64] >> (row % 64)) & 1U) == 0;
    return rows_.visible(row, as_of_);
  }
  [[nodiscard]] bool sees_all() const noexcept { return all_; }

 private:
  const PayloadRows& rows_;
  const Seq as_of_;
  const std::uint32_t count_;
  bool all_ = false;                   // of the moment's rows
  std::vector<std::uint64_t> hidden_;  // a bitmap over rows, if it was worth making
};

}  // namespace quipu::index
