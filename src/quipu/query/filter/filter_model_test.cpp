// Goal: CompiledFilter says of any filter and payload what the plain reading of the language says.
// Method: random filters on random payloads, against an evaluator that copies the payload into a
// tree of its own, gathers all values of a path in a list, and uses other formulas throughout.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <ctime>
#include <iomanip>
#include <map>
#include <numbers>
#include <set>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "quipu/base/test_support.h"
#include "quipu/query/filter/evaluate.h"
#include "quipu/query/filter/filter_json.h"
#include "quipu/query/filter/id_slice.h"
#include "quipu/query/filter/testing/random_filter.h"

namespace quipu::query {
namespace {

// ---------------------------------------------------------------- the stupid twin

struct Tree {
  JsonKind kind = JsonKind::kNull;
  bool flag = false;
  std::int64_t integer = 0;
  double number = 0;
  std::string text;
  std::vector<Tree> elements;
  std::map<std::string, Tree> members;
};
using Trees = std::vector<Tree>;

Tree tree_of(JsonView json) {
  Tree tree{.kind = json.kind()};
  tree.flag = json.as_bool().value_or(false);
  tree.integer = json.as_int64().value_or(0);
  tree.number = json.as_double().value_or(0);
  tree.text = json.as_string().value_or("");
  json.for_each_element([&](JsonView element) {
    tree.elements.push_back(tree_of(element));
    return true;
  });
  json.for_each_member([&](std::string_view name, JsonView member) {
    tree.members[std::string(name)] = tree_of(member);
    return true;
  });
  return tree;
}

// The next step of a key that has no '.' before it: a name, or brackets with what is in them.
std::string take_step(std::string& key) {
  std::size_t end = 0;
  if (key[0] == '"' || key[0] == '[') {
    end = key.find(key[0] == '[' ? ']' : '"', 1) + 1;
  } else {
    end = std::min(key.find_first_of(".["), key.size());
  }
  const std::string step = key.substr(0, end);
  key.erase(0, end);
  if (key.starts_with('.')) key.erase(0, 1);
  return step;
}

Trees values_at(std::string key, const Tree& root) {
  Trees values{root};
  while (!key.empty()) {
    std::string step = take_step(key);
    Trees next;
    for (const Tree& value : values) {
      if (step == "[]") {
        next.insert(next.end(), value.elements.begin(), value.elements.end());
      } else if (step[0] == '[') {
        const std::size_t index = std::stoul(step.substr(1));
        if (index < value.elements.size()) next.push_back(value.elements[index]);
      } else {
        step.erase(std::remove(step.begin(), step.end(), '"'), step.end());
        if (value.members.contains(step)) next.push_back(value.members.at(step));
      }
    }
    values = next;
  }
  return values;
}

Trees flattened(const Trees& values) {
  Trees flat;
  for (const Tree& value : values) {
    if (value.kind != JsonKind::kArray) {
      flat.push_back(value);
    } else {
      flat.insert(flat.end(), value.elements.begin(), value.elements.end());
    }
  }
  return flat;
}

// The alphabet of RandomFilters: ASCII and one other capital letter.
std::vector<std::string> words_of(std::string text) {
  for (std::size_t at = 0; (at = text.find("Ä")) != std::string::npos;) text.replace(at, 2, "ä");
  std::vector<std::string> words(1);
  for (const char c : text) {
    const bool letter = static_cast<unsigned char>(c) >= 0x80 || std::isalnum(c) != 0;
    if (letter) {
      words.back() += static_cast<char>(static_cast<unsigned char>(c) < 0x80 ? std::tolower(c) : c);
    } else if (!words.back().empty()) {
      words.emplace_back();
    }
  }
  if (words.back().empty()) words.pop_back();
  return words;
}

// Microseconds, by the C library; false when it is none of the forms that RandomFilters writes.
bool time_of(const std::string& text, double& micros) {
  if (text.size() < 10 || text[4] != '-') return false;  // get_time() would take "7" for a year
  std::istringstream in(text);
  std::tm tm{};
  double fraction = 0;
  if (!(in >> std::get_time(&tm, "%Y-%m-%d"))) return false;
  std::string zone;
  if (in.peek() == 'T' || in.peek() == ' ') {
    in.get();
    if (!(in >> std::get_time(&tm, "%H:%M"))) return false;
    if (in.peek() == ':') {
      in.get();
      in >> tm.tm_sec;
    }
    if (in.peek() == '.') in >> fraction;
    std::getline(in, zone);
  }
  if (zone.starts_with("+02")) tm.tm_hour -= 2;
  micros = static_cast<double>(::timegm(&tm)) * 1e6 + std::floor(fraction * 1e6 + 1e-4);
  return true;
}

double angle_between(GeoPoint a, GeoPoint b) {
  const auto direction = [](GeoPoint p) {
    const double lon = p.lon * std::numbers::pi / 180;
    const double lat = p.lat * std::numbers::pi / 180;
    return std::array{std::cos(lat) * std::cos(lon), std::cos(lat) * std::sin(lon), std::sin(lat)};
  };
  const auto u = direction(a);
  const auto v = direction(b);
  const double cross =
      std::hypot(u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2], u[0] * v[1] - u[1] * v[0]);
  return std::atan2(cross, u[0] * v[0] + u[1] * v[1] + u[2] * v[2]);
}

// -1 on the edge, otherwise whether the ring winds around the point.
int ring_holds(const std::vector<GeoPoint>& ring, GeoPoint p) {
  double turned = 0;
  for (std::size_t i = 0; i + 1 < ring.size(); ++i) {
    const double ax = ring[i].lon - p.lon;
    const double ay = ring[i].lat - p.lat;
    const double bx = ring[i + 1].lon - p.lon;
    const double by = ring[i + 1].lat - p.lat;
    const double detour = std::hypot(ax, ay) + std::hypot(bx, by) - std::hypot(ax - bx, ay - by);
    if (detour < 1e-12) return -1;
    turned += std::atan2(ax * by - ay * bx, ax * bx + ay * by);
  }
  return std::fabs(turned) > std::numbers::pi ? 1 : 0;
}

template <typename Range, typename Number>
bool within(const Range& range, Number number) {
  bool good = true;
  if (range.lt) good = good && number < *range.lt;
  if (range.gt) good = good && number > *range.gt;
  if (range.lte) good = good && number <= *range.lte;
  if (range.gte) good = good && number >= *range.gte;
  return good;
}

bool listed(const MatchList& list, const Tree& value) {
  bool found = false;
  if (const auto* const strings = std::get_if<std::vector<std::string>>(&list)) {
    for (const std::string& each : *strings) {
      found = found || (value.kind == JsonKind::kString && value.text == each);
    }
  } else {
    for (const std::int64_t each : std::get<std::vector<std::int64_t>>(list)) {
      found = found || (value.kind == JsonKind::kInt && value.integer == each);
    }
  }
  return found;
}

struct ValueJudge {
  const Tree& value;

