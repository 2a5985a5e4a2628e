// Question: how many points a second does a filter judge, with its payload parsed and not?
#include <benchmark/benchmark.h>

#include <string_view>
#include <utility>

#include "quipu/assert.h"
#include "quipu/base/json.h"
#include "quipu/query/filter/evaluate.h"
#include "quipu/query/filter/filter_json.h"

namespace quipu::query {
namespace {

// 200 bytes, as a memory's payload might be; each filter holds for it, so that nothing is skipped.
constexpr std::string_view kPayload =
    R"({"user":"u-1842","kind":"note","lang":"en","tags":["work","plan","q3"],"price":42.5,)"
    R"("score":17,"done":false,"at":"2024-05-01T10:30:15Z","place":{"lon":13.4049,"lat":52.5200},)"
    R"("body":"ship on a Friday"})";
static_assert(kPayload.size() == 200);

constexpr std::string_view kThree =
    R"({"must":[{"key":"kind","match":{"value":"note"}},)"
    R"({"key":"score","range":{"gte":10,"lt":20}},{"key":"tags","match":{"any":["plan","job"]}}]})";
constexpr std::string_view kRich =
    R"({"must":[{"key":"at","range":{"gte":"2024-05-01","lt":"2024-06-01"}},)"
    R"({"key":"place","geo_radius":{"center":{"lon":13.4,"lat":52.5},"radius":5000}},)"
    R"({"key":"body","match":{"text":"friday ship"}}]})";

CompiledFilter compiled(std::string_view json) {
  const Result<JsonDocument> document = JsonDocument::parse(json);
  QUIPU_ASSERT(document.ok());
  Result<Filter> filter = parse_filter(document.value().root(), "filter");
  QUIPU_ASSERT(filter.ok());
  Result<CompiledFilter> result = CompiledFilter::compile(std::move(filter).value());
  QUIPU_ASSERT(result.ok());
  return std::move(result).value();
}

void judge(benchmark::State& state, std::string_view json) {
  const CompiledFilter filter = compiled(json);
  const Result<JsonDocument> payload = JsonDocument::parse(kPayload);
  QUIPU_ASSERT(payload.ok());
  const Record record{.id = PointId::number(7), .payload = payload.value().root()};
  for (auto _ : state) {
    const bool holds = filter.matches(record);
    QUIPU_ASSERT(holds);
  }
  state.SetItemsProcessed(state.iterations());
}

void parse_and_judge(benchmark::State& state, std::string_view json) {
  const CompiledFilter filter = compiled(json);
  for (auto _ : state) {
    const Result<JsonDocument> payload = JsonDocument::parse(kPayload);
    QUIPU_ASSERT(payload.ok());
    const bool holds = filter.matches({.payload = payload.value().root()});
    QUIPU_ASSERT(holds);
  }
  state.SetItemsProcessed(state.iterations());
}

void parse_and_compile(benchmark::State& state, std::string_view json) {
  for (auto _ : state) benchmark::DoNotOptimize(compiled(json));
  state.SetItemsProcessed(state.iterations());
}

BENCHMARK_CAPTURE(judge, three_conditions, kThree);
BENCHMARK_CAPTURE(judge, datetime_geo_text, kRich);
BENCHMARK_CAPTURE(parse_and_judge, three_conditions, kThree);
BENCHMARK_CAPTURE(parse_and_compile, three_conditions, kThree);

}  // namespace
}  // namespace quipu::query
