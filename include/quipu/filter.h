// What a filter says about points: the language of Qdrant's filters, as plain values.
//
// A Filter is data: it is written by hand, or read from JSON, and compared with ==. What it means:
//
//   Filter       holds when every condition of `must` holds, at least one of `should` (if it has
//                any), none of `must_not`, and at least min_count of min_should's conditions. An
//                empty filter holds for every point.
//   key          a path into the payload: "a.b" is member b of member a; "a[3]" an element of an
//                array, "a[]" each of its elements; a name with other characters than letters,
//                digits, '_' and '-' is put in quotes: a."dotted.name". A path reaches no value,
//                one, or (by "[]") several. Without brackets it does not look into arrays: "a.b"
//                reaches nothing when a is an array.
//   predicates   of values (match, range, geo) hold when any value that the path reaches satisfies
//                them, where an array at the end of the path stands for its elements (of one level
//                only). A missing field satisfies none of them.
//
// Where Qdrant's forms or versions differ, this is what 1.19.1 and later do; the sources are in
// src/quipu/query/README.md.
//
// Threads: values; as any other.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "quipu/ids.h"

namespace quipu {

// ---------------------------------------------------------------- predicates of one field

// The value is this string, integer or boolean. Kinds never mix: 1 matches neither 1.0 nor "1" nor
// true, and no number with a fraction or an exponent is matched at all (use a range). Strings are
// compared byte for byte.
struct MatchValue {
  std::variant<std::string, std::int64_t, bool> value;
  friend bool operator==(const MatchValue&, const MatchValue&) = default;
};

// All strings or all integers. An empty list is written as JSON, and so read back, as of strings.
using MatchList = std::variant<std::vector<std::string>, std::vector<std::int64_t>>;

// The value is one of these. An empty list matches nothing.
struct MatchAny {
  MatchList values;
  friend bool operator==(const MatchAny&, const MatchAny&) = default;
};

// There is a value that is none of these. Values of other kinds (booleans, numbers with a fraction,
// objects, arrays inside the array) are none of them; null is no value, so it does not satisfy
// this.
struct MatchExcept {
  MatchList values;
  friend bool operator==(const MatchExcept&, const MatchExcept&) = default;
};

enum class TextMatchMode : std::uint8_t {
  kAll,     // JSON `text`: every word of the query is a word of the value, in any order
  kAny,     // JSON `text_any`: at least one is
  kPhrase,  // JSON `phrase`: they are, one after the other
};

// Words of a string value. A text index on the field says what a word is; without one, words are
// runs of letters and digits, compared in lower case. A query without words matches nothing.
struct MatchText {
  TextMatchMode mode = TextMatchMode::kAll;
  std::string query;
  friend bool operator==(const MatchText&, const MatchText&) = default;
};

// The value is a string that begins with this one, byte for byte. The empty one begins every
// string.
struct MatchPrefix {
  std::string prefix;
  friend bool operator==(const MatchPrefix&, const MatchPrefix&) = default;
};

// The value is a string that contains this one, byte for byte.
struct MatchSubstring {
  std::string substring;
  friend bool operator==(const MatchSubstring&, const MatchSubstring&) = default;
};

// The value is a number (never a boolean or a string) within all bounds; integers are compared as
// doubles. Bounds are finite. Without bounds: the value is a number.
struct NumberRange {
  std::optional<double> lt;
  std::optional<double> gt;
  std::optional<double> lte;
  std::optional<double> gte;
  friend bool operator==(const NumberRange&, const NumberRange&) = default;
};

// The value is a string that parse_datetime() of base/datetime.h reads, within all bounds, compared
// by the microsecond. Bounds are such strings too ("2024-05-01T10:00:00Z", "2024-05-01"); what has
// no zone is in UTC. At least one bound is given.
struct DatetimeRange {
  std::optional<std::string> lt;
  std::optional<std::string> gt;
  std::optional<std::string> lte;
  std::optional<std::string> gte;
  friend bool operator==(const DatetimeRange&, const DatetimeRange&) = default;
};

// Degrees: lon in [-180, 180], lat in [-90, 90]. In a payload, an object with numbers "lon" and
// "lat"; anything else satisfies no geo predicate.
struct GeoPoint {
  double lon = 0;
  double lat = 0;
  friend bool operator==(const GeoPoint&, const GeoPoint&) = default;
};

// Strictly inside the box. It crosses the antimeridian when top_left.lon > bottom_right.lon.
struct GeoBoundingBox {
  GeoPoint top_left;
  GeoPoint bottom_right;
  friend bool operator==(const GeoBoundingBox&, const GeoBoundingBox&) = default;
};

// Nearer than `radius_m` metres by the great circle, on a sphere of 6,371,008.8 m.
struct GeoRadius {
  GeoPoint center;
  double radius_m = 0;  // not negative
  friend bool operator==(const GeoRadius&, const GeoRadius&) = default;
};

// Strictly inside the exterior ring and strictly outside the interior ones, in the plane of (lon,
// lat): edges are straight there and do not cross the antimeridian. A ring has at least 4 points,
// the last equal to the first; what it winds around is its inside, also where it crosses itself.
struct GeoPolygon {
  std::vector<GeoPoint> exterior;
  std::vector<std::vector<GeoPoint>> interiors;
  friend bool operator==(const GeoPolygon&, const GeoPolygon&) = default;
};

// A value that the path reaches has a count within all bounds: the elements of an array, 0 for
// null, 1 for anything else. A missing field counts 0. Without bounds: always.
struct ValuesCount {
  std::optional<std::uint64_t> lt;
  std::optional<std::uint64_t> gt;
  std::optional<std::uint64_t> lte;
  std::optional<std::uint64_t> gte;
  friend bool operator==(const ValuesCount&, const ValuesCount&) = default;
};

// Whether the field is empty: missing, or each value that the path reaches is null or [].
struct IsEmpty {
  bool expected = true;
  friend bool operator==(const IsEmpty&, const IsEmpty&) = default;
};

// Whether a value that the path reaches is null or an array that holds a null. Missing is not null.
struct IsNull {
  bool expected = true;
  friend bool operator==(const IsNull&, const IsNull&) = default;
};

using FieldPredicate = std::variant<MatchValue, MatchAny, MatchExcept, MatchText, MatchPrefix,
                                    MatchSubstring, NumberRange, DatetimeRange, GeoBoundingBox,
                                    GeoRadius, GeoPolygon, ValuesCount, IsEmpty, IsNull>;

// ---------------------------------------------------------------- conditions

struct FieldCondition {
  std::string key;
  FieldPredicate predicate;
  friend bool operator==(const FieldCondition&, const FieldCondition&) = default;
};

// As FieldCondition with IsEmpty{true}: another way to write it.
struct IsEmptyCondition {
  std::string key;
  friend bool operator==(const IsEmptyCondition&, const IsEmptyCondition&) = default;
};

// As FieldCondition with IsNull{true}.
struct IsNullCondition {
  std::string key;
  friend bool operator==(const IsNullCondition&, const IsNullCondition&) = default;
};

// The point's id is one of these. Inside `nested` it never holds, as the next two.
struct HasIdCondition {
  std::vector<PointId> ids;
  friend bool operator==(const HasIdCondition&, const HasIdCondition&) = default;
};

// The point has the vector of this name; "" is the collection's unnamed one.
struct HasVectorCondition {
  std::string name;
  friend bool operator==(const HasVectorCondition&, const HasVectorCondition&) = default;
};

// The point's id falls into slice `index` of `total` disjoint, stable slices of all ids:
// SipHash-2-4 of the id (8 little-endian bytes of a number, 16 of a UUID) with a zero key, modulo
// `total`.
struct SliceCondition {
  std::uint32_t total = 1;  // at least 1
  std::uint32_t index = 0;  // below total
  friend bool operator==(const SliceCondition&, const SliceCondition&) = default;
};

struct FilterCondition;

struct MinShould {
  std::vector<FilterCondition> conditions;
  std::uint64_t min_count = 1;  // at least 1; more than there are conditions holds never
  friend bool operator==(const MinShould& a, const MinShould& b);
};

struct Filter {
  std::vector<FilterCondition> must;
  std::vector<FilterCondition> should;
  std::vector<FilterCondition> must_not;
  std::optional<MinShould> min_should;
  friend bool operator==(const Filter& a, const Filter& b);
};

// One and the same element of the array at `key` satisfies the whole filter, whose keys begin in
// the element. Elements that are no objects, and a value that is no array, satisfy none. "a" and
// "a[]" are the same key here.
struct NestedCondition {
  std::string key;
  Filter filter;
  friend bool operator==(const NestedCondition&, const NestedCondition&) = default;
};

// Exactly one of them; the engine's own `Condition` is about a write.
struct FilterCondition {
  std::variant<FieldCondition, IsEmptyCondition, IsNullCondition, HasIdCondition,
               HasVectorCondition, SliceCondition, NestedCondition, Filter>
      is;
  friend bool operator==(const FilterCondition&, const FilterCondition&) = default;
};

// Defined here because they need the whole FilterCondition.
inline bool operator==(const MinShould& a, const MinShould& b) {
  return a.min_count == b.min_count && a.conditions == b.conditions;
}
inline bool operator==(const Filter& a, const Filter& b) {
  return a.must == b.must && a.should == b.should && a.must_not == b.must_not &&
         a.min_should == b.min_should;
}

}  // namespace quipu
