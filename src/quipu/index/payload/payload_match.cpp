// Which points a query holds for.
#include <algorithm>
#include <iterator>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include "quipu/assert.h"
#include "quipu/base/bytes.h"
#include "quipu/index/payload/number_bounds.h"
#include "quipu/index/payload/payload_core.h"
#include "quipu/index/payload/payload_lists.h"
#include "quipu/index/postings/posting_cursor.h"

namespace quipu::index {
namespace {

// How far ahead rows of a run are fetched: their order is that of values, so each is a cache miss.
constexpr std::size_t kPrefetchRows = 16;

// A bitmap over slots in the making.
using Words = std::vector<std::uint64_t>;

void subtract(Words& from, const Words& what) {
  for (std::size_t i = 0; i < what.size(); ++i) from[i] &= ~what[i];
}

// The rows of one segment that have the words, by walking the terms' lists side by side.
class WordJoin {
 public:
  WordJoin(const Segment& segment, const WordsQuery& query) : mode_(query.mode) {
    for (const auto& [term, position] : query.terms) {
      const std::optional<std::uint32_t> key = segment.find(tagged(PayloadTag::kTerm, term));
      if (key.has_value()) {
        lists_.push_back({std::make_unique<PostingCursor>(segment, *key), position});
        lists_.back().cursor->seek(0);
      } else if (mode_ != TextMatchMode::kAny) {
        lists_.clear();
        return;
      }
    }
  }

  // Calls `visit` for each row; for kAny a row may come again.
  template <typename Visit>
  void run(const Visit& visit) {
    if (mode_ == TextMatchMode::kAny) {
      for (List& list : lists_) {
        for (std::uint32_t row = list.cursor->row(); row != kRowsEnd; row = list.cursor->next()) {
          visit(row);
        }
      }
      return;
    }
    if (lists_.empty()) return;
    for (std::uint32_t row = lists_.front().cursor->row(); row != kRowsEnd;) {
      std::uint32_t next = row;
      for (List& list : lists_) next = std::max(next, list.cursor->seek(next));
      if (next == kRowsEnd) return;
      if (next == row) {
        if (mode_ == TextMatchMode::kAll || in_order()) visit(row);
        next = row + 1;
      }
      row = lists_.front().cursor->seek(next);
    }
  }

 private:
  struct List {
    std::unique_ptr<PostingCursor> cursor;
    std::uint32_t position = 0;
  };

  // Whether the terms stand at the given distances from each other somewhere in the row.
  bool in_order() {
    starts_.clear();
    for (std::size_t i = 0; i < lists_.size(); ++i) {
      here_.clear();
      if (!lists_[i].cursor->read_positions(here_)) return false;
      const std::uint32_t offset = lists_[i].position - lists_.front().position;
      here_.erase(std::remove_if(here_.begin(), here_.end(),
                                 [offset](std::uint32_t at) { return at < offset; }),
                  here_.end());
      for (std::uint32_t& position : here_) position -= offset;
      if (i == 0) {
        std::swap(starts_, here_);
      } else {
        both_.clear();
        std::set_intersection(starts_.begin(), starts_.end(), here_.begin(), here_.end(),
                              std::back_inserter(both_));
        std::swap(starts_, both_);
      }
      if (starts_.empty()) return false;
    }
    return true;
  }

  const TextMatchMode mode_;
  std::vector<List> lists_;
  std::vector<std::uint32_t> starts_;
  std::vector<std::uint32_t> here_;
  std::vector<std::uint32_t> both_;
};

class Match {
 public:
  Match(const PayloadCore& core, const PayloadIndex::Moment& moment, Seq as_of,
        std::uint64_t rows_expected)
      : core_(core),
        segments_(*moment.segments),
        visibility_(core, moment, as_of, rows_expected),
        slot_count_(core.rows.slot_count()),
        sure_(words()) {}

