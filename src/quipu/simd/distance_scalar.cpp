// The oracle: plain loops that every other set is compared with. This file gets no target.
#include <cmath>
#include <cstddef>

#include "quipu/simd/kernel_sets.h"

namespace quipu::simd {
namespace {

// Independent partial sums: they keep the error of long vectors small and let the additions
// overlap.
constexpr std::size_t kLanes = 8;

float total_of(const float (&lanes)[kLanes]) noexcept {
  return ((lanes[0] + lanes[4]) + (lanes[1] + lanes[5])) +
         ((lanes[2] + lanes[6]) + (lanes[3] + lanes[7]));
}

template <typename Term>
inline float sum_of(std::size_t dim, Term term) noexcept {
  float lanes[kLanes] = {};
  std::size_t i = 0;
  for (; i + kLanes <= dim; i += kLanes) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) lanes[lane] += term(i + lane);
  }
  for (std::size_t lane = 0; i < dim; ++i, ++lane) lanes[lane] += term(i);
  return total_of(lanes);
}

float dot(const float* a, const float* b, std::size_t dim) noexcept {
  return sum_of(dim, [=](std::size_t i) { return a[i] * b[i]; });
}

float l2_squared(const float* a, const float* b, std::size_t dim) noexcept {
  return sum_of(dim, [=](std::size_t i) { return (a[i] - b[i]) * (a[i] - b[i]); });
}

float l1(const float* a, const float* b, std::size_t dim) noexcept {
  return sum_of(dim, [=](std::size_t i) { return std::fabs(a[i] - b[i]); });
}

float cosine(const float* a, const float* b, std::size_t dim) noexcept {
  return cosine_from_sums({dot(a, b, dim), dot(a, a, dim), dot(b, b, dim)}, a, b, dim);
}

template <auto kKernel>
void rows_of(const float* query, const float* const* rows, std::size_t count, std::size_t dim,
             float* out) noexcept {
  for (std::size_t i = 0; i < count; ++i) out[i] = kKernel(query, rows[i], dim);
}

}  // namespace

const DistanceKernels kScalarKernels = {
    .name = "scalar",
    .dot = dot,
    .l2_squared = l2_squared,
    .l1 = l1,
    .cosine = cosine,
    .dot_rows = rows_of<dot>,
    .l2_squared_rows = rows_of<l2_squared>,
    .l1_rows = rows_of<l1>,
};

float cosine_from_sums(const CosineSums& sums, const float* a, const float* b,
                       std::size_t dim) noexcept {
  // Between these, neither the squares nor their product have overflowed or lost bits.
  constexpr float kSmall = 1e-12F;
  constexpr float kLarge = 1e12F;
  const bool comfortable = sums.a_squared > kSmall && sums.a_squared < kLarge &&
                           sums.b_squared > kSmall && sums.b_squared < kLarge;
  if (comfortable) return sums.dot / std::sqrt(sums.a_squared * sums.b_squared);
  double dot_sum = 0;
  double a_squared = 0;
  double b_squared = 0;
  for (std::size_t i = 0; i < dim; ++i) {
    const double x = a[i];
    const double y = b[i];
    dot_sum += x * y;
    a_squared += x * x;
    b_squared += y * y;
  }
  if (a_squared == 0 || b_squared == 0) return 0;
  return static_cast<float>(dot_sum / (std::sqrt(a_squared) * std::sqrt(b_squared)));
}

}  // namespace quipu::simd
