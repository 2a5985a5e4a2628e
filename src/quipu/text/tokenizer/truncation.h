// Which tokens stay when there are too many.
#pragma once

#include <cstddef>
#include <cstdint>

#include "quipu/result.h"
#include "quipu/text/tokenizer/json_fields.h"

namespace quipu::text {

enum class TruncationSide : std::uint8_t { kRight, kLeft };  // where tokens are left out
// Of two texts.
enum class TruncationStrategy : std::uint8_t { kLongestFirst, kOnlyFirst, kOnlySecond };

// The "truncation" part of a tokenizer.json, which says how the model was used; its length and
// stride are read but not applied: the caller says how many tokens may be, and has no use for the
// rest of a text in windows.
struct Truncation {
  TruncationSide side = TruncationSide::kRight;
  TruncationStrategy strategy = TruncationStrategy::kLongestFirst;

  // `parent` is what has the member "truncation", or has none. Errors: kUnimplemented;
  // kInvalidArgument.
  [[nodiscard]] static Result<Truncation> read(const JsonPart& parent);
};

struct PairSizes {
  std::size_t first = 0;
  std::size_t second = 0;
};
// How many tokens of each text stay when at most `room` may. Errors: kInvalidArgument
// ("text_too_long") when the one that is to be cut would have to lose all.
[[nodiscard]] Result<PairSizes> truncated_sizes(PairSizes sizes, std::size_t room,
                                                TruncationStrategy strategy);

}  // namespace quipu::text
