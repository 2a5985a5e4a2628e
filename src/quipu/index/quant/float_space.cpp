#include "quipu/index/quant/float_space.h"

namespace quipu::index {

FloatSpace::FloatSpace(const RowStore& rows, Metric metric) noexcept : rows_(&rows) {
  const simd::DistanceKernels& kernels = simd::kernels();
  switch (metric) {
    case Metric::kCosine:
      kernel_ = kernels.dot_rows;
      base_ = 1;
      sign_ = -1;
      break;
    case Metric::kDot:
      kernel_ = kernels.dot_rows;
      sign_ = -1;
      break;
    case Metric::kEuclidean: kernel_ = kernels.l2_squared_rows; break;
    case Metric::kManhattan: kernel_ = kernels.l1_rows; break;
  }
}

}  // namespace quipu::index
