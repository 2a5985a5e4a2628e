// Question: how long does a payload index of a million points take to build, to find what a
// condition selects, and to count facets; and how many bytes does a point cost?
#include <benchmark/benchmark.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "quipu/assert.h"
#include "quipu/base/epoch.h"
#include "quipu/base/rng.h"
#include "quipu/index/payload/payload_index.h"

namespace quipu::index {
namespace {

constexpr std::uint32_t kPoints = 1'000'000;
constexpr std::uint32_t kPublishPoints = 1'000;  // as a write of many points has
constexpr std::uint64_t kKeywords = 10'000;

struct Built {
  EpochDomain epochs;
  std::unique_ptr<PayloadIndex> index;
  std::shared_ptr<const PayloadIndex::Moment> moment;
};

// Keywords: value v of 10,000; those divisible by 10, 100 and so on are shares of the whole.
std::unique_ptr<Built> build(PayloadKind kind) {
  auto built = std::make_unique<Built>();
  auto made = PayloadIndex::create({.kind = kind}, built->epochs);
  QUIPU_ASSERT(made.ok());
  built->index = std::move(made).value();
  Rng rng(1);
  PayloadValues values;
  values.counts = {1};
  for (std::uint32_t slot = 0; slot < kPoints; ++slot) {
    const std::string keyword = "value-" + std::to_string(rng.below(kKeywords));
    values.strings = {keyword};
    values.floats = {rng.uniform()};
    values.integers = {static_cast<std::int64_t>(rng.below(kKeywords))};
    if (kind == PayloadKind::kFloat) values.integers.clear();
    if (kind == PayloadKind::kInteger) values.floats.clear();
    values.points = {{.lon = rng.uniform() * 360 - 180, .lat = rng.uniform() * 180 - 90}};
    built->index->insert(SlotId(slot), values, Seq(slot + 1));
    if ((slot + 1) % kPublishPoints != 0) continue;
    built->moment = built->index->publish();
    while (built->index->merge(Seq(slot + 1)) > 0) {
    }
  }
  built->moment = built->index->publish();
  built->epochs.collect();
  return built;
}

const Built& built(PayloadKind kind) {
  static std::unique_ptr<Built> kinds[8];
  std::unique_ptr<Built>& one = kinds[static_cast<std::size_t>(kind)];
  if (one == nullptr) one = build(kind);
  return *one;
}

void insert_all(benchmark::State& state, PayloadKind kind) {
  for (auto _ : state) {
    const std::unique_ptr<Built> one = build(kind);
    const PayloadStats stats = one->index->stats();
    state.counters["bytes_per_point"] = static_cast<double>(stats.bytes_used) / kPoints;
    state.counters["segments"] = static_cast<double>(stats.segments);
  }
  state.SetItemsProcessed(state.iterations() * kPoints);
}

void match(benchmark::State& state, PayloadKind kind, const PayloadQuery& query) {
  const Built& one = built(kind);
  std::size_t found = 0;
  for (auto _ : state) {
    SlotBitmap sure;
    SlotBitmap maybe;
    one.index->match(*one.moment, query, Seq(kPoints), sure, maybe);
    found = sure.count();
    QUIPU_ASSERT(found > 0);
  }
  state.counters["found"] = static_cast<double>(found);
}

// range(0): tenths of a percent of the points.
void match_float(benchmark::State& state) {
  match(state, PayloadKind::kFloat, NumberRange{.lt = static_cast<double>(state.range(0)) / 1000});
}
void match_keyword(benchmark::State& state) {
  StringsQuery query;
  for (std::int64_t i = 0; i < state.range(0) * static_cast<std::int64_t>(kKeywords) / 1000; ++i) {
    query.values.push_back("value-" + std::to_string(i));
  }
  match(state, PayloadKind::kKeyword, query);
}
void match_one_keyword(benchmark::State& state) {
  match(state, PayloadKind::kKeyword, StringsQuery{.values = {"value-77"}});
}
void match_all_but_one(benchmark::State& state) {
  match(state, PayloadKind::kKeyword, StringsQuery{.values = {"value-77"}, .except = true});
}

void estimate_float(benchmark::State& state) {
  const Built& one = built(PayloadKind::kFloat);
  for (auto _ : state) {
    const auto estimate = one.index->estimate(*one.moment, NumberRange{.lt = 0.1});
    QUIPU_ASSERT(estimate.high > 0);
  }
}

void facet_keyword(benchmark::State& state) {
  const Built& one = built(PayloadKind::kKeyword);
  SlotBitmap tenth;
  for (std::uint32_t slot = 0; slot < kPoints; slot += 10) tenth.add(SlotId(slot));
  const SlotFilter* const filter = state.range(0) == 0 ? nullptr : &tenth;
  for (auto _ : state) {
    const auto hits = one.index->facet(*one.moment, {.as_of = Seq(kPoints), .filter = filter}, 10);
    QUIPU_ASSERT(hits.ok() && hits.value().size() == 10);
  }
}

void first_ten_in_order(benchmark::State& state) {
  const Built& one = built(PayloadKind::kFloat);
  for (auto _ : state) {
    std::size_t visits = 0;
    const Status walked =
        one.index->walk_ordered(*one.moment, {.as_of = Seq(kPoints)}, {.descending = true},
                                [&](const OrderValue&, SlotId) { return ++visits < 10; });
    QUIPU_ASSERT(walked.ok());
  }
}

BENCHMARK_CAPTURE(insert_all, keyword, PayloadKind::kKeyword)
    ->Iterations(1)
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(insert_all, float, PayloadKind::kFloat)
    ->Iterations(1)
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(insert_all, integer, PayloadKind::kInteger)
    ->Iterations(1)
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(insert_all, geo, PayloadKind::kGeo)->Iterations(1)->Unit(benchmark::kMillisecond);
BENCHMARK(match_float)->Arg(1)->Arg(10)->Arg(100)->Arg(500)->Unit(benchmark::kMicrosecond);
BENCHMARK(match_keyword)->Arg(1)->Arg(10)->Arg(100)->Arg(500)->Unit(benchmark::kMicrosecond);
BENCHMARK(match_one_keyword)->Unit(benchmark::kMicrosecond);
BENCHMARK(match_all_but_one)->Unit(benchmark::kMicrosecond);
BENCHMARK(estimate_float)->Unit(benchmark::kMicrosecond);
BENCHMARK(facet_keyword)->Arg(0)->Arg(1)->Unit(benchmark::kMicrosecond);
BENCHMARK(first_ten_in_order)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace quipu::index
