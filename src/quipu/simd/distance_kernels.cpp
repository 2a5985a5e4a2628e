#include "quipu/simd/distance_kernels.h"

#include <array>
#include <bit>
#include <cmath>
#include <cstdlib>
#include <string_view>

#include "quipu/simd/kernel_sets.h"

namespace quipu::simd {
namespace {

struct SupportedSets {
  std::array<const DistanceKernels*, 4> sets = {};
  std::size_t count = 0;

  SupportedSets() noexcept {
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f")) sets[count++] = &kAvx512Kernels;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
      sets[count++] = &kAvx2Kernels;
    }
#elif defined(__aarch64__)
    sets[count++] = &kNeonKernels;
#endif
    sets[count++] = &kScalarKernels;
  }
};

const DistanceKernels& choose() noexcept {
  const std::span<const DistanceKernels* const> supported = supported_kernels();
  const char* wanted = std::getenv("QUIPU_SIMD");
  if (wanted == nullptr || *wanted == '\0') return *supported.front();
  for (const DistanceKernels* set : supported) {
    if (std::string_view(set->name) == wanted) return *set;
  }
  return *supported.back();
}

}  // namespace

std::span<const DistanceKernels* const> supported_kernels() noexcept {
  static const SupportedSets supported;
  return {supported.sets.data(), supported.count};
}

const DistanceKernels& kernels() noexcept {
  static const DistanceKernels& chosen = choose();
  return chosen;
}

bool normalise(std::span<float> vector) noexcept {
  // In double, the square of no float overflows or vanishes.
  double squares = 0;
  for (const float value : vector) squares += static_cast<double>(value) * value;
  if (!(squares > 0) || !std::isfinite(squares)) return false;
  const double scale = 1.0 / std::sqrt(squares);
  for (float& value : vector) value = static_cast<float>(value * scale);
  return true;
}

bool all_finite(std::span<const float> vector) noexcept {
  // By bits: an exponent of all ones is an infinity or no number, whatever the compiler's flags.
  constexpr std::uint32_t kExponent = 0x7f800000U;
  std::uint32_t bad = 0;
  for (const float value : vector) {
    bad |=
        static_cast<std::uint32_t>((std::bit_cast<std::uint32_t>(value) & kExponent) == kExponent);
  }
  return bad == 0;
}

}  // namespace quipu::simd
