// NEON, which every 64-bit ARM has: four sums of four floats.
#if defined(__aarch64__)

#include <arm_neon.h>

#include <cmath>
#include <cstddef>

#include "quipu/simd/kernel_sets.h"

namespace quipu::simd {
namespace {

struct DotTerm {
  static float32x4_t add(float32x4_t sum, float32x4_t x, float32x4_t y) noexcept {
    return vfmaq_f32(sum, x, y);
  }
  static float one(float x, float y) noexcept { return x * y; }
};
struct SquareTerm {
  static float32x4_t add(float32x4_t sum, float32x4_t x, float32x4_t y) noexcept {
    const float32x4_t difference = vsubq_f32(x, y);
    return vfmaq_f32(sum, difference, difference);
  }
  static float one(float x, float y) noexcept { return (x - y) * (x - y); }
};
struct AbsoluteTerm {
  static float32x4_t add(float32x4_t sum, float32x4_t x, float32x4_t y) noexcept {
    return vaddq_f32(sum, vabdq_f32(x, y));
  }
  static float one(float x, float y) noexcept { return std::fabs(x - y); }
};

template <typename Term>
inline float sum_of(const float* a, const float* b, std::size_t dim) noexcept {
  float32x4_t sum0 = vdupq_n_f32(0);
  float32x4_t sum1 = vdupq_n_f32(0);
  float32x4_t sum2 = vdupq_n_f32(0);
  float32x4_t sum3 = vdupq_n_f32(0);
  std::size_t i = 0;
  for (; i + 16 <= dim; i += 16) {
    sum0 = Term::add(sum0, vld1q_f32(a + i), vld1q_f32(b + i));
    sum1 = Term::add(sum1, vld1q_f32(a + i + 4), vld1q_f32(b + i + 4));
    sum2 = Term::add(sum2, vld1q_f32(a + i + 8), vld1q_f32(b + i + 8));
    sum3 = Term::add(sum3, vld1q_f32(a + i + 12), vld1q_f32(b + i + 12));
  }
  for (; i + 4 <= dim; i += 4) sum0 = Term::add(sum0, vld1q_f32(a + i), vld1q_f32(b + i));
  float total = vaddvq_f32(vaddq_f32(vaddq_f32(sum0, sum1), vaddq_f32(sum2, sum3)));
  for (; i < dim; ++i) total += Term::one(a[i], b[i]);
  return total;
}

template <typename Term>
float pair_of(const float* a, const float* b, std::size_t dim) noexcept {
  return sum_of<Term>(a, b, dim);
}

float cosine(const float* a, const float* b, std::size_t dim) noexcept {
  return cosine_from_sums(
      {sum_of<DotTerm>(a, b, dim), sum_of<DotTerm>(a, a, dim), sum_of<DotTerm>(b, b, dim)}, a, b,
      dim);
}

template <typename Term>
void rows_of(const float* query, const float* const* rows, std::size_t count, std::size_t dim,
             float* out) noexcept {
  for (std::size_t i = 0; i < count; ++i) out[i] = sum_of<Term>(query, rows[i], dim);
}

}  // namespace

const DistanceKernels kNeonKernels = {
    .name = "neon",
    .dot = pair_of<DotTerm>,
    .l2_squared = pair_of<SquareTerm>,
    .l1 = pair_of<AbsoluteTerm>,
    .cosine = cosine,
    .dot_rows = rows_of<DotTerm>,
    .l2_squared_rows = rows_of<SquareTerm>,
    .l1_rows = rows_of<AbsoluteTerm>,
};

}  // namespace quipu::simd

#endif
