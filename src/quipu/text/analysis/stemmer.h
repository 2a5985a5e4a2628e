// Stemming by the Snowball library.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace quipu::text::analysis {

// A longer word is its own stem: no language has one, and the algorithms are made for words.
inline constexpr std::size_t kStemBytesMax = 512;

// Threads: any; each has its own working memory for a language (some 130 kB), made on its first
// word.
class Stemmer {
 public:
  // Empty for a name that is not in languages().
  [[nodiscard]] static std::optional<Stemmer> find(std::string_view language);
  // Ascending.
  [[nodiscard]] static std::vector<std::string_view> languages();

  // Replaces the `size` bytes at `word`, a term in UTF-8, by their stem; returns its size, which is
  // at most twice `size` plus 8: `word` has room for that.
  std::size_t stem(char* word, std::size_t size) const;

 private:
  explicit Stemmer(std::size_t index) : index_(index) {}
  std::size_t index_;  // into Snowball's list
};

}  // namespace quipu::text::analysis
