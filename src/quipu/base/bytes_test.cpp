#include "quipu/base/bytes.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <vector>

#include "quipu/base/crc32c.h"
#include "quipu/base/test_support.h"

namespace quipu {
namespace {

std::string random_bytes(Rng& rng, std::size_t size) {
  std::string bytes(size, '\0');
  for (char& byte : bytes) byte = static_cast<char>(rng.below(256));
  return bytes;
}

TEST(Bytes, LayoutIsFixed) {
  std::string out;
  ByteWriter writer(out);
  writer.u8(0xAB);
  writer.u16(0x1234);
  writer.u32(0x12345678);
  writer.u64(0x0123456789ABCDEFULL);
  writer.i64(-2);
  writer.f32(1.0F);
  writer.u32_big_endian(0x12345678);
  writer.u64_big_endian(0x0123456789ABCDEFULL);
  writer.varint(300);
  writer.sized("hi");
  const std::vector<float> floats = {-2.0F};
  writer.floats(floats);
  const std::string expected(
      "\xAB\x34\x12\x78\x56\x34\x12\xEF\xCD\xAB\x89\x67\x45\x23\x01"
      "\xFE\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x00\x00\x80\x3F\x12\x34\x56\x78"
      "\x01\x23\x45\x67\x89\xAB\xCD\xEF\xAC\x02\x02hi\x00\x00\x00\xC0",
      48);
  EXPECT_EQ(out, expected);
}

TEST(Bytes, WhatIsWrittenIsRead) {
  Rng rng(test_seed());
  for (int round = 0; round < 300; ++round) {
    const std::uint64_t number = rng.next() >> rng.below(64);
    const auto signed_number = std::bit_cast<std::int64_t>(rng.next());
    const auto real = static_cast<float>(rng.normal());
    const std::string text = random_bytes(rng, rng.below(300));
    std::vector<float> floats(rng.below(9));
    for (float& f : floats) f = static_cast<float>(rng.normal());
    std::string out;
    ByteWriter writer(out);
    writer.u8(static_cast<std::uint8_t>(number));
    writer.u16(static_cast<std::uint16_t>(number));
    writer.u32(static_cast<std::uint32_t>(number));
    writer.u64(number);
    writer.i64(signed_number);
    writer.f32(real);
    writer.u32_big_endian(static_cast<std::uint32_t>(number));
    writer.u64_big_endian(number);
    writer.varint(number);
    writer.sized(text);
    writer.bytes(text);
    writer.floats(floats);
    ByteReader reader(out);
    EXPECT_EQ(reader.u8(), static_cast<std::uint8_t>(number));
    EXPECT_EQ(reader.u16(), static_cast<std::uint16_t>(number));
    EXPECT_EQ(reader.u32(), static_cast<std::uint32_t>(number));
    EXPECT_EQ(reader.u64(), number);
    EXPECT_EQ(reader.i64(), signed_number);
    EXPECT_EQ(reader.f32(), real);
    EXPECT_EQ(reader.u32_big_endian(), static_cast<std::uint32_t>(number));
    EXPECT_EQ(reader.u64_big_endian(), number);
    EXPECT_EQ(reader.varint(), number);
    EXPECT_EQ(reader.sized(), text);
    EXPECT_EQ(reader.bytes(text.size()), text);
    std::vector<float> read(floats.size());
    EXPECT_TRUE(reader.floats(read));
    EXPECT_EQ(read, floats);
    EXPECT_TRUE(reader.ok());
    EXPECT_EQ(reader.left(), 0U);
  }
}

TEST(Bytes, EveryReadPastTheEndFailsForGood) {
  const auto fails = [](std::size_t size, auto read) {
    const std::string bytes(size, '\x01');
    ByteReader reader(bytes);
    read(reader);
    return !reader.ok() && reader.left() == 0 && reader.u8() == 0;
  };
  EXPECT_TRUE(fails(0, [](ByteReader& r) { r.u8(); }));
  EXPECT_TRUE(fails(1, [](ByteReader& r) { r.u16(); }));
  EXPECT_TRUE(fails(3, [](ByteReader& r) { r.u32(); }));
  EXPECT_TRUE(fails(7, [](ByteReader& r) { r.u64(); }));
  EXPECT_TRUE(fails(7, [](ByteReader& r) { r.i64(); }));
  EXPECT_TRUE(fails(3, [](ByteReader& r) { r.f32(); }));
  EXPECT_TRUE(fails(3, [](ByteReader& r) { r.u32_big_endian(); }));
  EXPECT_TRUE(fails(7, [](ByteReader& r) { r.u64_big_endian(); }));
  EXPECT_TRUE(fails(0, [](ByteReader& r) { r.varint(); }));
  EXPECT_TRUE(fails(9, [](ByteReader& r) { r.bytes(10); }));
  EXPECT_TRUE(fails(9, [](ByteReader& r) { r.bytes(std::numeric_limits<std::size_t>::max()); }));
  EXPECT_TRUE(fails(1, [](ByteReader& r) { r.sized(); }));
  EXPECT_TRUE(fails(7, [](ByteReader& r) {
    std::vector<float> two(2);
    EXPECT_FALSE(r.floats(two));
  }));
  EXPECT_TRUE(fails(5, [](ByteReader& r) { r.fail(); }));
}

TEST(Bytes, EmptyReadsAreFine) {
  ByteReader reader("");
  EXPECT_EQ(reader.bytes(0), "");
  EXPECT_TRUE(reader.floats({}));
  EXPECT_TRUE(reader.ok());
}

TEST(Bytes, VarintsHaveOneFormEach) {
  for (const std::uint64_t number :
       {0ULL, 1ULL, 127ULL, 128ULL, 16'383ULL, 16'384ULL, 1ULL << 62U, 1ULL << 63U, ~0ULL}) {
    std::string out;
    ByteWriter(out).varint(number);
    ByteReader reader(out);
    EXPECT_EQ(reader.varint(), number);
    EXPECT_TRUE(reader.ok());
    EXPECT_LE(out.size(), 10U);
  }
  for (const std::string_view bytes :
       {std::string_view("\x80\x00", 2), std::string_view("\xFF\x80\x00", 3),
        std::string_view("\x80", 1), std::string_view("\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x02"),
        std::string_view("\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x81\x01")}) {
    ByteReader reader(bytes);
    EXPECT_EQ(reader.varint(), 0U);
    EXPECT_FALSE(reader.ok());
  }
}

TEST(Bytes, AnHonestPrefixOfALyingLengthIsRefused) {
  std::string out;
  ByteWriter(out).varint(~0ULL);
  out += "abc";
  ByteReader reader(out);
  EXPECT_EQ(reader.sized(), "");
  EXPECT_FALSE(reader.ok());
}

TEST(Crc32c, KnownSums) {
  // RFC 3720, appendix B.4, and the usual check value.
  std::string ascending;
  for (char byte = 0; byte < 32; ++byte) ascending.push_back(byte);
  const std::string descending(ascending.rbegin(), ascending.rend());
  EXPECT_EQ(crc32c(""), 0U);
  EXPECT_EQ(crc32c("123456789"), 0xE3069283U);
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8A9136AAU);
  EXPECT_EQ(crc32c(std::string(32, '\xFF')), 0x62A8AB43U);
  EXPECT_EQ(crc32c(ascending), 0x46DD794EU);
  EXPECT_EQ(crc32c(descending), 0x113FDB5CU);
}

std::uint32_t crc32c_bit_by_bit(std::string_view bytes, std::uint32_t crc) {
  crc = ~crc;
  for (const char byte : bytes) {
    crc ^= static_cast<unsigned char>(byte);
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1U) ^ ((crc & 1U) != 0 ? 0x82F63B78U : 0U);
  }
  return ~crc;
}

