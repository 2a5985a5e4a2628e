// What a dense view is made of. Shared by the index, its captures and whatever waits for a grace
// period, so that none of them outlives the memory it points into.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <utility>
#include <vector>

#include "quipu/base/checkpoint_file.h"
#include "quipu/base/epoch.h"
#include "quipu/base/thread_annotations.h"
#include "quipu/index/dense/dense_index.h"
#include "quipu/index/dense/gate.h"
#include "quipu/index/dense/tail.h"
#include "quipu/index/hnsw/linker.h"
#include "quipu/index/hnsw/node_store.h"
#include "quipu/index/quant/float_space.h"
#include "quipu/index/rows/row_store.h"

namespace quipu::index {

// Lock order: gate, then closed_mutex or the locks inside rows, nodes and tail, one at a time.
struct DenseCore {
  DenseCore(const DenseOptions& chosen, EpochDomain& domain)
      : options(chosen),
        epochs(domain),
        rows(chosen.dim),
        space(rows, chosen.metric),
        nodes(chosen.m) {}

  const DenseOptions options;
  EpochDomain& epochs;
  std::unique_ptr<CheckpointFile> mapped;  // before what points into it
  std::uint64_t mapped_bytes = 0;
  RowStore rows;
  FloatSpace space;
  hnsw::NodeStore nodes;
  Tail tail;
  // Linking and repairing pass through it one row at a time; capture() and the beginning of
  // consolidate() stop them.
  Gate gate;

  mutable Mutex closed_mutex;
  // In the order of their closing.
  std::deque<std::uint32_t> closed GUARDED_BY(closed_mutex);
  // Counts, for plans and people; nothing is published with them.
  std::atomic<std::size_t> live_rows{0};
  std::atomic<std::size_t> closed_rows{0};
  std::atomic<std::size_t> linked_rows{0};
};

// The graph code's view of rows as neighbours.
class RowJudge {
 public:
  explicit RowJudge(const RowStore& rows) : rows_(rows) {}
  [[nodiscard]] hnsw::Standing standing(std::uint32_t row) const noexcept {
    if (rows_.closed(row) == kOpen) return hnsw::Standing::kWanted;
    const RowState state = rows_.state(row);
    const bool stays = state == RowState::kLinked || state == RowState::kLinking;
    return stays ? hnsw::Standing::kSpare : hnsw::Standing::kUnwanted;
  }
  // The row that an update put in the place of a removed one, once it is in the graph itself.
  [[nodiscard]] std::uint32_t successor(std::uint32_t row) const noexcept {
    const std::uint32_t latest = rows_.open_row(SlotId(rows_.slot(row)));
    if (latest == kNoRow || latest == row) return kNoRow;
    return rows_.state(latest) == RowState::kLinked ? latest : kNoRow;
  }

 private:
  const RowStore& rows_;
};

using DenseLinker = hnsw::Linker<FloatSpace, RowJudge>;

// The highest level of a row's node, by the paper's distribution; a function of the seed, the slot
// and the moment, so that one history gives one graph.
[[nodiscard]] std::uint32_t level_of(const DenseOptions& options, SlotId slot, Seq added);

// Hands to the epoch domain what a linker or the tail let go of. No lock may be held.
void retire(const std::shared_ptr<DenseCore>& core, hnsw::RetiredBlocks&& blocks,
            Tail::Retired&& segments);
// Frees rows that nothing leads to any more; `nodes` says whether they have places in the graph.
void retire_rows(const std::shared_ptr<DenseCore>& core, std::vector<std::uint32_t>&& rows,
                 bool nodes);

// One call of DenseIndex::search, its arguments checked. The caller holds a guard.
[[nodiscard]] Result<std::size_t> dense_search(const DenseCore& core, std::span<const float> query,
                                               const DenseSearchParams& params,
                                               std::span<DenseHit> hits, DenseSearchStats& stats);

struct DenseIndex::State {
  std::shared_ptr<DenseCore> core;
};

inline constexpr std::uint32_t kDenseVersion = 1;  // docs/format/dense_checkpoint.md

// The image's arrays, but for the vectors, which save() reads where they are.
class DenseIndex::Capture {
 public:
  std::shared_ptr<const DenseCore> core;  // first, so that it is destroyed last
  std::shared_ptr<void> hold;
  Seq covers;
  std::uint64_t live_rows = 0;
  std::vector<RowMeta> meta;
  std::vector<std::uint32_t> slots;
  std::vector<std::uint32_t> tail;
  std::vector<std::uint32_t> closed;
  std::vector<std::uint32_t> free;
  hnsw::NodeImage nodes;
};

}  // namespace quipu::index
