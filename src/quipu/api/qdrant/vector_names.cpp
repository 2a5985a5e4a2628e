// Vectors that come to a collection later and go from it.
#include <algorithm>
#include <string>
#include <utility>

#include "quipu/api/call.h"
#include "quipu/api/calls/extras.h"
#include "quipu/api/qdrant/collection_config.h"
#include "quipu/api/qdrant/dialect.h"
#include "quipu/api/qdrant/handlers.h"
#include "quipu/api/qdrant/request.h"
#include "quipu/base/format.h"

namespace quipu::api::qdrant {
namespace {

std::string vector_result(const Terms& terms) {
  return format(R"({{"operation_id":null,"status":"{}"}})",
                terms.wait ? "completed" : "acknowledged");
}

Result<std::string> add_vector(const CallPtr& call, JsonView body) {
  QUIPU_TRY(const Terms terms, terms_of(*call));
  const std::string& name = call->parameter(1);
  QUIPU_TRY(NewVector wanted, read_new_vector(body, name));
  Engine& engine = call->core().engine;
  VectorChange change;
  change.vector = std::move(wanted.config);
  QUIPU_TRY(const CollectionInfo info,
            engine.change_vectors(call->tenant(), call->parameter(0), {std::move(change)}));
  // A crash before this leaves a vector without them, whose making was not acknowledged.
  QUIPU_TRY_OK(change_extras(engine, info.id, [&](std::string_view extras) {
    return replaced_vector_extras(extras, name, wanted.extras);
  }));
  return vector_result(terms);
}

Result<std::string> drop_vector(const CallPtr& call) {
  QUIPU_TRY(const Terms terms, terms_of(*call));
  const std::string& name = call->parameter(1);
  Engine& engine = call->core().engine;
  VectorChange change{.kind = VectorChange::Kind::kDrop, .vector = {}, .name = name, .to = {}};
  QUIPU_TRY(const CollectionInfo info,
            engine.change_vectors(call->tenant(), call->parameter(0), {std::move(change)}));
  QUIPU_TRY_OK(change_extras(engine, info.id, [&](std::string_view extras) -> Result<std::string> {
    if (extras == "{}") return std::string(extras);
    return replaced_vector_extras(extras, name, "{}");
  }));
  return vector_result(terms);
}

}  // namespace

void create_vector_name(const CallPtr& call) {
  const auto body = call->json_body();
  if (body) reply(call, add_vector(call, body->root()));
}

void delete_vector_name(const CallPtr& call) { reply(call, drop_vector(call)); }

}  // namespace quipu::api::qdrant
