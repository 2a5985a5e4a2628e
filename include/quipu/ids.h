// Identifiers, each of its own type, so that a slot cannot be passed where a point is meant.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "quipu/result.h"

namespace quipu {

// A number that is only ever compared, stored and handed on. Value-initialised to zero.
template <typename Tag, typename Rep>
class StrongId {
 public:
  using rep = Rep;
  constexpr StrongId() = default;
  constexpr explicit StrongId(Rep value) : value_(value) {}
  [[nodiscard]] constexpr Rep value() const noexcept { return value_; }
  friend constexpr auto operator<=>(StrongId, StrongId) = default;

 private:
  Rep value_ = 0;
};

// A position in a shard's totally ordered log; the first operation has 1, 0 is before all.
using Seq = StrongId<struct SeqTag, std::uint64_t>;
// Never reused within one data folder. Shard 0 is the system shard (the catalogue).
using ShardId = StrongId<struct ShardIdTag, std::uint32_t>;
using CollectionId = StrongId<struct CollectionIdTag, std::uint32_t>;
// A point's place in a shard's slot map: dense, local, derived, shared by all views of the shard.
using SlotId = StrongId<struct SlotIdTag, std::uint32_t>;

// The identity of a point within its collection: an unsigned 64-bit number or a UUID, as callers
// choose. Numbers order before UUIDs, numbers by value, UUIDs by their bytes.
class PointId {
 public:
  // The number 0.
  constexpr PointId() = default;
  [[nodiscard]] static constexpr PointId number(std::uint64_t value) noexcept {
    return PointId(0, 0, value);
  }
  // `high` and `low` are the UUID's sixteen bytes read big-endian.
  [[nodiscard]] static constexpr PointId uuid(std::uint64_t high, std::uint64_t low) noexcept {
    return PointId(1, high, low);
  }
  // Reads a decimal number (at most 20 digits) or a UUID in its 36-character form, any case.
  // Errors: kInvalidArgument ("invalid_point_id").
  [[nodiscard]] static Result<PointId> parse(std::string_view text);

  [[nodiscard]] constexpr bool is_uuid() const noexcept { return kind_ == 1; }
  // The number; only meaningful when !is_uuid().
  [[nodiscard]] constexpr std::uint64_t as_number() const noexcept { return low_; }
  [[nodiscard]] constexpr std::uint64_t high() const noexcept { return high_; }
  [[nodiscard]] constexpr std::uint64_t low() const noexcept { return low_; }
  // Decimal digits, or the 36-character lower-case UUID.
  [[nodiscard]] std::string to_string() const;

  // Member order gives the order promised above.
  friend constexpr auto operator<=>(const PointId&, const PointId&) = default;

 private:
  constexpr PointId(std::uint8_t kind, std::uint64_t high, std::uint64_t low)
      : kind_(kind), high_(high), low_(low) {}
  std::uint8_t kind_ = 0;
  std::uint64_t high_ = 0;
  std::uint64_t low_ = 0;
};

// A well-mixed 64-bit hash; the same on every machine, so it may choose a point's shard.
[[nodiscard]] constexpr std::uint64_t stable_hash(const PointId& id) noexcept {
  // The finalizer of splitmix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number
  // Generators, OOPSLA 2014), applied to both halves.
  auto mix = [](std::uint64_t x) {
    x += 0x9e3779b97f4a7c15ULL;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
    return x ^ (x >> 31);
  };
  return mix(id.low() ^ mix(id.high() + (id.is_uuid() ? 1U : 0U)));
}

}  // namespace quipu

template <typename Tag, typename Rep>
struct std::hash<quipu::StrongId<Tag, Rep>> {
  std::size_t operator()(quipu::StrongId<Tag, Rep> id) const noexcept {
    return std::hash<Rep>{}(id.value());
  }
};
template <>
struct std::hash<quipu::PointId> {
  std::size_t operator()(const quipu::PointId& id) const noexcept {
    return static_cast<std::size_t>(quipu::stable_hash(id));
  }
};
