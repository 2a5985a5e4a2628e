// A page that shows the OpenAPI document to people, without anything from elsewhere.
#pragma once

#include <string>

namespace quipu::api::rest {

// HTML that fetches /openapi.json from its own server and renders it.
[[nodiscard]] std::string docs_page();

}  // namespace quipu::api::rest
