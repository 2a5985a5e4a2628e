// Goal: after any history, at any moment that is still held, the index finds exactly the points for
// which a query holds; counts, orders and estimates agree with them, and so does what is saved and
// opened again.
// Method: random histories over few slots and few values, against a map of the points' elements
// that is looked through in full. Every kind of index is run.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "quipu/base/format.h"
#include "quipu/base/test_support.h"
#include "quipu/index/payload/payload_index.h"

namespace quipu::index {
namespace {

struct Object {};
using Element =
    std::variant<std::monostate, bool, std::int64_t, double, std::string, GeoPoint, Object>;
struct Value {
  bool array = false;
  std::vector<Element> elements;
};
struct Point {
  std::vector<Value> values;  // that the path reaches; none: the point has no field
  bool hides = false;         // its last element is not given to the index
};
using Model = std::map<std::uint32_t, Point>;

using Strings = std::vector<std::string>;
Strings words_of(const std::string& text) {
  Strings words;
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t end = std::min(text.find(' ', at), text.size());
    words.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return words;
}

bool is_held(PayloadKind kind, const Element& element) {
  switch (kind) {
    case PayloadKind::kKeyword:
    case PayloadKind::kUuid:
    case PayloadKind::kText: return std::holds_alternative<std::string>(element);
    case PayloadKind::kInteger:
    case PayloadKind::kFloat:
      return std::holds_alternative<std::int64_t>(element) ||
             std::holds_alternative<double>(element);
    case PayloadKind::kDatetime: return std::holds_alternative<std::int64_t>(element);
    case PayloadKind::kBool: return std::holds_alternative<bool>(element);
    case PayloadKind::kGeo: return std::holds_alternative<GeoPoint>(element);
  }
  return false;
}

// ---------------------------------------------------------------- drawing

class Draw {
 public:
  Draw(Rng& rng, PayloadKind kind) : rng_(rng), kind_(kind) {}

  std::size_t below(std::size_t bound) { return static_cast<std::size_t>(rng_.below(bound)); }
  bool chance(std::size_t percent) { return below(100) < percent; }

  std::string string() {
    if (kind_ == PayloadKind::kText) {
      std::string text;
      for (std::size_t words = below(6); words > 0; --words) text += word() + " ";
      return text;
    }
    if (chance(2)) return std::string(5000, static_cast<char>('x' + below(2)));
    if (kind_ == PayloadKind::kUuid && chance(70)) {
      return PointId::uuid(below(3) << 60U, below(20)).to_string();
    }
    return format("{}{}", chance(50) ? "v" : "", below(30));
  }
  std::string word() {
    if (chance(1)) return std::string(5000, 'w');
    return format("w{}", std::min(below(12), below(12)));
  }
  std::int64_t integer() {
    if (chance(3)) return chance(50) ? INT64_MIN : INT64_MAX;
    if (chance(5)) return (std::int64_t{1} << 53) + static_cast<std::int64_t>(below(3));
    return static_cast<std::int64_t>(below(40)) - 20;
  }
  double number() {
    if (chance(5)) return -0.0;
    return chance(50) ? static_cast<double>(below(40)) / 2 - 10 : rng_.normal() * 10;
  }
  GeoPoint place() {
    if (chance(3)) return {.lon = 200 + 10 * rng_.uniform(), .lat = 95};
    if (chance(20)) return {.lon = 10.0 * static_cast<double>(below(37)) - 180, .lat = 20};
    return {.lon = rng_.uniform() * 360 - 180, .lat = rng_.uniform() * 180 - 90};
  }
  Element held() {
    switch (kind_) {
      case PayloadKind::kKeyword:
      case PayloadKind::kUuid:
      case PayloadKind::kText: return string();
      case PayloadKind::kInteger:
      case PayloadKind::kFloat: return chance(60) ? Element(integer()) : Element(number());
      case PayloadKind::kDatetime: return integer();
      case PayloadKind::kBool: return chance(70);
      case PayloadKind::kGeo: return place();
    }
    return Object{};
  }
  Element element() {
    if (chance(85)) return held();
    switch (below(6)) {
      case 0:
      case 1: return std::monostate{};
      case 2: return chance(50);
      case 3: return integer();
      case 4: return string();
      default: return Object{};
    }
  }
  Value value() {
    if (chance(75)) return {.array = false, .elements = {element()}};
    Value value = {.array = true, .elements = std::vector<Element>(below(5))};
    for (Element& each : value.elements) each = element();
    return value;
  }
  Point point() {
    Point point;
    if (chance(8)) return point;
    point.values.resize(chance(80) ? 1 : 1 + below(3));
    for (Value& each : point.values) each = value();
    const Value& last = point.values.back();
    point.hides = chance(3) && !last.elements.empty() && is_held(kind_, last.elements.back());
    return point;
  }
  ValuesCount count_bounds() {
    ValuesCount bounds;
    for (auto* const bound : {&bounds.lt, &bounds.gt, &bounds.lte, &bounds.gte}) {
      if (chance(35)) *bound = below(5);
    }
    return bounds;
  }
  NumberRange number_range() {
    NumberRange range;
    for (auto* const bound : {&range.lt, &range.gt, &range.lte, &range.gte}) {
      if (chance(35)) *bound = chance(50) ? number() : static_cast<double>(integer());
    }
    return range;
  }
  StringsQuery strings_query() {
    StringsQuery query = {.values = Strings(below(5)), .except = chance(50)};
    for (std::string& each : query.values) each = string();
    return query;
  }
  IntegersQuery integers_query() {
    IntegersQuery query = {.values = std::vector<std::int64_t>(below(5)), .except = chance(50)};
    for (std::int64_t& each : query.values) each = integer();
    return query;
  }
  WordsQuery words_query() {
    WordsQuery query;
    query.mode = static_cast<TextMatchMode>(below(3));
    std::uint32_t position = static_cast<std::uint32_t>(below(3));
    for (std::size_t terms = below(4); terms > 0; --terms) {
      query.terms.emplace_back(word(), position);
      position += chance(80) ? 1 : 2;
    }
    return query;
  }

