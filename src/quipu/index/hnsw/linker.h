// Puts nodes into the graph and closes the gaps that removed nodes leave.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <span>
#include <vector>

#include "quipu/index/hnsw/node_store.h"
#include "quipu/index/hnsw/scratch.h"
#include "quipu/index/hnsw/select.h"
#include "quipu/index/hnsw/walk.h"
#include "quipu/index/quant/vector_space.h"

namespace quipu::index::hnsw {

// A node as a neighbour for others.
enum class Standing : std::uint8_t {
  kWanted,
  kSpare,     // soon to be removed: only when there are not enough others
  kUnwanted,  // being removed: nothing may link to it any more
};

struct LinkOptions {
  std::uint32_t m = 16;
  std::uint32_t ef_construction = 200;
};

// `Judge` says of nodes: `Standing standing(node)`, and `node successor(node)`, the node that took
// a removed one's place or kNoNode.
//
// Threads: any number of linkers, each used by one thread that holds an epoch guard, over one
// graph. A node is linked once; blocks are swapped with compare-and-exchange and the work is done
// again when another thread came first.
template <VectorSpace Space, typename Judge>
class Linker {
 public:
  // All are borrowed. What was swapped out is added to `retired`.
  Linker(NodeStore& nodes, const Space& space, const Judge& judge, const LinkOptions& options,
         RetiredBlocks& retired)
      : nodes_(nodes), space_(space), judge_(judge), options_(options), retired_(retired) {}

  // Links a node that is not in the graph yet; afterwards searches can reach it. Nodes that other
  // linkers link at the same time are found as surely as those that were there before.
  void link(std::uint32_t node, std::uint32_t level) {
    const std::uint64_t began = nodes_.arrivals().mark();
    nodes_.add_node(node, level);
    while (!try_link(node, level)) {
    }
    nodes_.arrivals().add(node);
    meet(node, began);
  }

  // Replaces the node's links to removed nodes by the best of what those led to. Returns whether
  // there were any. `removed` has room for every node below the graph's bound when it was filled.
  bool repair(std::uint32_t node, const NodeSet& removed, std::uint32_t removed_bound) {
    bool any = false;
    const std::uint32_t height = nodes_.level(node);
    for (std::uint32_t level = 0; level <= height; ++level) {
      any = repair_level(node, level, removed, removed_bound) || any;
    }
    return any;
  }

 private:
  // False when the graph changed under it so that it has to be done again.
  bool try_link(std::uint32_t node, std::uint32_t level) {
    const EntryPoint entry = nodes_.entry();
    if (entry.node == kNoNode) return nodes_.replace_entry(entry, {node, level});
    if (entry.node == node) return true;  // only a damaged checkpoint says so
    find_neighbours(node, level);
    if (chosen_.front().empty()) {
      // All that the walk reached is being removed. If even the entry is, then whoever comes next
      // starts here; else it is the one neighbour that is sure to stay.
      const bool dying = judge_.standing(entry.node) == Standing::kUnwanted;
      if (dying) return nodes_.replace_entry(entry, {node, level});
      chosen_.front().push_back(entry.node);
    }
    publish(node);
    raise_entry(node, level);
    return true;
  }

  // Fills chosen_ for each level of the node that the graph has.
  void find_neighbours(std::uint32_t node, std::uint32_t level) {
    const ScratchLease scratch;
    const auto scorer = space_.bind_row(node);
    const auto admit = [this](std::uint32_t other) {
      return judge_.standing(other) == Standing::kWanted;
    };
    chosen_.assign(1, {});
    Walk walk(nodes_, scorer, admit, *scratch);
    if (!walk.ready()) return;
    const std::uint32_t top = std::min(level, walk.top_level());
    chosen_.resize(std::size_t{top} + 1);
    walk.descend(top);
    for (std::uint32_t at = top + 1; at-- > 0;) {
      walk.begin();
      static_cast<void>(walk.run(at, options_.ef_construction));  // without deadline: always true
      collect(node, at, walk.found());
      select_neighbours(space_, candidates_, options_.m, chosen_[at]);
    }
  }

  // The wanted nodes of a walk's result, and spare ones if there are too few; sorted.
  void collect(std::uint32_t self, std::uint32_t level, const std::vector<WalkNode>& found) {
    candidates_.clear();
    for (const WalkNode& entry : found) {
      const bool usable = entry.admitted() && entry.node() != self;
      if (usable && nodes_.level(entry.node()) >= level) {
        candidates_.push_back({entry.distance, entry.node()});
      }
    }
    if (candidates_.size() >= options_.m) return;
    for (const WalkNode& entry : found) {
      if (entry.admitted() || judge_.standing(entry.node()) != Standing::kSpare) continue;
      if (entry.node() != self) candidates_.push_back({entry.distance, entry.node()});
    }
    std::sort(candidates_.begin(), candidates_.end());
  }

