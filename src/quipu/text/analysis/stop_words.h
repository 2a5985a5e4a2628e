// Sets of stop words, and the lists of them by language.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace quipu::text::analysis {

// The language's stop words, in lower case, a space between each two; empty where none are known.
[[nodiscard]] std::optional<std::string_view> stop_words_of(std::string_view language) noexcept;
// The languages that have a list, ascending.
[[nodiscard]] std::vector<std::string_view> stop_word_languages();

// Immutable but for add(). Threads: any number may ask.
class StopWordSet {
 public:
  // Words of above 255 bytes are left out: contains() would not find them.
  void add(std::string_view word);
  [[nodiscard]] bool contains(std::string_view word) const noexcept;
  [[nodiscard]] std::size_t size() const noexcept { return count_; }

 private:
  struct Slot {
    std::uint32_t offset = 0;
    std::uint32_t size = 0;  // 0: free
  };
  [[nodiscard]] std::size_t slot_of(std::string_view word) const noexcept;
  void grow();

  std::vector<Slot> slots_;  // a power of two of them, at most half of them used
  std::string words_;
  std::size_t count_ = 0;
  // Whether some word has this many bytes and begins with this byte: most words of a text are
  // no stop words, and this is cheaper than their hash.
  std::uint64_t sizes_ = 0;
  std::uint64_t first_bytes_[4] = {};
};

}  // namespace quipu::text::analysis
