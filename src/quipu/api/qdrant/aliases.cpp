// Other names of collections.
#include <array>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "quipu/api/call.h"
#include "quipu/api/qdrant/dialect.h"
#include "quipu/api/qdrant/handlers.h"
#include "quipu/api/qdrant/request.h"
#include "quipu/query/request/json_reading.h"

namespace quipu::api::qdrant {
namespace {

using Answer = Result<std::string>;
using Kind = AliasChange::Kind;

struct Action {
  std::string_view member;
  Kind kind;
  std::string_view alias;
  std::string_view target;  // "" for none
};
// That an alias which is to be deleted is not there is what was asked for.
constexpr std::array<Action, 3> kActions = {{
    {"create_alias", Kind::kPut, "alias_name", "collection_name"},
    {"delete_alias", Kind::kDeleteIfThere, "alias_name", ""},
    {"rename_alias", Kind::kRename, "old_alias_name", "new_alias_name"},
}};

Result<AliasChange> read_action(JsonView json, const Place& at) {
  constexpr std::array<std::string_view, 3> kMembers = {"create_alias", "delete_alias",
                                                        "rename_alias"};
  QUIPU_TRY_OK(query::check_object(json, "an action", at));
  QUIPU_TRY_OK(query::check_members(json, kMembers, at));
  const auto given = query::present(json, kMembers);
  if (given.size() != 1) {
    return at.error("must have exactly one of create_alias, delete_alias and rename_alias",
                    query::kInvalidQuery);
  }
  for (const Action& action : kActions) {
    if (action.member != given.front()) continue;
    const Place here(at, action.member);
    const JsonView body = *json.find(action.member);
    std::vector<std::string_view> known = {action.alias};
    if (!action.target.empty()) known.push_back(action.target);
    QUIPU_TRY_OK(query::check_object(body, "an object", here));
    QUIPU_TRY_OK(query::check_members(body, known, here));
    AliasChange change{.kind = action.kind, .alias = {}, .target = {}};
    QUIPU_TRY(const JsonView alias, query::required(body, action.alias, here));
    QUIPU_TRY(change.alias, query::read_string(alias, Place(here, action.alias)));
    if (action.target.empty()) return change;
    QUIPU_TRY(const JsonView target, query::required(body, action.target, here));
    QUIPU_TRY(change.target, query::read_string(target, Place(here, action.target)));
    return change;
  }
  return at.error("is no action", query::kInvalidQuery);
}

Answer change_aliases(const CallPtr& call, JsonView body) {
  QUIPU_TRY_OK(terms_of(*call));
  constexpr std::array<std::string_view, 1> kMembers = {"actions"};
  const Place root("");
  QUIPU_TRY_OK(query::check_object(body, "an object", root));
  QUIPU_TRY_OK(query::check_members(body, kMembers, root));
  QUIPU_TRY(const JsonView actions, query::required(body, "actions", root));
  std::vector<AliasChange> changes;
  QUIPU_TRY_OK(query::read_elements(actions, "a list of actions", Place(root, "actions"),
                                    [&changes](JsonView item, const Place& at) -> Status {
                                      QUIPU_TRY(AliasChange change, read_action(item, at));
                                      changes.push_back(std::move(change));
                                      return ok_status();
                                    }));
  // Nothing to do is done.
  if (!changes.empty()) {
    QUIPU_TRY_OK(call->core().engine.update_aliases(call->tenant(), changes));
  }
  return std::string("true");
}

// Of one collection, by its own name alone as Qdrant has it, or of all for "".
std::string list(const CallPtr& call, std::string_view collection) {
  std::string json;
  JsonWriter out(json);
  out.begin_object().key("aliases").begin_array();
  for (const Alias& alias : call->core().engine.aliases(call->tenant())) {
    if (!collection.empty() && alias.collection != collection) continue;
    out.begin_object().key("alias_name").value(std::string_view(alias.name));
    out.key("collection_name").value(std::string_view(alias.collection)).end_object();
  }
  out.end_array().end_object();
  return json;
}

}  // namespace

void update_aliases(const CallPtr& call) {
  const auto body = call->json_body();
  if (body) reply(call, change_aliases(call, body->root()));
}

void list_aliases(const CallPtr& call) { reply_result(call, list(call, "")); }

void list_collection_aliases(const CallPtr& call) {
  reply_result(call, list(call, call->parameter(0)));
}

}  // namespace quipu::api::qdrant
