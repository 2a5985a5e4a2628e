// JSON Schemas of the languages that query/ reads: filters, queries, analyzers.
#pragma once

#include <string_view>

#include "quipu/api/schema.h"

namespace quipu::api::rest {

// Adds the component of that name ("Filter", "Query", "QueryGroups", "OrderBy", "Analyzer") and all
// that it refers to. They say what the readers accept, but for what a schema cannot say (paths,
// datetimes, closed rings, limits of a whole tree) and for other spellings of UUIDs.
void add_language(std::string_view name, Components& components);

// Writes a reference to it.
void describe_language(JsonWriter& out, Components& components, std::string_view name,
                       std::string_view doc);

}  // namespace quipu::api::rest
