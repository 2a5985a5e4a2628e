// The search of the HNSW paper (algorithms 2 and 5), over any kind of vectors and any condition.
//
// Instead of a heap of candidates and a heap of results there is one list, sorted by distance,
// whose entries know whether they have been expanded and whether they may be answers: for the list
// lengths that searches use, an insertion moves a few cache lines, and the next candidate is simply
// the first that is not expanded. Nodes that may not be answers (invisible, or refused by the
// filter) are walked through and do not count towards `ef`.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "quipu/index/hnsw/node_store.h"
#include "quipu/index/hnsw/scratch.h"
#include "quipu/index/quant/vector_space.h"
#include "quipu/index/rows/deadline.h"

namespace quipu::index::hnsw {

struct WalkCounts {
  std::uint32_t distances = 0;
  std::uint32_t hops = 0;
};

// How a walk on level 0 treats neighbours that may not be answers.
enum class Through : std::uint8_t {
  kScored,   // scored and walked through like any other: right when most may be answers
  kBridged,  // not scored, but their neighbours are looked at in their place (two hops)
};

// One search. `Admit` is callable as bool(std::uint32_t node): may the node be an answer?
// Threads: one; the graph may change meanwhile. The caller holds an epoch guard.
template <QueryScorer Scorer, typename Admit>
class Walk {
 public:
  // All are borrowed for this object's life.
  Walk(const NodeStore& nodes, const Scorer& scorer, const Admit& admit, Scratch& scratch,
       const Deadline& deadline = {})
      : nodes_(nodes),
        scorer_(scorer),
        admit_(admit),
        found_(scratch.found),
        visited_(scratch.visited),
        bridged_(scratch.bridged),
        deadline_(deadline),
        entry_(nodes.entry()),
        // After the entry, which is then below it.
        bound_(nodes.bound()) {
    if (entry_.node < bound_) {
      nearest_ = {.distance = scorer_.score(entry_.node), .bits = entry_.node};
      ++counts_.distances;
    }
  }

  // False when there is no node to start from.
  [[nodiscard]] bool ready() const noexcept { return entry_.node < bound_; }
  [[nodiscard]] std::uint32_t top_level() const noexcept { return entry_.level; }

  // Goes greedily from the entry point down to the level above `level`. Only when ready().
  void descend(std::uint32_t level) {
    for (std::uint32_t above = entry_.level; above > level; --above) {
      while (step_nearer(above)) {
      }
    }
  }

  // Begins a walk on a level at the nearest node found so far.
  void begin() {
    found_.clear();
    admitted_ = 0;
    ef_ = SIZE_MAX;
    visited_.reset(bound_);
    visited_.add(nearest_.bits);
    static_cast<void>(insert(nearest_.distance, nearest_.bits));
  }
  // Adds another node to begin at.
  void begin_at(std::uint32_t node) {
    if (node >= bound_ || !visited_.add(node)) return;
    ++counts_.distances;
    static_cast<void>(insert(scorer_.score(node), node));
  }
  // Walks until the `ef` nearest admitted nodes that it meets have all been expanded; found() then
  // holds them and those walked through. False if the deadline passed. `ef` at least 1.
  bool run(std::uint32_t level, std::size_t ef, Through through = Through::kScored) {
    ef_ = ef;
    found_max_ = 4 * ef + 1024;
    level_ = level;
    trim();
    if (through == Through::kBridged) bridged_.reset(bound_);
    for (std::size_t at = 0; at < found_.size();) {
      if (found_[at].expanded()) {
        ++at;
        continue;
      }
      found_[at].bits |= WalkNode::kExpanded;
      if (++counts_.hops % kHopsPerLook == 0 && deadline_.passed()) return false;
      lowest_ = SIZE_MAX;
      const std::uint32_t node = found_[at].node();
      if (at + 1 < found_.size()) prefetch_links(found_[at + 1].node());
      if (through == Through::kBridged) {
        expand_bridged(node);
      } else {
        expand(node);
      }
      at = std::min(at + 1, lowest_);
    }
    if (!found_.empty()) nearest_ = {found_.front().distance, found_.front().node()};
    return true;
  }

  // Sorted by distance; holds at most `ef` admitted nodes.
  [[nodiscard]] const std::vector<WalkNode>& found() const noexcept { return found_; }
  [[nodiscard]] std::size_t admitted_count() const noexcept { return admitted_; }
  [[nodiscard]] const WalkCounts& counts() const noexcept { return counts_; }
  [[nodiscard]] std::uint32_t bound() const noexcept { return bound_; }

 private:
  static constexpr std::uint32_t kHopsPerLook = 64;

  // Calls `visit` for each of a node's neighbours, whatever a damaged file says, until it says no.
  template <typename Visit>
  void for_each_link(std::uint32_t node, std::uint32_t level, const Visit& visit) const {
    const std::uint32_t* links = nodes_.links_of(node, level);
    const std::uint32_t links_max = nodes_.links_max(level);
    for (std::uint32_t i = 0; i < links_max; ++i) {
      if (links[i] < bound_) {
        if (!visit(links[i])) return;
      } else if (links[i] == kNoNode) {
        return;
      }
    }
  }

