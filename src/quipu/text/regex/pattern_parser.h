// Reads a regular expression in the syntax that tokenizer.json files use (Oniguruma's) into one
// whose atoms are sets of characters.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "quipu/result.h"
#include "quipu/text/regex/char_set.h"

namespace quipu::text {

// What PCRE2 will see is the items in order: structure as it is, and sets by what stands for them.
struct ParsedPattern {
  struct Item {
    std::string structure;
    int set = -1;  // into sets, when structure is empty
  };
  std::vector<Item> items;
  std::vector<CharSet> sets;  // all different
};

// Understood: characters and their escapes, `.`, classes with ranges, nesting, && and [:names:],
// \s \d \w \h and their opposites, \p{...}, groups (capturing ones do not capture), look-around,
// atomic groups, (?i) for ASCII and (?m), which lets `.` match line ends, anchors ^ $ \A \z \Z \b
// \B, all quantifiers. What is not, back references among it, is refused by name.
// Errors: kUnimplemented ("tokenizer_unsupported"), kInvalidArgument; both say where.
[[nodiscard]] Result<ParsedPattern> parse_pattern(std::string_view pattern);

}  // namespace quipu::text
