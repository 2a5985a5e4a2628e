// Distances between vectors of floats, in the best instruction set that this CPU has.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "quipu/metric.h"

namespace quipu::simd {

using RowsKernel = void (*)(const float* query, const float* const* rows, std::size_t count,
                            std::size_t dim, float* out) noexcept;

// One instruction set's kernels. Pointers need no alignment; dim may be any number, 0 included.
// Sums are taken in another order than the scalar kernel's: compare within 1e-5 relative.
struct DistanceKernels {
  const char* name;  // "scalar", "avx2", "avx512", "neon"
  float (*dot)(const float* a, const float* b, std::size_t dim) noexcept;
  float (*l2_squared)(const float* a, const float* b, std::size_t dim) noexcept;
  float (*l1)(const float* a, const float* b, std::size_t dim) noexcept;
  // Cosine similarity of vectors of any length; 0 when either is all zero.
  float (*cosine)(const float* a, const float* b, std::size_t dim) noexcept;
  // One query against many rows: out[i] is, to the bit, what the function of the same name gives
  // for (query, rows[i]), so that equal vectors are equally far wherever they stand in a batch. One
  // call for many rows lets the CPU fetch the next row while it sums this one.
  RowsKernel dot_rows;
  RowsKernel l2_squared_rows;
  RowsKernel l1_rows;
};

// Every set that this CPU can run, best first; never empty, "scalar" is last.
std::span<const DistanceKernels* const> supported_kernels() noexcept;
// The set in use, fixed on first call: the best, or QUIPU_SIMD's ("scalar" if that is unknown).
const DistanceKernels& kernels() noexcept;

// Scales to unit length in place; false, leaving it as it was, when its length is 0 or not finite.
bool normalise(std::span<float> vector) noexcept;
[[nodiscard]] bool all_finite(std::span<const float> vector) noexcept;

}  // namespace quipu::simd
