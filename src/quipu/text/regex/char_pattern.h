// Regular expressions over characters, matched by PCRE2.
//
// PCRE2 sees neither the text nor Unicode: the characters that a pattern tells apart are numbered,
// at most 256 kinds of them, and it matches the pattern of these numbers over a text of them. So
// what \s and \p{L} mean is what our tables say, whatever release of Unicode the library knows, and
// a class is one bit of 256, whatever it holds.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "quipu/result.h"
#include "quipu/text/unicode/aligned_text.h"

namespace quipu::text {

// What a thread needs to match; made without cost, filled on first use.
class PatternMatcher {
 public:
  PatternMatcher();
  ~PatternMatcher();
  PatternMatcher(PatternMatcher&&) noexcept;
  PatternMatcher& operator=(PatternMatcher&&) noexcept;

 private:
  friend class CharPattern;
  struct State;
  std::unique_ptr<State> state_;
};

// Threads: immutable once compiled.
class CharPattern {
 public:
  struct Match {
    std::size_t begin = 0;  // characters
    std::size_t end = 0;
    friend bool operator==(const Match&, const Match&) = default;
  };
  // Oniguruma's syntax, as far as pattern_parser.h understands it. Errors: as there.
  [[nodiscard]] static Result<std::shared_ptr<const CharPattern>> compile(std::string_view pattern);
  // The characters of `text` themselves.
  [[nodiscard]] static Result<std::shared_ptr<const CharPattern>> literal(std::string_view text);
  ~CharPattern();
  CharPattern(const CharPattern&) = delete;
  CharPattern& operator=(const CharPattern&) = delete;

  // Replaces `matches` by the matches in `text`, from the left, none overlapping; an empty one
  // right behind a match does not count. What is before `text` is not seen.
  // Errors: kResourceExhausted ("regex_limit") when a match takes more than ten million steps.
  Status find_all(std::span<const AlignedChar> text, PatternMatcher& matcher,
                  std::vector<Match>& matches) const;

 private:
  struct Code;
  CharPattern();
  [[nodiscard]] Status compile_kinds(std::string_view pattern);
  void find_literal(std::span<const AlignedChar> text, std::vector<Match>& matches) const;

  std::u32string literal_;
  std::unique_ptr<Code> code_;  // null for a literal
  // From a character to its kind, in two stages.
  std::vector<std::uint16_t> blocks_;
  std::vector<std::uint8_t> kinds_;
};

}  // namespace quipu::text