 private:
  Rng& rng_;
  const PayloadKind kind_;
};

// A rectangle without its edges, and what is far off the map.
class Box final : public GeoRegion {
 public:
  explicit Box(Draw& draw) {
    const GeoPoint a = on_map(draw.place());
    const GeoPoint b = on_map(draw.place());
    rect_ = {.west = std::min(a.lon, b.lon),
             .east = std::max(a.lon, b.lon),
             .south = std::min(a.lat, b.lat),
             .north = std::max(a.lat, b.lat)};
    if (draw.chance(20)) rect_ = {};
    if (draw.chance(30)) rect_.east = std::min(180.0, rect_.west + 1e-3);
  }
  [[nodiscard]] bool contains(GeoPoint point) const noexcept override {
    const bool inside = point.lon > rect_.west && point.lon < rect_.east &&
                        point.lat > rect_.south && point.lat < rect_.north;
    return inside || point.lon > 205;
  }
  [[nodiscard]] std::span<const GeoRect> bounds() const noexcept override { return {&rect_, 1}; }

 private:
  static GeoPoint on_map(GeoPoint point) {
    return {.lon = std::min(point.lon, 180.0), .lat = std::min(point.lat, 90.0)};
  }
  GeoRect rect_;
};

struct Query {
  PayloadQuery query;
  std::unique_ptr<Box> box;
};

Query draw_query(Draw& draw, PayloadKind kind) {
  switch (draw.below(12)) {
    case 0: return {draw.count_bounds(), nullptr};
    case 1: return {IsEmpty{draw.chance(50)}, nullptr};
    case 2: return {IsNull{draw.chance(50)}, nullptr};
    case 3: return {draw.chance(80) ? PayloadQuery(AnyElementQuery{}) : NothingQuery{}, nullptr};
    default: break;
  }
  switch (kind) {
    case PayloadKind::kKeyword:
      if (draw.chance(30)) {
        StringsThatQuery query = {.prefix = draw.chance(50) ? "v" : "v1", .check = nullptr};
        if (draw.chance(50)) {
          query.check = [](std::string_view text) { return text.find('2') != text.npos; };
        }
        return {std::move(query), nullptr};
      }
      return {draw.strings_query(), nullptr};
    case PayloadKind::kUuid: return {draw.strings_query(), nullptr};
    case PayloadKind::kInteger:
    case PayloadKind::kFloat:
      if (draw.chance(50)) return {draw.integers_query(), nullptr};
      return {draw.number_range(), nullptr};
    case PayloadKind::kDatetime: return {TimeQuery{draw.integer(), draw.integer()}, nullptr};
    case PayloadKind::kBool: return {BoolQuery{draw.chance(50)}, nullptr};
    case PayloadKind::kGeo: {
      auto box = std::make_unique<Box>(draw);
      return {RegionQuery{box.get()}, std::move(box)};
    }
    case PayloadKind::kText: return {draw.words_query(), nullptr};
  }
  return {NothingQuery{}, nullptr};
}

// ---------------------------------------------------------------- the twin

// Whether one element satisfies a query of values.
struct Satisfies {
  const Element& element;