  void operator()(const StringsQuery& query) {
    const std::vector<std::string> values = distinct_values(query.values);
    const bool asks_long = std::any_of(values.begin(), values.end(), is_long);
    if (query.except) return match_except(values, asks_long);
    for (const auto& segment : segments_) {
      for (const std::string& value : values) {
        for_each_row(*segment, value, [&](std::uint32_t row) { add(sure_, row); });
      }
    }
    add_unheld(asks_long);
  }
  void operator()(const IntegersQuery& query) {
    const std::vector<std::int64_t> values = distinct_values(query.values);
    if (query.except) return match_except(values, false);
    for (const auto& segment : segments_) {
      for (const std::int64_t value : values) {
        add_run(sure_, segment->integers.rows(), segment->integers.equal(value));
      }
    }
    add_unheld(false);
  }
  void operator()(const BoolQuery& query) {
    add_list(sure_, tagged(PayloadTag::kFlag, query.value ? "1" : "0"));
    add_unheld(false);
  }
  void operator()(const StringsThatQuery& query) {
    const std::string begin = tagged(PayloadTag::kString, query.prefix);
    for (const auto& segment : segments_) {
      const Segment& postings = *segment->postings;
      for (std::uint32_t key = postings.lower_bound(begin); key < postings.key_count(); ++key) {
        const std::string_view bytes = postings.key(key);
        if (!bytes.starts_with(begin)) break;
        if (!query.check || query.check(bytes.substr(1))) add_key(sure_, postings, key);
      }
    }
    add_unheld(true);
  }
  void operator()(const NumberRange& range) {
    const NumberBounds bounds(range);
    for (const auto& segment : segments_) {
      add_run(sure_, segment->integers.rows(), bounds.of(segment->integers));
      add_run(sure_, segment->floats.rows(), bounds.of(segment->floats));
    }
    add_unheld(false);
  }
  void operator()(const TimeQuery& query) {
    for (const auto& segment : segments_) {
      add_run(sure_, segment->integers.rows(), times_between(segment->integers, query));
    }
    add_unheld(false);
  }
  void operator()(const RegionQuery& query) {
    for (const auto& segment : segments_) {
      const SortedRun<GeoPoint>& points = segment->points;
      for_each_candidate(points, *query.region, [&](const SortedRun<GeoPoint>::Range& range) {
        for (std::size_t i = range.begin; i < range.end; ++i) {
          if (query.region->contains(points.values()[i])) add(sure_, points.rows()[i]);
        }
      });
    }
    add_unheld(false);
  }
  void operator()(const WordsQuery& query) {
    if (query.terms.empty()) return;
    const bool guess =
        query.mode == TextMatchMode::kPhrase && !core_.options.positions && query.terms.size() > 1;
    WordsQuery asked = query;
    if (asked.mode == TextMatchMode::kPhrase && !core_.options.positions) {
      asked.mode = TextMatchMode::kAll;
    }
    for (const auto& segment : segments_) {
      WordJoin(*segment->postings, asked).run([&](std::uint32_t row) {
        add(guess ? maybe_ : sure_, row);
      });
    }
    add_unheld(std::any_of(query.terms.begin(), query.terms.end(),
                           [](const auto& term) { return is_long(term.first); }));
  }
  void operator()(const ValuesCount& bounds) {
    if (count_within(1, bounds)) add_all_but(sure_, {tagged(PayloadTag::kOddCounts)});
    const std::string begin = tagged(PayloadTag::kCounted);
    for (const auto& segment : segments_) {
      const Segment& postings = *segment->postings;
      for (std::uint32_t key = postings.lower_bound(begin); key < postings.key_count(); ++key) {
        const std::string_view bytes = postings.key(key);
        if (!bytes.starts_with(begin)) break;
        if (count_within(count_of_key(bytes), bounds)) add_key(sure_, postings, key);
      }
    }
  }
  void operator()(const IsEmpty& query) { match_fact(PayloadTag::kEmpty, query.expected); }
  void operator()(const IsNull& query) { match_fact(PayloadTag::kNull, query.expected); }
  void operator()(const AnyElementQuery&) {
    add_all_but(sure_, {tagged(PayloadTag::kNothing)});
    add_list(sure_, tagged(PayloadTag::kOthers));
    add_list(sure_, tagged(PayloadTag::kUnheld));
    add_list(sure_, tagged(PayloadTag::kLong));
  }
  void operator()(const NothingQuery&) {}

