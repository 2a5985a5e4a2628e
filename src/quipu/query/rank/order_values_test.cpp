#include "quipu/query/rank/order_values.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

#include "quipu/base/test_support.h"
#include "quipu/query/filter/testing/allocations.h"

namespace quipu::query {
namespace {

using testing::HasSubstr;
using OrderValues = std::vector<OrderValue>;

OrderValue integer(std::int64_t value) { return OrderValue(value); }
OrderValue real(double value) { return OrderValue(value); }

TEST(OrderValue, ComparesIntegersAndDoublesExactly) {
  constexpr std::int64_t kLarge = (std::int64_t{1} << 53) + 1;  // no double
  EXPECT_LT(real(9007199254740992.0), integer(kLarge));
  EXPECT_GT(real(9007199254740994.0), integer(kLarge));
  EXPECT_EQ(integer(1), real(1));
  EXPECT_LT(integer(1), real(1.5));
  EXPECT_GT(integer(-1), real(-1.5));
  EXPECT_LT(integer(-2), real(-1.5));
  EXPECT_EQ(integer(0), real(-0.0));
  constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
  constexpr std::int64_t kLeast = std::numeric_limits<std::int64_t>::min();
  EXPECT_LT(integer(kMost), real(9223372036854775808.0));
  EXPECT_EQ(integer(kLeast), real(-9223372036854775808.0));
  EXPECT_GT(integer(kLeast), real(-9223372036854777856.0));
  EXPECT_LT(integer(kMost), real(1e300));
}

// Every pair of a list in known order.
TEST(OrderValue, IsATotalOrder) {
  const OrderValues ascending = {real(-1e300),
                                 integer(std::numeric_limits<std::int64_t>::min()),
                                 real(-2.5),
                                 integer(-2),
                                 real(-0.5),
                                 integer(0),
                                 real(5e-324),
                                 real(0.5),
                                 integer(1),
                                 real(9007199254740992.0),
                                 integer(9007199254740993),
                                 integer(std::numeric_limits<std::int64_t>::max()),
                                 real(9223372036854775808.0)};
  for (std::size_t i = 0; i < ascending.size(); ++i) {
    for (std::size_t j = 0; j < ascending.size(); ++j) {
      EXPECT_EQ(ascending[i] <=> ascending[j], i <=> j) << i << " " << j;
    }
  }
}

OrderValues all(const OrderByQuery& query, std::string_view payload) {
  const Result<PayloadOrder> order = PayloadOrder::compile(query);
  EXPECT_EQ(why_not(order), "");
  const Result<JsonDocument> document = JsonDocument::parse(payload);
  EXPECT_EQ(why_not(document), "");
  OrderValues values = {integer(99)};
  order.value().all(document.value().root(), values);
  const std::optional<OrderValue> first = order.value().first(document.value().root());
  EXPECT_EQ(first.has_value(), !values.empty());
  if (first.has_value() && !values.empty()) {
    EXPECT_EQ(*first, values.front());
  }
  return values;
}

TEST(PayloadOrder, TakesNumbersAndDatetimes) {
  EXPECT_EQ(all({.key = "a"}, R"({"a":3})"), OrderValues{integer(3)});
  EXPECT_EQ(all({.key = "a"}, R"({"a":-0.5})"), OrderValues{real(-0.5)});
  EXPECT_EQ(all({.key = "a"}, R"({"a":"1970-01-01T00:00:01.5Z"})"),
            OrderValues{integer(1'500'000)});
  EXPECT_EQ(all({.key = "a"}, R"({"a":18446744073709551615})"),
            OrderValues{real(18446744073709551615.0)});
  for (const char* const other : {"true", "null", "\"soon\"", "{}", "[]", "[[1]]"}) {
    EXPECT_EQ(all({.key = "a"}, R"({"a":)" + std::string(other) + "}"), OrderValues()) << other;
  }
  EXPECT_EQ(all({.key = "b"}, R"({"a":1})"), OrderValues());
}

TEST(PayloadOrder, TakesEachValueOnceInTheDirection) {
  const std::string_view payload = R"({"a":[2,0.5,"x",2.0,-1,null,0.5],"b":[{"c":4},{"c":[3]}]})";
  EXPECT_EQ(all({.key = "a"}, payload), (OrderValues{integer(-1), real(0.5), integer(2)}));
  EXPECT_EQ(all({.key = "a", .descending = true}, payload),
            (OrderValues{integer(2), real(0.5), integer(-1)}));
  EXPECT_EQ(all({.key = "b[].c"}, payload), (OrderValues{integer(3), integer(4)}));
  EXPECT_EQ(all({.key = "a[]"}, R"({"a":[[1],2]})"), OrderValues{integer(2)});
}

TEST(PayloadOrder, BeginsWhereItIsTold) {
  const std::string_view payload = R"({"a":[1,2,3]})";
  EXPECT_EQ(all({.key = "a", .start_from = 2.0}, payload), (OrderValues{integer(2), integer(3)}));
  EXPECT_EQ(all({.key = "a", .descending = true, .start_from = 2.0}, payload),
            (OrderValues{integer(2), integer(1)}));
  EXPECT_EQ(all({.key = "a", .start_from = 3.5}, payload), OrderValues());
  const std::string_view days = R"({"a":["2024-05-01","2024-05-03T00:00:00Z"]})";
  EXPECT_EQ(all({.key = "a", .start_from = "2024-05-02"}, days).size(), 1U);
  EXPECT_EQ(all({.key = "a", .start_from = "2024-05-01T00:00:00Z"}, days).size(), 2U);
}

TEST(PayloadOrder, RefusesWhatItCannotReadAndNamesIt) {
  const auto message = [](const OrderByQuery& query) {
    const Result<PayloadOrder> order = PayloadOrder::compile(query);
    EXPECT_FALSE(order.ok());
    return order.ok() ? "" : order.error().message;
  };
  EXPECT_THAT(message({.key = "a..b"}), HasSubstr("order_by.key: "));
  EXPECT_THAT(message({.key = "a", .start_from = "soon"}), HasSubstr("order_by.start_from: "));
  EXPECT_THAT(message({.key = "a", .start_from = std::numeric_limits<double>::infinity()}),
              HasSubstr("order_by.start_from: inf is no finite number"));
}

TEST(PayloadOrder, AllocatesNothingForTheFirst) {
  const Result<PayloadOrder> order = PayloadOrder::compile({.key = "a[].b"});
  const Result<JsonDocument> document = JsonDocument::parse(R"({"a":[{"b":[5,4]},{"b":3}]})");
  const JsonView payload = document.value().root();
  const std::uint64_t before = testing_support::allocations_so_far();
  const std::optional<OrderValue> first = order.value().first(payload);
  EXPECT_EQ(testing_support::allocations_so_far(), before);
  EXPECT_EQ(first, integer(3));
}

TEST(PayloadOrderModel, EqualsSortingAllValues) {
  Rng rng(test_seed());
  for (int round = 0; round < 500; ++round) {
    OrderValues drawn;
    std::string json;
    JsonWriter out(json);
    out.begin_object().key("a").begin_array();
    for (std::uint64_t count = rng.below(8); count > 0; --count) {
      const auto whole = static_cast<std::int64_t>(rng.below(7)) - 3;
      if (rng.below(2) == 0) {
        out.value(whole);
        drawn.push_back(integer(whole));
      } else {
        out.value(static_cast<double>(whole) / 2);
        drawn.push_back(real(static_cast<double>(whole) / 2));
      }
    }
    out.end_array().end_object();
    OrderByQuery query{.key = "a", .descending = rng.below(2) == 0};
    if (rng.below(2) == 0) query.start_from = static_cast<double>(rng.below(6)) / 2 - 1.5;
    OrderValues wanted;
    for (const OrderValue& value : drawn) {
      if (std::find(wanted.begin(), wanted.end(), value) != wanted.end()) continue;
      const bool kept = !query.start_from.has_value() ||
                        (query.descending ? value <= real(std::get<double>(*query.start_from))
                                          : value >= real(std::get<double>(*query.start_from)));
      if (kept) wanted.push_back(value);
    }
    std::sort(wanted.begin(), wanted.end());
    if (query.descending) std::reverse(wanted.begin(), wanted.end());
    ASSERT_EQ(all(query, json), wanted) << json;
  }
}

}  // namespace
}  // namespace quipu::query
