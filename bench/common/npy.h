// Matrices of floats in NumPy's .npy format, version 1: how data sets lie on disk.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>

#include "quipu/result.h"

namespace quipu::bench {

// A read-only mapping of a two-dimensional little-endian float32 array in C order. Being mapped, it
// counts as file memory, so that what a worker allocates for its index stands alone as anonymous.
// Threads: immutable.
class NpyMatrix {
 public:
  // Errors: kNotFound, kIo; kCorruption naming the file when it is anything but such an array.
  [[nodiscard]] static Result<NpyMatrix> map(const std::string& path);

  [[nodiscard]] std::size_t rows() const noexcept { return rows_; }
  [[nodiscard]] std::size_t dim() const noexcept { return dim_; }
  // `index` below rows(). Borrowed from the mapping.
  [[nodiscard]] std::span<const float> row(std::size_t index) const {
    QUIPU_ASSERT(index < rows_);
    return {values_ + index * dim_, dim_};
  }

 private:
  NpyMatrix() = default;
  std::shared_ptr<const void> mapping_;
  const float* values_ = nullptr;
  std::size_t rows_ = 0;
  std::size_t dim_ = 0;
};

// Writes `values` as rows of `dim` floats, replacing `path`. Errors: kIo.
[[nodiscard]] Status write_npy(const std::string& path, std::span<const float> values,
                               std::size_t dim);

}  // namespace quipu::bench