  void add_present() { add_all_but(sure_, {}); }
  [[nodiscard]] Words& sure() { return sure_; }
  [[nodiscard]] Words& maybe() { return maybe_; }

 private:
  [[nodiscard]] Words words() const { return Words(slot_count_ / 64 + 1, 0); }

  void add(Words& into, std::uint32_t row) const {
    if (!visibility_.sees(row)) return;
    const std::uint32_t slot = core_.rows.slot(row);
    if (into.empty()) into = words();
    if (slot < slot_count_) into[slot / 64] |= std::uint64_t{1} << (slot % 64);
  }
  void add_key(Words& into, const Segment& postings, std::uint32_t key) const {
    PostingCursor cursor(postings, key);
    for (std::uint32_t row = cursor.next(); row != kRowsEnd; row = cursor.next()) add(into, row);
  }
  void add_list(Words& into, const std::string& key) const {
    for (const auto& segment : segments_) {
      const std::optional<std::uint32_t> found = segment->postings->find(key);
      if (found.has_value()) add_key(into, *segment->postings, *found);
    }
  }
  template <typename Range>
  void add_run(Words& into, std::span<const std::uint32_t> rows, const Range& range) const {
    const std::uint32_t count = core_.rows.count();
    for (std::size_t i = range.begin; i < range.end; ++i) {
      const std::size_t ahead = i + kPrefetchRows;
      if (ahead < range.end && rows[ahead] < count) core_.rows.prefetch(rows[ahead]);
      add(into, rows[i]);
    }
  }
  // All points with the field whose rows are in none of the lists.
  void add_all_but(Words& into, std::initializer_list<std::string> lists) const {
    Words all = words();
    for (const auto& segment : segments_) {
      for (const std::uint32_t row : segment->rows()) add(all, row);
    }
    for (const std::string& list : lists) {
      Words without;
      add_list(without, list);
      subtract(all, without);
    }
    for (std::size_t i = 0; i < into.size(); ++i) into[i] |= all[i];
  }
  void match_fact(PayloadTag tag, bool expected) {
    if (expected) return add_list(sure_, tagged(tag));
    add_all_but(sure_, {tagged(tag)});
  }
  // Points of which more is there than the index holds: the value asked for may be among it.
  void add_unheld(bool asks_long) {
    add_list(maybe_, tagged(PayloadTag::kUnheld));
    if (asks_long) add_list(maybe_, tagged(PayloadTag::kLong));
  }

  template <typename Visit>
  void for_each_row(const PayloadSegment& segment, const std::string& value,
                    const Visit& visit) const {
    if (is_long(value)) return;
    if (core_.options.kind == PayloadKind::kUuid) {
      if (const std::optional<Uuid> uuid = uuid_of(value); uuid.has_value()) {
        const auto range = segment.uuids.equal(*uuid);
        for (std::size_t i = range.begin; i < range.end; ++i) visit(segment.uuids.rows()[i]);
        return;
      }
    }
    const std::optional<std::uint32_t> key =
        segment.postings->find(tagged(PayloadTag::kString, value));
    if (!key.has_value()) return;
    PostingCursor cursor(*segment.postings, *key);
    for (std::uint32_t row = cursor.next(); row != kRowsEnd; row = cursor.next()) visit(row);
  }
  template <typename Visit>
  void for_each_row(const PayloadSegment& segment, std::int64_t value, const Visit& visit) const {
    const auto range = segment.integers.equal(value);
    for (std::size_t i = range.begin; i < range.end; ++i) visit(segment.integers.rows()[i]);
  }

