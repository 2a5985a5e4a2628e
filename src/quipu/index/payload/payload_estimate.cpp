// How many points a query holds for, from the sizes of lists and runs alone.
//
// A list or stretch of n entries stands for at most n points, and for at least n - surplus, where
// the surplus is all rows beyond one for each point that is there: closed ones, and further strings
// of a text.
#include <algorithm>
#include <cmath>
#include <optional>
#include <string>

#include "quipu/index/payload/number_bounds.h"
#include "quipu/index/payload/payload_core.h"
#include "quipu/index/payload/payload_lists.h"

namespace quipu::index {
namespace {

// Of a prefix that more keys than this have, in one segment, the others are taken to be like them.
constexpr std::uint32_t kKeysCountedMax = 256;

class Estimator {
 public:
  explicit Estimator(const PayloadIndex::Moment& moment)
      : segments_(*moment.segments), points_(moment.points) {
    for (const auto& segment : segments_) rows_ += segment->rows().size();
    surplus_ = rows_ - std::min(rows_, points_);
  }

  PayloadEstimate operator()(const StringsQuery& query) const {
    const std::vector<std::string> values = distinct_values(query.values);
    const bool asks_long = std::any_of(values.begin(), values.end(), is_long);
    std::uint64_t sum = 0;
    std::uint64_t most = 0;
    for (const std::string& value : values) {
      if (is_long(value)) continue;
      std::uint64_t count = list(tagged(PayloadTag::kString, value));
      if (const std::optional<Uuid> uuid = uuid_of(value); uuid.has_value()) {
        for (const auto& segment : segments_) count += segment->uuids.equal(*uuid).size();
      }
      sum += count;
      most = std::max(most, count);
    }
    const PayloadEstimate found = any_of(sum, most);
    return query.except ? except(found) : with_unheld(found, asks_long);
  }
  PayloadEstimate operator()(const IntegersQuery& query) const {
    std::uint64_t sum = 0;
    std::uint64_t most = 0;
    for (const std::int64_t value : distinct_values(query.values)) {
      std::uint64_t count = 0;
      for (const auto& segment : segments_) count += segment->integers.equal(value).size();
      sum += count;
      most = std::max(most, count);
    }
    const PayloadEstimate found = any_of(sum, most);
    return query.except ? except(found) : with_unheld(found, false);
  }
  PayloadEstimate operator()(const BoolQuery& query) const {
    const std::uint64_t count = list(tagged(PayloadTag::kFlag, query.value ? "1" : "0"));
    return with_unheld(any_of(count, count), false);
  }
  PayloadEstimate operator()(const StringsThatQuery& query) const {
    const std::string begin = tagged(PayloadTag::kString, query.prefix);
    std::uint64_t sum = 0;
    std::uint64_t most = 0;
    double scaled = 0;
    bool all = true;
    for (const auto& segment : segments_) {
      const Segment& postings = *segment->postings;
      std::uint64_t here = 0;
      const std::uint32_t first = postings.lower_bound(begin);
      std::uint32_t key = first;
      for (; key < postings.key_count() && key - first < kKeysCountedMax; ++key) {
        if (!postings.key(key).starts_with(begin)) break;
        here += postings.posting_count(key);
        most = std::max<std::uint64_t>(most, postings.posting_count(key));
      }
      sum += here;
      scaled += static_cast<double>(here);
      if (key - first < kKeysCountedMax) continue;
      all = false;
      const std::uint32_t end = postings.lower_bound(after(begin));
      scaled *= static_cast<double>(std::max(end, key) - first) / kKeysCountedMax;
    }
    PayloadEstimate found = any_of(sum, most);
    if (!all) found.high = points_;
    if (!all) found.expected = std::min(points_, static_cast<std::uint64_t>(scaled));
    if (query.check) found = {.low = 0, .expected = found.expected / 4, .high = found.high};
    return with_unheld(found, true);
  }
  PayloadEstimate operator()(const NumberRange& range) const {
    const NumberBounds bounds(range);
    std::uint64_t inside = 0;
    std::uint64_t all = 0;
    for (const auto& segment : segments_) {
      inside += bounds.of(segment->integers).size() + bounds.of(segment->floats).size();
      all += segment->integers.size() + segment->floats.size();
    }
    return with_unheld(of_run(inside, all), false);
  }
  PayloadEstimate operator()(const TimeQuery& query) const {
    std::uint64_t inside = 0;
    std::uint64_t all = 0;
    for (const auto& segment : segments_) {
      inside += times_between(segment->integers, query).size();
      all += segment->integers.size();
    }
    return with_unheld(of_run(inside, all), false);
  }
  PayloadEstimate operator()(const RegionQuery& query) const {
    std::uint64_t candidates = 0;
    for (const auto& segment : segments_) {
      for_each_candidate(segment->points, *query.region,
                         [&](const auto& range) { candidates += range.size(); });
    }
    // What the rectangles hold beside the region, for a circle in its square.
    constexpr double kShare = 0.7;
    const auto expected = static_cast<std::uint64_t>(static_cast<double>(candidates) * kShare);
    return with_unheld(
        {.low = 0, .expected = std::min(points_, expected), .high = std::min(points_, candidates)},
        false);
  }
  PayloadEstimate operator()(const WordsQuery& query) const {
    if (query.terms.empty()) return {};
    std::uint64_t sum = 0;
    std::uint64_t most = 0;
    std::uint64_t least = UINT64_MAX;
    double share = 1;
    bool asks_long = false;
    for (const auto& [term, position] : query.terms) {
      asks_long = asks_long || is_long(term);
      const std::uint64_t count = is_long(term) ? 0 : list(tagged(PayloadTag::kTerm, term));
      sum += count;
      most = std::max(most, count);
      least = std::min(least, count);
      share *= rows_ == 0 ? 0 : static_cast<double>(count) / static_cast<double>(rows_);
    }
    if (query.mode == TextMatchMode::kAny || query.terms.size() == 1) {
      return with_unheld(any_of(sum, most), asks_long);
    }
    const std::uint64_t high = std::min(points_, least);
    const auto product =
        static_cast<std::uint64_t>(std::ceil(share * static_cast<double>(points_)));
    return with_unheld({.low = 0, .expected = std::min(high, product), .high = high}, asks_long);
  }
  PayloadEstimate operator()(const ValuesCount& bounds) const {
    const bool plain = count_within(1, bounds);
    const std::uint64_t odd = list(tagged(PayloadTag::kOddCounts));
    const std::uint64_t not_odd = points_ - std::min(points_, odd);
    std::uint64_t sum = plain ? points_ - at_least(odd) : 0;
    std::uint64_t most = 0;
    const std::string begin = tagged(PayloadTag::kCounted);
    for (const auto& segment : segments_) {
      const Segment& postings = *segment->postings;
      for (std::uint32_t key = postings.lower_bound(begin); key < postings.key_count(); ++key) {
        if (!postings.key(key).starts_with(begin)) break;
        if (!count_within(count_of_key(postings.key(key)), bounds)) continue;
        sum += postings.posting_count(key);
        most = std::max<std::uint64_t>(most, postings.posting_count(key));
      }
    }
    const std::uint64_t high = std::min(points_, sum);
    return {
        .low = std::min(high, plain ? not_odd : at_least(most)), .expected = high, .high = high};
  }
  PayloadEstimate operator()(const IsEmpty& query) const {
    return fact(PayloadTag::kEmpty, query.expected);
  }
  PayloadEstimate operator()(const IsNull& query) const {
    return fact(PayloadTag::kNull, query.expected);
  }
  PayloadEstimate operator()(const AnyElementQuery&) const {
    const PayloadEstimate nothing = fact(PayloadTag::kNothing, true);
    const std::uint64_t low = points_ - nothing.high;
    return {.low = low, .expected = points_ - nothing.expected, .high = points_};
  }
  PayloadEstimate operator()(const NothingQuery&) const { return {}; }

