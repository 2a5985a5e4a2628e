// Facets, and values in order.
#include <algorithm>
#include <array>
#include <initializer_list>
#include <optional>
#include <type_traits>
#include <utility>

#include "quipu/base/format.h"
#include "quipu/index/payload/payload_core.h"
#include "quipu/index/payload/payload_lists.h"
#include "quipu/index/postings/posting_cursor.h"
#include "quipu/index/rows/deadline.h"

namespace quipu::index {
namespace {

// The clock is looked at once for so many entries.
constexpr std::uint64_t kEntriesPerLook = 4096;

// Which rows count, and whether there is still time.
class ScopeGate {
 public:
  ScopeGate(const PayloadCore& core, const PayloadIndex::Moment& moment, const PayloadScope& scope)
      : rows_(core.rows),
        filter_(scope.filter),
        visibility_(core, moment, scope.as_of, moment.points),
        deadline_{.at = scope.deadline, .clock = scope.clock} {}

  // Asks for every row once, in the order in which they lie in memory: worth it before most are
  // asked for in another order.
  void prepare() {
    if (passes_all()) return;
    const std::uint32_t count = rows_.count();
    std::vector<std::uint64_t> bits(count / 64 + 1, 0);
    for (std::uint32_t row = 0; row < count; ++row) {
      if (passes(row)) bits[row / 64] |= std::uint64_t{1} << (row % 64);
    }
    passing_ = std::move(bits);
  }
  [[nodiscard]] bool passes(std::uint32_t row) const {
    if (!passing_.empty()) {
      return row / 64 < passing_.size() && ((passing_[row / 64] >> (row % 64)) & 1U) != 0;
    }
    if (!visibility_.sees(row)) return false;
    return filter_ == nullptr || filter_->contains(SlotId(rows_.slot(row)));
  }
  [[nodiscard]] bool passes_all() const { return filter_ == nullptr && visibility_.sees_all(); }
  // Counts `entries` more; false once the deadline has passed.
  bool in_time(std::uint64_t entries) {
    entries_ += entries;
    if (entries_ >= kEntriesPerLook) {
      entries_ = 0;
      late_ = late_ || deadline_.passed();
    }
    return !late_;
  }
  [[nodiscard]] SlotId slot(std::uint32_t row) const { return SlotId(rows_.slot(row)); }

 private:
  const PayloadRows& rows_;
  const SlotFilter* const filter_;
  const PayloadVisibility visibility_;
  const Deadline deadline_;
  std::vector<std::uint64_t> passing_;  // a bitmap over rows, once prepared
  std::uint64_t entries_ = 0;
  bool late_ = false;
};

Error too_late(std::string_view what) {
  return {.code = ErrorCode::kDeadlineExceeded,
          .message = format("{} did not end before the deadline", what)};
}

bool is_better(const FacetHit& a, const FacetHit& b) {
  if (a.count != b.count) return a.count > b.count;
  return a.value < b.value;  // of one kind in one index
}

// Keeps the best k.
class BestFacets {
 public:
  explicit BestFacets(std::size_t k) : k_(k) {}
  template <typename MakeValue>
  void offer(std::uint64_t count, const MakeValue& make_value) {
    if (count == 0 || k_ == 0) return;
    if (heap_.size() == k_ && count < heap_.front().count) return;
    FacetHit hit = {.value = make_value(), .count = count};
    if (heap_.size() == k_) {
      if (!is_better(hit, heap_.front())) return;
      std::pop_heap(heap_.begin(), heap_.end(), is_better);
      heap_.pop_back();
    }
    heap_.push_back(std::move(hit));
    std::push_heap(heap_.begin(), heap_.end(), is_better);
  }
  std::vector<FacetHit> take() {
    std::sort_heap(heap_.begin(), heap_.end(), is_better);
    return std::move(heap_);
  }

 private:
  const std::size_t k_;
  std::vector<FacetHit> heap_;  // the worst in front
};

// Walks over sorted sources side by side: `Source` has done(), before(other) and, for the caller,
// what it stands at.
template <typename Source>
class SideBySide {
 public:
  void add(Source source) {
    if (source.done()) return;
    heap_.push_back(std::move(source));
    std::push_heap(heap_.begin(), heap_.end(), later);
  }
  [[nodiscard]] bool done() const { return heap_.empty(); }
  [[nodiscard]] const Source& first() const { return heap_.front(); }
  void step() {
    std::pop_heap(heap_.begin(), heap_.end(), later);
    heap_.back().step();
    if (heap_.back().done()) {
      heap_.pop_back();
    } else {
      std::push_heap(heap_.begin(), heap_.end(), later);
    }
  }