  // A row holds a value that is none of `values` when it holds more values than it holds of these.
  // Values that are not held are none of them, unless long ones are asked for, or nobody knows.
  template <typename T>
  void match_except(const std::vector<T>& values, bool asks_long) {
    for (const auto& segment : segments_) {
      std::vector<std::uint32_t> hits;
      for (const T& value : values) {
        for_each_row(*segment, value, [&hits](std::uint32_t row) { hits.push_back(row); });
      }
      std::sort(hits.begin(), hits.end());
      const std::vector<std::uint32_t> without = rows_without_others(*segment->postings, hits);
      auto excluded = without.begin();
      for (const std::uint32_t row : segment->rows()) {
        while (excluded != without.end() && *excluded < row) ++excluded;
        if (excluded == without.end() || *excluded != row) add(sure_, row);
      }
    }
    add_list(sure_, tagged(PayloadTag::kOthers));
    add_list(asks_long ? maybe_ : sure_, tagged(PayloadTag::kLong));
    add_list(maybe_, tagged(PayloadTag::kUnheld));
  }
  // Ascending: the rows that hold nothing, or nothing but what they are hit by.
  static std::vector<std::uint32_t> rows_without_others(const Segment& postings,
                                                        const std::vector<std::uint32_t>& hits) {
    std::vector<std::uint32_t> rows;
    const std::optional<std::uint32_t> many = postings.find(tagged(PayloadTag::kMany));
    std::optional<PostingCursor> counts;
    if (many.has_value()) counts.emplace(postings, *many);
    for (std::size_t i = 0; i < hits.size();) {
      const std::uint32_t row = hits[i];
      std::uint32_t times = 0;
      for (; i < hits.size() && hits[i] == row; ++i) ++times;
      const std::uint32_t held =
          counts.has_value() && counts->seek(row) == row ? counts->number() : 1;
      if (times >= held) rows.push_back(row);
    }
    const auto hit_rows = static_cast<std::ptrdiff_t>(rows.size());
    if (const auto nothing = postings.find(tagged(PayloadTag::kNothing)); nothing.has_value()) {
      PostingCursor cursor(postings, *nothing);
      for (std::uint32_t row = cursor.next(); row != kRowsEnd; row = cursor.next()) {
        rows.push_back(row);
      }
    }
    // A damaged list may be out of order.
    std::sort(rows.begin() + hit_rows, rows.end());
    std::inplace_merge(rows.begin(), rows.begin() + hit_rows, rows.end());
    return rows;
  }

