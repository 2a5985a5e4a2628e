// The first line of the input is a filter, the rest a payload. Properties: JSON is refused with a
// place, or is a filter that reads back from what it is written as; that filter compiles; judging
// any payload ends, and negation turns the answer around.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "quipu/assert.h"
#include "quipu/base/datetime.h"
#include "quipu/base/json.h"
#include "quipu/query/filter/evaluate.h"
#include "quipu/query/filter/filter_check.h"
#include "quipu/query/filter/filter_json.h"
#include "quipu/query/filter/payload_path.h"

namespace {

using quipu::Filter;
using quipu::JsonDocument;
using quipu::PointId;
using quipu::query::CompiledFilter;
using quipu::query::PayloadPath;

// What a filter holds as text is fuzzed alone too: few mutations of a whole filter reach it.
void check_texts(std::string_view text) {
  const auto time = quipu::try_parse_datetime(text);
  QUIPU_ASSERT(time.has_value() == quipu::parse_datetime(text).ok());
  const auto path = PayloadPath::parse(text);
  if (!path.ok()) return;
  const auto again = PayloadPath::parse(path.value().to_string());
  QUIPU_ASSERT(again.ok());
  QUIPU_ASSERT(again.value() == path.value());
}

Filter read_back(const Filter& filter) {
  std::string json;
  quipu::JsonWriter out(json);
  quipu::query::write_filter(filter, out);
  const auto document = JsonDocument::parse(json);
  QUIPU_ASSERT(document.ok());
  auto read = quipu::query::parse_filter(document.value().root(), "filter");
  QUIPU_ASSERT(read.ok());
  return std::move(read).value();
}

void check_filter(const Filter& filter, std::string_view payload) {
  QUIPU_ASSERT(quipu::query::check_filter(filter, "filter").ok());
  QUIPU_ASSERT(read_back(filter) == filter);
  const auto compiled = CompiledFilter::compile(filter);
  if (!compiled.ok()) {
    QUIPU_ASSERT(compiled.error().reason == "filter_too_large");  // too many words in a text
    return;
  }
  const auto document = JsonDocument::parse(payload);
  const quipu::query::Record record{
      .id = PointId::number(payload.size() % 4),
      .payload = document.ok() ? document.value().root() : quipu::JsonView()};
  const bool holds = compiled.value().matches(record);
  const auto negated = CompiledFilter::compile(Filter{.must_not = {{filter}}});
  if (!negated.ok()) return;  // one level too deep
  QUIPU_ASSERT(negated.value().matches(record) != holds);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::size_t line = text.find('\n');
  const std::string_view json = text.substr(0, line);
  const std::string_view payload = line == std::string_view::npos ? "" : text.substr(line + 1);
  check_texts(json);
  const auto document = JsonDocument::parse(json);
  if (!document.ok()) return 0;
  const auto filter = quipu::query::parse_filter(document.value().root(), "filter");
  if (filter.ok()) {
    check_filter(filter.value(), payload);
  } else {
    QUIPU_ASSERT(filter.error().message.starts_with("filter"));
  }
  return 0;
}