  bool operator()(const StringsQuery& query) const {
    if (std::holds_alternative<std::monostate>(element)) return false;
    const auto* const text = std::get_if<std::string>(&element);
    if (text == nullptr) return query.except;
    return (std::count(query.values.begin(), query.values.end(), *text) > 0) != query.except;
  }
  bool operator()(const IntegersQuery& query) const {
    if (std::holds_alternative<std::monostate>(element)) return false;
    const auto* const integer = std::get_if<std::int64_t>(&element);
    if (integer == nullptr) return query.except;
    return (std::count(query.values.begin(), query.values.end(), *integer) > 0) != query.except;
  }
  bool operator()(const BoolQuery& query) const {
    const auto* const flag = std::get_if<bool>(&element);
    return flag != nullptr && *flag == query.value;
  }
  bool operator()(const StringsThatQuery& query) const {
    const auto* const text = std::get_if<std::string>(&element);
    return text != nullptr && text->starts_with(query.prefix) &&
           (!query.check || query.check(*text));
  }
  bool operator()(const NumberRange& range) const {
    double number = 0;
    if (const auto* const integer = std::get_if<std::int64_t>(&element)) {
      number = static_cast<double>(*integer);
    } else if (const auto* const real = std::get_if<double>(&element)) {
      number = *real;
    } else {
      return false;
    }
    return (!range.lt || number < *range.lt) && (!range.gt || number > *range.gt) &&
           (!range.lte || number <= *range.lte) && (!range.gte || number >= *range.gte);
  }
  bool operator()(const TimeQuery& query) const {
    const auto* const time = std::get_if<std::int64_t>(&element);
    return time != nullptr && *time >= query.from_us && *time <= query.to_us;
  }
  bool operator()(const RegionQuery& query) const {
    const auto* const place = std::get_if<GeoPoint>(&element);
    return place != nullptr && query.region->contains(*place);
  }
  bool operator()(const WordsQuery& query) const {
    const auto* const text = std::get_if<std::string>(&element);
    if (text == nullptr || query.terms.empty()) return false;
    const Strings words = words_of(*text);
    const auto has = [&words](const auto& term) {
      return std::count(words.begin(), words.end(), term.first) > 0;
    };
    if (query.mode == TextMatchMode::kAny) {
      return std::any_of(query.terms.begin(), query.terms.end(), has);
    }
    if (query.mode == TextMatchMode::kAll) {
      return std::all_of(query.terms.begin(), query.terms.end(), has);
    }
    for (std::size_t start = 0; start < words.size(); ++start) {
      const auto stands = [&](const auto& term) {
        const std::size_t at = start + term.second - query.terms.front().second;
        return at < words.size() && words[at] == term.first;
      };
      if (std::all_of(query.terms.begin(), query.terms.end(), stands)) return true;
    }
    return false;
  }
  bool operator()(const AnyElementQuery&) const {
    return !std::holds_alternative<std::monostate>(element);
  }
  template <typename Other>
  bool operator()(const Other&) const {
    return false;
  }
};

std::uint32_t count_of(const Value& value) {
  if (value.array) return static_cast<std::uint32_t>(value.elements.size());
  return std::holds_alternative<std::monostate>(value.elements.front()) ? 0 : 1;
}
bool has_null(const Point& point) {
  for (const Value& value : point.values) {
    for (const Element& element : value.elements) {
      if (std::holds_alternative<std::monostate>(element)) return true;
    }
  }
  return false;
}
bool all_empty(const Point& point) {
  return std::all_of(point.values.begin(), point.values.end(),
                     [](const Value& value) { return count_of(value) == 0; });
}

// For points with the field.
bool holds(const Point& point, const PayloadQuery& query) {
  if (const auto* const bounds = std::get_if<ValuesCount>(&query)) {
    return std::any_of(point.values.begin(), point.values.end(),
                       [&](const Value& value) { return count_within(count_of(value), *bounds); });
  }
  if (const auto* const empty = std::get_if<IsEmpty>(&query)) {
    return all_empty(point) == empty->expected;
  }
  if (const auto* const null = std::get_if<IsNull>(&query)) {
    return has_null(point) == null->expected;
  }
  for (const Value& value : point.values) {
    for (const Element& element : value.elements) {
      if (std::visit(Satisfies{element}, query)) return true;
    }
  }
  return false;
}

// ---------------------------------------------------------------- the index's side

PayloadValues values_of(const Point& point, PayloadKind kind) {
  PayloadValues values;
  values.any_null = has_null(point);
  values.unheld = point.hides;
  for (const Value& value : point.values) values.counts.push_back(count_of(value));
  for (const Value& value : point.values) {
    for (const Element& element : value.elements) {
      if (point.hides && &element == &point.values.back().elements.back()) continue;
      if (std::holds_alternative<std::monostate>(element)) continue;
      if (!is_held(kind, element)) {
        values.others = true;
        continue;
      }
      if (const auto* const text = std::get_if<std::string>(&element)) {
        values.strings.push_back(*text);
      } else if (const auto* const integer = std::get_if<std::int64_t>(&element)) {
        values.integers.push_back(*integer);
      } else if (const auto* const number = std::get_if<double>(&element)) {
        values.floats.push_back(*number);
      } else if (const auto* const flag = std::get_if<bool>(&element)) {
        (*flag ? values.any_true : values.any_false) = true;
      } else if (const auto* const place = std::get_if<GeoPoint>(&element)) {
        values.points.push_back(*place);
      }
    }
  }
  return values;
}

void write(PayloadIndex& index, std::uint32_t slot, const Point& point, Seq seq) {
  const PayloadKind kind = index.options().kind;
  if (point.values.empty()) {
    static_cast<void>(index.erase(SlotId(slot), seq));
    return;
  }
  PayloadValues values = values_of(point, kind);
  std::vector<Strings> words;  // outlives the call
  if (kind == PayloadKind::kText) {
    for (const std::string_view text : values.strings) words.push_back(words_of(std::string(text)));
    for (const Strings& text : words) {
      values.texts.emplace_back();
      for (std::uint32_t i = 0; i < text.size(); ++i) values.texts.back().push_back({text[i], i});
    }
  }
  index.insert(SlotId(slot), values, seq);
}

struct Held {
  std::shared_ptr<const PayloadIndex::Moment> moment;
  Seq seq;
  Model model;
};

struct Tally {
  std::size_t exact = 0;
  std::size_t found = 0;
};

bool is_known(const Point& point) { return !point.values.empty(); }

void check_match(const PayloadIndex& index, const Held& held, bool newest, Draw& draw,
                 Tally& tally) {
  const Query drawn = draw_query(draw, index.options().kind);
  SlotBitmap sure;
  SlotBitmap maybe;
  index.match(*held.moment, drawn.query, held.seq, sure, maybe);
  SlotBitmap present;
  index.match_present(*held.moment, held.seq, present);
  std::size_t count = 0;
  std::size_t known = 0;
  std::size_t of_maybe = 0;
  for (const auto& [slot, point] : held.model) {
    const SlotId id(slot);
    const bool expected = is_known(point) && holds(point, drawn.query);
    if (sure.contains(id)) {
      ASSERT_TRUE(expected) << slot << " query " << drawn.query.index();
    }
    if (expected) {
      ASSERT_TRUE(sure.contains(id) || maybe.contains(id))
          << slot << " query " << drawn.query.index();
    }
    ASSERT_EQ(present.contains(id), is_known(point)) << slot;
    count += expected ? 1U : 0U;
    known += is_known(point) ? 1U : 0U;
    of_maybe += maybe.contains(id) ? 1U : 0U;
    // Only what is not held makes a guess.
    bool whole = !point.hides;
    for (const Value& value : point.values) {
      for (const Element& element : value.elements) {
        const auto* const text = std::get_if<std::string>(&element);
        whole = whole && (text == nullptr || text->size() < 4000);
      }
    }
    const bool phrase = index.options().kind == PayloadKind::kText && !index.options().positions;
    if (!phrase && whole) {
      ASSERT_FALSE(maybe.contains(id)) << slot;
    }
  }
  ASSERT_EQ(present.count(), known);
  SlotBitmap both = sure;
  both.unite(maybe);
  ASSERT_LE(both.count(), known);
  ASSERT_EQ(maybe.count(), of_maybe);
  tally.exact += maybe.empty() ? 1U : 0U;
  tally.found += count;
  if (!newest) return;
  const PayloadEstimate estimate = index.estimate(*held.moment, drawn.query);
  ASSERT_LE(estimate.low, count) << drawn.query.index();
  ASSERT_GE(estimate.high, count) << drawn.query.index();
  ASSERT_LE(estimate.low, estimate.expected) << drawn.query.index();
  ASSERT_LE(estimate.expected, estimate.high) << drawn.query.index();
  ASSERT_EQ(PayloadIndex::points(*held.moment), known);
}

SlotBitmap draw_filter(const Model& model, Draw& draw) {
  SlotBitmap filter;
  const std::size_t modulus = 1 + draw.below(4);
  for (const auto& [slot, point] : model) {
    if (slot % modulus == 0) filter.add(SlotId(slot));
  }
  return filter;
}

void check_facets(const PayloadIndex& index, const Held& held, Draw& draw) {
  const PayloadKind kind = index.options().kind;
  const SlotBitmap filter = draw_filter(held.model, draw);
  const bool filtered = draw.chance(60);
  std::map<std::variant<std::string, std::int64_t, bool>, std::uint64_t> counts;
  bool whole = true;
  bool others = false;
  for (const auto& [slot, point] : held.model) {
    if (filtered && !filter.contains(SlotId(slot))) continue;
    std::set<std::variant<std::string, std::int64_t, bool>> values;
    for (const Value& value : point.values) {
      for (const Element& element : value.elements) {
        if (!is_held(kind, element)) {
          others = others || !std::holds_alternative<std::monostate>(element);
          continue;
        }
        if (const auto* const text = std::get_if<std::string>(&element)) {
          whole = whole && text->size() < 4000;
          values.insert(*text);
        }
        if (const auto* const number = std::get_if<std::int64_t>(&element)) values.insert(*number);
        if (const auto* const flag = std::get_if<bool>(&element)) values.insert(*flag);
      }
    }
    whole = whole && !point.hides;
    for (const auto& value : values) ++counts[value];
  }
  std::vector<FacetHit> wanted;
  for (const auto& [value, count] : counts) wanted.push_back({value, count});
  std::stable_sort(wanted.begin(), wanted.end(),
                   [](const FacetHit& a, const FacetHit& b) { return a.count > b.count; });
  const std::size_t k = draw.below(12);
  if (wanted.size() > k) wanted.resize(k);
  const PayloadScope scope = {.as_of = held.seq, .filter = filtered ? &filter : nullptr};
  const auto got = index.facet(*held.moment, scope, k);
  if (kind != PayloadKind::kKeyword && kind != PayloadKind::kUuid &&
      kind != PayloadKind::kInteger && kind != PayloadKind::kBool) {
    ASSERT_FALSE(got.ok());
    ASSERT_EQ(got.error().reason, "facet_kind");
    return;
  }
  if (!whole) {
    ASSERT_FALSE(got.ok());
    ASSERT_EQ(got.error().reason, "index_incomplete");
    ASSERT_FALSE(index.is_whole(*held.moment, scope));
    return;
  }
  ASSERT_EQ(why_not(got), "");
  ASSERT_EQ(got.value(), wanted);
  ASSERT_EQ(index.is_whole(*held.moment, scope), !others);
}

void check_order(const PayloadIndex& index, const Held& held, Draw& draw) {
  const PayloadKind kind = index.options().kind;
  const SlotBitmap filter = draw_filter(held.model, draw);
  PayloadWalk walk = {.descending = draw.chance(50), .start_from = std::nullopt};
  if (draw.chance(60)) {
    walk.start_from = draw.chance(50) ? OrderValue{draw.integer()} : OrderValue{draw.number()};
  }
  std::vector<std::pair<OrderValue, std::uint32_t>> got;
  const Status walked = index.walk_ordered(*held.moment, {.as_of = held.seq, .filter = &filter},
                                           walk, [&](const OrderValue& value, SlotId slot) {
                                             got.emplace_back(value, slot.value());
                                             return true;
                                           });
  if (kind != PayloadKind::kInteger && kind != PayloadKind::kFloat &&
      kind != PayloadKind::kDatetime) {
    ASSERT_FALSE(walked.ok());
    ASSERT_EQ(walked.error().reason, "order_kind");
    return;
  }
  ASSERT_EQ(why_not(walked), "");
  std::vector<std::pair<OrderValue, std::uint32_t>> wanted;
  for (const auto& [slot, point] : held.model) {
    if (!filter.contains(SlotId(slot))) continue;
    // An integer and a double that are equal come both.
    const PayloadValues values = values_of(point, kind);
    for (const std::int64_t value :
         std::set<std::int64_t>(values.integers.begin(), values.integers.end())) {
      wanted.push_back({{value}, slot});
    }
    if (kind == PayloadKind::kDatetime) continue;
    for (const double value : std::set<double>(values.floats.begin(), values.floats.end())) {
      wanted.push_back({{value}, slot});
    }
  }
  if (walk.start_from.has_value()) {
    std::erase_if(wanted, [&](const auto& entry) {
      return walk.descending ? *walk.start_from < entry.first : entry.first < *walk.start_from;
    });
  }
  for (std::size_t i = 1; i < got.size(); ++i) {
    if (walk.descending) {
      ASSERT_FALSE(got[i - 1].first < got[i].first);
    } else {
      ASSERT_FALSE(got[i].first < got[i - 1].first);
    }
  }
  const auto in_order = [](const auto& a, const auto& b) {
    if (a.first == b.first) return a.second < b.second;
    return a.first < b.first;
  };
  std::sort(got.begin(), got.end(), in_order);
  std::sort(wanted.begin(), wanted.end(), in_order);
  ASSERT_EQ(got.size(), wanted.size());
  for (std::size_t i = 0; i < got.size(); ++i) {
    ASSERT_TRUE(got[i].first == wanted[i].first && got[i].second == wanted[i].second) << i;
  }
  std::size_t visits = 0;
  ASSERT_EQ(why_not(index.walk_ordered(*held.moment, {.as_of = held.seq}, {},
                                       [&](const OrderValue&, SlotId) { return ++visits < 3; })),
            "");
  ASSERT_LE(visits, 3U);
}

void check_all(const PayloadIndex& index, const Held& held, bool newest, Draw& draw, Tally& tally) {
  for (int i = 0; i < 6; ++i) {
    ASSERT_NO_FATAL_FAILURE(check_match(index, held, newest, draw, tally));
  }
  ASSERT_NO_FATAL_FAILURE(check_facets(index, held, draw));
  ASSERT_NO_FATAL_FAILURE(check_order(index, held, draw));
}

// What is saved and opened again answers as what was saved, and goes on from there.
void check_reopened(const PayloadIndex& index, const Held& now, const TempDir& dir, Draw& draw,
                    Tally& tally) {
  const std::string path = dir.file("payload");
  ASSERT_EQ(why_not(PayloadIndex::save(posix_file_system(), path, *index.capture(now.seq))), "");
  EpochDomain epochs;
  auto opened = PayloadIndex::open(posix_file_system(), path, index.options(), epochs);
  ASSERT_EQ(why_not(opened), "");
  PayloadIndex& again = *opened.value();
  ASSERT_EQ(why_not(again.verify()), "");
  ASSERT_EQ(again.covers(), now.seq);
  ASSERT_EQ(again.stats().points, index.stats().points);
  Held there = {again.moment(), now.seq, now.model};
  ASSERT_NO_FATAL_FAILURE(check_all(again, there, true, draw, tally));
  for (std::uint64_t i = 0; i < 30; ++i) {
    const auto slot = static_cast<std::uint32_t>(draw.below(400));
    there.seq = Seq(there.seq.value() + 1);
    there.model[slot] = draw.point();
    write(again, slot, there.model[slot], there.seq);
  }
  there.moment = again.publish();
  ASSERT_NO_FATAL_FAILURE(check_all(again, there, true, draw, tally));
  while (again.merge(there.seq) > 0) {
  }
  there.moment = again.publish();
  ASSERT_NO_FATAL_FAILURE(check_all(again, there, true, draw, tally));
  const PayloadOptions others = {
      .kind = index.options().kind == PayloadKind::kGeo ? PayloadKind::kBool : PayloadKind::kGeo};
  EpochDomain unused;
  const auto refused = PayloadIndex::open(posix_file_system(), path, others, unused);
  ASSERT_FALSE(refused.ok());
  ASSERT_EQ(refused.error().reason, "checkpoint_options");
}

// Once nobody looks back, merges free what was closed, and its rows are written anew.
void check_freed(PayloadIndex& index, std::uint64_t seq, Draw& draw, EpochDomain& epochs) {
  for (std::uint32_t i = 0; i < 2000; ++i) write(index, i % 400, draw.point(), Seq(++seq));
  static_cast<void>(index.publish());
  EXPECT_GT(index.stats().closed_rows, 1024U);
  EXPECT_GT(index.merge(Seq(seq)), 0U);
  while (index.merge(Seq(seq)) > 0) {
  }
  EXPECT_EQ(index.stats().closed_rows, 0U);
  static_cast<void>(epochs.collect());
  const std::uint64_t bytes = index.stats().bytes_used;
  for (int round = 0; round < 20; ++round) {
    for (std::uint32_t slot = 0; slot < 400; ++slot) {
      write(index, slot, draw.point(), Seq(++seq));
    }
    static_cast<void>(index.publish());
    while (index.merge(Seq(seq)) > 0) {
    }
    static_cast<void>(epochs.collect());
  }
  EXPECT_LT(index.stats().bytes_used, 4 * bytes);
}

void run_history(const PayloadOptions& options) {
  Rng rng(test_seed());
  Draw draw(rng, options.kind);
  EpochDomain epochs;
  TempDir dir;
  auto made = PayloadIndex::create(options, epochs);
  ASSERT_EQ(why_not(made), "");
  PayloadIndex& index = *made.value();
  Model model;
  std::uint64_t seq = 0;
  std::optional<Held> held;
  std::optional<EpochDomain::Guard> guard;
  Tally tally;
  for (int step = 0; step < 90; ++step) {
    for (std::size_t i = draw.below(step % 30 == 0 ? 1500 : 50); i > 0; --i) {
      const auto slot = static_cast<std::uint32_t>(draw.below(400));
      ++seq;
      if (draw.chance(20)) {
        const auto found = model.find(slot);
        const bool known = found != model.end() && is_known(found->second);
        ASSERT_EQ(index.erase(SlotId(slot), Seq(seq)), known);
        if (found != model.end()) model.erase(found);
        continue;
      }
      model[slot] = draw.point();
      write(index, slot, model[slot], Seq(seq));
    }
    const Held now = {index.publish(), Seq(seq), model};
    if (step % 30 == 29) {
      ASSERT_NO_FATAL_FAILURE(check_reopened(index, now, dir, draw, tally));
    }
    ASSERT_NO_FATAL_FAILURE(check_all(index, now, true, draw, tally));
    if (held.has_value()) {
      ASSERT_NO_FATAL_FAILURE(check_all(index, *held, false, draw, tally));
      // The newest segments know of earlier moments, too.
      const Held earlier = {now.moment, held->seq, held->model};
      ASSERT_NO_FATAL_FAILURE(check_all(index, earlier, false, draw, tally));
    }
    if (draw.chance(12)) {
      guard = epochs.pin();
      held = now;
    }
    const Seq horizon = held.has_value() ? held->seq : Seq(seq);
    if (draw.chance(30)) {
      while (index.merge(horizon) > 0) {
      }
    }
    static_cast<void>(epochs.collect());
  }
  EXPECT_GT(tally.exact, 100U);
  EXPECT_GT(tally.found, 1000U);
  EXPECT_EQ(why_not(index.verify()), "");
  guard.reset();
  EXPECT_LT(index.stats().segments, 40U);
  check_freed(index, seq, draw, epochs);
}

class PayloadIndexModel : public ::testing::TestWithParam<PayloadOptions> {};

TEST_P(PayloadIndexModel, FollowsAnyHistory) { run_history(GetParam()); }

// Goal: a damaged file is refused, found by verify(), or answers wrongly; never worse. Run it under
// the sanitizers.
TEST_P(PayloadIndexModel, DamageIsNoCrash) {
  Rng rng(test_seed());
  const PayloadOptions options = GetParam();
  Draw draw(rng, options.kind);
  EpochDomain epochs;
  TempDir dir(TempDir::Place::kMemory);
  auto made = PayloadIndex::create(options, epochs);
  ASSERT_EQ(why_not(made), "");
  Seq seq(0);
  for (std::uint32_t i = 0; i < 300; ++i) {
    seq = Seq(seq.value() + 1);
    write(*made.value(), static_cast<std::uint32_t>(draw.below(200)), draw.point(), seq);
    if (i % 50 == 0) static_cast<void>(made.value()->publish());
  }
  static_cast<void>(made.value()->publish());
  const std::string path = dir.file("payload");
  ASSERT_EQ(why_not(PayloadIndex::save(posix_file_system(), path, *made.value()->capture(seq))),
            "");
  const std::string whole = read_file(posix_file_system(), path, 1U << 24).value();
  std::vector<std::size_t> used;  // most of the file is padding
  for (std::size_t i = 0; i < whole.size(); ++i) {
    if (whole[i] != 0) used.push_back(i);
  }
  std::size_t noticed = 0;
  for (int round = 0; round < 120; ++round) {
    std::string bytes = whole;
    for (std::size_t i = draw.below(4) + 1; i > 0; --i) {
      bytes[used[draw.below(used.size())]] ^= static_cast<char>(1 + draw.below(255));
    }
    std::ofstream(path, std::ios::binary) << bytes;
    EpochDomain own;
    auto opened = PayloadIndex::open(posix_file_system(), path, options, own);
    const bool sound = opened.ok() && opened.value()->verify().ok();
    if (!sound && bytes != whole) ++noticed;
    if (!opened.ok()) continue;
    PayloadIndex& index = *opened.value();
    const auto moment = index.moment();
    const PayloadScope scope = {.as_of = seq};
    for (int i = 0; i < 8; ++i) {
      const Query drawn = draw_query(draw, options.kind);
      SlotBitmap sure;
      SlotBitmap maybe;
      index.match(*moment, drawn.query, seq, sure, maybe);
      static_cast<void>(index.estimate(*moment, drawn.query));
    }
    static_cast<void>(index.facet(*moment, scope, 5).ok());
    static_cast<void>(index
                          .walk_ordered(*moment, scope, {.descending = draw.chance(50)},
                                        [](const OrderValue&, SlotId) { return true; })
                          .ok());
    for (std::uint32_t i = 0; i < 20; ++i) {
      write(index, static_cast<std::uint32_t>(draw.below(200)), draw.point(),
            Seq(seq.value() + 1 + i));
    }
    static_cast<void>(index.publish());
    static_cast<void>(index.merge(Seq(seq.value() + 20)));
  }
  EXPECT_GT(noticed, 110U);  // bytes may be changed twice, and back
}

INSTANTIATE_TEST_SUITE_P(Kinds, PayloadIndexModel,
                         ::testing::Values(PayloadOptions{.kind = PayloadKind::kKeyword},
                                           PayloadOptions{.kind = PayloadKind::kInteger},
                                           PayloadOptions{.kind = PayloadKind::kFloat},
                                           PayloadOptions{.kind = PayloadKind::kBool},
                                           PayloadOptions{.kind = PayloadKind::kDatetime},
                                           PayloadOptions{.kind = PayloadKind::kUuid},
                                           PayloadOptions{.kind = PayloadKind::kGeo},
                                           PayloadOptions{.kind = PayloadKind::kText},
                                           PayloadOptions{.kind = PayloadKind::kText,
                                                          .positions = true}),
                         [](const auto& kind) {
                           return std::string(payload_kind_name(kind.param.kind)) +
                                  (kind.param.positions ? "_positions" : "");
                         });

}  // namespace
}  // namespace quipu::index
