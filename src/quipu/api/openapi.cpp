#include "quipu/api/openapi.h"

#include <array>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "quipu/api/problem.h"
#include "quipu/api/rest/response_schemas.h"
#include "quipu/api/status_map.h"
#include "quipu/base/json.h"

namespace quipu::api {
namespace {

std::string_view method_key(Method method) {
  switch (method) {
    case Method::kGet: return "get";
    case Method::kPut: return "put";
    case Method::kPost: return "post";
    case Method::kPatch: return "patch";
    case Method::kDelete: return "delete";
  }
  return "get";
}

void write_parameter(JsonWriter& out, std::string_view name, std::string_view in, bool required,
                     std::string_view schema, std::string_view doc) {
  out.begin_object().key("name").value(name).key("in").value(in);
  out.key("required").value(required).key("schema").raw(schema);
  write_doc(out, doc);
  out.end_object();
}

void write_path_parameters(JsonWriter& out, const Route& route) {
  std::string_view rest = route.pattern;
  for (std::size_t open = rest.find('{'); open != std::string_view::npos; open = rest.find('{')) {
    const std::size_t close = rest.find('}', open);
    const std::string_view name = rest.substr(open + 1, close - open - 1);
    rest.remove_prefix(close);
    const std::string_view doc =
        name == "id" ? "An unsigned 64-bit number, or a UUID." : "The collection's name.";
    const std::string_view schema = name == "id"
                                        ? R"({"type":"string","minLength":1,"maxLength":36})"
                                        : R"({"type":"string","minLength":1,"maxLength":255})";
    write_parameter(out, name, "path", true, schema, doc);
  }
}

void write_parameters(JsonWriter& out, const Route& route) {
  out.key("parameters").begin_array();
  write_path_parameters(out, route);
  for (const QueryParameter& parameter : route.query) {
    const std::string_view schema = parameter.kind == ParameterKind::kFlag
                                        ? R"({"type":"boolean"})"
                                        : R"({"type":"string","minLength":1,"maxLength":4096})";
    write_parameter(out, parameter.name, "query", false, schema, parameter.doc);
  }
  if (route.min_seq) {
    write_parameter(out, "min_seq", "query", false,
                    R"({"type":"string","minLength":1,"maxLength":4096})",
                    "The Quipu-Seq of a write: waits until it is visible.");
  }
  if (route.idempotent) {
    write_parameter(out, "Idempotency-Key", "header", false,
                    R"({"type":"string","minLength":1,"maxLength":255})",
                    "The same key and request answer the first result for 24 hours.");
  }
  out.end_array();
}

void write_body(JsonWriter& out, const Route& route, Components& components) {
  if (!route.upload_type.empty()) {
    out.key("requestBody").begin_object().key("required").value(true);
    out.key("content").begin_object().key(route.upload_type).begin_object().key("schema");
    out.raw(R"({"type":"string","format":"binary"})").end_object().end_object().end_object();
    return;
  }
  if (route.body.describe == nullptr) return;
  out.key("requestBody").begin_object().key("required").value(true);
  out.key("content").begin_object().key("application/json").begin_object().key("schema");
  route.body.describe(out, components);
  out.key("example").raw(route.body.example).end_object();
  if (route.body.describe_line != nullptr) {
    // OpenAPI cannot say "one of these on each line": the schema is a line's.
    out.key("application/x-ndjson").begin_object().key("schema");
    route.body.describe_line(out, components);
    out.key("example").value(route.body.example_line).end_object();
  }
  out.end_object().end_object();
}

void write_header(JsonWriter& out, std::string_view name, std::string_view doc) {
  out.key(name).begin_object();
  write_doc(out, doc);
  out.key("schema").raw(R"({"type":"string"})").end_object();
}

void write_responses(JsonWriter& out, const Route& route) {
  out.key("responses").begin_object();
  out.key(std::to_string(route.success)).begin_object();
  out.key("description").value(http_reason(route.success));
  out.key("headers").begin_object();
  write_header(out, "X-Request-Id", "The request's id.");
  if (route.idempotent) write_header(out, "Quipu-Seq", "The moment at which the write is visible.");
  out.end_object().key("content").begin_object().key(route.response_type).begin_object();
  out.key("schema");
  if (route.response.empty()) {
    out.raw(route.response_type == "application/json" ? R"({"type":"object"})"
                                                      : R"({"type":"string"})");
  } else {
    const std::string reference = "#/components/schemas/" + std::string(route.response);
    out.begin_object().key("$ref").value(std::string_view(reference)).end_object();
  }
  out.end_object().end_object().end_object();
  out.key("default").begin_object().key("description").value("What went wrong.");
  out.key("content").begin_object().key(kProblemContentType).begin_object().key("schema");
  out.raw(R"({"$ref":"#/components/schemas/Problem"})").end_object().end_object().end_object();
  out.end_object();
}

void write_operation(JsonWriter& out, const Route& route, Components& components) {
  out.key(method_key(route.method)).begin_object();
  out.key("operationId").value(route.name);
  out.key("tags").begin_array().value(route.tag).end_array();
  out.key("summary").value(route.summary);
  if (!route.permission.empty()) out.key("x-quipu-permission").value(route.permission);
  write_parameters(out, route);
  write_body(out, route, components);
  write_responses(out, route);
  out.end_object();
}

// Patterns in the order of their first row, each with its built rows.
std::vector<std::pair<std::string_view, std::vector<const Route*>>> by_pattern(
    std::span<const Route> routes) {
  std::vector<std::pair<std::string_view, std::vector<const Route*>>> groups;
  for (const Route& route : routes) {
    if (!route.built() || route.dialect != nullptr) continue;
    const auto found =
        std::ranges::find(groups, route.pattern, [](const auto& group) { return group.first; });
    auto& group = found == groups.end()
                      ? groups.emplace_back(route.pattern, std::vector<const Route*>())
                      : *found;
    group.second.push_back(&route);
  }
  return groups;
}

}  // namespace

std::string openapi_document(std::span<const Route> routes) {
  std::string json;
  JsonWriter out(json);
  Components components;
  out.begin_object().key("openapi").value("3.1.0");
  out.key("info").begin_object().key("title").value("Quipu");
  out.key("version").value(QUIPU_VERSION);
  out.key("summary").value("Stores what agents and programs remember, and finds it by meaning.");
  out.key("license").begin_object().key("name").value("Apache-2.0");
  out.key("identifier").value("Apache-2.0").end_object().end_object();
  out.key("paths").begin_object();
  for (const auto& [pattern, rows] : by_pattern(routes)) {
    out.key(pattern).begin_object();
    for (const Route* route : rows) write_operation(out, *route, components);
    out.end_object();
  }
  out.end_object();
  out.key("components").begin_object().key("schemas").begin_object();
  for (const auto& [name, definition] : components) out.key(name).raw(definition);
  for (const auto& [name, definition] : rest::response_schemas()) {
    if (!components.contains(name)) out.key(name).raw(definition);
  }
  out.end_object().end_object().end_object();
  return json;
}

}  // namespace quipu::api
