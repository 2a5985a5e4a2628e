#include "quipu/api/rest/filter_schema.h"

#include <memory>
#include <string>
#include <utility>

#include "quipu/api/rest/language_schemas.h"
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
    errors.add_placed(field, filter.error());
  }

  void describe(JsonWriter& out, Components& components, std::string_view doc) const override {
    describe_language(out, components, "Filter", doc);
  }
};

}  // namespace

SchemaPtr<Filter> filter_schema() { return std::make_shared<FilterSchema>(); }

}  // namespace quipu::api::rest