  [[nodiscard]] bool is(JsonKind kind) const { return value.kind == kind; }
  [[nodiscard]] bool point(GeoPoint& into) const {
    for (const char* const name : {"lon", "lat"}) {
      if (!value.members.contains(name)) return false;
      const JsonKind kind = value.members.at(name).kind;
      if (kind != JsonKind::kInt && kind != JsonKind::kUint && kind != JsonKind::kDouble) {
        return false;
      }
    }
    into = {.lon = value.members.at("lon").number, .lat = value.members.at("lat").number};
    return true;
  }

  bool operator()(const MatchValue& match) const {
    if (match.value.index() == 0) {
      return is(JsonKind::kString) && value.text == std::get<0>(match.value);
    }
    if (match.value.index() == 1) {
      return is(JsonKind::kInt) && value.integer == std::get<1>(match.value);
    }
    return is(JsonKind::kBool) && value.flag == std::get<2>(match.value);
  }
  bool operator()(const MatchAny& match) const { return listed(match.values, value); }
  bool operator()(const MatchExcept& match) const {
    return !is(JsonKind::kNull) && !listed(match.values, value);
  }
  bool operator()(const MatchText& match) const {
    if (!is(JsonKind::kString)) return false;
    const std::vector<std::string> query = words_of(match.query);
    const std::vector<std::string> text = words_of(value.text);
    if (query.empty()) return false;
    std::size_t present = 0;
    for (const std::string& word : query) present += std::count(text.begin(), text.end(), word) > 0;
    if (match.mode == TextMatchMode::kAny) return present > 0;
    if (match.mode == TextMatchMode::kAll) return present == query.size();
    return std::search(text.begin(), text.end(), query.begin(), query.end()) != text.end();
  }
  bool operator()(const MatchPrefix& match) const {
    return is(JsonKind::kString) && value.text.rfind(match.prefix, 0) == 0;
  }
  bool operator()(const MatchSubstring& match) const {
    return is(JsonKind::kString) && std::search(value.text.begin(), value.text.end(),
                                                match.substring.begin(), match.substring.end()) !=
                                        value.text.end() + (match.substring.empty() ? 1 : 0);
  }
  bool operator()(const NumberRange& range) const {
    const bool number = is(JsonKind::kInt) || is(JsonKind::kUint) || is(JsonKind::kDouble);
    return number && within(range, value.number);
  }
  bool operator()(const DatetimeRange& range) const {
    double time = 0;
    if (!is(JsonKind::kString) || !time_of(value.text, time)) return false;
    NumberRange bounds;
    const auto convert = [](const std::optional<std::string>& from, std::optional<double>& to) {
      double bound = 0;
      if (from && time_of(*from, bound)) to = bound;
    };
    convert(range.lt, bounds.lt);
    convert(range.gt, bounds.gt);
    convert(range.lte, bounds.lte);
    convert(range.gte, bounds.gte);
    return within(bounds, time);
  }
  bool operator()(const GeoBoundingBox& box) const {
    GeoPoint p;
    if (!point(p) || !(p.lat < box.top_left.lat) || !(p.lat > box.bottom_right.lat)) return false;
    const bool east_of_west = p.lon > box.top_left.lon;
    const bool west_of_east = p.lon < box.bottom_right.lon;
    return box.top_left.lon > box.bottom_right.lon ? (east_of_west || west_of_east)
                                                   : (east_of_west && west_of_east);
  }
  bool operator()(const GeoRadius& circle) const {
    GeoPoint p;
    return point(p) && angle_between(p, circle.center) * 6'371'008.8 < circle.radius_m;
  }
  bool operator()(const GeoPolygon& polygon) const {
    GeoPoint p;
    if (!point(p) || ring_holds(polygon.exterior, p) != 1) return false;
    for (const auto& ring : polygon.interiors) {
      if (ring_holds(ring, p) != 0) return false;
    }
    return true;
  }
  // Not about single values.
  bool operator()(const ValuesCount&) const { return false; }
  bool operator()(const quipu::IsEmpty&) const { return false; }
  bool operator()(const quipu::IsNull&) const { return false; }
};

std::size_t count_in(const Tree& value) {
  if (value.kind == JsonKind::kArray) return value.elements.size();
  return value.kind == JsonKind::kNull ? 0 : 1;
}
bool all_empty(const Trees& values) {
  return std::all_of(values.begin(), values.end(), [](const Tree& v) { return count_in(v) == 0; });
}
bool any_null(const Trees& values) {
  for (const Tree& value : values) {
    if (value.kind == JsonKind::kNull) return true;
    for (const Tree& element : value.elements) {
      if (element.kind == JsonKind::kNull) return true;
    }
  }
  return false;
}

struct Point {
  const PointId* id;  // null inside nested
  std::set<std::string> vectors;
};

bool judge(const Filter& filter, const Tree& payload, const Point& point);

struct ConditionJudge {
  const Tree& payload;
  const Point& point;

