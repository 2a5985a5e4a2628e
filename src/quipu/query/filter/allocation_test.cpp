// Goal: judging a point allocates nothing. In a file of its own, since it replaces operator new.
#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <new>
#include <string>
#include <utility>

#include "quipu/base/test_support.h"
#include "quipu/query/filter/evaluate.h"
#include "quipu/query/filter/filter_json.h"
#include "quipu/query/filter/testing/allocations.h"

namespace {
thread_local std::uint64_t allocation_count = 0;
}  // namespace

// Not inlined, or g++ sees a delete that calls free() on what some new returned.
__attribute__((noinline)) void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  ++allocation_count;
  return std::malloc(size);  // tidy: what operator new is made of
}
__attribute__((noinline)) void* operator new(std::size_t size) {
  void* const memory = operator new(size, std::nothrow);
  if (memory == nullptr) std::abort();
  return memory;
}
__attribute__((noinline)) void operator delete(void* memory) noexcept {
  std::free(memory);  // tidy: as above
}
__attribute__((noinline)) void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);  // tidy: as above
}

std::uint64_t quipu::query::testing_support::allocations_so_far() noexcept {
  return allocation_count;
}

namespace quipu::query {
namespace {

TEST(CompiledFilterMemory, AllocatesNothingToMatch) {
  const Result<JsonDocument> payload = JsonDocument::parse(
      R"({"tag":["a","b"],"n":5,"when":"2024-05-01T10:00:00+02:00","at":{"lon":13.4,"lat":52.5},
          "text":"A rather long text with a few Ünicode words, longer than any small buffer",
          "items":[{"x":1,"deep":[{"y":2}]},{"x":3,"deep":[{"y":4}]}]})");
  ASSERT_EQ(why_not(payload), "");
  const Result<JsonDocument> json = JsonDocument::parse(R"({
    "must": [{"key":"tag","match":{"any":["b","c"]}}, {"key":"tag","match":{"except":["a"]}},
      {"key":"n","range":{"gte":5}}, {"key":"when","range":{"lt":"2024-05-02"}},
      {"key":"at","geo_radius":{"center":{"lon":13.4,"lat":52.5},"radius":10}},
      {"key":"at","geo_polygon":{"exterior":{"points":[{"lon":13,"lat":52},{"lon":14,"lat":52},
        {"lon":13,"lat":54},{"lon":13,"lat":52}]}}},
      {"key":"text","match":{"text":"words ünicode"}}, {"key":"text","match":{"phrase":"a few"}},
      {"key":"text","match":{"substring":"long"}}, {"key":"tag","values_count":{"gte":2}},
      {"key":"items[].deep[].y","match":{"value":4}}, {"key":"items[1].x","is_null":false},
      {"nested":{"key":"items","filter":{"must":[{"key":"x","match":{"value":3}},
        {"nested":{"key":"deep","filter":{"must":{"key":"y","match":{"value":4}}}}}]}}},
      {"has_id":[1,2,3]}, {"slice":{"total":1,"index":0}}],
    "must_not": [{"is_empty":{"key":"n"}}, {"should":[{"key":"n","match":{"value":6}},
      {"is_null":{"key":"tag"}}]}],
    "min_should": {"conditions":[{"key":"n","match":{"value":5}},{"key":"m","match":{"value":5}},
      {"key":"tag","match":{"value":"a"}}],"min_count":2}})");
  ASSERT_EQ(why_not(json), "");
  Result<Filter> parsed = parse_filter(json.value().root(), "filter");
  ASSERT_EQ(why_not(parsed), "");
  const Result<CompiledFilter> compiled = CompiledFilter::compile(std::move(parsed).value());
  ASSERT_EQ(why_not(compiled), "");
  const CompiledFilter& filter = compiled.value();
  const Record record{.id = PointId::number(2), .payload = payload.value().root()};
  ASSERT_TRUE(filter.matches(record));  // also warms up the thread's scratch
  const std::uint64_t before = allocation_count;
  bool held = true;
  for (int round = 0; round < 10; ++round) held = filter.matches(record) && held;
  EXPECT_EQ(allocation_count, before);
  EXPECT_TRUE(held);
  const std::string control(100, 'x');  // that the counter counts at all
  EXPECT_GT(allocation_count, before);
}

}  // namespace
}  // namespace quipu::query
