#include "quipu/query/request/json_reading.h"

#include <algorithm>
#include <cmath>

#include "quipu/base/format.h"
#include "quipu/base/nearest.h"
#include "quipu/base/quote.h"

namespace quipu::query {
namespace {

bool contains(Names names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

}  // namespace

Error expected(std::string_view what, JsonView got, const Place& at) {
  return at.error(format("expected {}, got {}", what, describe_json(got)), kInvalidQuery);
}

std::optional<JsonView> member(JsonView object, std::string_view name) {
  const std::optional<JsonView> found = object.find(name);
  if (!found.has_value() || found->is_null()) return std::nullopt;
  return found;
}

std::vector<std::string_view> present(JsonView object, Names names) {
  std::vector<std::string_view> found;
  for (const std::string_view name : names) {
    if (member(object, name).has_value()) found.push_back(name);
  }
  return found;
}

Result<JsonView> required(JsonView object, std::string_view name, const Place& at) {
  const std::optional<JsonView> found = member(object, name);
  if (!found.has_value()) return Place(at, name).error("is missing", kInvalidQuery);
  return *found;
}

Status check_object(JsonView json, std::string_view what, const Place& at) {
  if (!json.is_object()) return expected(what, json, at);
  return ok_status();
}

Status check_members(JsonView object, Names known, const Place& at, Names more) {
  std::optional<std::string_view> unknown;
  object.for_each_member([&](std::string_view name, JsonView) {
    if (!contains(known, name) && !contains(more, name)) unknown = name;
    return !unknown.has_value();
  });
  if (!unknown.has_value()) return ok_status();
  std::vector<std::string_view> allowed(known.begin(), known.end());
  allowed.insert(allowed.end(), more.begin(), more.end());
  return at.error(format("has the unknown member {}{} (allowed: {})", in_quotes(*unknown),
                         did_you_mean(*unknown, allowed), name_list(allowed)),
                  kInvalidQuery);
}

Result<std::string> read_string(JsonView json, const Place& at) {
  const std::optional<std::string_view> text = json.as_string();
  if (!text.has_value()) return expected("a string", json, at);
  return std::string(*text);
}

Result<double> read_number(JsonView json, const Place& at) {
  const std::optional<double> number = json.as_double();
  if (!number.has_value()) return expected("a number", json, at);
  return *number;
}

Result<float> read_float(JsonView json, const Place& at) {
  QUIPU_TRY(const double number, read_number(json, at));
  const auto rounded = static_cast<float>(number);
  if (!std::isfinite(rounded)) return expected("a number in the range of a float", json, at);
  return rounded;
}

Result<bool> read_bool(JsonView json, const Place& at) {
  const std::optional<bool> flag = json.as_bool();
  if (!flag.has_value()) return expected("true or false", json, at);
  return *flag;
}

Result<std::uint64_t> read_count(JsonView json, std::uint64_t min, std::uint64_t max,
                                 const Place& at) {
  const std::optional<std::uint64_t> count = json.as_uint64();
  if (count.has_value() && *count >= min && *count <= max) return *count;
  return expected(format("an integer of {} to {}", min, max), json, at);
}

Result<std::size_t> read_choice(JsonView json, Names names, const Place& at) {
  const std::optional<std::string_view> text = json.as_string();
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (text == names[i]) return i;
  }
  if (!text.has_value()) return expected(format("one of {}", name_list(names)), json, at);
  return at.error(format("expected one of {}, got string {}{}", name_list(names), in_quotes(*text),
                         did_you_mean(*text, names)),
                  kInvalidQuery);
}

namespace {

// The UUID in any of its forms.
std::optional<PointId> uuid_of(std::string_view text) {
  constexpr std::string_view kUrn = "urn:uuid:";
  if (text.starts_with(kUrn)) text.remove_prefix(kUrn.size());
  if (text.size() == 38 && text.front() == '{' && text.back() == '}') text = text.substr(1, 36);
  std::string uuid(text.substr(0, 40));
  if (uuid.size() == 32) {
    for (const std::size_t hyphen : {8U, 13U, 18U, 23U}) uuid.insert(hyphen, 1, '-');
  }
  // A number in quotes is no id.
  const bool may_be_uuid = uuid.size() == 36;
  const Result<PointId> id = PointId::parse(uuid);
  if (!may_be_uuid || !id.ok()) return std::nullopt;
  return id.value();
}

}  // namespace

Result<PointId> read_point_id(JsonView json, const Place& at) {
  if (const auto number = json.as_uint64()) return PointId::number(*number);
  const std::optional<PointId> id = json.is_string() ? uuid_of(*json.as_string()) : std::nullopt;
  if (id) return *id;
  return expected("an integer of 0 to 18446744073709551615 or a UUID", json, at);
}

Result<PointId> read_uuid(std::string_view text, const Place& at) {
  const std::optional<PointId> id = uuid_of(text);
  if (id) return *id;
  return at.error("expected a UUID, got " + in_quotes(text), kInvalidQuery);
}

Status read_elements(JsonView array, std::string_view what, const Place& at,
                     const std::function<Status(JsonView, const Place&)>& read) {
  if (!array.is_array()) return expected(what, array, at);
  std::size_t index = 0;
  Status status = ok_status();
  array.for_each_element([&](JsonView element) {
    status = read(element, Place(at, index++));
    return status.ok();
  });
  return status;
}

Status read_one_or_many(JsonView json, std::string_view what, const Place& at,
                        const std::function<Status(JsonView, const Place&)>& read) {
  return json.is_object() ? read(json, at) : read_elements(json, what, at, read);
}

}  // namespace quipu::query