 private:
  static bool later(const Source& a, const Source& b) { return b.before(a); }
  std::vector<Source> heap_;
};

// The keys of one segment's dictionary with one tag.
struct KeySource {
  const Segment* segment;
  std::uint32_t key;
  std::string_view bytes;
  char tag;

  KeySource(const Segment& of, PayloadTag wanted)
      : segment(&of), key(of.lower_bound(tagged(wanted))), tag(static_cast<char>(wanted)) {
    look();
  }
  void look() { bytes = key < segment->key_count() ? segment->key(key) : std::string_view(); }
  [[nodiscard]] bool done() const { return bytes.empty() || bytes.front() != tag; }
  [[nodiscard]] bool before(const KeySource& other) const { return bytes < other.bytes; }
  void step() {
    ++key;
    look();
  }
};

// A stretch of a run, from either end.
template <typename T>
struct RunSource {
  const SortedRun<T>* run;
  std::size_t at = 0;
  [[nodiscard]] const T& value() const { return run->values()[at]; }
  [[nodiscard]] std::uint32_t row() const { return run->rows()[at]; }
  [[nodiscard]] bool done() const { return at >= run->size(); }
  [[nodiscard]] bool before(const RunSource& other) const {
    return RunOrder<T>()(value(), other.value());
  }
  void step() { ++at; }
};

Status facet_keys(const PayloadSegments& segments, PayloadTag tag, ScopeGate& gate,
                  BestFacets& best) {
  SideBySide<KeySource> sources;
  for (const auto& segment : segments) sources.add(KeySource(*segment->postings, tag));
  while (!sources.done()) {
    const std::string_view key = sources.first().bytes;
    std::uint64_t count = 0;
    for (; !sources.done() && sources.first().bytes == key; sources.step()) {
      const KeySource& source = sources.first();
      const std::uint32_t postings = source.segment->posting_count(source.key);
      if (!gate.in_time(postings)) return too_late("counting facets");
      if (gate.passes_all()) {
        count += postings;
        continue;
      }
      PostingCursor cursor(*source.segment, source.key);
      for (std::uint32_t row = cursor.next(); row != kRowsEnd; row = cursor.next()) {
        if (gate.passes(row)) ++count;
      }
    }
    best.offer(count, [&]() -> decltype(FacetHit::value) {
      const std::string_view value = key.substr(1);
      if (tag == PayloadTag::kFlag) return value == "1";
      return std::string(value);
    });
  }
  return ok_status();
}

template <typename T, typename MakeValue>
Status facet_runs(const PayloadSegments& segments, SortedRun<T> PayloadSegment::*member,
                  ScopeGate& gate, BestFacets& best, const MakeValue& make_value) {
  SideBySide<RunSource<T>> sources;
  for (const auto& segment : segments) sources.add({.run = &((*segment).*member)});
  while (!sources.done()) {
    const T value = sources.first().value();
    std::uint64_t count = 0;
    for (; !sources.done() && sources.first().value() == value; sources.step()) {
      if (!gate.in_time(1)) return too_late("counting facets");
      if (gate.passes(sources.first().row())) ++count;
    }
    best.offer(count, [&]() -> decltype(FacetHit::value) { return make_value(value); });
  }
  return ok_status();
}

// A run of numbers in either direction, among runs of both kinds of numbers.
struct OrderSource {
  std::span<const std::int64_t> integers;  // one of the two is empty
  std::span<const double> floats;
  std::span<const std::uint32_t> rows;
  std::size_t left = 0;  // how many are still to come, the current one included
  bool descending = false;

