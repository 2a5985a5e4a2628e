#include "quipu/query/rank/order_values.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "quipu/base/datetime.h"
#include "quipu/base/format.h"
#include "quipu/base/limits.h"

namespace quipu::query {
namespace {

constexpr std::string_view kInvalidOrder = "invalid_query";

std::strong_ordering compare(double a, double b) noexcept {
  if (a < b) return std::strong_ordering::less;
  return a > b ? std::strong_ordering::greater : std::strong_ordering::equal;
}

std::strong_ordering compare(std::int64_t a, double b) noexcept {
  constexpr double kBeyond = 9223372036854775808.0;  // 2^63
  if (b >= kBeyond) return std::strong_ordering::less;
  if (b < -kBeyond) return std::strong_ordering::greater;
  const double whole = std::floor(b);
  const std::strong_ordering order = a <=> static_cast<std::int64_t>(whole);
  if (order != std::strong_ordering::equal) return order;
  return whole < b ? std::strong_ordering::less : std::strong_ordering::equal;
}

std::strong_ordering reversed(std::strong_ordering order) noexcept { return 0 <=> order; }

Result<OrderValue> start_of(const std::variant<double, std::string>& start, const Place& at) {
  if (const auto* const number = std::get_if<double>(&start)) {
    if (std::isfinite(*number)) return OrderValue(*number);
    return at.error(format("{} is no finite number", *number), kInvalidOrder);
  }
  const Result<std::int64_t> time = parse_datetime(std::get<std::string>(start));
  if (!time.ok()) return at.error(time.error().message, kInvalidOrder);
  return OrderValue(time.value());
}

}  // namespace

std::strong_ordering operator<=>(const OrderValue& a, const OrderValue& b) noexcept {
  const auto* const a_integer = std::get_if<std::int64_t>(&a.value_);
  const auto* const b_integer = std::get_if<std::int64_t>(&b.value_);
  if (a_integer != nullptr && b_integer != nullptr) return *a_integer <=> *b_integer;
  if (a_integer != nullptr) return compare(*a_integer, *std::get_if<double>(&b.value_));
  if (b_integer != nullptr) return reversed(compare(*b_integer, *std::get_if<double>(&a.value_)));
  return compare(*std::get_if<double>(&a.value_), *std::get_if<double>(&b.value_));
}

std::optional<OrderValue> OrderValue::of(JsonView value) {
  if (const auto integer = value.as_int64()) return OrderValue(*integer);
  if (const auto number = value.as_double()) return OrderValue(*number);
  const std::optional<std::string_view> text = value.as_string();
  if (!text.has_value()) return std::nullopt;
  const std::optional<std::int64_t> time_us = try_parse_datetime(*text);
  if (!time_us.has_value()) return std::nullopt;
  return OrderValue(*time_us);
}

Status check_order_by(const OrderByQuery& query, const Place& at) {
  const Place key(at, "key");
  const Result<PayloadPath> path = PayloadPath::parse(query.key);
  if (!path.ok()) return key.error(path.error().message, kInvalidOrder);
  if (!query.start_from.has_value()) return ok_status();
  QUIPU_TRY_OK(start_of(*query.start_from, Place(at, "start_from")));
  return ok_status();
}

Result<PayloadOrder> PayloadOrder::compile(const OrderByQuery& query, std::string_view field) {
  const Place at(field);
  QUIPU_TRY_OK(check_order_by(query, at));
  QUIPU_TRY(PayloadPath path, PayloadPath::parse(query.key));
  PayloadOrder order(std::move(path), query.descending);
  if (query.start_from.has_value()) {
    QUIPU_TRY(order.start_, start_of(*query.start_from, Place(at, "start_from")));
  }
  return order;
}

// Calls visit(value) for each value that is within().
template <typename Visit>
void PayloadOrder::visit(JsonView payload, Visit visit) const {
  const auto take = [this, &visit](JsonView json) {
    const std::optional<OrderValue> value = OrderValue::of(json);
    if (value.has_value() && within(*value)) visit(*value);
    return true;
  };
  const bool takes_elements = path_.steps().back().kind != PathStep::Kind::kEveryElement;
  path_.visit(payload, [&take, takes_elements](JsonView json) {
    if (!takes_elements || !json.is_array()) return take(json);
    json.for_each_element(take);
    return true;
  });
}

std::optional<OrderValue> PayloadOrder::first(JsonView payload) const {
  std::optional<OrderValue> best;
  visit(payload, [this, &best](const OrderValue& value) {
    if (!best.has_value() || before(value, *best)) best = value;
  });
  return best;
}

void PayloadOrder::all(JsonView payload, std::vector<OrderValue>& values) const {
  values.clear();
  visit(payload, [&values](const OrderValue& value) { values.push_back(value); });
  std::sort(values.begin(), values.end(),
            [this](const OrderValue& a, const OrderValue& b) { return before(a, b); });
  values.erase(std::unique(values.begin(), values.end()), values.end());
}

}  // namespace quipu::query
