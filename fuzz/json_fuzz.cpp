// Properties: the fast parser and the plain checker agree on what is JSON; what is accepted is
// written as JSON that reads back to the same text; any bytes can be put into a JSON string.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "quipu/assert.h"
#include "quipu/base/json.h"
#include "quipu/base/json_scan.h"
#include "quipu/base/limits.h"

namespace {

using quipu::JsonDocument;
using quipu::JsonKind;
using quipu::JsonView;

// Looks at everything that a view offers; what it says must hang together.
void visit(JsonView view) {
  std::vector<float> floats;
  QUIPU_ASSERT(view.is_array() || !view.read_floats(floats).ok());
  QUIPU_ASSERT(view.as_string().has_value() == view.is_string());
  QUIPU_ASSERT(view.as_double().has_value() == view.is_number());
  QUIPU_ASSERT(view.as_bool().has_value() == (view.kind() == JsonKind::kBool));
  QUIPU_ASSERT(view.as_int64().has_value() == (view.kind() == JsonKind::kInt));
  if (view.kind() == JsonKind::kUint) QUIPU_ASSERT(view.as_uint64().has_value());
  std::size_t count = 0;
  view.for_each_element([&](JsonView element) {
    ++count;
    visit(element);
    return true;
  });
  view.for_each_member([&](std::string_view name, JsonView member) {
    ++count;
    QUIPU_ASSERT(view.find(name).has_value());
    visit(member);
    return true;
  });
  QUIPU_ASSERT(view.size() == count);
}

void check_string(std::string_view bytes) {
  std::string text;
  quipu::append_json_string(text, bytes);
  const auto document = JsonDocument::parse(text);
  QUIPU_ASSERT(document.ok());
  QUIPU_ASSERT(document.value().root().to_string() == text);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  check_string(text);
  const auto problem = quipu::detail::find_json_problem(text, quipu::limits::kJsonDepthMax);
  const auto document = JsonDocument::parse(text);
  if (!document.ok()) {
    QUIPU_ASSERT(problem.has_value() || document.error().reason == "duplicate_member");
    return 0;
  }
  QUIPU_ASSERT(!problem.has_value());
  visit(document.value().root());
  const std::string written = document.value().root().to_string();
  const auto again = JsonDocument::parse(written);
  QUIPU_ASSERT(again.ok());
  QUIPU_ASSERT(again.value().root().to_string() == written);
  return 0;
}
