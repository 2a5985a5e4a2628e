// Indexes of payload keys, as Qdrant's requests describe them.
#include <array>
#include <utility>
#include <vector>

#include "quipu/api/qdrant/collection_config.h"
#include "quipu/api/qdrant/dialect.h"
#include "quipu/api/qdrant/option_tables.h"
#include "quipu/base/format.h"
#include "quipu/query/request/json_reading.h"

namespace quipu::api::qdrant {
namespace {

using query::member;

constexpr std::array<std::string_view, 8> kTypes = {"keyword", "integer", "float",    "geo",
                                                    "text",    "bool",    "datetime", "uuid"};
constexpr std::array kKinds = {PayloadIndexKind::kKeyword,  PayloadIndexKind::kInteger,
                               PayloadIndexKind::kFloat,    PayloadIndexKind::kGeo,
                               PayloadIndexKind::kText,     PayloadIndexKind::kBool,
                               PayloadIndexKind::kDatetime, PayloadIndexKind::kUuid};

Options own_options(PayloadIndexKind kind) {
  switch (kind) {
    case PayloadIndexKind::kKeyword: return kKeywordIndexOptions;
    case PayloadIndexKind::kInteger: return kIntegerIndexOptions;
    case PayloadIndexKind::kFloat:
    case PayloadIndexKind::kDatetime: return kPrincipalIndexOptions;
    case PayloadIndexKind::kUuid: return kUuidIndexOptions;
    case PayloadIndexKind::kText: return kTextIndexOptions;
    case PayloadIndexKind::kBool:
    case PayloadIndexKind::kGeo: return {};
  }
  return {};
}

// What would have to act and is not there. The analyzer itself is checked by the engine.
Status check_acting(JsonView json, const Place& at) {
  if (member(json, "nested")) {
    return not_built(Place(at, "nested").text() +
                     ": indexes of the elements of an array as entries of their own are not built");
  }
  if (const auto tokenizer = member(json, "tokenizer"); tokenizer) {
    constexpr std::array<std::string_view, 5> kTokenizers = {"prefix", "whitespace", "word",
                                                             "multilingual", "code"};
    const Place here(at, "tokenizer");
    QUIPU_TRY(const std::size_t choice, query::read_choice(*tokenizer, kTokenizers, here));
    if (kTokenizers[choice] == "code") {
      return not_built(here.text() + ": the tokenizer \"code\" is not built");
    }
  }
  return ok_status();
}

Status read_options(JsonView json, const Place& at, PayloadIndexConfig& into) {
  QUIPU_TRY_OK(query::check_object(json, "a type's name, or an object with its type", at));
  QUIPU_TRY(const JsonView type, query::required(json, "type", at));
  QUIPU_TRY(const std::size_t choice, query::read_choice(type, kTypes, Place(at, "type")));
  into.kind = kKinds[choice];
  std::vector<Option> options(kIndexOptions.begin(), kIndexOptions.end());
  for (const Option& option : own_options(into.kind)) options.push_back(option);
  QUIPU_TRY_OK(check_options(json, options, at));
  QUIPU_TRY_OK(check_acting(json, at));
  into.options.clear();
  JsonWriter out(into.options);
  out.begin_object();
  write_options(out, json, options);
  out.end_object();
  return ok_status();
}

}  // namespace

Result<PayloadIndexConfig> read_payload_index(JsonView body) {
  constexpr std::array<std::string_view, 2> kMembers = {"field_name", "field_schema"};
  const Place at("");
  QUIPU_TRY_OK(query::check_object(body, "an object", at));
  QUIPU_TRY_OK(query::check_members(body, kMembers, at));
  PayloadIndexConfig index;
  QUIPU_TRY(const JsonView name, query::required(body, "field_name", at));
  QUIPU_TRY(index.key, query::read_string(name, Place(at, "field_name")));
  const auto schema = member(body, "field_schema");
  const Place here(at, "field_schema");
  if (!schema) {
    return not_built(
        "field_schema: finding out the type of a key from the points is not built; "
        "say one of " +
        query::name_list(kTypes));
  }
  if (schema->is_string()) {
    QUIPU_TRY(const std::size_t choice, query::read_choice(*schema, kTypes, here));
    index.kind = kKinds[choice];
    return index;
  }
  QUIPU_TRY_OK(read_options(*schema, here, index));
  return index;
}

}  // namespace quipu::api::qdrant
