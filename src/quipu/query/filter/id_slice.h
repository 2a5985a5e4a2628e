// Slices of the id space: SliceCondition's hash.
#pragma once

#include <cstdint>
#include <span>

#include "quipu/filter.h"
#include "quipu/ids.h"

namespace quipu::query {

// SipHash-2-4 (Aumasson, Bernstein: SipHash: a fast short-input PRF, 2012) with a key of zeros.
[[nodiscard]] std::uint64_t siphash24(std::span<const std::uint8_t> bytes) noexcept;

// Over the number's 8 bytes, little-endian, or the UUID's 16 as they are written.
[[nodiscard]] std::uint64_t slice_hash(const PointId& id) noexcept;

[[nodiscard]] inline bool in_slice(const PointId& id, const SliceCondition& slice) noexcept {
  return slice_hash(id) % slice.total == slice.index;
}

}  // namespace quipu::query
