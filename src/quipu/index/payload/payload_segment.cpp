#include "quipu/index/payload/payload_segment.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "quipu/assert.h"
#include "quipu/base/bytes.h"
#include "quipu/index/postings/merge.h"

namespace quipu::index {
namespace {

constexpr std::string_view kHexDigits = "0123456789abcdef";

template <typename T>
std::vector<T> distinct(std::vector<T> values) {
  std::sort(values.begin(), values.end());
  values.erase(std::unique(values.begin(), values.end()), values.end());
  return values;
}

template <typename T>
std::uint32_t add_all(std::vector<RunEntry<T>>& entries, std::uint32_t row,
                      const std::vector<T>& values) {
  for (const T& value : values) entries.push_back({value, row});
  return static_cast<std::uint32_t>(values.size());
}

template <typename T>
SortedRun<T> taken_run(std::vector<RunEntry<T>>& entries) {
  std::vector<RunEntry<T>> taken = std::exchange(entries, {});
  std::sort(taken.begin(), taken.end(), entry_before<T>);
  return SortedRun<T>(taken);
}

template <typename T>
SortedRun<T> merged_run(std::span<const std::shared_ptr<const PayloadSegment>> segments,
                        SortedRun<T> PayloadSegment::*member,
                        const std::function<bool(std::uint32_t)>& keep) {
  std::vector<const SortedRun<T>*> runs;
  for (const auto& segment : segments) {
    if (((*segment).*member).size() > 0) runs.push_back(&((*segment).*member));
  }
  return merge_runs<T>(runs, keep);
}

}  // namespace

std::string tagged(PayloadTag tag, std::string_view rest) {
  std::string key;
  key.reserve(1 + rest.size());
  key.push_back(static_cast<char>(tag));
  key.append(rest);
  return key;
}

std::string count_key(std::uint32_t count) {
  std::string key = tagged(PayloadTag::kCounted);
  ByteWriter(key).u32_big_endian(count);
  return key;
}

std::optional<Uuid> uuid_of(std::string_view text) noexcept {
  if (text.size() != 36) return std::nullopt;
  std::uint64_t halves[2] = {0, 0};
  std::size_t digits = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool hyphen = i == 8 || i == 13 || i == 18 || i == 23;
    if (hyphen) {
      if (text[i] != '-') return std::nullopt;
      continue;
    }
    const std::size_t digit = kHexDigits.find(text[i]);
    if (digit == std::string_view::npos) return std::nullopt;
    std::uint64_t& half = halves[digits++ / 16];
    half = half << 4U | digit;
  }
  return Uuid{.high = halves[0], .low = halves[1]};
}

std::string uuid_text(const Uuid& uuid) { return PointId::uuid(uuid.high, uuid.low).to_string(); }

std::uint64_t PayloadSegment::bytes_used() const noexcept {
  return sizeof(PayloadSegment) + postings->bytes_used() + integers.bytes_used() +
         floats.bytes_used() + uuids.bytes_used() + points.bytes_used();
}

std::shared_ptr<const PayloadSegment> merge_payload_segments(
    std::span<const std::shared_ptr<const PayloadSegment>> segments,
    const std::function<bool(std::uint32_t)>& keep) {
  std::vector<std::shared_ptr<const Segment>> postings;
  for (const auto& segment : segments) postings.push_back(segment->postings);
  auto merged = std::make_shared<PayloadSegment>();
  // Lengths are for scores, which nobody asks of these.
  merged->postings = merge_segments(
      postings, {.keep = keep, .length_of = [](std::uint32_t) { return std::uint32_t{1}; }});
  merged->integers = merged_run(segments, &PayloadSegment::integers, keep);
  merged->floats = merged_run(segments, &PayloadSegment::floats, keep);
  merged->uuids = merged_run(segments, &PayloadSegment::uuids, keep);
  merged->points = merged_run(segments, &PayloadSegment::points, keep);
  return merged;
}

void PayloadSegmentBuilder::post(std::string key, const Pending& pending) {
  postings_[std::move(key)].push_back(pending);
}

void PayloadSegmentBuilder::add(std::uint32_t row, const PayloadValues& values, std::size_t text) {
  rows_.push_back(row);
  if (options_.kind != PayloadKind::kText) {
    add_facts(row, values, add_values(row, values));
    return;
  }
  if (text < values.texts.size()) add_terms(row, values.texts[text]);
  if (text == 0) add_facts(row, values, values.texts.empty() ? 0 : 1);
}

