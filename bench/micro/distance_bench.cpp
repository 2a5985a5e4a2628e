// Question: what rate does each kernel reach from the cache, and from memory?
#include <benchmark/benchmark.h>

#include <cstdint>
#include <string>
#include <vector>

#include "quipu/base/rng.h"
#include "quipu/simd/distance_kernels.h"

namespace quipu::simd {
namespace {

using Kernel = RowsKernel DistanceKernels::*;

std::vector<float> random_rows(std::size_t count, std::size_t dim, std::uint64_t seed) {
  Rng rng(seed);
  std::vector<float> rows(count * dim);
  for (float& value : rows) value = static_cast<float>(rng.normal());
  return rows;
}

// Scores `count` rows of `dim` floats in turn, sixteen at a time, as searches do.
void score_rows(benchmark::State& state, const DistanceKernels* set, Kernel kernel) {
  constexpr std::size_t kBatch = 16;
  const auto dim = static_cast<std::size_t>(state.range(0));
  const auto count = static_cast<std::size_t>(state.range(1));
  const std::vector<float> rows = random_rows(count, dim, /*seed=*/1);
  const std::vector<float> query = random_rows(1, dim, /*seed=*/2);
  std::vector<const float*> pointers;
  for (std::size_t row = 0; row < count; ++row) pointers.push_back(&rows[row * dim]);
  for (auto _ : state) {
    for (std::size_t row = 0; row + kBatch <= count; row += kBatch) {
      float out[kBatch];
      (set->*kernel)(query.data(), &pointers[row], kBatch, dim, out);
      benchmark::DoNotOptimize(out);
    }
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(rows.size() * 4));
}

bool register_all() {
  const std::pair<const char*, Kernel> kernels[] = {{"dot", &DistanceKernels::dot_rows},
                                                    {"l2", &DistanceKernels::l2_squared_rows},
                                                    {"l1", &DistanceKernels::l1_rows}};
  for (const DistanceKernels* set : supported_kernels()) {
    for (const auto& [name, kernel] : kernels) {
      const std::string title = std::string(name) + "/" + set->name;
      benchmark::RegisterBenchmark(title.c_str(), score_rows, set, kernel)
          ->ArgNames({"dim", "rows"})
          ->Args({384, 16})      // from the first-level cache
          ->Args({384, 65'536})  // 96 MB: from memory
          ->Args({1536, 16});
    }
  }
  return true;
}

[[maybe_unused]] const bool kRegistered = register_all();

}  // namespace
}  // namespace quipu::simd
