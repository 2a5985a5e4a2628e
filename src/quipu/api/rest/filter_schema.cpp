#include "quipu/api/rest/filter_schema.h"

#include <memory>
#include <string>
#include <utility>

#include "quipu/query/filter/filter_json.h"

namespace quipu::api::rest {
namespace {

class FilterSchema final : public Schema<Filter> {
 public:
  void read(JsonView json, Filter& into, const Path& at, FieldErrors& errors) const override {
    const std::string field = at.text();
    Result<Filter> filter = query::parse_filter(json, field);
    if (filter.ok()) {
      into = std::move(filter).value();
      return;
    }
    // "filter.must[2].range.gte: ...": the place has a member of its own.
    const Error& error = filter.error();
    const std::size_t end = error.message.find(": ");
    const bool placed = end != std::string::npos && error.message.starts_with(field);
    errors.add_at(placed ? error.message.substr(0, end) : field, error.stable_reason(),
                  placed ? error.message.substr(end + 2) : error.message);
  }

  void describe(JsonWriter& out, Components& components, std::string_view doc) const override {
    components.try_emplace(
        "Filter",
        R"({"type":"object","additionalProperties":true,)"
        R"("description":"Which points: all of `must`, one of `should`, none of `must_not`, )"
        R"(`min_should` {conditions, min_count}; each a list of conditions. A condition has a )"
        R"(`key` (a path into the payload: a.b, a[].b, a[0]) and one of )"
        R"(match {value | any | except | text | text_any | phrase | prefix | substring}, )"
        R"(range {lt, gt, lte, gte} of numbers or RFC 3339 times, geo_bounding_box, geo_radius, )"
        R"(geo_polygon, values_count, is_empty, is_null; or it is {is_empty: {key}}, )"
        R"({is_null: {key}}, {has_id: [ids]}, {has_vector: name}, {nested: {key, filter}}, )"
        R"({slice: {total, index}} or a filter. The forms are those of Qdrant's filters.",)"
        R"("examples":[{"must":[{"key":"page","range":{"gte":7}},)"
        R"({"key":"lang","match":{"any":["de","fr"]}}]}]})");
    out.begin_object().key("$ref").value("#/components/schemas/Filter");
    write_doc(out, doc);
    out.end_object();
  }
};

}  // namespace

SchemaPtr<Filter> filter_schema() { return std::make_shared<FilterSchema>(); }

}  // namespace quipu::api::rest
