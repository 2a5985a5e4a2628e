// Sets of Unicode characters, for regular expressions.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace quipu::text {

// Ranges in ascending order, apart from each other by at least one character.
class CharSet {
 public:
  static constexpr char32_t kLast = 0x10FFFF;
  struct Range {
    char32_t first = 0;
    char32_t last = 0;  // inclusive
    friend bool operator==(const Range&, const Range&) = default;
  };
  CharSet() = default;
  // In any order, overlapping or not.
  explicit CharSet(std::vector<Range> ranges);
  [[nodiscard]] static CharSet of(char32_t c) { return CharSet({{c, c}}); }
  [[nodiscard]] static CharSet all() { return CharSet({{0, kLast}}); }

  [[nodiscard]] const std::vector<Range>& ranges() const noexcept { return ranges_; }
  [[nodiscard]] bool empty() const noexcept { return ranges_.empty(); }
  [[nodiscard]] bool contains(char32_t c) const noexcept;
  [[nodiscard]] CharSet complement() const;
  [[nodiscard]] CharSet united(const CharSet& other) const;
  [[nodiscard]] CharSet intersected(const CharSet& other) const;
  friend bool operator==(const CharSet&, const CharSet&) = default;

 private:
  std::vector<Range> ranges_;
};

// The characters that \p{name} matches, as the Python package `tokenizers` has it; null when the
// name is not known. Letters' case, spaces, '-' and '_' do not matter in names. The answer lives as
// long as the process. Threads: any.
[[nodiscard]] const CharSet* find_property(std::string_view name);

}  // namespace quipu::text
