// AVX-512 (foundation only): four sums of sixteen floats; a mask reads what is left at the end.
#if defined(__x86_64__)

#include <immintrin.h>

#include <cstddef>

#include "quipu/simd/kernel_sets.h"

#define QUIPU_AVX512 __attribute__((target("avx512f")))

namespace quipu::simd {
namespace {

struct DotTerm {
  QUIPU_AVX512 static __m512 add(__m512 sum, __m512 x, __m512 y) noexcept {
    return _mm512_fmadd_ps(x, y, sum);
  }
};
struct SquareTerm {
  QUIPU_AVX512 static __m512 add(__m512 sum, __m512 x, __m512 y) noexcept {
    const __m512 difference = _mm512_sub_ps(x, y);
    return _mm512_fmadd_ps(difference, difference, sum);
  }
};
struct AbsoluteTerm {
  QUIPU_AVX512 static __m512 add(__m512 sum, __m512 x, __m512 y) noexcept {
    // A mask of all bits but the sign; the intrinsic for it needs more than the foundation.
    const __m512i mask = _mm512_set1_epi32(0x7fffffff);
    const __m512i bits = _mm512_and_epi32(_mm512_castps_si512(_mm512_sub_ps(x, y)), mask);
    return _mm512_add_ps(sum, _mm512_castsi512_ps(bits));
  }
};

// Halves and adds until one float is left, in a fixed order. The halves are taken by the compilers'
// own shuffle: g++ 12 warns about the undefined operand inside the intrinsics for it.
QUIPU_AVX512 inline float total_of(__m512 sum) noexcept {
  const __m256 low = __builtin_shufflevector(sum, sum, 0, 1, 2, 3, 4, 5, 6, 7);
  const __m256 high = __builtin_shufflevector(sum, sum, 8, 9, 10, 11, 12, 13, 14, 15);
  const __m256 eight = _mm256_add_ps(low, high);
  __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  four = _mm_add_ps(four, _mm_movehl_ps(four, four));
  four = _mm_add_ss(four, _mm_movehdup_ps(four));
  return _mm_cvtss_f32(four);
}

template <typename Term>
QUIPU_AVX512 inline float sum_of(const float* a, const float* b, std::size_t dim) noexcept {
  __m512 sum0 = _mm512_setzero_ps();
  __m512 sum1 = _mm512_setzero_ps();
  __m512 sum2 = _mm512_setzero_ps();
  __m512 sum3 = _mm512_setzero_ps();
  std::size_t i = 0;
  for (; i + 64 <= dim; i += 64) {
    sum0 = Term::add(sum0, _mm512_loadu_ps(a + i), _mm512_loadu_ps(b + i));
    sum1 = Term::add(sum1, _mm512_loadu_ps(a + i + 16), _mm512_loadu_ps(b + i + 16));
    sum2 = Term::add(sum2, _mm512_loadu_ps(a + i + 32), _mm512_loadu_ps(b + i + 32));
    sum3 = Term::add(sum3, _mm512_loadu_ps(a + i + 48), _mm512_loadu_ps(b + i + 48));
  }
  for (; i + 16 <= dim; i += 16) {
    sum0 = Term::add(sum0, _mm512_loadu_ps(a + i), _mm512_loadu_ps(b + i));
  }
  if (i < dim) {
    const auto mask = static_cast<__mmask16>((1U << (dim - i)) - 1U);
    sum1 = Term::add(sum1, _mm512_maskz_loadu_ps(mask, a + i), _mm512_maskz_loadu_ps(mask, b + i));
  }
  return total_of(_mm512_add_ps(_mm512_add_ps(sum0, sum1), _mm512_add_ps(sum2, sum3)));
}

QUIPU_AVX512 float dot(const float* a, const float* b, std::size_t dim) noexcept {
  return sum_of<DotTerm>(a, b, dim);
}

QUIPU_AVX512 float l2_squared(const float* a, const float* b, std::size_t dim) noexcept {
  return sum_of<SquareTerm>(a, b, dim);
}

QUIPU_AVX512 float l1(const float* a, const float* b, std::size_t dim) noexcept {
  return sum_of<AbsoluteTerm>(a, b, dim);
}

QUIPU_AVX512 float cosine(const float* a, const float* b, std::size_t dim) noexcept {
  return cosine_from_sums(
      {sum_of<DotTerm>(a, b, dim), sum_of<DotTerm>(a, a, dim), sum_of<DotTerm>(b, b, dim)}, a, b,
      dim);
}

template <typename Term>
QUIPU_AVX512 void rows_of(const float* query, const float* const* rows, std::size_t count,
                          std::size_t dim, float* out) noexcept {
  for (std::size_t i = 0; i < count; ++i) out[i] = sum_of<Term>(query, rows[i], dim);
}

}  // namespace

const DistanceKernels kAvx512Kernels = {
    .name = "avx512",
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
