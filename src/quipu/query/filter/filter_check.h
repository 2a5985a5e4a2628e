// What every filter must satisfy, whether it was read or made by hand; with the place of a mistake.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "quipu/base/json.h"
#include "quipu/filter.h"
#include "quipu/result.h"

namespace quipu::query {

// The way to a part of a filter, as frames on the stack: it costs nothing until an error needs it.
// A frame borrows what it is made from.
class Place {
 public:
  explicit Place(std::string_view root) : name_(root) {}
  Place(const Place& parent, std::string_view member) : parent_(&parent), name_(member) {}
  Place(const Place& parent, std::size_t index) : parent_(&parent), index_(index) {}
  // "filter.must[2].range.gte".
  [[nodiscard]] std::string text() const;
  // kInvalidArgument: the place, ": ", `problem`.
  [[nodiscard]] Error error(std::string_view problem,
                            std::string_view reason = "invalid_filter") const;

 private:
  const Place* parent_ = nullptr;
  std::string_view name_;  // "" for an element
  std::size_t index_ = 0;
};

// What one filter has used of its limits so far.
struct FilterBudget {
  std::size_t conditions = 0;
  std::size_t values = 0;
};

// Errors of all: kInvalidArgument, "invalid_filter" or, over one of the limits, "filter_too_large".

// Whether a filter may be `depth` levels deep (the outermost is at 1).
[[nodiscard]] Status check_depth(std::size_t depth, const Place& at);
// Counts one more condition.
[[nodiscard]] Status count_condition(FilterBudget& budget, const Place& at);
// Checks keys, bounds, coordinates, texts and lists of a condition, but not the filters inside it.
[[nodiscard]] Status check_condition(const FilterCondition& condition, const Place& at,
                                     FilterBudget& budget);
[[nodiscard]] Status check_min_should(const MinShould& min_should, const Place& at);
// All of the above for a whole filter, which `field` names.
[[nodiscard]] Status check_filter(const Filter& filter, std::string_view field);

// How much deeper than its surroundings the filter inside `nested` counts: its JSON is deeper too.
inline constexpr std::size_t kNestedDepth = 2;

// The mode's member in JSON: "text", "text_any" or "phrase".
[[nodiscard]] std::string_view text_mode_name(TextMatchMode mode) noexcept;
// "integer 5", "string "x"", "array": what a message calls a value.
[[nodiscard]] std::string describe_json(JsonView json);
// "a, b, c": for messages.
[[nodiscard]] std::string name_list(std::span<const std::string_view> names);

}  // namespace quipu::query
