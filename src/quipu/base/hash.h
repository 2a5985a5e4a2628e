// A hash of bytes that is the same on every machine and in every version, so that files may hold
// tables made with it. Not for adversaries who choose the keys of a table that must stay fast:
// bound such tables otherwise.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace quipu {

// Each word is folded in by a multiplication and a shift, the last bytes as one word beside their
// number; the end is the finalizer of splitmix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom
// Number Generators, OOPSLA 2014).
[[nodiscard]] constexpr std::uint64_t hash_bytes(std::string_view bytes) noexcept {
  constexpr std::uint64_t kMultiplier = 0x9e3779b97f4a7c15ULL;
  std::uint64_t hash = bytes.size() * kMultiplier;
  std::size_t at = 0;
  const auto word = [&](std::size_t count) {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < count; ++i) {
      value |= std::uint64_t{static_cast<unsigned char>(bytes[at + i])} << (8 * i);
    }
    at += count;
    return value;
  };
  const auto fold = [&](std::uint64_t value) {
    hash = (hash ^ value) * kMultiplier;
    hash ^= hash >> 32;
  };
  while (bytes.size() - at >= 8) fold(word(8));
  if (at < bytes.size()) fold(word(bytes.size() - at));
  hash = (hash ^ (hash >> 30)) * 0xbf58476d1ce4e5b9ULL;
  hash = (hash ^ (hash >> 27)) * 0x94d049bb133111ebULL;
  return hash ^ (hash >> 31);
}

}  // namespace quipu
