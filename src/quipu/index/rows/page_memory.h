// Zeroed memory straight from the operating system. A page costs memory only once it is touched, so
// a store may ask for more than it fills.
#pragma once

#include <cstddef>

namespace quipu::index {

// Owns its bytes, 4096-byte aligned. Ends the process when the system has no more (as bad_alloc
// does).
class PageMemory {
 public:
  PageMemory() = default;
  // `huge`: align to 2 MiB and ask for huge pages, which spare the address translation of random
  // reads; worth it only where most of the memory will be used.
  PageMemory(std::size_t bytes, bool huge);
  PageMemory(PageMemory&& other) noexcept;
  PageMemory& operator=(PageMemory&& other) noexcept;
  ~PageMemory();

  [[nodiscard]] std::byte* data() const noexcept { return data_; }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }

 private:
  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace quipu::index