  // The node's own blocks on all levels come before any link to it, and the links to it from the
  // ground up: whoever arrives at it on some level finds a way on, there and below.
  void publish(std::uint32_t node) {
    const auto levels = static_cast<std::uint32_t>(chosen_.size());
    for (std::uint32_t level = 0; level < levels; ++level) {
      const std::uint32_t block = nodes_.make_block(chosen_[level], level);
      // Nobody else knows the node, so its empty blocks are still there.
      static_cast<void>(nodes_.replace(node, level, 0, block));
    }
    for (std::uint32_t level = 0; level < levels; ++level) {
      for (const std::uint32_t neighbour : chosen_[level])
        add_link(neighbour, node, level, WhenFull::kShrink);
    }
  }

  // Links the node with those that others linked since `began`, where it would have chosen them.
  void meet(std::uint32_t node, std::uint64_t began) {
    met_.clear();
    nodes_.arrivals().for_each_since(began, [&](std::uint32_t other) {
      if (other != node && judge_.standing(other) == Standing::kWanted) met_.push_back(other);
    });
    if (met_.empty()) return;
    const auto is_met = [&](std::uint32_t other) {
      return std::find(met_.begin(), met_.end(), other) != met_.end();
    };
    chosen_.resize(std::size_t{nodes_.level(node)} + 1);
    for (std::uint32_t level = 0; level < chosen_.size(); ++level) {
      std::vector<std::uint32_t>& chosen = chosen_[level];
      list_.clear();
      std::copy_if(chosen.begin(), chosen.end(), std::back_inserter(list_),
                   [&](std::uint32_t other) { return !is_met(other); });
      std::copy_if(met_.begin(), met_.end(), std::back_inserter(list_),
                   [&](std::uint32_t other) { return nodes_.level(other) >= level; });
      score_list(node);
      chosen.clear();
      select_neighbours(space_, std::span<const ScoredNode>(candidates_), options_.m, chosen);
      for (const std::uint32_t other : chosen) {
        if (!is_met(other)) continue;
        add_link(node, other, level, WhenFull::kShrink);
        add_link(other, node, level, WhenFull::kShrink);
      }
    }
  }

  void raise_entry(std::uint32_t node, std::uint32_t level) {
    for (EntryPoint entry = nodes_.entry(); entry.node == kNoNode || entry.level < level;
         entry = nodes_.entry()) {
      if (nodes_.replace_entry(entry, {node, level})) return;
    }
  }

  enum class WhenFull : std::uint8_t { kShrink, kLeave };
  // Adds `to` to the links of `from`. When they are full, those that the heuristic likes least are
  // dropped, or all stays as it was.
  void add_link(std::uint32_t from, std::uint32_t to, std::uint32_t level, WhenFull when_full) {
    for (;;) {
      const std::uint32_t before = nodes_.block(from, level);
      if (!copy_links(from, before, level)) return;
      if (std::find(list_.begin(), list_.end(), to) != list_.end()) return;
      list_.push_back(to);
      if (list_.size() > nodes_.links_max(level)) {
        if (when_full == WhenFull::kLeave) return;
        shrink(from, level);
      }
      if (swap(from, level, before)) return;
    }
  }

  // Fills list_ with the block's usable nodes; false when `from` does not reach the level.
  bool copy_links(std::uint32_t from, std::uint32_t block, std::uint32_t level) {
    list_.clear();
    if (!nodes_.reaches(from, level)) return false;
    const std::uint32_t* links = nodes_.links(block, level);
    const std::uint32_t bound = nodes_.bound();
    for (std::uint32_t i = 0; i < nodes_.links_max(level) && links[i] != kNoNode; ++i) {
      if (links[i] >= bound || links[i] == from) continue;
      if (judge_.standing(links[i]) != Standing::kUnwanted) list_.push_back(links[i]);
    }
    return true;
  }

  // Replaces list_ by the best neighbours among it.
  void shrink(std::uint32_t from, std::uint32_t level) {
    score_list(from);
    list_.clear();
    choose(nodes_.links_max(level));
  }

  // Adds the best of candidates_ to list_. Nodes that will be removed soon come after the others
  // and do not keep any of them out: they would leave holes where those had been.
  void choose(std::size_t links_max) {
    const auto spare = std::stable_partition(
        candidates_.begin(), candidates_.end(), [this](const ScoredNode& candidate) {
          return judge_.standing(candidate.node) == Standing::kWanted;
        });
    const auto wanted_count = static_cast<std::size_t>(spare - candidates_.begin());
    const std::span<const ScoredNode> all(candidates_);
    select_neighbours(space_, all.first(wanted_count), links_max, list_);
    select_neighbours(space_, all.subspan(wanted_count), links_max, list_);
  }

  // Adds the nearest of candidates_ to list_ until it holds five eighths of `links_max`, whatever
  // the heuristic thought of them. Links that were made while the graph was young and sparse are
  // long; removals take them away and repairs bring short ones. With lists of this length recall
  // after everything has changed is that of a fresh build (at a half it is 0.3 % lower, at three
  // quarters searches look at a tenth more rows for nothing; DenseIndex's churn test measures it).
  void fill_up(std::size_t links_max) {
    const std::size_t enough = links_max * 5 / 8;
    for (const ScoredNode& candidate : candidates_) {
      if (list_.size() >= enough) return;
      const bool there = std::find(list_.begin(), list_.end(), candidate.node) != list_.end();
      if (!there) list_.push_back(candidate.node);
    }
  }

