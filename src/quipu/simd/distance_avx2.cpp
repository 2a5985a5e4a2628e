// AVX2 with fused multiply-add: four sums of eight floats hide the latency of the additions.
#if defined(__x86_64__)

#include <immintrin.h>

#include <cmath>
#include <cstddef>

#include "quipu/simd/kernel_sets.h"

#define QUIPU_AVX2 __attribute__((target("avx2,fma")))

namespace quipu::simd {
namespace {

QUIPU_AVX2 inline float total_of(__m256 a, __m256 b, __m256 c, __m256 d) noexcept {
  const __m256 sum = _mm256_add_ps(_mm256_add_ps(a, b), _mm256_add_ps(c, d));
  __m128 half = _mm_add_ps(_mm256_castps256_ps128(sum), _mm256_extractf128_ps(sum, 1));
  half = _mm_add_ps(half, _mm_movehl_ps(half, half));
  half = _mm_add_ss(half, _mm_movehdup_ps(half));
  return _mm_cvtss_f32(half);
}

// What each term of a sum is, for eight floats and for one.
struct DotTerm {
  QUIPU_AVX2 static __m256 add(__m256 sum, __m256 x, __m256 y) noexcept {
    return _mm256_fmadd_ps(x, y, sum);
  }
  static float one(float x, float y) noexcept { return x * y; }
};
struct SquareTerm {
  QUIPU_AVX2 static __m256 add(__m256 sum, __m256 x, __m256 y) noexcept {
    const __m256 difference = _mm256_sub_ps(x, y);
    return _mm256_fmadd_ps(difference, difference, sum);
  }
  static float one(float x, float y) noexcept { return (x - y) * (x - y); }
};
struct AbsoluteTerm {
  QUIPU_AVX2 static __m256 add(__m256 sum, __m256 x, __m256 y) noexcept {
    const __m256 sign = _mm256_set1_ps(-0.0F);
    return _mm256_add_ps(sum, _mm256_andnot_ps(sign, _mm256_sub_ps(x, y)));
  }
  static float one(float x, float y) noexcept { return std::fabs(x - y); }
};

template <typename Term>
QUIPU_AVX2 inline float sum_of(const float* a, const float* b, std::size_t dim) noexcept {
  __m256 sum0 = _mm256_setzero_ps();
  __m256 sum1 = _mm256_setzero_ps();
  __m256 sum2 = _mm256_setzero_ps();
  __m256 sum3 = _mm256_setzero_ps();
  std::size_t i = 0;
  for (; i + 32 <= dim; i += 32) {
    sum0 = Term::add(sum0, _mm256_loadu_ps(a + i), _mm256_loadu_ps(b + i));
    sum1 = Term::add(sum1, _mm256_loadu_ps(a + i + 8), _mm256_loadu_ps(b + i + 8));
    sum2 = Term::add(sum2, _mm256_loadu_ps(a + i + 16), _mm256_loadu_ps(b + i + 16));
    sum3 = Term::add(sum3, _mm256_loadu_ps(a + i + 24), _mm256_loadu_ps(b + i + 24));
  }
  for (; i + 8 <= dim; i += 8) {
    sum0 = Term::add(sum0, _mm256_loadu_ps(a + i), _mm256_loadu_ps(b + i));
  }
  float total = total_of(sum0, sum1, sum2, sum3);
  for (; i < dim; ++i) total += Term::one(a[i], b[i]);
  return total;
}

QUIPU_AVX2 float dot(const float* a, const float* b, std::size_t dim) noexcept {
  return sum_of<DotTerm>(a, b, dim);
}

QUIPU_AVX2 float l2_squared(const float* a, const float* b, std::size_t dim) noexcept {
  return sum_of<SquareTerm>(a, b, dim);
}

QUIPU_AVX2 float l1(const float* a, const float* b, std::size_t dim) noexcept {
  return sum_of<AbsoluteTerm>(a, b, dim);
}

QUIPU_AVX2 float cosine(const float* a, const float* b, std::size_t dim) noexcept {
  return cosine_from_sums(
      {sum_of<DotTerm>(a, b, dim), sum_of<DotTerm>(a, a, dim), sum_of<DotTerm>(b, b, dim)}, a, b,
      dim);
}

template <typename Term>
QUIPU_AVX2 void rows_of(const float* query, const float* const* rows, std::size_t count,
                        std::size_t dim, float* out) noexcept {
  for (std::size_t i = 0; i < count; ++i) out[i] = sum_of<Term>(query, rows[i], dim);
}

}  // namespace

const DistanceKernels kAvx2Kernels = {
    .name = "avx2",
    .dot = dot,
    .l2_squared = l2_squared,
    .l1 = l1,
    .cosine = cosine,
    .dot_rows = rows_of<DotTerm>,
    .l2_squared_rows = rows_of<SquareTerm>,
    .l1_rows = rows_of<AbsoluteTerm>,
};

}  // namespace quipu::simd

#endif
