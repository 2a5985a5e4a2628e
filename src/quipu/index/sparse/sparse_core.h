// What a sparse view is made of. Shared by the index and whatever waits for a grace period.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "quipu/base/checkpoint_file.h"
#include "quipu/base/epoch.h"
#include "quipu/base/thread_annotations.h"
#include "quipu/index/postings/segment.h"
#include "quipu/index/postings/upkeep.h"
#include "quipu/index/rows/chunked_store.h"
#include "quipu/index/rows/row_store.h"
#include "quipu/index/sparse/sparse_index.h"

namespace quipu::index {

using Segments = std::vector<std::shared_ptr<const Segment>>;

struct SparseCore {
  SparseCore(const SparseOptions& chosen, EpochDomain& domain)
      : options(chosen), epochs(domain), rows(0), lengths(sizeof(std::uint32_t), 256U << 10U) {}

  [[nodiscard]] std::uint32_t length(std::uint32_t row) const noexcept {
    // Relaxed: written before the row was opened, and not again before it was freed.
    return std::atomic_ref(lengths.item<std::uint32_t>(row)).load(std::memory_order_relaxed);
  }

  const SparseOptions options;
  EpochDomain& epochs;
  std::shared_ptr<CheckpointFile> mapped;  // before what points into it
  RowStore rows;
  ChunkedStore lengths;  // of rows, in terms

  mutable Mutex mutex;  // never held while anything is merged
  std::shared_ptr<const Segments> segments GUARDED_BY(mutex) = std::make_shared<Segments>();
  // What a merge is reading; nobody else takes these out of the list.
  Segments busy GUARDED_BY(mutex);
  ClosedRows closed GUARDED_BY(mutex);  // those that are not freed yet
  std::shared_ptr<const SparseIndex::Moment> latest GUARDED_BY(mutex);
};

class SparseIndex::Moment {
 public:
  std::shared_ptr<const Segments> segments;
  ClosedRows closed;
  SparseTotals totals;
};

inline constexpr std::uint32_t kSparseVersion = 1;  // docs/format/sparse_checkpoint.md

// The image's own arrays; the segments are the moment's.
class SparseIndex::Capture {
 public:
  SparseOptions options;
  Seq covers;
  std::shared_ptr<const Moment> moment;
  std::vector<RowMeta> meta;
  std::vector<std::uint32_t> slots;
  std::vector<std::uint32_t> lengths;
  std::vector<std::uint32_t> closed;
  std::vector<std::uint32_t> free;
};

struct SparseIndex::State {
  State(const SparseOptions& options, EpochDomain& epochs)
      : core(std::make_shared<SparseCore>(options, epochs)) {}

  // What the pending rows have under a key.
  struct PendingPosting {
    std::uint32_t row = 0;
    std::uint32_t number = 0;
    std::vector<std::uint32_t> positions;
  };

  std::uint32_t open_row(SlotId slot, std::uint32_t length, Seq seq);
  void close_row(std::uint32_t row, Seq seq);
  [[nodiscard]] std::shared_ptr<const Segment> take_pending();
  // Merges while the last segments are small, many and of one size. Larger ones are merge()'s.
  void merge_small();

  std::shared_ptr<SparseCore> core;
  // Writer.
  std::map<std::string, std::vector<PendingPosting>, std::less<>> pending;
  std::vector<std::uint32_t> pending_rows;
  std::vector<std::uint32_t> pending_closed;
  SparseTotals totals;
};

[[nodiscard]] Result<std::size_t> sparse_search(
    const SparseCore& core, const SparseIndex::Moment& moment, std::span<const SparseTerm> terms,
    const SparseSearchParams& params, std::span<SparseHit> hits, SparseSearchStats& stats);

}  // namespace quipu::index
