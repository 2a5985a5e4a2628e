// An inverted index over the points of a shard: words scored by BM25, or sparse vectors by their
// dot product. A view like the dense one: rows carry the moments between which they are seen, and
// every search sees exactly one moment.
//
// Inserted rows become part of a small immutable segment at the next publish(). Segments of like
// size are merged, the small ones by the writer, the large ones by merge() in the background; rows
// that were closed before the horizon are left out then, and freed. So there is no lock on the way
// of a search, and an update is searchable with the write that carries it.
//
// BM25 as in Robertson, Zaragoza: The Probabilistic Relevance Framework: BM25 and Beyond (2009),
// section 3.4.2, with the idf of ln(1 + (N - n + 0.5) / (n + 0.5)), which is never negative. N, n
// and the mean length count exactly the rows visible at the moment; they are given to the search,
// so that shards can share them. A term's part of a score is rounded to a multiple of 2^-32 and the
// parts are added as integers: the sum does not depend on their order, nor on segments or shards.
//
// Threads: one writer calls insert(), erase(), publish() and capture(); merge() by one thread at a
// time; everything const by any that holds a guard of the epoch domain, taken before the moment.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "quipu/base/clock.h"
#include "quipu/base/epoch.h"
#include "quipu/base/file_system.h"
#include "quipu/ids.h"
#include "quipu/index/postings/posting_format.h"
#include "quipu/index/slot_filter.h"
#include "quipu/index/slot_order.h"
#include "quipu/result.h"

namespace quipu::index {

struct SparseOptions {
  PostingKind kind = PostingKind::kCounts;
  bool positions = false;  // kCounts: keep them, for phrases
  friend bool operator==(const SparseOptions&, const SparseOptions&) = default;
};

// A term of a text that is indexed; the same one may come many times.
struct TermAt {
  std::string_view term;  // at most kPostingKeyBytesMax bytes
  std::uint32_t position = 0;
};
// A dimension of a sparse vector that is indexed. Dimensions are distinct, weights finite.
struct SparseWeight {
  std::uint32_t dimension = 0;
  float weight = 0;
};

// The key under which a sparse vector's dimension is found.
[[nodiscard]] std::string dimension_key(std::uint32_t dimension);

struct Bm25 {
  double k1 = 1.2;  // 0 or more: how much further occurrences of a term count
  double b = 0.75;  // 0 to 1: how much longer rows count less
};

// A moment's rows, in numbers.
struct SparseTotals {
  std::uint64_t rows = 0;
  std::uint64_t length = 0;  // of all rows together, in terms
};

struct SparseTerm {
  std::string key;
  // kCounts: what BM25 multiplies, usually idf() times the query's weight, at least 0. kWeights:
  // the query's weight.
  double weight = 0;
};
[[nodiscard]] double idf(std::uint64_t rows, std::uint64_t rows_with_term) noexcept;

struct SparseSearchParams {
  Seq as_of{0};
  Bm25 bm25;
  double length_mean = 1;              // kCounts: of all rows, over all shards
  const SlotFilter* filter = nullptr;  // null: everything passes
  const SlotOrder* ties = nullptr;     // of equal scores; null: ascending slots
  std::chrono::steady_clock::time_point deadline = std::chrono::steady_clock::time_point::max();
  const Clock* clock = nullptr;  // needed with a deadline
};

struct SparseHit {
  SlotId slot;
  float score = 0;
};

// What one search did, for `explain` and metrics.
struct SparseSearchStats {
  std::uint64_t postings = 0;    // looked at
  std::uint64_t candidates = 0;  // scored in full
  std::uint32_t segments = 0;
};

struct SparseStats {
  std::size_t live_rows = 0;
  std::size_t closed_rows = 0;  // closed, not yet freed
  std::size_t segments = 0;
  std::uint64_t keys = 0;      // a key of several segments counts for each
  std::uint64_t postings = 0;  // closed rows' included
  std::uint64_t bytes_used = 0;
};

// How terms must stand in a row for it to match.
enum class TermMatch : std::uint8_t { kAny, kAll, kPhrase };

class SparseIndex {
 public:
  // Errors: kInvalidArgument (positions are for kCounts).
  [[nodiscard]] static Result<std::unique_ptr<SparseIndex>> create(const SparseOptions& options,
                                                                   EpochDomain& epochs);
  // Maps what save() wrote; milliseconds, whatever the size. `options` must equal those saved
  // (kFailedPrecondition, "checkpoint_options", otherwise). Bounds are checked on use; verify()
  // reads all. A file of another format version is kFailedPrecondition, "checkpoint_version".
  // Errors: kCorruption, kNotFound, kIo.
  [[nodiscard]] static Result<std::unique_ptr<SparseIndex>> open(FileSystem& fs,
                                                                 const std::string& path,
                                                                 const SparseOptions& options,
                                                                 EpochDomain& epochs);
  ~SparseIndex();

