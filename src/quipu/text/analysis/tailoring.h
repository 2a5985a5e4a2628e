// What the letters of some languages need beside Unicode's default rules.
#pragma once

#include <span>
#include <string_view>

namespace quipu::text::analysis {

struct Tailoring {
  bool turkic = false;    // see FoldOptions
  bool romanian = false;  // see FoldOptions
  // Short words that are written onto the next one with an apostrophe, without it ("l" of
  // "l'avion"): such a beginning is not part of the term.
  std::span<const std::string_view> elisions = {};
  // An apostrophe sets a name's ending apart ("İstanbul'da"), which is not part of the term.
  bool endings_after_apostrophe = false;
};

[[nodiscard]] Tailoring tailoring_of(std::string_view language) noexcept;

// `term` without an elided word before it, or an ending set apart. The rest is never empty.
[[nodiscard]] std::string_view cut_at_apostrophe(std::string_view term,
                                                 const Tailoring& tailoring) noexcept;

}  // namespace quipu::text::analysis
