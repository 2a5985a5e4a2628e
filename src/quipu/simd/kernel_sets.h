// The instruction sets' kernels, for the dispatcher alone. Those of another architecture are
// absent.
#pragma once

#include <cstddef>

#include "quipu/simd/distance_kernels.h"

namespace quipu::simd {

extern const DistanceKernels kScalarKernels;
#if defined(__x86_64__)
extern const DistanceKernels kAvx2Kernels;
extern const DistanceKernels kAvx512Kernels;
#elif defined(__aarch64__)
extern const DistanceKernels kNeonKernels;
#endif

// The sums that a cosine is made of.
struct CosineSums {
  float dot;
  float a_squared;
  float b_squared;
};

// Finishes a cosine; sums that left the comfortable range of float are taken again in double, so
// that neither denormal nor huge vectors lose their angle.
float cosine_from_sums(const CosineSums& sums, const float* a, const float* b,
                       std::size_t dim) noexcept;

}  // namespace quipu::simd