  // What readers of one moment hold: the segments that make it up, and its totals. Immutable. Rows
  // written later may be in it, closed later or added later; `as_of` tells.
  class Moment;

  // --- Writer ---
  // Makes a row of the slot's text or vector, and closes the row it had. Seen after publish() by
  // those who ask as of `seq` or later.
  void insert(SlotId slot, std::span<const TermAt> terms, Seq seq);
  void insert(SlotId slot, std::span<const SparseWeight> weights, Seq seq);
  // Closes the slot's row; returns whether there was one.
  bool erase(SlotId slot, Seq seq);
  // Makes all of it visible. Cost: linear in what is new, and now and then a merge of small
  // segments.
  [[nodiscard]] std::shared_ptr<const Moment> publish();

  // --- Background ---
  // Merges one run of segments, if any is due, leaving out the rows closed at or before `horizon`
  // (no reader as of an earlier moment is alive or will come). Returns how many rows it looked at;
  // 0 when nothing was due.
  std::size_t merge(Seq horizon);

  // --- Readers ---
  [[nodiscard]] std::shared_ptr<const Moment> moment() const;
  [[nodiscard]] static SparseTotals totals(const Moment& moment);
  // How many rows visible as of `as_of` have the key.
  [[nodiscard]] std::uint64_t rows_with(const Moment& moment, std::string_view key,
                                        Seq as_of) const;
  // The rows with the largest sums over the terms that they have, which is at least one; larger
  // first, equal scores as `ties` says. Exact. `terms` have distinct keys. Returns how many of
  // `hits` were filled. Errors: kDeadlineExceeded.
  [[nodiscard]] Result<std::size_t> search(const Moment& moment, std::span<const SparseTerm> terms,
                                           const SparseSearchParams& params,
                                           std::span<SparseHit> hits,
                                           SparseSearchStats* stats = nullptr) const;
  // Adds the slots of the rows that have any or all of the terms, or all of them one after the
  // other at the positions given, which ascend (kPhrase, which needs positions).
  void match(const Moment& moment, std::span<const TermAt> terms, TermMatch how, Seq as_of,
             SlotBitmap& into) const;

  // A consistent image as of the writer's last publish(), after which nothing may have been
  // written. Rows are copied at once; segments are shared, since they never change. Call from the
  // writer's thread.
  class Capture;
  [[nodiscard]] std::shared_ptr<const Capture> capture(Seq covers) const;
  // Writes a capture to a checkpoint file (base/checkpoint_file.h, kind "sparse"). Any thread.
  [[nodiscard]] static Status save(FileSystem& fs, const std::string& path, const Capture& capture);
  // After open(): compares the mapped file with its checksums, and reads every posting.
  [[nodiscard]] Status verify() const;

  [[nodiscard]] SparseStats stats() const;
  [[nodiscard]] const SparseOptions& options() const noexcept;

 private:
  SparseIndex();
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace quipu::index