  bool operator()(const FieldCondition& field) const {
    const Trees values = values_at(field.key, payload);
    if (const auto* const range = std::get_if<ValuesCount>(&field.predicate)) {
      if (values.empty()) return within(*range, std::size_t{0});
      return std::any_of(values.begin(), values.end(),
                         [&](const Tree& value) { return within(*range, count_in(value)); });
    }
    if (const auto* const empty = std::get_if<quipu::IsEmpty>(&field.predicate)) {
      return all_empty(values) == empty->expected;
    }
    if (const auto* const null = std::get_if<quipu::IsNull>(&field.predicate)) {
      return any_null(values) == null->expected;
    }
    bool found = false;
    for (const Tree& value : flattened(values)) {
      found = std::visit(ValueJudge{value}, field.predicate) || found;
    }
    return found;
  }
  bool operator()(const IsEmptyCondition& c) const { return all_empty(values_at(c.key, payload)); }
  bool operator()(const IsNullCondition& c) const { return any_null(values_at(c.key, payload)); }
  bool operator()(const HasIdCondition& c) const {
    return point.id != nullptr && std::count(c.ids.begin(), c.ids.end(), *point.id) > 0;
  }
  bool operator()(const HasVectorCondition& c) const { return point.vectors.contains(c.name); }
  bool operator()(const SliceCondition& c) const {
    return point.id != nullptr && slice_hash(*point.id) % c.total == c.index;
  }
  bool operator()(const NestedCondition& c) const {
    const std::string key = c.key.ends_with("[]") ? c.key.substr(0, c.key.size() - 2) : c.key;
    bool found = false;
    for (const Tree& array : values_at(key, payload)) {
      for (const Tree& element : array.elements) {
        const bool object = element.kind == JsonKind::kObject;
        found = found || (object && judge(c.filter, element, {.id = nullptr, .vectors = {}}));
      }
    }
    return found;
  }
  bool operator()(const Filter& c) const { return judge(c, payload, point); }
};

bool judge(const Filter& filter, const Tree& payload, const Point& point) {
  const auto count = [&](const std::vector<FilterCondition>& conditions) {
    std::size_t held = 0;
    for (const FilterCondition& condition : conditions) {
      held += std::visit(ConditionJudge{payload, point}, condition.is) ? 1 : 0;
    }
    return held;
  };
  if (count(filter.must) != filter.must.size()) return false;
  if (count(filter.must_not) != 0) return false;
  if (!filter.should.empty() && count(filter.should) == 0) return false;
  return !filter.min_should || count(filter.min_should->conditions) >= filter.min_should->min_count;
}

// ---------------------------------------------------------------- the tests

class SetOfVectors : public VectorPresence {
 public:
  explicit SetOfVectors(const std::set<std::string>& names) : names_(names) {}
  [[nodiscard]] bool has_vector(std::string_view name) const override {
    return names_.contains(std::string(name));
  }

