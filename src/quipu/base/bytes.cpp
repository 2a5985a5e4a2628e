#include "quipu/base/bytes.h"

#include <openssl/evp.h>

#include <array>
#include <bit>
#include <cstring>

#include "quipu/assert.h"

namespace quipu {
namespace {

constexpr bool kLittle = std::endian::native == std::endian::little;
constexpr std::size_t kVarintBytesMax = 10;

template <typename T>
constexpr T swapped(T value) noexcept {
  if constexpr (sizeof(T) == 2) return __builtin_bswap16(value);
  if constexpr (sizeof(T) == 4) return __builtin_bswap32(value);
  if constexpr (sizeof(T) == 8) return __builtin_bswap64(value);
}

template <typename T>
constexpr T little(T value) noexcept {
  return kLittle ? value : swapped(value);
}

template <typename T>
constexpr T big(T value) noexcept {
  return kLittle ? swapped(value) : value;
}

template <typename T>
void append_raw(std::string& out, T value) {
  char raw[sizeof(T)];
  std::memcpy(raw, &value, sizeof(T));
  out.append(raw, sizeof(T));
}

template <typename T>
T load_raw(std::string_view bytes) noexcept {
  T value{};
  if (bytes.size() == sizeof(T)) std::memcpy(&value, bytes.data(), sizeof(T));
  return value;
}

}  // namespace

void ByteWriter::u8(std::uint8_t v) { out_.push_back(static_cast<char>(v)); }

void ByteWriter::u16(std::uint16_t v) { append_raw(out_, little(v)); }

void ByteWriter::u32(std::uint32_t v) { append_raw(out_, little(v)); }

void ByteWriter::u64(std::uint64_t v) { append_raw(out_, little(v)); }

void ByteWriter::i64(std::int64_t v) { u64(static_cast<std::uint64_t>(v)); }

void ByteWriter::f32(float v) { u32(std::bit_cast<std::uint32_t>(v)); }

void ByteWriter::u32_big_endian(std::uint32_t v) { append_raw(out_, big(v)); }

void ByteWriter::u64_big_endian(std::uint64_t v) { append_raw(out_, big(v)); }

void ByteWriter::varint(std::uint64_t v) {
  char raw[kVarintBytesMax];
  std::size_t size = 0;
  while (v >= 0x80U) {
    raw[size++] = static_cast<char>((v & 0x7FU) | 0x80U);
    v >>= 7U;
  }
  raw[size++] = static_cast<char>(v);
  out_.append(raw, size);
}

void ByteWriter::bytes(std::string_view v) { out_.append(v); }

void ByteWriter::sized(std::string_view v) {
  varint(v.size());
  out_.append(v);
}

void ByteWriter::floats(std::span<const float> v) {
  if constexpr (kLittle) {
    out_.append(reinterpret_cast<const char*>(v.data()), v.size_bytes());
  } else {
    for (const float number : v) f32(number);
  }
}

std::uint8_t ByteReader::u8() { return load_raw<std::uint8_t>(bytes(1)); }

std::uint16_t ByteReader::u16() { return little(load_raw<std::uint16_t>(bytes(2))); }

std::uint32_t ByteReader::u32() { return little(load_raw<std::uint32_t>(bytes(4))); }

std::uint64_t ByteReader::u64() { return little(load_raw<std::uint64_t>(bytes(8))); }

std::int64_t ByteReader::i64() { return static_cast<std::int64_t>(u64()); }

float ByteReader::f32() { return std::bit_cast<float>(u32()); }

std::uint32_t ByteReader::u32_big_endian() { return big(load_raw<std::uint32_t>(bytes(4))); }

std::uint64_t ByteReader::u64_big_endian() { return big(load_raw<std::uint64_t>(bytes(8))); }

std::uint64_t ByteReader::varint() {
  std::uint64_t value = 0;
  for (std::size_t place = 0; place < kVarintBytesMax; ++place) {
    if (place >= rest_.size()) break;
    const auto byte = static_cast<unsigned char>(rest_[place]);
    // The tenth byte holds one bit of the 64; more would be lost.
    if (place == kVarintBytesMax - 1 && byte > 1) break;
    value |= static_cast<std::uint64_t>(byte & 0x7FU) << (7 * place);
    if ((byte & 0x80U) != 0) continue;
    // A last byte of zero adds nothing: the same number in a longer form.
    if (byte == 0 && place > 0) break;
    rest_.remove_prefix(place + 1);
    return value;
  }
  fail();
  return 0;
}

std::string_view ByteReader::bytes(std::size_t size) {
  if (!ok_ || size > rest_.size()) {
    fail();
    return {};
  }
  const std::string_view taken = rest_.substr(0, size);
  rest_.remove_prefix(size);
  return taken;
}

std::string_view ByteReader::sized() {
  const std::uint64_t size = varint();
  if (size > rest_.size()) {
    fail();
    return {};
  }
  return bytes(static_cast<std::size_t>(size));
}

bool ByteReader::floats(std::span<float> into) {
  const std::string_view raw = bytes(into.size_bytes());
  if (!ok_) return false;
  // memcpy may not be given the null pointer of an empty span.
  if (!raw.empty()) std::memcpy(into.data(), raw.data(), raw.size());
  if constexpr (!kLittle) {
    for (float& number : into) {
      number = std::bit_cast<float>(swapped(std::bit_cast<std::uint32_t>(number)));
    }
  }
  return true;
}

void ByteReader::fail() noexcept {
  ok_ = false;
  rest_ = {};
}

namespace {

std::array<unsigned char, 32> sha256(std::string_view bytes) {
  std::array<unsigned char, 32> digest{};
  unsigned int size = 0;
  const int done =
      EVP_Digest(bytes.data(), bytes.size(), digest.data(), &size, EVP_sha256(), nullptr);
  // It can fail only without memory or without its own default provider.
  QUIPU_ASSERT(done == 1);
  QUIPU_ASSERT(size == digest.size());
  return digest;
}

}  // namespace

Digest128 digest128(std::string_view bytes) {
  const std::array<unsigned char, 32> digest = sha256(bytes);
  ByteReader reader({reinterpret_cast<const char*>(digest.data()), 16});
  // Two statements: the order of a braced list's side effects is easily broken by an edit.
  const std::uint64_t high = reader.u64_big_endian();
  const std::uint64_t low = reader.u64_big_endian();
  return {.high = high, .low = low};
}

std::string sha256_hex(std::string_view bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  text.reserve(64);
  for (const unsigned char byte : sha256(bytes)) {
    text.push_back(kDigits[byte >> 4U]);
    text.push_back(kDigits[byte & 0xFU]);
  }
  return text;
}

}  // namespace quipu
