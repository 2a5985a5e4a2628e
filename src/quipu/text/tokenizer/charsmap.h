// The "Precompiled" normalizer: sentencepiece's table of replacements, and how the reference
// tokenizers apply it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "quipu/result.h"
#include "quipu/text/unicode/aligned_text.h"

namespace quipu::text {

// A change of a text, character by character. `change` 0: replaces the next character; 1: stands
// beside it, a new one; -n: replaces the next, and n more go.
struct CharChange {
  char32_t value = 0;
  std::int32_t change = 0;
};
// Applies changes to `text`, whose first byte is at `base`: a replaced character keeps its bytes, a
// new one has those of the last character replaced, or none at `base`.
void apply_changes(std::span<const CharChange> changes, std::uint32_t base, AlignedText& text);

// Threads: immutable once read.
class Charsmap {
 public:
  // `base64` is the file's "precompiled_charsmap". Errors: kInvalidArgument, saying what it must
  // be.
  [[nodiscard]] static Result<Charsmap> read(std::string_view base64);

  // Replaces the clusters and characters of `text` that the table has. `changes` is scratch.
  void normalize(std::uint32_t base, AlignedText& text, std::vector<CharChange>& changes) const;

 private:
  // What the shortest key that begins `chars` is replaced by, if there is one.
  [[nodiscard]] std::optional<std::u32string_view> find(std::span<const AlignedChar> chars) const;
  [[nodiscard]] std::optional<std::u32string_view> find_bytes(std::string_view bytes) const;

  std::vector<std::uint32_t> trie_;
  // The replacements, and where each begins by its byte in the file.
  std::u32string replacements_;
  std::vector<std::uint32_t> char_at_;
  std::array<bool, 128> kept_{};  // ASCII that nothing is replaced for
};

}  // namespace quipu::text