 private:
  const std::set<std::string>& names_;
};

std::string json_of(const Filter& filter) {
  std::string json;
  JsonWriter out(json);
  write_filter(filter, out);
  return json;
}

// Draws payloads until `rounds` are done; each is judged by `filters_each` new filters from `draw`.
template <typename Draw>
void compare(Rng& rng, int rounds, const Draw& draw, std::size_t& held) {
  testing_support::RandomFilters random(rng);
  for (int round = 0; round < rounds; ++round) {
    const std::string payload = random.payload();
    const Result<JsonDocument> document = JsonDocument::parse(payload);
    ASSERT_EQ(why_not(document), "") << payload;
    const Tree tree = tree_of(document.value().root());
    const PointId id = random.id();
    const std::set<std::string> vectors{random.vector_name(), random.vector_name()};
    const SetOfVectors presence(vectors);
    for (int each = 0; each < 4; ++each) {
      const Filter filter = draw(random);
      const Result<CompiledFilter> compiled = CompiledFilter::compile(filter);
      ASSERT_EQ(why_not(compiled), "") << json_of(filter);
      const bool expected = judge(filter, tree, {.id = &id, .vectors = vectors});
      const bool got = compiled.value().matches(
          {.id = id, .payload = document.value().root(), .vectors = &presence});
      ASSERT_EQ(got, expected) << json_of(filter) << "\n" << payload << "\n" << id.to_string();
      held += got ? 1 : 0;
      // What every match satisfies, says the planner's part.
      if (!got) continue;
      for (const RequiredField& field : compiled.value().required_fields()) {
        const Filter alone{.must = {{FieldCondition{field.key, *field.predicate}}}};
        ASSERT_TRUE(judge(alone, tree, {.id = &id, .vectors = vectors})) << json_of(filter);
      }
    }
  }
}

TEST(FilterModel, SingleConditions) {
  Rng rng(test_seed());
  std::size_t held = 0;
  compare(
      rng, 20'000,
      [](testing_support::RandomFilters& random) { return Filter{.must = {random.condition(1)}}; },
      held);
  EXPECT_GT(held, 8'000U);  // of 80,000: answers of both kinds were compared
  EXPECT_LT(held, 60'000U);
}

// Of each predicate both answers must have been seen, or the comparison above says little.
TEST(FilterModel, EveryPredicateHoldsAndFails) {
  Rng rng(test_seed());
  std::array<std::array<std::size_t, 2>, std::variant_size_v<FieldPredicate>> seen{};
  for (int round = 0; round < 40'000; ++round) {
    testing_support::RandomFilters random(rng);
    const Result<JsonDocument> document = JsonDocument::parse(random.payload());
    ASSERT_TRUE(document.ok());
    const FieldPredicate predicate = random.predicate();
    const Result<CompiledFilter> compiled =
        CompiledFilter::compile({.should = {{FieldCondition{"a", predicate}},
                                            {FieldCondition{"b.a", predicate}},
                                            {FieldCondition{"c[]", predicate}}}});
    ASSERT_TRUE(compiled.ok());
    const bool held = compiled.value().matches({.payload = document.value().root()});
    ++seen[predicate.index()][held ? 1 : 0];
  }
  for (std::size_t kind = 0; kind < seen.size(); ++kind) {
    EXPECT_GT(seen[kind][0], 10U) << "predicate " << kind;
    EXPECT_GT(seen[kind][1], 10U) << "predicate " << kind;
  }
}

TEST(FilterModel, WholeFilters) {
  Rng rng(test_seed());
  std::size_t held = 0;
  compare(
      rng, 15'000, [](testing_support::RandomFilters& random) { return random.filter(); }, held);
  EXPECT_GT(held, 6'000U);
  EXPECT_LT(held, 54'000U);
}

}  // namespace
}  // namespace quipu::query
