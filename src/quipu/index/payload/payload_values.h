// What one payload key holds in one point, as the index of that key takes it.
//
// A key's path reaches values. Their elements are the values themselves, or, where a value is an
// array, what is in it (one level). Which elements an index holds is said by its kind; of the
// others it knows that they are there, so that it can answer what is asked about the field as a
// whole.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "quipu/filter.h"

namespace quipu::index {

// Stored in checkpoints: append only, never renumber.
enum class PayloadKind : std::uint32_t {
  kKeyword = 0,   // strings, by their bytes
  kInteger = 1,   // numbers
  kFloat = 2,     // numbers, as kInteger: the two differ in what a schema lets in
  kBool = 3,      // booleans
  kDatetime = 4,  // strings that try_parse_datetime() reads, by the microsecond
  kUuid = 5,      // strings, and those that are UUIDs in little space
  kGeo = 6,       // places
  kText = 7,      // the terms of strings
};
// "keyword", "integer", "float", "bool", "datetime", "uuid", "geo", "text".
[[nodiscard]] std::string_view payload_kind_name(PayloadKind kind) noexcept;

struct PayloadOptions {
  PayloadKind kind = PayloadKind::kKeyword;
  bool positions = false;  // kText: keep them, so that phrases are answered exactly
  friend bool operator==(const PayloadOptions&, const PayloadOptions&) = default;
};

struct PayloadTerm {
  std::string_view term;
  std::uint32_t position = 0;
};

// Borrowed for a call. Lists may hold a value more than once, in any order.
struct PayloadValues {
  // For each value that the path reaches: the elements of an array, 0 for null, 1 for anything
  // else. At least one: a point whose path reaches nothing is not inserted.
  std::vector<std::uint32_t> counts;
  bool any_null = false;  // a value is null, or an array that holds a null
  // Elements that are not null and that the kind does not hold.
  bool others = false;
  // Elements that the kind holds, but that are not in the lists below. Whatever depends on them is
  // then answered with "maybe".
  bool unheld = false;

  std::vector<std::string_view> strings;  // kKeyword, kUuid
  // kInteger, kFloat: numbers that fit; kDatetime: microseconds since 1970.
  std::vector<std::int64_t> integers;
  std::vector<double> floats;                   // kInteger, kFloat: all other numbers, finite
  bool any_true = false;                        // kBool
  bool any_false = false;                       // kBool
  std::vector<GeoPoint> points;                 // kGeo; finite
  std::vector<std::vector<PayloadTerm>> texts;  // kText: the terms of each string
};

// A number or a moment in time (microseconds), exact: integers and doubles are compared as the
// numbers that they are.
struct OrderValue {
  std::variant<std::int64_t, double> value;
  friend std::strong_ordering operator<=>(const OrderValue& a, const OrderValue& b) noexcept;
  friend bool operator==(const OrderValue& a, const OrderValue& b) noexcept {
    return (a <=> b) == std::strong_ordering::equal;
  }
};

}  // namespace quipu::index
