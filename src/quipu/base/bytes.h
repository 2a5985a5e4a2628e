// Little-endian encoding and checked decoding: the one place that turns numbers into bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace quipu {

// Appends to a string. Numbers are little-endian unless the name says otherwise.
class ByteWriter {
 public:
  explicit ByteWriter(std::string& out) : out_(out) {}
  void u8(std::uint8_t v);
  void u16(std::uint16_t v);
  void u32(std::uint32_t v);
  void u64(std::uint64_t v);
  void i64(std::int64_t v);
  void f32(float v);
  void u32_big_endian(std::uint32_t v);
  void u64_big_endian(std::uint64_t v);
  void varint(std::uint64_t v);           // LEB128, at most 10 bytes
  void bytes(std::string_view v);         // as they are
  void sized(std::string_view v);         // varint length, then bytes
  void floats(std::span<const float> v);  // raw little-endian IEEE 754, no length

 private:
  std::string& out_;
};

// Reads from a span, checking each length against what is left. After a failed read ok() is false,
// every further read gives zero or empty, and the caller need look only once, at the end.
class ByteReader {
 public:
  explicit ByteReader(std::string_view bytes) : rest_(bytes) {}
  std::uint8_t u8();
  std::uint16_t u16();
  std::uint32_t u32();
  std::uint64_t u64();
  std::int64_t i64();
  float f32();
  std::uint32_t u32_big_endian();
  std::uint64_t u64_big_endian();
  std::uint64_t varint();  // refuses non-canonical (over-long) forms
  std::string_view bytes(std::size_t size);
  std::string_view sized();
  bool floats(std::span<float> into);
  [[nodiscard]] bool ok() const noexcept { return ok_; }
  [[nodiscard]] std::size_t left() const noexcept { return rest_.size(); }
  void fail() noexcept;

 private:
  std::string_view rest_;
  bool ok_ = true;
};

[[nodiscard]] inline std::span<const std::byte> as_byte_span(std::string_view text) noexcept {
  return std::as_bytes(std::span(text.data(), text.size()));
}
[[nodiscard]] inline std::string_view as_text(std::span<const std::byte> bytes) noexcept {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// CRC-32C (Castagnoli), hardware-assisted where the CPU has it; `crc` continues an earlier sum.
[[nodiscard]] std::uint32_t crc32c(std::string_view bytes, std::uint32_t crc = 0) noexcept;

struct Digest128 {
  std::uint64_t high = 0;
  std::uint64_t low = 0;
  friend auto operator<=>(const Digest128&, const Digest128&) = default;
};
// The first 128 bits of SHA-256 over `bytes`.
[[nodiscard]] Digest128 digest128(std::string_view bytes);
// SHA-256 in lower-case hexadecimal.
[[nodiscard]] std::string sha256_hex(std::string_view bytes);

}  // namespace quipu
