#include "quipu/api/qdrant/options.h"

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "quipu/query/request/json_reading.h"

namespace quipu::api::qdrant {
namespace {

Status check_value(JsonView json, OptionKind kind, const Place& at) {
  constexpr std::array<std::string_view, 3> kMemories = {"cold", "cached", "pinned"};
  constexpr std::array<std::string_view, 6> kDatatypes = {"float32", "float16", "uint8",
                                                          "turbo4",  "turbo8",  "turbo16"};
  const auto wanted = [&](bool fits, std::string_view what) -> Status {
    if (fits) return ok_status();
    return query::expected(what, json, at);
  };
  switch (kind) {
    case OptionKind::kCount: return wanted(json.as_uint64().has_value(), "an unsigned integer");
    case OptionKind::kNumber: return wanted(json.is_number(), "a number");
    case OptionKind::kFlag: return wanted(json.as_bool().has_value(), "true or false");
    case OptionKind::kText: return wanted(json.is_string(), "a string");
    case OptionKind::kMemory: {
      QUIPU_TRY_OK(query::read_choice(json, kMemories, at));
      return ok_status();
    }
    case OptionKind::kDatatype: {
      QUIPU_TRY_OK(query::read_choice(json, kDatatypes, at));
      return ok_status();
    }
    case OptionKind::kAny: return ok_status();
  }
  return ok_status();
}

}  // namespace

Status check_options(JsonView json, Options options, const Place& at) {
  QUIPU_TRY_OK(query::check_object(json, "an object", at));
  std::vector<std::string_view> names;
  for (const Option& option : options) names.push_back(option.name);
  QUIPU_TRY_OK(query::check_members(json, names, at));
  for (const Option& option : options) {
    const auto value = query::member(json, option.name);
    if (value) QUIPU_TRY_OK(check_value(*value, option.kind, Place(at, option.name)));
  }
  return ok_status();
}

void write_options(JsonWriter& out, JsonView json, Options options) {
  for (const Option& option : options) {
    if (const auto value = query::member(json, option.name)) {
      out.key(option.name).raw(value->to_string());
    }
  }
}

void write_merged(JsonWriter& out, JsonView base, JsonView patch, int levels) {
  const auto write = [&](std::string_view name, std::optional<JsonView> before, JsonView after) {
    out.key(name);
    const bool merge = levels > 1 && after.is_object() && name != "quantization_config";
    if (merge && before) return write_merged(out, *before, after, levels - 1);
    // Into nothing, so that the nulls in it leave nothing.
    if (merge) return write_merged(out, after, after, levels - 1);
    out.raw(after.to_string());
  };
  out.begin_object();
  base.for_each_member([&](std::string_view name, JsonView before) {
    const auto after = patch.find(name);
    if (!after) {
      out.key(name).raw(before.to_string());
    } else if (!after->is_null()) {
      write(name, before, *after);
    }
    return true;
  });
  patch.for_each_member([&](std::string_view name, JsonView after) {
    if (!after.is_null() && !base.find(name)) write(name, std::nullopt, after);
    return true;
  });
  out.end_object();
}

}  // namespace quipu::api::qdrant
