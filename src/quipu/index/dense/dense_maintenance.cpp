// Background work: linking the tail, and taking closed rows out of the graph.
#include <algorithm>
#include <utility>

#include "quipu/index/dense/dense_core.h"

namespace quipu::index {
namespace {

// One step of consolidate() over one batch of closed rows.
class Consolidation {
 public:
  explicit Consolidation(const std::shared_ptr<DenseCore>& core) : core_(core) {}

  // Returns how many rows it freed.
  std::size_t run(std::size_t rows_max, Seq horizon) {
    take_batch(rows_max, horizon);
    if (unlinked_.empty() && linked_.empty()) return 0;
    condemn();
    const std::size_t freed = unlinked_.size() + linked_.size();
    if (core_->options.graph) clear_tail();
    if (!linked_.empty()) {
      repair_all();
      leave_entry();
      for (const std::uint32_t row : linked_) core_->rows.set_state(row, RowState::kRemoved);
      core_->linked_rows.fetch_sub(linked_.size(), std::memory_order_relaxed);  // only a count
    }
    core_->closed_rows.fetch_sub(freed, std::memory_order_relaxed);  // only a count
    retire_rows(core_, std::move(unlinked_), /*nodes=*/false);
    retire_rows(core_, std::move(linked_), /*nodes=*/true);
    return freed;
  }

 private:
  // Repairs this many rows between two looks whether somebody wants the gate.
  static constexpr std::uint32_t kRowsPerPassage = 64;

  void take_batch(std::size_t rows_max, Seq horizon) {
    const MutexLock lock(core_->closed_mutex);
    std::deque<std::uint32_t>& closed = core_->closed;
    for (; rows_max > 0 && !closed.empty(); --rows_max) {
      if (core_->rows.closed(closed.front()) > horizon.value()) return;
      linked_.push_back(closed.front());
      closed.pop_front();
    }
  }

  // Tells linkers to keep off the batch. Alone: once we are through, whoever was linking to one of
  // them has finished, and nobody will do so again.
  void condemn() {
    const Gate::Alone alone(core_->gate);
    const auto in_graph = std::partition(linked_.begin(), linked_.end(), [&](std::uint32_t row) {
      return core_->rows.state(row) == RowState::kLinked;
    });
    unlinked_.assign(in_graph, linked_.end());
    linked_.erase(in_graph, linked_.end());
    for (const std::uint32_t row : linked_) core_->rows.set_state(row, RowState::kRemoving);
    for (const std::uint32_t row : unlinked_) core_->rows.set_state(row, RowState::kRemoved);
  }

  void clear_tail() {
    if (unlinked_.empty()) return;
    Tail::Retired segments;
    core_->tail.clear_if(
        [&](std::uint32_t row) { return core_->rows.state(row) == RowState::kRemoved; }, segments);
    retire(core_, {}, std::move(segments));
  }

  // One pass over all links, since a link does not know who points along it. Nodes linked from now
  // on never point to the batch, so the bound of this moment is enough.
  void repair_all() {
    removed_bound_ = core_->nodes.bound();
    removed_.reset(removed_bound_);
    for (const std::uint32_t row : linked_) {
      // The graph of a damaged checkpoint may not know a row that calls itself linked.
      if (row < removed_bound_) removed_.add(row);
    }
    const RowJudge judge(core_->rows);
    const hnsw::LinkOptions options = {.m = core_->options.m,
                                       .ef_construction = core_->options.ef_construction};
    for (std::uint32_t row = 0; row < removed_bound_;) {
      hnsw::RetiredBlocks blocks;
      {
        const Gate::Shared inside(core_->gate);
        const EpochDomain::Guard guard = core_->epochs.pin();
        DenseLinker linker(core_->nodes, core_->space, judge, options, blocks);
        const std::uint32_t end = std::min(row + kRowsPerPassage, removed_bound_);
        for (; row < end; ++row) {
          if (core_->rows.state(row) != RowState::kLinked) continue;
          linker.repair(row, removed_, removed_bound_);
          note_entry(row);
        }
      }
      retire(core_, std::move(blocks), {});
    }
  }

  void note_entry(std::uint32_t row) {
    const std::uint32_t level = core_->nodes.level(row);
    if (best_.node == hnsw::kNoNode || level > best_.level) best_ = {row, level};
  }

  // Searches must not start at a row of the batch any more.
  void leave_entry() {
    for (;;) {
      const hnsw::EntryPoint entry = core_->nodes.entry();
      const bool ours = entry.node < removed_bound_ && removed_.contains(entry.node);
      if (!ours || core_->nodes.replace_entry(entry, best_)) return;
    }
  }

  const std::shared_ptr<DenseCore>& core_;
  std::vector<std::uint32_t> linked_;
  std::vector<std::uint32_t> unlinked_;  // in the tail, or of an index without a graph
  hnsw::NodeSet removed_;
  std::uint32_t removed_bound_ = 0;
  hnsw::EntryPoint best_;
};

}  // namespace

std::size_t DenseIndex::link(std::size_t rows_max) {
  const std::shared_ptr<DenseCore>& core = state_->core;
  if (!core->options.graph) return 0;
  const RowJudge judge(core->rows);
  const hnsw::LinkOptions options = {.m = core->options.m,
                                     .ef_construction = core->options.ef_construction};
  // Closed rows stay in the tail for readers of earlier moments; consolidate() takes them out.
  const auto take_open = [&](std::uint32_t row) {
    if (core->rows.closed(row) != kOpen || core->rows.state(row) != RowState::kTail) return false;
    core->rows.set_state(row, RowState::kLinking);
    return true;
  };
  std::size_t linked = 0;
  for (; linked < rows_max; ++linked) {
    hnsw::RetiredBlocks blocks;
    Tail::Retired segments;
    {
      const Gate::Shared inside(core->gate);
      const Tail::Claim claim = core->tail.claim(take_open);
      if (claim.row == kNoRow) break;
      const EpochDomain::Guard guard = core->epochs.pin();
      const SlotId slot(core->rows.slot(claim.row));
      const Seq added(core->rows.added(claim.row));
      DenseLinker linker(core->nodes, core->space, judge, options, blocks);
      linker.link(claim.row, level_of(core->options, slot, added));
      core->rows.set_state(claim.row, RowState::kLinked);
      core->linked_rows.fetch_add(1, std::memory_order_relaxed);  // only a count
      core->tail.clear(claim, segments);
    }
    retire(core, std::move(blocks), std::move(segments));
  }
  return linked;
}

std::size_t DenseIndex::consolidate(std::size_t rows_max, Seq horizon) {
  return Consolidation(state_->core).run(rows_max, horizon);
}

}  // namespace quipu::index