  [[nodiscard]] std::size_t at() const { return descending ? left - 1 : rows.size() - left; }
  [[nodiscard]] OrderValue value() const {
    if (!integers.empty()) return {integers[at()]};
    return {floats[at()]};
  }
  [[nodiscard]] std::uint32_t row() const { return rows[at()]; }
  [[nodiscard]] bool done() const { return left == 0; }
  [[nodiscard]] bool before(const OrderSource& other) const {
    return descending ? other.value() < value() : value() < other.value();
  }
  void step() { --left; }
};

template <typename T>
OrderSource order_source(const SortedRun<T>& run, const PayloadWalk& walk) {
  OrderSource source = {.rows = run.rows(), .left = run.size(), .descending = walk.descending};
  if constexpr (std::is_same_v<T, double>) {
    source.floats = run.values();
  } else {
    source.integers = run.values();
  }
  if (!walk.start_from.has_value()) return source;
  const OrderValue start = *walk.start_from;
  const auto first =
      std::partition_point(run.values().begin(), run.values().end(), [&](const T& value) {
        const OrderValue here{value};
        return walk.descending ? !(start < here) : here < start;
      });
  const auto below = static_cast<std::size_t>(first - run.values().begin());
  source.left = walk.descending ? below : run.size() - below;
  return source;
}

}  // namespace

namespace {

// Whether a row that passes is in a list of one of the tags.
bool any_tagged(const PayloadSegments& segments, const ScopeGate& gate,
                std::initializer_list<PayloadTag> tags) {
  for (const PayloadTag tag : tags) {
    for (const auto& segment : segments) {
      const std::optional<std::uint32_t> key = segment->postings->find(tagged(tag));
      if (!key.has_value()) continue;
      PostingCursor cursor(*segment->postings, *key);
      for (std::uint32_t row = cursor.next(); row != kRowsEnd; row = cursor.next()) {
        if (gate.passes(row)) return true;
      }
    }
  }
  return false;
}

}  // namespace

bool PayloadIndex::is_whole(const Moment& moment, const PayloadScope& scope) const {
  const ScopeGate gate(*state_->core, moment, scope);
  return !any_tagged(*moment.segments, gate,
                     {PayloadTag::kOthers, PayloadTag::kUnheld, PayloadTag::kLong});
}

Result<std::vector<FacetHit>> PayloadIndex::facet(const Moment& moment, const PayloadScope& scope,
                                                  std::size_t k) const {
  const PayloadKind kind = options().kind;
  const bool counts = kind == PayloadKind::kKeyword || kind == PayloadKind::kUuid ||
                      kind == PayloadKind::kInteger || kind == PayloadKind::kBool;
  if (!counts) {
    return Error{.code = ErrorCode::kFailedPrecondition,
                 .message = format("an index of kind {} has no facets; keyword, integer, bool and "
                                   "uuid have",
                                   payload_kind_name(kind)),
                 .reason = "facet_kind"};
  }
  const PayloadSegments& segments = *moment.segments;
  ScopeGate gate(*state_->core, moment, scope);
  gate.prepare();
  if (any_tagged(segments, gate, {PayloadTag::kUnheld, PayloadTag::kLong})) {
    return Error{.code = ErrorCode::kFailedPrecondition,
                 .message = format("a value of over {} bytes is not in the index", kHeldBytesMax),
                 .reason = "index_incomplete"};
  }
  BestFacets best(k);
  if (kind == PayloadKind::kInteger) {
    QUIPU_TRY_OK(facet_runs(segments, &PayloadSegment::integers, gate, best,
                            [](std::int64_t value) { return value; }));
    return best.take();
  }
  if (kind == PayloadKind::kUuid) {
    QUIPU_TRY_OK(facet_runs(segments, &PayloadSegment::uuids, gate, best, uuid_text));
  }
  QUIPU_TRY_OK(facet_keys(
      segments, kind == PayloadKind::kBool ? PayloadTag::kFlag : PayloadTag::kString, gate, best));
  return best.take();
}

Status PayloadIndex::walk_ordered(const Moment& moment, const PayloadScope& scope,
                                  const PayloadWalk& walk, const WalkVisitor& visit) const {
  const PayloadKind kind = options().kind;
  if (kind != PayloadKind::kInteger && kind != PayloadKind::kFloat &&
      kind != PayloadKind::kDatetime) {
    return Error{.code = ErrorCode::kFailedPrecondition,
                 .message = format("an index of kind {} has no order; integer, float and datetime "
                                   "have",
                                   payload_kind_name(kind)),
                 .reason = "order_kind"};
  }
  ScopeGate gate(*state_->core, moment, scope);
  SideBySide<OrderSource> sources;
  for (const auto& segment : *moment.segments) {
    sources.add(order_source(segment->integers, walk));
    sources.add(order_source(segment->floats, walk));
  }
  for (; !sources.done(); sources.step()) {
    if (!gate.in_time(1)) return too_late("the walk in order");
    const OrderSource& source = sources.first();
    if (gate.passes(source.row()) && !visit(source.value(), gate.slot(source.row()))) break;
  }
  return ok_status();
}

}  // namespace quipu::index