 private:
  [[nodiscard]] std::uint64_t list(const std::string& key) const {
    std::uint64_t count = 0;
    for (const auto& segment : segments_) {
      const std::optional<std::uint32_t> found = segment->postings->find(key);
      if (found.has_value()) count += segment->postings->posting_count(*found);
    }
    return count;
  }
  [[nodiscard]] std::uint64_t at_least(std::uint64_t entries) const {
    return std::min(points_, entries - std::min(entries, surplus_));
  }
  // The share of entries that are points.
  [[nodiscard]] std::uint64_t about(std::uint64_t entries) const {
    if (rows_ == 0) return 0;
    const double share = static_cast<double>(points_) / static_cast<double>(rows_);
    return std::min(points_,
                    static_cast<std::uint64_t>(std::llround(share * static_cast<double>(entries))));
  }
  // A union of lists with `sum` entries, the longest of which has `most`.
  [[nodiscard]] PayloadEstimate any_of(std::uint64_t sum, std::uint64_t most) const {
    const std::uint64_t high = std::min(points_, sum);
    const std::uint64_t low = std::min(high, at_least(most));
    return {.low = low, .expected = std::clamp(about(sum), low, high), .high = high};
  }
  // `inside` of `all` entries of the runs. A row has one, but for those that have several or none.
  [[nodiscard]] PayloadEstimate of_run(std::uint64_t inside, std::uint64_t all) const {
    const std::uint64_t nothing = std::min(rows_, list(tagged(PayloadTag::kNothing)));
    const std::uint64_t further = all - std::min(all, rows_ - nothing);
    const std::uint64_t high = std::min(points_, inside);
    const std::uint64_t low = std::min(high, at_least(inside - std::min(inside, further)));
    return {.low = low, .expected = std::clamp(about(inside), low, high), .high = high};
  }
  [[nodiscard]] PayloadEstimate with_unheld(PayloadEstimate found, bool asks_long) const {
    const std::uint64_t maybe =
        list(tagged(PayloadTag::kUnheld)) + (asks_long ? list(tagged(PayloadTag::kLong)) : 0);
    found.high = std::min(points_, found.high + maybe);
    return found;
  }
  [[nodiscard]] PayloadEstimate except(const PayloadEstimate& listed) const {
    const std::uint64_t nothing = std::min(points_, list(tagged(PayloadTag::kNothing)));
    const std::uint64_t unheld =
        list(tagged(PayloadTag::kUnheld)) + list(tagged(PayloadTag::kLong));
    const std::uint64_t out = std::min(points_, nothing + listed.high + unheld);
    return {.low = points_ - out,
            .expected = points_ - std::min(points_, nothing + listed.expected),
            .high = points_};
  }
  [[nodiscard]] PayloadEstimate fact(PayloadTag tag, bool expected) const {
    const std::uint64_t count = list(tagged(tag));
    const PayloadEstimate found = any_of(count, count);
    if (expected) return found;
    return {.low = points_ - found.high,
            .expected = points_ - found.expected,
            .high = points_ - found.low};
  }
  // The first key above all that begin with `prefix`, whose first byte is no 0xff.
  static std::string after(std::string prefix) {
    while (!prefix.empty() && static_cast<unsigned char>(prefix.back()) == 0xff) prefix.pop_back();
    if (!prefix.empty()) {
      prefix.back() = static_cast<char>(static_cast<unsigned char>(prefix.back()) + 1);
    }
    return prefix;
  }

  const PayloadSegments& segments_;
  const std::uint64_t points_;
  std::uint64_t rows_ = 0;
  std::uint64_t surplus_ = 0;
};

}  // namespace

PayloadEstimate PayloadIndex::estimate(const Moment& moment, const PayloadQuery& query) const {
  return std::visit(Estimator(moment), query);
}

}  // namespace quipu::index