  void prefetch_links(std::uint32_t node) const {
    const char* links = reinterpret_cast<const char*>(nodes_.links_of(node, level_));
    __builtin_prefetch(links);
    __builtin_prefetch(links + 64);
  }

  bool step_nearer(std::uint32_t level) {
    std::uint32_t batch[kLinksMax];
    float distances[kLinksMax];
    std::size_t count = 0;
    for_each_link(nearest_.bits, level, [&](std::uint32_t neighbour) {
      scorer_.prefetch(neighbour);
      batch[count++] = neighbour;
      return true;
    });
    scorer_.score(batch, count, distances);
    counts_.distances += static_cast<std::uint32_t>(count);
    bool nearer = false;
    for (std::size_t i = 0; i < count; ++i) {
      if (distances[i] >= nearest_.distance) continue;
      nearest_ = {.distance = distances[i], .bits = batch[i]};
      nearer = true;
    }
    return nearer;
  }

  void expand(std::uint32_t node) {
    std::size_t count = 0;
    for_each_link(node, level_, [&](std::uint32_t neighbour) {
      if (!visited_.add(neighbour)) return true;
      scorer_.prefetch(neighbour);
      batch_[count++] = neighbour;
      return true;
    });
    take_batch(count);
  }

  void expand_bridged(std::uint32_t node) {
    // As many answers as a plain expansion would look at are enough of one node's surroundings.
    const std::size_t wanted = nodes_.links_max(level_);
    std::uint32_t bridges[kLinksMax];
    std::size_t bridge_count = 0;
    std::size_t count = 0;
    const auto consider = [&](std::uint32_t neighbour) {
      scorer_.prefetch(neighbour);
      batch_[count++] = neighbour;
    };
    for_each_link(node, level_, [&](std::uint32_t neighbour) {
      const bool fresh = visited_.add(neighbour);
      if (!admit_(neighbour)) {
        bridges[bridge_count++] = neighbour;
        nodes_.prefetch_reference(neighbour);
      } else if (fresh) {
        consider(neighbour);
      }
      return true;
    });
    for (std::size_t i = 0; i < bridge_count && count < wanted; ++i) {
      if (i + 1 < bridge_count) prefetch_links(bridges[i + 1]);
      if (!bridged_.add(bridges[i])) continue;
      for_each_link(bridges[i], level_, [&](std::uint32_t neighbour) {
        if (visited_.add(neighbour) && admit_(neighbour)) consider(neighbour);
        return count < kScoreBatchMax;
      });
    }
    take_batch(count);
  }

  // Scores the first `count` nodes of the batch and keeps those that are near enough.
  void take_batch(std::size_t count) {
    scorer_.score(batch_, count, distances_);
    counts_.distances += static_cast<std::uint32_t>(count);
    for (std::size_t i = 0; i < count; ++i) {
      lowest_ = std::min(lowest_, insert(distances_[i], batch_[i]));
    }
  }

  // Returns where the node went, or SIZE_MAX when it is too far.
  std::size_t insert(float distance, std::uint32_t node) {
    const bool full = admitted_ >= ef_ || found_.size() >= found_max_;
    if (full && distance >= found_.back().distance) return SIZE_MAX;
    nodes_.prefetch_reference(node);
    const bool admitted = admit_(node);
    const auto place = std::upper_bound(
        found_.begin(), found_.end(), distance,
        [](float wanted, const WalkNode& entry) { return wanted < entry.distance; });
    const auto at = static_cast<std::size_t>(place - found_.begin());
    found_.insert(place, {distance, node | (admitted ? WalkNode::kAdmitted : 0)});
    if (admitted) ++admitted_;
    trim();
    return at;
  }

  // Drops what lies behind the ef-th admitted node: nothing there can lead to a better answer.
  void trim() {
    while (admitted_ > ef_ || found_.size() > found_max_ ||
           (admitted_ == ef_ && !found_.back().admitted())) {
      if (found_.back().admitted()) --admitted_;
      found_.pop_back();
    }
  }

  const NodeStore& nodes_;
  const Scorer& scorer_;
  const Admit& admit_;
  std::vector<WalkNode>& found_;
  NodeSet& visited_;
  NodeSet& bridged_;
  const Deadline deadline_;
  const EntryPoint entry_;
  const std::uint32_t bound_;
  WalkNode nearest_;
  std::uint32_t level_ = 0;
  std::size_t ef_ = SIZE_MAX;
  std::size_t found_max_ = SIZE_MAX;  // so that a condition that admits nothing cannot fill memory
  std::size_t admitted_ = 0;
  std::size_t lowest_ = SIZE_MAX;  // the first place that the current expansion filled
  WalkCounts counts_;
  std::uint32_t batch_[kScoreBatchMax];
  float distances_[kScoreBatchMax];
};

}  // namespace quipu::index::hnsw
