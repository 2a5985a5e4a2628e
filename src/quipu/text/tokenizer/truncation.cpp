#include "quipu/text/tokenizer/truncation.h"

#include <algorithm>
#include <string>
#include <utility>

namespace quipu::text {

Result<Truncation> Truncation::read(const JsonPart& parent) {
  Truncation out;
  const std::optional<JsonPart> part = parent.find("truncation");
  if (!part.has_value()) return out;
  QUIPU_TRY_OK(part->check_fields({"direction", "max_length", "strategy", "stride"}));
  QUIPU_TRY_OK(part->read_number("max_length", 0));
  QUIPU_TRY_OK(part->read_number("stride", 0));
  QUIPU_TRY(const std::string_view direction, part->read_string("direction", "Right"));
  if (direction == "Left") {
    out.side = TruncationSide::kLeft;
  } else if (direction != "Right") {
    return part->unsupported("'" + std::string(direction) + "'", "direction");
  }
  QUIPU_TRY(const std::string_view strategy, part->read_string("strategy", "LongestFirst"));
  if (strategy == "OnlyFirst") {
    out.strategy = TruncationStrategy::kOnlyFirst;
  } else if (strategy == "OnlySecond") {
    out.strategy = TruncationStrategy::kOnlySecond;
  } else if (strategy != "LongestFirst") {
    return part->unsupported("'" + std::string(strategy) + "'", "strategy");
  }
  return out;
}

Result<PairSizes> truncated_sizes(PairSizes sizes, std::size_t room, TruncationStrategy strategy) {
  const std::size_t total = sizes.first + sizes.second;
  if (room == 0) return PairSizes{};
  if (total <= room) return sizes;
  const std::size_t excess = total - room;
  if (strategy == TruncationStrategy::kLongestFirst) {
    const bool swapped = sizes.first > sizes.second;
    std::size_t shorter = std::min(sizes.first, sizes.second);
    std::size_t longer = shorter > room ? shorter : std::max(shorter, room - shorter);
    if (shorter + longer > room) {
      shorter = room / 2;
      longer = shorter + room % 2;
    }
    return swapped ? PairSizes{longer, shorter} : PairSizes{shorter, longer};
  }
  const bool cuts_first = strategy == TruncationStrategy::kOnlyFirst;
  std::size_t& cut = cuts_first ? sizes.first : sizes.second;
  if (cut <= excess) {
    return Error{ErrorCode::kInvalidArgument,
                 "the two texts have " + std::to_string(total) + " tokens where " +
                     std::to_string(room) + " fit, and the " + (cuts_first ? "first" : "second") +
                     ", which alone may be cut, has " + std::to_string(cut),
                 "text_too_long"};
  }
  cut -= excess;
  return sizes;
}

}  // namespace quipu::text
