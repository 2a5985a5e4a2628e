// Small steps of reading a request's JSON, where every mistake is told by its place.
//
// Errors of all: kInvalidArgument ("invalid_query").
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "quipu/base/json.h"
#include "quipu/ids.h"
#include "quipu/query/filter/filter_check.h"
#include "quipu/result.h"

namespace quipu::query {

using Names = std::span<const std::string_view>;

inline constexpr std::string_view kInvalidQuery = "invalid_query";
inline constexpr std::string_view kQueryTooLarge = "query_too_large";

// "expected WHAT, got integer 5".
[[nodiscard]] Error expected(std::string_view what, JsonView got, const Place& at);

// The member of that name; one that is null counts as absent.
[[nodiscard]] std::optional<JsonView> member(JsonView object, std::string_view name);
// Those of `names` that the object has.
[[nodiscard]] std::vector<std::string_view> present(JsonView object, Names names);
[[nodiscard]] Result<JsonView> required(JsonView object, std::string_view name, const Place& at);

[[nodiscard]] Status check_object(JsonView json, std::string_view what, const Place& at);
// Refuses members that are in none of `known` and `more`, and names the nearest that is.
[[nodiscard]] Status check_members(JsonView object, Names known, const Place& at, Names more = {});

[[nodiscard]] Result<std::string> read_string(JsonView json, const Place& at);
[[nodiscard]] Result<double> read_number(JsonView json, const Place& at);
// Errors: also for a number beyond the range of a float.
[[nodiscard]] Result<float> read_float(JsonView json, const Place& at);
[[nodiscard]] Result<bool> read_bool(JsonView json, const Place& at);
[[nodiscard]] Result<std::uint64_t> read_count(JsonView json, std::uint64_t min, std::uint64_t max,
                                               const Place& at);
// The index of the name among `names`.
[[nodiscard]] Result<std::size_t> read_choice(JsonView json, Names names, const Place& at);
// A number, or a UUID in any of the forms that Qdrant reads: without hyphens, in braces, after
// "urn:uuid:".
[[nodiscard]] Result<PointId> read_point_id(JsonView json, const Place& at);
// The UUID alone. Errors: kInvalidArgument, quoting it.
[[nodiscard]] Result<PointId> read_uuid(std::string_view text, const Place& at);

// Calls read(element, place) for each element; stops at its first error.
[[nodiscard]] Status read_elements(JsonView array, std::string_view what, const Place& at,
                                   const std::function<Status(JsonView, const Place&)>& read);
// The same for one element alone in the array's place, which is an object.
[[nodiscard]] Status read_one_or_many(JsonView json, std::string_view what, const Place& at,
                                      const std::function<Status(JsonView, const Place&)>& read);

// `target` is set to what read() makes of the member, if it is there.
template <typename Target, typename Read>
[[nodiscard]] Status read_optional(JsonView object, std::string_view name, const Place& at,
                                   Target& target, Read read) {
  const std::optional<JsonView> json = member(object, name);
  if (!json.has_value()) return ok_status();
  QUIPU_TRY(target, read(*json, Place(at, name)));
  return ok_status();
}

}  // namespace quipu::query