  const PayloadCore& core_;
  const PayloadSegments& segments_;
  const PayloadVisibility visibility_;
  const std::uint32_t slot_count_;
  Words sure_;
  Words maybe_;  // empty until there is one
};

bool kind_holds_numbers(PayloadKind kind) {
  return kind == PayloadKind::kInteger || kind == PayloadKind::kFloat;
}
bool kind_holds_strings(PayloadKind kind) {
  return kind == PayloadKind::kKeyword || kind == PayloadKind::kUuid;
}

// To estimate a long list is half the work of matching it.
std::uint64_t rows_expected(const PayloadIndex& index, const PayloadIndex::Moment& moment,
                            const PayloadQuery& query) {
  constexpr std::size_t kValuesMax = 16;
  const auto* const strings = std::get_if<StringsQuery>(&query);
  const auto* const integers = std::get_if<IntegersQuery>(&query);
  const bool many = (strings != nullptr && strings->values.size() > kValuesMax) ||
                    (integers != nullptr && integers->values.size() > kValuesMax);
  return many ? PayloadIndex::points(moment) : index.estimate(moment, query).high;
}

// Whether the list is of what the kind holds, or says nothing about kinds.
bool answers_list(PayloadKind kind, const MatchList& list) {
  const bool strings = std::holds_alternative<std::vector<std::string>>(list);
  return std::visit([](const auto& values) { return values.empty(); }, list) ||
         (strings ? kind_holds_strings(kind) : kind_holds_numbers(kind));
}

}  // namespace

bool PayloadIndex::answers(const FieldPredicate& predicate) const noexcept {
  const PayloadKind kind = options().kind;
  return std::visit(
      [kind](const auto& is) {
        using Is = std::decay_t<decltype(is)>;
        if constexpr (std::is_same_v<Is, MatchValue>) {
          if (std::holds_alternative<std::string>(is.value)) return kind_holds_strings(kind);
          if (std::holds_alternative<bool>(is.value)) return kind == PayloadKind::kBool;
          return kind_holds_numbers(kind);
        } else if constexpr (std::is_same_v<Is, MatchAny> || std::is_same_v<Is, MatchExcept>) {
          return answers_list(kind, is.values);
        } else if constexpr (std::is_same_v<Is, MatchText>) {
          return kind == PayloadKind::kText;
        } else if constexpr (std::is_same_v<Is, MatchPrefix> ||
                             std::is_same_v<Is, MatchSubstring>) {
          return kind == PayloadKind::kKeyword;
        } else if constexpr (std::is_same_v<Is, NumberRange>) {
          return kind_holds_numbers(kind);
        } else if constexpr (std::is_same_v<Is, DatetimeRange>) {
          return kind == PayloadKind::kDatetime;
        } else if constexpr (std::is_same_v<Is, ValuesCount> || std::is_same_v<Is, IsEmpty> ||
                             std::is_same_v<Is, IsNull>) {
          return true;
        } else {
          return kind == PayloadKind::kGeo;
        }
      },
      predicate);
}

bool PayloadIndex::answers(const PayloadQuery& query) const noexcept {
  const PayloadKind kind = options().kind;
  return std::visit(
      [kind](const auto& is) {
        using Is = std::decay_t<decltype(is)>;
        if constexpr (std::is_same_v<Is, StringsQuery>) {
          return kind_holds_strings(kind);
        } else if constexpr (std::is_same_v<Is, IntegersQuery> || std::is_same_v<Is, NumberRange>) {
          return kind_holds_numbers(kind);
        } else if constexpr (std::is_same_v<Is, BoolQuery>) {
          return kind == PayloadKind::kBool;
        } else if constexpr (std::is_same_v<Is, StringsThatQuery>) {
          return kind == PayloadKind::kKeyword;
        } else if constexpr (std::is_same_v<Is, TimeQuery>) {
          return kind == PayloadKind::kDatetime;
        } else if constexpr (std::is_same_v<Is, RegionQuery>) {
          return kind == PayloadKind::kGeo;
        } else if constexpr (std::is_same_v<Is, WordsQuery>) {
          return kind == PayloadKind::kText;
        } else {
          return true;
        }
      },
      query);
}

bool count_within(std::uint64_t count, const ValuesCount& bounds) noexcept {
  return (!bounds.lt.has_value() || count < *bounds.lt) &&
         (!bounds.gt.has_value() || count > *bounds.gt) &&
         (!bounds.lte.has_value() || count <= *bounds.lte) &&
         (!bounds.gte.has_value() || count >= *bounds.gte);
}

bool holds_when_missing(const PayloadQuery& query) noexcept {
  if (const auto* const count = std::get_if<ValuesCount>(&query)) return count_within(0, *count);
  if (const auto* const empty = std::get_if<IsEmpty>(&query)) return empty->expected;
  if (const auto* const null = std::get_if<IsNull>(&query)) return !null->expected;
  return false;
}

void PayloadIndex::match(const Moment& moment, const PayloadQuery& query, Seq as_of,
                         SlotBitmap& sure, SlotBitmap& maybe) const {
  QUIPU_ASSERT(answers(query));
  Match match(*state_->core, moment, as_of, rows_expected(*this, moment, query));
  std::visit(match, query);
  sure.unite_words(std::move(match.sure()));
  maybe.unite_words(std::move(match.maybe()));
}

void PayloadIndex::match_present(const Moment& moment, Seq as_of, SlotBitmap& into) const {
  Match match(*state_->core, moment, as_of, moment.points);
  match.add_present();
  into.unite_words(std::move(match.sure()));
}

}  // namespace quipu::index
