// Folding: from a word as it was written to the term that stands for all its spellings.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace quipu::text::analysis {

// Room for a term. One that needs more has above 1,024 characters, which no analyzer keeps.
inline constexpr std::size_t kTermBytesMax = 8192;
// No more characters of a word are looked at. More than fit a term, because marks may vanish.
inline constexpr std::size_t kRawCharsMax = 4096;

struct FoldOptions {
  bool case_folding = false;   // full case folding
  bool ascii_folding = false;  // compatibility decomposition, without accents
  // With case folding: dotted and dotless i are two letters, each with a capital of its own.
  bool turkic = false;
  // The letters s and t with a comma below become those with a cedilla, which older Romanian texts
  // and Snowball's stemmer use.
  bool romanian = false;
};

// Immutable. Threads: any.
//
// A term is in Unicode's form C without default-ignorable characters (soft hyphens, joiners,
// variation selectors), so that canonically equivalent texts give one term. With either folding the
// apostrophes are one. Accents are marks that do not make another letter of an Asian script:
// combining classes 1, 10 to 36 and from 200 on, and enclosing marks. ASCII folding also takes
// Latin letters that do not decompose for their base letter ("ø" for "o").
class TermFolder {
 public:
  explicit TermFolder(FoldOptions options) noexcept : options_(options) {}

  struct Folded {
    std::size_t size = 0;  // bytes written, well-formed UTF-8; 0 when nothing is left
    bool complete = true;  // false: the word did not fit, and this is what its beginning became
  };
  // Writes the term of `word`, any bytes (those that are not UTF-8 count as U+FFFD), to `out`,
  // which has room for kTermBytesMax.
  Folded fold(std::string_view word, char* out) const noexcept;
  // The same by the definition, step by step: what fold() does for words whose characters act on
  // each other, and the oracle of its tests.
  Folded fold_by_definition(std::string_view word, char* out) const noexcept;

 private:
  FoldOptions options_;
};

}  // namespace quipu::text::analysis
