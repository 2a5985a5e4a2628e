// Other names of collections: list them, and change several together.
#include <string>
#include <utility>
#include <vector>

#include "quipu/api/call.h"
#include "quipu/api/calls/alias_change.h"
#include "quipu/api/rest/handlers.h"
#include "quipu/base/json.h"
#include "quipu/base/limits.h"

namespace quipu::api::rest {
namespace {

using Kind = AliasChange::Kind;

struct AliasChangesBody {
  std::vector<AliasInput> changes;
};

const SchemaPtr<AliasChangesBody>& changes_schema() {
  static const SchemaPtr<AliasInput> change =
      Object<AliasInput>("AliasChange", "One change of an alias.")
          .required(
              "action", &AliasInput::action,
              names<Kind>(
                  {{"put", Kind::kPut}, {"delete", Kind::kDelete}, {"rename", Kind::kRename}}),
              "put makes an alias or points it at another collection.")
          .required("alias", &AliasInput::alias, text(1, limits::kNameBytesMax), "Which.")
          .optional("collection", &AliasInput::collection, text(1, limits::kNameBytesMax),
                    "Of put: what it names, by its own name.")
          .optional("to", &AliasInput::to, text(1, limits::kNameBytesMax),
                    "Of rename: the new name; an alias of that name is replaced.")
          .optional("if_there", &AliasInput::if_there, boolean(),
                    "Of delete: that there is no such alias is no error; false unless given.")
          .check(check_alias_change)
          .done();
  static const SchemaPtr<AliasChangesBody> schema =
      Object<AliasChangesBody>("AliasChanges",
                               "Made one after the other and together: all of them or none.")
          .required("changes", &AliasChangesBody::changes,
                    array(change, 1, limits::kAliasChangesMax), "In this order.")
          .done();
  return schema;
}

void reply_aliases(const CallPtr& call, const std::vector<Alias>& aliases) {
  std::string json;
  JsonWriter out(json);
  out.begin_object().key("aliases").begin_array();
  for (const Alias& alias : aliases) {
    out.begin_object().key("name").value(std::string_view(alias.name));
    out.key("collection").value(std::string_view(alias.collection)).end_object();
  }
  out.end_array().end_object();
  call->reply_json(200, std::move(json));
}

}  // namespace

void list_aliases(const CallPtr& call) {
  reply_aliases(call, call->core().engine.aliases(call->tenant()));
}

void list_collection_aliases(const CallPtr& call) {
  const auto aliases = call->core().engine.aliases_of(call->tenant(), call->parameter(0));
  if (!aliases.ok()) return call->fail(aliases.error());
  reply_aliases(call, aliases.value());
}

void change_aliases(const CallPtr& call) {
  auto body = call->body(changes_schema());
  if (!body) return;
  std::vector<AliasChange> changes;
  changes.reserve(body->changes.size());
  for (AliasInput& change : body->changes) changes.push_back(to_alias_change(std::move(change)));
  const Status changed = call->core().engine.update_aliases(call->tenant(), changes);
  if (!changed.ok()) return call->fail(changed.error());
  std::string json;
  JsonWriter(json).begin_object().key("changed").value(std::uint64_t{changes.size()}).end_object();
  call->reply_json(200, std::move(json));
}

void describe_change_aliases(JsonWriter& out, Components& components) {
  changes_schema()->describe(out, components, "");
}

}  // namespace quipu::api::rest
