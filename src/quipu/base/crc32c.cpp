#include "quipu/base/crc32c.h"

#include <array>
#include <bit>
#include <cstddef>
#include <cstring>

#include "quipu/assert.h"
#include "quipu/base/bytes.h"

#if defined(__aarch64__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

namespace quipu {
namespace detail {
namespace {

constexpr std::uint32_t kPolynomial = 0x82F63B78U;  // Castagnoli's, bits reversed

// tables[k][b]: the sum of byte b followed by k zero bytes, so that eight bytes are looked up at
// once ("slicing by 8", Kounavis and Berry 2005).
constexpr auto make_tables() {
  std::array<std::array<std::uint32_t, 256>, 8> tables{};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    std::uint32_t sum = byte;
    for (int bit = 0; bit < 8; ++bit) sum = (sum >> 1U) ^ ((sum & 1U) != 0 ? kPolynomial : 0U);
    tables[0][byte] = sum;
  }
  for (std::size_t zeros = 1; zeros < 8; ++zeros) {
    for (std::size_t byte = 0; byte < 256; ++byte) {
      const std::uint32_t before = tables[zeros - 1][byte];
      tables[zeros][byte] = (before >> 8U) ^ tables[0][before & 0xFFU];
    }
  }
  return tables;
}
constexpr auto kTables = make_tables();

std::uint64_t load_word(const char* at) noexcept {
  std::uint64_t word = 0;
  std::memcpy(&word, at, sizeof(word));
  if constexpr (std::endian::native == std::endian::big) word = __builtin_bswap64(word);
  return word;
}

}  // namespace

std::uint32_t crc32c_table(std::string_view bytes, std::uint32_t crc) noexcept {
  crc = ~crc;
  const char* at = bytes.data();
  std::size_t left = bytes.size();
  for (; left >= 8; left -= 8, at += 8) {
    const std::uint64_t word = load_word(at) ^ crc;
    crc = 0;
    for (std::size_t place = 0; place < 8; ++place) {
      crc ^= kTables[7 - place][(word >> (8 * place)) & 0xFFU];
    }
  }
  for (; left > 0; --left, ++at) {
    crc = (crc >> 8U) ^ kTables[0][(crc ^ static_cast<unsigned char>(*at)) & 0xFFU];
  }
  return ~crc;
}

#if defined(__x86_64__)

bool crc32c_has_hardware() noexcept {
  static const bool has = __builtin_cpu_supports("sse4.2") != 0;
  return has;
}

__attribute__((target("sse4.2"))) std::uint32_t crc32c_hardware(std::string_view bytes,
                                                                std::uint32_t crc) noexcept {
  const char* at = bytes.data();
  std::size_t left = bytes.size();
  std::uint64_t sum = ~crc;
  for (; left >= 8; left -= 8, at += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, at, sizeof(word));
    sum = __builtin_ia32_crc32di(sum, word);
  }
  auto narrow = static_cast<std::uint32_t>(sum);
  for (; left > 0; --left, ++at) {
    narrow = __builtin_ia32_crc32qi(narrow, static_cast<unsigned char>(*at));
  }
  return ~narrow;
}

#elif defined(__aarch64__)

bool crc32c_has_hardware() noexcept {
  static const bool has = (getauxval(AT_HWCAP) & HWCAP_CRC32) != 0;
  return has;
}

// In assembly, because the two compilers spell both the intrinsics and the target differently.
std::uint32_t crc32c_hardware(std::string_view bytes, std::uint32_t crc) noexcept {
  const char* at = bytes.data();
  std::size_t left = bytes.size();
  std::uint32_t sum = ~crc;
  for (; left >= 8; left -= 8, at += 8) {
    const std::uint64_t word = load_word(at);
    __asm__(".arch_extension crc\n\tcrc32cx %w0, %w0, %x1" : "+r"(sum) : "r"(word));
  }
  for (; left > 0; --left, ++at) {
    const std::uint32_t byte = static_cast<unsigned char>(*at);
    __asm__(".arch_extension crc\n\tcrc32cb %w0, %w0, %w1" : "+r"(sum) : "r"(byte));
  }
  return ~sum;
}

#else

bool crc32c_has_hardware() noexcept { return false; }

std::uint32_t crc32c_hardware(std::string_view bytes, std::uint32_t crc) noexcept {
  QUIPU_ASSERT(crc32c_has_hardware());
  return crc32c_table(bytes, crc);
}

#endif

}  // namespace detail

std::uint32_t crc32c(std::string_view bytes, std::uint32_t crc) noexcept {
  return detail::crc32c_has_hardware() ? detail::crc32c_hardware(bytes, crc)
                                       : detail::crc32c_table(bytes, crc);
}

}  // namespace quipu
