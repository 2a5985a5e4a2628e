// The values by which points are ordered (include/quipu/query.h, OrderByQuery).
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string_view>
#include <variant>
#include <vector>

#include "quipu/base/json.h"
#include "quipu/query.h"
#include "quipu/query/filter/filter_check.h"
#include "quipu/query/filter/payload_path.h"
#include "quipu/result.h"

namespace quipu::query {

// An integer, a datetime (microseconds since 1970: an integer too), or another number. Integers and
// doubles compare by their exact values, so that no order is lost beyond 2^53.
class OrderValue {
 public:
  OrderValue() = default;
  explicit OrderValue(std::int64_t value) : value_(value) {}
  explicit OrderValue(double value) : value_(value) {}  // no NaN
  // Of a number, or of a string that parse_datetime() reads; empty for all else. An integer beyond
  // 64 bits with a sign is the nearest double.
  [[nodiscard]] static std::optional<OrderValue> of(JsonView value);

  [[nodiscard]] const std::variant<std::int64_t, double>& value() const noexcept { return value_; }
  // NaN-free, so every two values have an order; 1 and 1.0 are equal.
  friend std::strong_ordering operator<=>(const OrderValue& a, const OrderValue& b) noexcept;
  friend bool operator==(const OrderValue& a, const OrderValue& b) noexcept {
    return (a <=> b) == std::strong_ordering::equal;
  }

 private:
  std::variant<std::int64_t, double> value_ = std::int64_t{0};
};

// Checks the key and the beginning. Errors: kInvalidArgument ("invalid_query").
[[nodiscard]] Status check_order_by(const OrderByQuery& query, const Place& at);

// Threads: immutable.
class PayloadOrder {
 public:
  // Errors: those of check_order_by(); `field` is what messages call the query.
  [[nodiscard]] static Result<PayloadOrder> compile(const OrderByQuery& query,
                                                    std::string_view field = "order_by");

  // Whether `a` comes before `b` in the query's direction.
  [[nodiscard]] bool before(const OrderValue& a, const OrderValue& b) const noexcept {
    return descending_ ? b < a : a < b;
  }
  // Whether the value is not before where the query begins.
  [[nodiscard]] bool within(const OrderValue& value) const noexcept {
    return !start_.has_value() || !before(value, *start_);
  }
  // The first of the payload's values in the query's direction that is within(); empty without one.
  // An array at the end of the key's path stands for its elements. No allocation.
  [[nodiscard]] std::optional<OrderValue> first(JsonView payload) const;
  // All that are within(), in the query's direction, each once. Replaces what `values` holds.
  void all(JsonView payload, std::vector<OrderValue>& values) const;

  [[nodiscard]] const PayloadPath& path() const noexcept { return path_; }
  [[nodiscard]] bool descending() const noexcept { return descending_; }
  [[nodiscard]] const std::optional<OrderValue>& start() const noexcept { return start_; }

 private:
  PayloadOrder(PayloadPath path, bool descending)
      : path_(std::move(path)), descending_(descending) {}
  template <typename Visit>
  void visit(JsonView payload, Visit visit) const;

  PayloadPath path_;
  bool descending_;
  std::optional<OrderValue> start_;
};

}  // namespace quipu::query
