#include "quipu/api/qdrant/request.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "quipu/api/qdrant/dialect.h"
#include "quipu/base/format.h"
#include "quipu/base/quote.h"
#include "quipu/query/filter/filter_json.h"
#include "quipu/query/request/json_reading.h"

namespace quipu::api::qdrant {
namespace {

constexpr QueryParameter kTimeout{"timeout", ParameterKind::kText, "Seconds, at least 1."};

std::optional<std::uint64_t> to_number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || stop != text.data() + text.size()) return std::nullopt;
  return value;
}

Status check_one_of(const Call& call, std::string_view name,
                    std::span<const std::string_view> names, bool or_number) {
  const auto value = call.query(name);
  if (!value || std::ranges::find(names, *value) != names.end()) return ok_status();
  if (or_number && to_number(*value).value_or(0) > 0) return ok_status();
  return bad_request(format("query parameter \"{}\" must be {}{}, got {}", name,
                            query::name_list(names), or_number ? " or a number" : "",
                            in_quotes(*value)));
}

}  // namespace

std::vector<QueryParameter> write_parameters() {
  return {{"wait", ParameterKind::kFlag, "Whether to answer \"completed\"."},
          {"ordering", ParameterKind::kText, "weak, medium or strong: all the same here."},
          kTimeout};
}

std::vector<QueryParameter> read_parameters() {
  return {{"consistency", ParameterKind::kText, "A number, majority, quorum or all: all the same."},
          kTimeout};
}

std::vector<QueryParameter> timeout_parameter() { return {kTimeout}; }

Result<Terms> terms_of(const Call& call) {
  constexpr std::array<std::string_view, 3> kOrderings = {"weak", "medium", "strong"};
  constexpr std::array<std::string_view, 3> kConsistencies = {"majority", "quorum", "all"};
  QUIPU_TRY_OK(check_one_of(call, "ordering", kOrderings, false));
  QUIPU_TRY_OK(check_one_of(call, "consistency", kConsistencies, true));
  Terms terms{.wait = call.flag("wait", false), .timeout = call.time_left()};
  if (const auto text = call.query("timeout")) {
    const auto seconds = to_number(*text);
    if (seconds.value_or(0) < 1) {
      return bad_request(
          format("query parameter \"timeout\" must be a number of seconds, at least "
                 "1, got {}",
                 in_quotes(*text)));
    }
    QUIPU_TRY(terms.timeout, shorten(call, *seconds));
  }
  return terms;
}

Status refuse_shard_key(JsonView body, const Place& at) {
  if (!query::member(body, "shard_key")) return ok_status();
  return shard_keys_not_built(Place(at, "shard_key"));
}

Error shard_keys_not_built(const Place& at) {
  return not_built(at.text() +
                   ": sharding by keys of the caller is not built; points go to shards by their "
                   "ids");
}

Result<std::chrono::milliseconds> shorten(const Call& call, std::uint64_t seconds) {
  constexpr std::uint64_t kSecondsMax = 24 * 3600;
  if (seconds < 1) return bad_request("timeout: 0 is no number of seconds; 1 at least");
  const std::chrono::milliseconds asked(std::min(seconds, kSecondsMax) * 1000);
  return std::min(call.time_left(), asked);
}

Status read_payload_selection(JsonView json, const Place& at, Selection& into) {
  into.payload = true;
  into.select.payload = true;
  if (const auto flag = json.as_bool()) {
    into.payload = *flag;
    into.select.payload = *flag;
    return ok_status();
  }
  if (json.is_array()) {
    QUIPU_TRY(into.select.payload_include, read_strings(json, at));
    into.select.payload = !into.select.payload_include.empty();
    return ok_status();
  }
  if (!json.is_object()) {
    return query::expected("true, false, a list of keys, or an object with include or exclude",
                           json, at);
  }
  constexpr std::array<std::string_view, 2> kMembers = {"include", "exclude"};
  QUIPU_TRY_OK(query::check_members(json, kMembers, at));
  const auto include = query::member(json, "include");
  const auto exclude = query::member(json, "exclude");
  if (include.has_value() == exclude.has_value()) {
    return at.error("must have one of include and exclude", query::kInvalidQuery);
  }
  if (include) return read_payload_selection(*include, Place(at, "include"), into);
  QUIPU_TRY(into.select.payload_exclude, read_strings(*exclude, Place(at, "exclude")));
  return ok_status();
}

Status read_vector_selection(JsonView json, const Place& at, Selection& into) {
  if (const auto flag = json.as_bool()) {
    into.vectors = *flag;
    into.select.vectors = *flag;
    return ok_status();
  }
  if (!json.is_array()) {
    return query::expected("true, false, or a list of vectors' names", json, at);
  }
  QUIPU_TRY(into.select.vector_names, read_strings(json, at));
  into.vectors = true;
  into.select.vectors = !into.select.vector_names.empty();
  return ok_status();
}

Result<Selection> read_selection(JsonView body, const Place& at, bool payload) {
  Selection selection;
  selection.select = {.payload = payload, .text = false, .vectors = false};
  selection.payload = payload;
  if (const auto json = query::member(body, "with_payload")) {
    QUIPU_TRY_OK(read_payload_selection(*json, Place(at, "with_payload"), selection));
  }
  for (const std::string_view name : {"with_vectors", "with_vector"}) {
    if (const auto json = query::member(body, name)) {
      QUIPU_TRY_OK(read_vector_selection(*json, Place(at, name), selection));
    }
  }
  return selection;
}

Result<std::vector<PointId>> read_ids(JsonView json, const Place& at) {
  std::vector<PointId> ids;
  ids.reserve(json.size());
  QUIPU_TRY_OK(query::read_elements(
      json, "a list of point ids", at, [&ids](JsonView item, const Place& place) -> Status {
        QUIPU_TRY(const PointId id, query::read_point_id(item, place));
        ids.push_back(id);
        return ok_status();
      }));
  return ids;
}

Result<std::vector<std::string>> read_strings(JsonView json, const Place& at) {
  std::vector<std::string> strings;
  QUIPU_TRY_OK(query::read_elements(json, "a list of strings", at,
                                    [&strings](JsonView item, const Place& place) -> Status {
                                      QUIPU_TRY(std::string text, query::read_string(item, place));
                                      strings.push_back(std::move(text));
                                      return ok_status();
                                    }));
  return strings;
}

Result<std::optional<Filter>> read_filter(JsonView body, const Place& at) {
  const auto json = query::member(body, "filter");
  if (!json) return std::optional<Filter>();
  QUIPU_TRY(Filter filter, query::parse_filter(*json, Place(at, "filter").text()));
  return std::optional<Filter>(std::move(filter));
}

}  // namespace quipu::api::qdrant