  // Makes candidates_ of list_, scored from `from` and sorted.
  void score_list(std::uint32_t from) {
    const auto scorer = space_.bind_row(from);
    candidates_.clear();
    for (const std::uint32_t node : list_) scorer.prefetch(node);
    for (std::size_t i = 0; i < list_.size(); i += kScoreBatchMax) {
      float distances[kScoreBatchMax];
      const std::size_t count = std::min(kScoreBatchMax, list_.size() - i);
      scorer.score(list_.data() + i, count, distances);
      for (std::size_t j = 0; j < count; ++j) candidates_.push_back({distances[j], list_[i + j]});
    }
    std::sort(candidates_.begin(), candidates_.end());
  }

  // Publishes list_ as the node's links if they still are `before`.
  bool swap(std::uint32_t node, std::uint32_t level, std::uint32_t before) {
    const std::uint32_t next = nodes_.make_block(list_, level);
    if (nodes_.replace(node, level, before, next)) {
      if (before != 0) (level == 0 ? retired_.base : retired_.upper).push_back(before);
      return true;
    }
    if (next != 0) nodes_.discard(next, level);
    return false;
  }

  bool repair_level(std::uint32_t node, std::uint32_t level, const NodeSet& removed,
                    std::uint32_t removed_bound) {
    const auto is_removed = [&](std::uint32_t other) {
      return other < removed_bound && removed.contains(other);
    };
    bool repaired = false;
    for (;;) {
      const std::uint32_t before = nodes_.block(node, level);
      const std::uint32_t* links = nodes_.links(before, level);
      const std::uint32_t links_max = nodes_.links_max(level);
      bool any = false;
      for (std::uint32_t i = 0; i < links_max && links[i] != kNoNode; ++i) {
        any = any || is_removed(links[i]);
      }
      if (!any) return repaired;
      repaired = true;
      gather_replacements(node, before, level, is_removed);
      // The links that stay, stay: choosing among all anew would thin the graph out a little more
      // with every repair.
      score_list(node);
      list_ = kept_;
      candidates_.resize(std::min(candidates_.size(), kReplacementsMax));
      choose(links_max);
      fill_up(links_max);
      const std::vector<std::uint32_t> old = kept_;
      if (!swap(node, level, before)) continue;
      // The new neighbours learn of the node too: else what only removed nodes led to would be
      // lost.
      const std::vector<std::uint32_t> chosen = list_;
      for (const std::uint32_t other : chosen) {
        const bool known = std::find(old.begin(), old.end(), other) != old.end();
        if (!known) add_link(other, node, level, WhenFull::kLeave);
      }
      return true;
    }
  }

  // Fills list_ with the links that stay, and what the removed ones lead to, through further
  // removed ones where need be; kept_ with the former alone.
  template <typename IsRemoved>
  void gather_replacements(std::uint32_t node, std::uint32_t block, std::uint32_t level,
                           const IsRemoved& is_removed) {
    const ScratchLease scratch;
    const std::uint32_t bound = nodes_.bound();
    const std::size_t enough = std::size_t{nodes_.links_max(level)} * kReplacementsPerLink;
    scratch->visited.reset(bound);
    scratch->visited.add(node);
    std::vector<std::uint32_t>& open = scratch->nodes;
    open.clear();
    list_.clear();
    const auto consider = [&](std::uint32_t other) {
      if (other >= bound || !scratch->visited.add(other)) return;
      if (is_removed(other)) {
        open.push_back(other);
      } else if (judge_.standing(other) != Standing::kUnwanted && nodes_.level(other) >= level) {
        list_.push_back(other);
      }
    };
    const auto consider_all = [&](const std::uint32_t* links) {
      const std::uint32_t links_max = nodes_.links_max(level);
      for (std::uint32_t i = 0; i < links_max && links[i] != kNoNode; ++i) consider(links[i]);
    };
    consider_all(nodes_.links(block, level));
    kept_.swap(list_);
    list_.clear();
    for (std::size_t i = 0; i < open.size() && list_.size() < enough; ++i) {
      const std::uint32_t gone = open[i];
      const std::uint32_t successor = judge_.successor(gone);
      if (successor != kNoNode) consider(successor);
      consider_all(nodes_.links_of(gone, level));
    }
  }

  // Bounds what one repair looks at, when whole neighbourhoods go at once.
  static constexpr std::size_t kReplacementsPerLink = 8;
  // Only the nearest of those are judged: all would double a repair's cost for the same recall.
  static constexpr std::size_t kReplacementsMax = 24;

  NodeStore& nodes_;
  const Space& space_;
  const Judge& judge_;
  const LinkOptions options_;
  RetiredBlocks& retired_;
  std::vector<std::vector<std::uint32_t>> chosen_;  // by level
  std::vector<ScoredNode> candidates_;
  std::vector<std::uint32_t> list_;
  std::vector<std::uint32_t> kept_;
  std::vector<std::uint32_t> met_;
};

}  // namespace quipu::index::hnsw
