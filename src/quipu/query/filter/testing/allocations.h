// Counting allocations in tests. Not for the product.
#pragma once

#include <cstdint>

namespace quipu::query::testing_support {

// How often this thread has called operator new, which allocation_test.cpp replaces.
[[nodiscard]] std::uint64_t allocations_so_far() noexcept;

}  // namespace quipu::query::testing_support
