// Filters as JSON, in the form that Qdrant's clients send.
#pragma once

#include <string_view>

#include "quipu/base/json.h"
#include "quipu/filter.h"
#include "quipu/result.h"

namespace quipu::query {

// Reads a filter. `must`, `should` and `must_not` are a condition or a list of conditions; a member
// that is null is as if absent; an object without members is the filter that holds for all. Members
// that the language does not have are refused. A condition is told by its members: with "key" it is
// a FieldCondition, with one of is_empty, is_null, has_id, has_vector, slice, nested it is that
// one, otherwise a filter.
//
// field   what the messages call the filter: "filter" gives "filter.must[2].range.gte: ...".
//
// The result satisfies check_filter(). Errors: kInvalidArgument, "invalid_filter" or, over one of
// the limits (kFilter...Max), "filter_too_large"; with the place, the value and what is allowed.
[[nodiscard]] Result<Filter> parse_filter(JsonView json, std::string_view field);

// Writes the one canonical form: lists always, nothing that is empty. For a filter that satisfies
// check_filter(), reading it gives an equal one.
void write_filter(const Filter& filter, JsonWriter& out);

// The same for one condition alone, as formulas have them.
[[nodiscard]] Result<FilterCondition> parse_condition(JsonView json, std::string_view field);
void write_condition(const FilterCondition& condition, JsonWriter& out);

}  // namespace quipu::query
