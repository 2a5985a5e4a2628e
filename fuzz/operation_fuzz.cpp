// Property: bytes are either refused, or decode to an operation that encodes to those same bytes.
// Since no fuzzer guesses a checksum, the bytes are tried once as they are and once with the size
// and checksum that they would need.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "quipu/assert.h"
#include "quipu/base/bytes.h"
#include "quipu/storage/operation.h"

namespace {

constexpr std::size_t kHeaderBytes = 12;

void check(std::string_view bytes) {
  const auto decoded = quipu::storage::decode_operation(bytes);
  if (!decoded.ok()) return;
  QUIPU_ASSERT(decoded.value().size <= bytes.size());
  const std::string again = quipu::storage::encode_operation(decoded.value().operation);
  QUIPU_ASSERT(again == bytes.substr(0, decoded.value().size));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  check(bytes);
  if (size < kHeaderBytes) return 0;
  std::string fitted;
  quipu::ByteWriter writer(fitted);
  writer.u32(quipu::storage::kOperationMagic);
  writer.u16(quipu::storage::kOperationVersion);
  writer.bytes(bytes.substr(6, 2));
  writer.u32(static_cast<std::uint32_t>(size - kHeaderBytes));
  writer.bytes(bytes.substr(kHeaderBytes));
  writer.u32(quipu::crc32c(fitted));
  check(fitted);
  return 0;
}
