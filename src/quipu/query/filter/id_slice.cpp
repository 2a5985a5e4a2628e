#include "quipu/query/filter/id_slice.h"

#include <array>
#include <bit>
#include <cstddef>

namespace quipu::query {
namespace {

struct SipState {
  // The paper's constants, "somepseudorandomlygeneratedbytes", which a zero key leaves as they are.
  std::uint64_t v0 = 0x736f6d6570736575;
  std::uint64_t v1 = 0x646f72616e646f6d;
  std::uint64_t v2 = 0x6c7967656e657261;
  std::uint64_t v3 = 0x7465646279746573;

  void round() {
    v0 += v1;
    v2 += v3;
    v1 = std::rotl(v1, 13) ^ v0;
    v3 = std::rotl(v3, 16) ^ v2;
    v0 = std::rotl(v0, 32);
    v2 += v1;
    v0 += v3;
    v1 = std::rotl(v1, 17) ^ v2;
    v3 = std::rotl(v3, 21) ^ v0;
    v2 = std::rotl(v2, 32);
  }
  void absorb(std::uint64_t word) {
    v3 ^= word;
    round();
    round();
    v0 ^= word;
  }
};

}  // namespace

std::uint64_t siphash24(std::span<const std::uint8_t> bytes) noexcept {
  SipState state;
  std::uint64_t word = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    word |= std::uint64_t{bytes[i]} << (8 * (i % 8));
    if (i % 8 != 7) continue;
    state.absorb(word);
    word = 0;
  }
  state.absorb(word | (std::uint64_t{bytes.size()} << 56));
  state.v2 ^= 0xff;
  for (int i = 0; i < 4; ++i) state.round();
  return state.v0 ^ state.v1 ^ state.v2 ^ state.v3;
}

std::uint64_t slice_hash(const PointId& id) noexcept {
  std::array<std::uint8_t, 16> bytes{};
  if (!id.is_uuid()) {
    for (std::size_t i = 0; i < 8; ++i) {
      bytes[i] = static_cast<std::uint8_t>(id.as_number() >> (8 * i));
    }
    return siphash24(std::span(bytes).first(8));
  }
  for (std::size_t i = 0; i < 8; ++i) {
    bytes[i] = static_cast<std::uint8_t>(id.high() >> (56 - 8 * i));
    bytes[8 + i] = static_cast<std::uint8_t>(id.low() >> (56 - 8 * i));
  }
  return siphash24(bytes);
}

}  // namespace quipu::query