std::uint32_t PayloadSegmentBuilder::add_values(std::uint32_t row, const PayloadValues& values) {
  switch (options_.kind) {
    case PayloadKind::kKeyword:
    case PayloadKind::kUuid: return add_strings(row, values.strings);
    case PayloadKind::kInteger:
    case PayloadKind::kFloat: {
      std::vector<double> floats = values.floats;
      for (double& number : floats) number += 0.0;  // -0.0 and 0.0 are one number
      return add_all(integers_, row, distinct(values.integers)) +
             add_all(floats_, row, distinct(std::move(floats)));
    }
    case PayloadKind::kDatetime: return add_all(integers_, row, distinct(values.integers));
    case PayloadKind::kBool:
      if (values.any_false) post(tagged(PayloadTag::kFlag, "0"), {.row = row});
      if (values.any_true) post(tagged(PayloadTag::kFlag, "1"), {.row = row});
      return (values.any_false ? 1U : 0U) + (values.any_true ? 1U : 0U);
    case PayloadKind::kGeo: return add_all(points_, row, values.points);
    case PayloadKind::kText: break;  // add_terms()
  }
  return 0;
}

std::uint32_t PayloadSegmentBuilder::add_strings(std::uint32_t row,
                                                 const std::vector<std::string_view>& strings) {
  std::uint32_t held = 0;
  bool any_long = false;
  for (const std::string_view text : distinct(strings)) {
    if (text.size() > kHeldBytesMax) {
      any_long = true;
      continue;
    }
    ++held;
    const std::optional<Uuid> uuid =
        options_.kind == PayloadKind::kUuid ? uuid_of(text) : std::nullopt;
    if (uuid.has_value()) {
      uuids_.push_back({*uuid, row});
    } else {
      post(tagged(PayloadTag::kString, text), {.row = row});
    }
  }
  if (any_long) post(tagged(PayloadTag::kLong), {.row = row});
  return held;
}

void PayloadSegmentBuilder::add_terms(std::uint32_t row, const std::vector<PayloadTerm>& terms) {
  bool any_long = false;
  std::vector<PayloadTerm> sorted = terms;
  std::sort(sorted.begin(), sorted.end(), [](const PayloadTerm& a, const PayloadTerm& b) {
    return std::tie(a.term, a.position) < std::tie(b.term, b.position);
  });
  for (std::size_t i = 0; i < sorted.size();) {
    const std::string_view term = sorted[i].term;
    Pending pending = {.row = row, .number = 0, .positions = positions_.size()};
    for (; i < sorted.size() && sorted[i].term == term; ++i) {
      ++pending.number;
      if (options_.positions) positions_.push_back(sorted[i].position);
    }
    if (term.size() > kHeldBytesMax) {
      any_long = true;
    } else {
      post(tagged(PayloadTag::kTerm, term), pending);
    }
  }
  if (any_long) post(tagged(PayloadTag::kLong), {.row = row});
}

void PayloadSegmentBuilder::add_facts(std::uint32_t row, const PayloadValues& values,
                                      std::uint32_t held) {
  const Pending plain = {.row = row};
  const std::vector<std::uint32_t> counts = distinct(values.counts);
  QUIPU_ASSERT(!counts.empty());
  if (counts.size() != 1 || counts.front() != 1) {
    post(tagged(PayloadTag::kOddCounts), plain);
    for (const std::uint32_t count : counts) post(count_key(count), plain);
  }
  if (counts.back() == 0) post(tagged(PayloadTag::kEmpty), plain);
  if (values.any_null) post(tagged(PayloadTag::kNull), plain);
  if (values.others) post(tagged(PayloadTag::kOthers), plain);
  if (values.unheld) post(tagged(PayloadTag::kUnheld), plain);
  if (held == 0) post(tagged(PayloadTag::kNothing), plain);
  if (held > 1) post(tagged(PayloadTag::kMany), {.row = row, .number = held});
}

std::shared_ptr<const Segment> PayloadSegmentBuilder::take_postings() {
  SegmentBuilder builder(PostingKind::kCounts, options_.positions);
  for (auto& [key, list] : postings_) {
    // Rows are taken anew in any order.
    std::sort(list.begin(), list.end(),
              [](const Pending& a, const Pending& b) { return a.row < b.row; });
    builder.begin_key(key);
    const bool term = options_.positions && key.front() == static_cast<char>(PayloadTag::kTerm);
    for (const Pending& pending : list) {
      const std::span<const std::uint32_t> positions =
          term ? std::span(positions_).subspan(pending.positions, pending.number)
               : std::span<std::uint32_t>();
      builder.add(
          {.row = pending.row, .number = pending.number, .length = 1, .positions = positions});
    }
    builder.end_key();
  }
  postings_.clear();
  positions_.clear();
  std::sort(rows_.begin(), rows_.end());
  return builder.finish(std::exchange(rows_, {}));
}

std::shared_ptr<const PayloadSegment> PayloadSegmentBuilder::take() {
  auto segment = std::make_shared<PayloadSegment>();
  segment->postings = take_postings();
  segment->integers = taken_run(integers_);
  segment->floats = taken_run(floats_);
  segment->uuids = taken_run(uuids_);
  segment->points = taken_run(points_);
  return segment;
}

}  // namespace quipu::index
