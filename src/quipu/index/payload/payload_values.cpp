#include "quipu/index/payload/payload_values.h"

#include <cmath>

namespace quipu::index {
namespace {

std::strong_ordering compare(double a, double b) noexcept {
  if (a < b) return std::strong_ordering::less;
  return a > b ? std::strong_ordering::greater : std::strong_ordering::equal;
}

// Without rounding the integer, which may have more digits than a double.
std::strong_ordering compare(std::int64_t a, double b) noexcept {
  constexpr double kBeyond = 9223372036854775808.0;  // 2^63
  if (b >= kBeyond) return std::strong_ordering::less;
  if (!(b >= -kBeyond)) return std::strong_ordering::greater;  // nor is it NaN below
  const double whole = std::trunc(b);
  const auto integer = static_cast<std::int64_t>(whole);
  if (a != integer) return a <=> integer;
  return compare(whole, b);
}

}  // namespace

std::strong_ordering operator<=>(const OrderValue& a, const OrderValue& b) noexcept {
  const auto* const a_integer = std::get_if<std::int64_t>(&a.value);
  const auto* const b_integer = std::get_if<std::int64_t>(&b.value);
  if (a_integer != nullptr && b_integer != nullptr) return *a_integer <=> *b_integer;
  if (a_integer != nullptr) return compare(*a_integer, *std::get_if<double>(&b.value));
  if (b_integer != nullptr) {
    return 0 <=> compare(*b_integer, *std::get_if<double>(&a.value));
  }
  return compare(*std::get_if<double>(&a.value), *std::get_if<double>(&b.value));
}

std::string_view payload_kind_name(PayloadKind kind) noexcept {
  switch (kind) {
    case PayloadKind::kKeyword: return "keyword";
    case PayloadKind::kInteger: return "integer";
    case PayloadKind::kFloat: return "float";
    case PayloadKind::kBool: return "bool";
    case PayloadKind::kDatetime: return "datetime";
    case PayloadKind::kUuid: return "uuid";
    case PayloadKind::kGeo: return "geo";
    case PayloadKind::kText: return "text";
  }
  return "unknown";
}

}  // namespace quipu::index
