// One named dense vector of one shard as a searchable view: rows of vectors, a bounded tail of
// fresh rows that is scanned in full, and a graph (or none) that background threads link the rows
// into.
//
// Rows and moments. Every insert adds a row: (slot, vector, added at, closed at). An update of a
// slot adds a row and closes the earlier one at the same log number; an erase closes it. A search
// is asked `as_of` a log number and sees exactly the rows with added <= as_of < closed, so an
// answer belongs to one moment whatever is being written or linked meanwhile (invariants.md, rule
// 4). A closed row stays in the graph until consolidate() has relinked its neighbours and freed it.
//
// Threads: one writer at a time calls insert(), erase(); any number call search() and
// link(), at once; one at a time calls consolidate() and capture(). Readers take no lock: they are
// protected by a Guard of the EpochDomain that they, or their caller, hold for the whole search and
// had taken before they chose `as_of`.
// Memory: stats().bytes_used counts vectors, rows, links and tail, mapped or not. An empty index
// takes less than 10 kB, and memory grows with what is touched. At most 2^30 rows.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "quipu/base/clock.h"
#include "quipu/base/epoch.h"
#include "quipu/base/file_system.h"
#include "quipu/ids.h"
#include "quipu/index/slot_filter.h"
#include "quipu/index/slot_order.h"
#include "quipu/metric.h"
#include "quipu/result.h"

namespace quipu::index {

// A row's place in this view; reused after consolidate().
using RowId = StrongId<struct RowIdTag, std::uint32_t>;

struct DenseOptions {
  std::uint32_t dim = 0;
  Metric metric = Metric::kCosine;
  bool graph = true;                    // false: every search is an exact scan
  std::uint32_t m = 16;                 // links per node above level 0; 2 * m on level 0; 2..128
  std::uint32_t ef_construction = 200;  // candidates considered when linking; m..10,000
  std::uint64_t seed = 0x51a7;          // of the level generator
};

struct DenseHit {
  SlotId slot;
  RowId row;
  // What the metric's kernel gives, so that smaller is nearer: l2 squared, l1, -dot, 1 - cosine.
  float distance = 0;
};

struct DenseSearchParams {
  Seq as_of;
  std::uint32_t ef = 0;                // 0: chosen from k (at least 64); else >= k
  bool exact = false;                  // scan all rows
  const SlotFilter* filter = nullptr;  // null: everything passes
  const SlotOrder* ties = nullptr;     // of equal distances; null: ascending slots
  std::chrono::steady_clock::time_point deadline = std::chrono::steady_clock::time_point::max();
  const Clock* clock = nullptr;  // needed with a deadline
};

// What one search did, for `explain` and metrics.
struct DenseSearchStats {
  std::uint32_t tail_rows = 0;  // scanned in the tail
  std::uint32_t graph_distances = 0;
  std::uint32_t scanned_rows = 0;  // by exact scan, asked for or to finish a short walk
  std::uint32_t hops = 0;
  bool exact = false;
};

struct DenseStats {
  std::size_t live_rows = 0;    // not closed
  std::size_t closed_rows = 0;  // closed, not yet freed
  std::size_t free_rows = 0;
  std::size_t tail_rows = 0;  // waiting to be linked
  std::size_t linked_rows = 0;
  std::uint64_t bytes_used = 0;    // mapped files included
  std::uint64_t bytes_mapped = 0;  // of those, in mapped files
};

class DenseIndex {
 public:
  // Errors: kInvalidArgument naming the option, its value and its bounds.
  [[nodiscard]] static Result<std::unique_ptr<DenseIndex>> create(const DenseOptions& options,
                                                                  EpochDomain& epochs);
  // Maps what save() wrote; milliseconds, whatever the size. `options` must equal those saved
  // (kFailedPrecondition, "checkpoint_options", otherwise). Bounds are checked on use; verify()
  // reads all. A file of another format version is kFailedPrecondition, "checkpoint_version".
  // Errors: kCorruption, kNotFound, kIo.
  [[nodiscard]] static Result<std::unique_ptr<DenseIndex>> open(FileSystem& fs,
                                                                const std::string& path,
                                                                const DenseOptions& options,
                                                                EpochDomain& epochs);
  ~DenseIndex();

  // Writer. `vector`: options().dim finite floats, for kCosine of unit length (simd::normalise()).
  // If `slot` has an open row it is closed at `seq`. Visible to searches as of `seq` and later,
  // once the caller publishes it.
  void insert(SlotId slot, std::span<const float> vector, Seq seq);
  // Closes the slot's open row at `seq`; returns whether there was one.
  bool erase(SlotId slot, Seq seq);

  // Background. Links up to `rows_max` rows of the tail into the graph and returns how many; many
  // threads may do so at once. 0 when the tail is empty or the index has no graph.
  std::size_t link(std::size_t rows_max);
  // Relinks around rows closed at or before `horizon` (no reader as of an earlier moment is alive
  // or will come), takes them out of the graph and frees them; their memory is used again after a
  // grace period of the epoch domain. Looks at `rows_max` of them at most; returns how many it
  // freed. The neighbours of a row that an update replaced consider the row that replaced it first.
  // Cost: one pass over the links of all rows (tens of milliseconds for a million) and a repair of
  // each neighbour, so it is worth being called for hundreds of rows at a time.
  std::size_t consolidate(std::size_t rows_max, Seq horizon);

  // Reader. The nearest rows visible as of params.as_of that pass the filter, nearest first, equal
  // distances as `ties` says; each slot once. Returns how many of `hits` were filled: fewer than
  // hits.size() only when fewer points match. Approximate unless exact or without a graph. For
  // kCosine the query may have any length; one of length 0 is at distance 1 from everything.
  // Errors: kInvalidArgument (query size, not finite, ef < hits.size()), kDeadlineExceeded.
  [[nodiscard]] Result<std::size_t> search(std::span<const float> query,
                                           const DenseSearchParams& params,
                                           std::span<DenseHit> hits,
                                           DenseSearchStats* stats = nullptr) const;
  // Calls `visit` with the slot of each row visible as of `as_of`, each once, in no useful order.
  void for_each_slot(Seq as_of, const std::function<void(SlotId)>& visit) const;
  // Copies the vector of a row that the caller found under the same Guard.
  void copy_vector(RowId row, std::span<float> into) const;

  // A consistent image as of the writer's last insert or erase. Links are copied at once (memory
  // speed; linking and consolidation wait meanwhile, searches do not); vectors are copied only by
  // save(), while the capture keeps their rows from being reused. Call from the writer's thread.
  class Capture;
  [[nodiscard]] std::shared_ptr<const Capture> capture(Seq covers);
  // Writes a capture to a checkpoint file (base/checkpoint_file.h, kind "dense"). Any thread.
  [[nodiscard]] static Status save(FileSystem& fs, const std::string& path, const Capture& capture);
  // After open(): compares the mapped file with its checksums and its links with their bounds.
  [[nodiscard]] Status verify() const;

  [[nodiscard]] DenseStats stats() const;
  [[nodiscard]] const DenseOptions& options() const noexcept;

 private:
  DenseIndex();
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace quipu::index
