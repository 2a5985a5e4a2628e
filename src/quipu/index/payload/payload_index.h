// An index over one payload key of the points of a shard. A view like the dense and the sparse one:
// rows carry the moments between which they are seen, and every question is about one moment.
//
// Inserted rows become part of a small immutable segment at the next publish(): posting lists of
// strings, terms and facts, sorted runs of numbers, times, UUIDs and places. Segments of like size
// are merged, the small ones by the writer, the large ones by merge() in the background; rows that
// were closed before the horizon are left out then, and freed. So there is no lock on the way of a
// question, and an update is found with the write that carries it.
//
// Answers are those that query::CompiledFilter gives for the stored payload, point by point. Where
// the index does not hold all that a point has under the key, the point is a "maybe", which the
// caller judges by its payload.
//
// Threads: one writer calls insert(), erase(), publish() and capture(); merge() by one thread at a
// time; everything const by any that holds a guard of the epoch domain, taken before the moment.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "quipu/base/clock.h"
#include "quipu/base/epoch.h"
#include "quipu/base/file_system.h"
#include "quipu/filter.h"
#include "quipu/ids.h"
#include "quipu/index/payload/payload_query.h"
#include "quipu/index/payload/payload_values.h"
#include "quipu/index/slot_filter.h"
#include "quipu/result.h"

namespace quipu::index {

// How many points: surely no fewer than `low` and no more than `high`.
struct PayloadEstimate {
  std::uint64_t low = 0;
  std::uint64_t expected = 0;
  std::uint64_t high = 0;
};

// What long questions share. A question that passes its deadline ends with kDeadlineExceeded.
struct PayloadScope {
  // A moment of the shard that the index's moment shows: not before it, and before the next write.
  // An earlier one is allowed too, back to the horizon of the merges.
  Seq as_of{0};
  const SlotFilter* filter = nullptr;  // null: everything passes
  std::chrono::steady_clock::time_point deadline = std::chrono::steady_clock::time_point::max();
  const Clock* clock = nullptr;  // needed with a deadline
};

struct FacetHit {
  std::variant<std::string, std::int64_t, bool> value;
  std::uint64_t count = 0;
  friend bool operator==(const FacetHit&, const FacetHit&) = default;
};

struct PayloadWalk {
  bool descending = false;
  // The first value: the least, or the greatest when descending.
  std::optional<OrderValue> start_from;
};

struct PayloadStats {
  std::size_t points = 0;       // that have the field
  std::size_t closed_rows = 0;  // closed, not yet freed
  std::size_t segments = 0;
  std::uint64_t keys = 0;     // of dictionaries; a key of several segments counts for each
  std::uint64_t entries = 0;  // of lists and runs, closed rows' included
  std::uint64_t bytes_used = 0;
};

class PayloadIndex {
 public:
  // Errors: kInvalidArgument (positions are for kText).
  [[nodiscard]] static Result<std::unique_ptr<PayloadIndex>> create(const PayloadOptions& options,
                                                                    EpochDomain& epochs);
  // Maps what save() wrote; milliseconds, whatever the size. `options` must equal those saved
  // (kFailedPrecondition, "checkpoint_options", otherwise). Bounds are checked on use; verify()
  // reads all. A file of another format version is kFailedPrecondition, "checkpoint_version".
  // Errors: kCorruption, kNotFound, kIo.
  [[nodiscard]] static Result<std::unique_ptr<PayloadIndex>> open(FileSystem& fs,
                                                                  const std::string& path,
                                                                  const PayloadOptions& options,
                                                                  EpochDomain& epochs);
  ~PayloadIndex();

  // What readers of one moment hold. Immutable. Rows written later may be in it, closed later or
  // added later; `as_of` tells.
  class Moment;

  // --- Writer ---
  // Makes a row of what the slot's point has under the key, and closes the row it had. Seen after
  // publish() by those who ask as of `seq` or later. A point without the field is erased instead.
  void insert(SlotId slot, const PayloadValues& values, Seq seq);
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
  // How many points have the field.
  [[nodiscard]] static std::uint64_t points(const Moment& moment);

  // Whether match() can be asked: by the kind alone. For MatchText it needs the terms that the
  // field's analyzer makes of the query.
  [[nodiscard]] bool answers(const FieldPredicate& predicate) const noexcept;
  [[nodiscard]] bool answers(const PayloadQuery& query) const noexcept;

  // Adds to `sure` the points for which the query surely holds, and to `maybe` those that have to
  // be judged (some of them may be in `sure`). Points without the field are in neither: see
  // holds_when_missing(). Cost: linear in the entries that are looked at, and a bit for each slot.
  void match(const Moment& moment, const PayloadQuery& query, Seq as_of, SlotBitmap& sure,
             SlotBitmap& maybe) const;
  // The points that have the field.
  void match_present(const Moment& moment, Seq as_of, SlotBitmap& into) const;

  // How many points match() would find, `maybe` counted in `high`. Counts lists and searches runs;
  // reads neither.
  [[nodiscard]] PayloadEstimate estimate(const Moment& moment, const PayloadQuery& query) const;

  // Whether the index holds every element, nulls aside, that the points which are seen and pass
  // have under the key. Cost: linear in the rows that hold something else.
  [[nodiscard]] bool is_whole(const Moment& moment, const PayloadScope& scope) const;

  // The `k` values that most points have which are seen and pass; more frequent ones first, equal
  // counts by ascending value. A point counts once for a value. Of kKeyword, kUuid, kInteger (its
  // integers) and kBool. Errors: kFailedPrecondition ("facet_kind") for others,
  // kFailedPrecondition ("index_incomplete") when values are not held, kDeadlineExceeded.
  // Cost: linear in the values' entries.
  [[nodiscard]] Result<std::vector<FacetHit>> facet(const Moment& moment, const PayloadScope& scope,
                                                    std::size_t k) const;

  // Calls `visit` for each number or time of the points that are seen and pass, in order, until it
  // returns false; a point with several comes for each. Equal values come in no particular order.
  // Of kInteger, kFloat and kDatetime. Errors: kFailedPrecondition ("order_kind") for others,
  // kDeadlineExceeded.
  using WalkVisitor = std::function<bool(const OrderValue& value, SlotId slot)>;
  [[nodiscard]] Status walk_ordered(const Moment& moment, const PayloadScope& scope,
                                    const PayloadWalk& walk, const WalkVisitor& visit) const;

  // A consistent image as of the writer's last publish(), after which nothing may have been
  // written. Rows are copied at once; segments are shared, since they never change. Call from the
  // writer's thread.
  class Capture;
  [[nodiscard]] std::shared_ptr<const Capture> capture(Seq covers) const;
  // Writes a capture to a checkpoint file (base/checkpoint_file.h, kind "payload"). Any thread.
  [[nodiscard]] static Status save(FileSystem& fs, const std::string& path, const Capture& capture);
  // After open(): compares the mapped file with its checksums, and reads every entry.
  [[nodiscard]] Status verify() const;
  // The moment that the checkpoint covers from which this was opened; 0 without one.
  [[nodiscard]] Seq covers() const noexcept;

  [[nodiscard]] PayloadStats stats() const;
  [[nodiscard]] const PayloadOptions& options() const noexcept;

 private:
  PayloadIndex();
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace quipu::index
