// Property: bytes are either refused, or give tensors that lie inside of them, none over another,
// each as large as its shape says.
#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "quipu/assert.h"
#include "quipu/embed/safetensors.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::span<const std::byte> file(reinterpret_cast<const std::byte*>(data), size);
  const auto views = quipu::embed::parse_safetensors(file);
  if (!views.ok()) {
    QUIPU_ASSERT(views.error().code == quipu::ErrorCode::kCorruption);
    return 0;
  }
  std::size_t total = 0;
  for (const quipu::embed::WeightView& view : views.value()) {
    if (view.bytes.empty()) continue;
    QUIPU_ASSERT(std::less_equal<>()(file.data(), view.bytes.data()));
    QUIPU_ASSERT(
        std::less_equal<>()(view.bytes.data() + view.bytes.size(), file.data() + file.size()));
    total += view.bytes.size();
    std::size_t count = 1;
    for (const std::uint64_t dimension : view.shape) count *= dimension;
    if (view.type == quipu::embed::ElementType::kF32) QUIPU_ASSERT(view.bytes.size() == count * 4);
  }
  QUIPU_ASSERT(total <= size);
  return 0;
}