TEST(Crc32c, AllWaysAgreeOnEverySizeAndAlignment) {
  Rng rng(test_seed());
  const std::string bytes = random_bytes(rng, 200);
  const std::string_view all = bytes;
  for (std::size_t begin = 0; begin < 9; ++begin) {
    for (std::size_t size = 0; begin + size <= bytes.size(); ++size) {
      const std::string_view part = all.substr(begin, size);
      const auto before = static_cast<std::uint32_t>(rng.next());
      const std::uint32_t expected = crc32c_bit_by_bit(part, before);
      ASSERT_EQ(detail::crc32c_table(part, before), expected);
      ASSERT_EQ(crc32c(part, before), expected);
      if (detail::crc32c_has_hardware()) {
        ASSERT_EQ(detail::crc32c_hardware(part, before), expected);
      }
    }
  }
}

TEST(Crc32c, ContinuesOverAnySplit) {
  Rng rng(test_seed());
  const std::string bytes = random_bytes(rng, 100);
  for (std::size_t split = 0; split <= bytes.size(); ++split) {
    const std::string_view all = bytes;
    EXPECT_EQ(crc32c(all.substr(split), crc32c(all.substr(0, split))), crc32c(all));
  }
}

TEST(Digest, IsSha256) {
  // FIPS 180-2, appendix B.
  EXPECT_EQ(sha256_hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  const Digest128 digest = digest128("abc");
  EXPECT_EQ(digest.high, 0xba7816bf8f01cfeaULL);
  EXPECT_EQ(digest.low, 0x414140de5dae2223ULL);
  EXPECT_NE(digest128("abd"), digest);
}

}  // namespace
}  // namespace quipu
