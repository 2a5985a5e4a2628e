#include "quipu/index/rows/page_memory.h"

#include <sys/mman.h>

#include <cstdint>
#include <utility>

#include "quipu/assert.h"

namespace quipu::index {
namespace {

constexpr std::size_t kHugePageBytes = std::size_t{2} << 20;
constexpr std::size_t kPageBytes = 4096;

std::size_t round_up(std::size_t value, std::size_t unit) {
  return (value + unit - 1) / unit * unit;
}

std::byte* map_pages(std::size_t bytes) {
  void* address = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  QUIPU_ASSERT(address != MAP_FAILED);
  return static_cast<std::byte*>(address);
}

}  // namespace

PageMemory::PageMemory(std::size_t bytes, bool huge)
    : size_(round_up(bytes, huge ? kHugePageBytes : kPageBytes)) {
  if (!huge) {
    data_ = map_pages(size_);
    return;
  }
  // More than needed, then both ends are given back to leave an aligned middle.
  const std::size_t mapped = size_ + kHugePageBytes;
  std::byte* start = map_pages(mapped);
  const auto address = reinterpret_cast<std::uintptr_t>(start);
  const std::size_t before = round_up(address, kHugePageBytes) - address;
  data_ = start + before;
  if (before > 0) munmap(start, before);
  if (mapped - before > size_) munmap(data_ + size_, mapped - before - size_);
#if defined(MADV_HUGEPAGE)
  // Only advice: without huge pages everything still works, so the answer does not matter.
  static_cast<void>(madvise(data_, size_, MADV_HUGEPAGE));
#endif
}

PageMemory::PageMemory(PageMemory&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

PageMemory& PageMemory::operator=(PageMemory&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

PageMemory::~PageMemory() {
  if (data_ != nullptr) munmap(data_, size_);
}

}  // namespace quipu::index
