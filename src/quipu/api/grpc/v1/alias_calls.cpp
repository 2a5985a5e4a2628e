// Other names of collections.
#include <quipu_proto/quipu/v1/collections.pb.h>

#include <string>
#include <utility>
#include <vector>

#include "quipu/api/calls/alias_change.h"
#include "quipu/api/grpc/v1/handlers.h"
#include "quipu/api/grpc/v1/messages.h"
#include "quipu/base/format.h"
#include "quipu/base/limits.h"

namespace quipu::api::grpc::v1 {
namespace {

Result<AliasChange::Kind> read_action(pb::AliasChange::Action action, const std::string& field) {
  switch (action) {
    case pb::AliasChange::ACTION_PUT: return AliasChange::Kind::kPut;
    case pb::AliasChange::ACTION_DELETE: return AliasChange::Kind::kDelete;
    case pb::AliasChange::ACTION_RENAME: return AliasChange::Kind::kRename;
    case pb::AliasChange::ACTION_UNSPECIFIED: return bad_field(field, "is required");
    default: return bad_field(field, format("{} is none of its values", int{action}));
  }
}

Result<AliasChange> read_alias_change(const pb::AliasChange& from, std::size_t index) {
  const std::string field = format("changes[{}]", index);
  AliasInput input{.alias = from.alias(),
                   .collection = from.collection(),
                   .to = from.to(),
                   .if_there = from.if_there()};
  QUIPU_TRY(input.action, read_action(from.action(), field + ".action"));
  QUIPU_TRY_OK(check_bytes(input.alias, 1, limits::kNameBytesMax, field + ".alias"));
  QUIPU_TRY_OK(check_bytes(input.collection, 0, limits::kNameBytesMax, field + ".collection"));
  QUIPU_TRY_OK(check_bytes(input.to, 0, limits::kNameBytesMax, field + ".to"));
  const Path root;
  const Path list(root, "changes");
  FieldErrors errors;
  check_alias_change(input, Path(list, index), errors);
  QUIPU_TRY_OK(first_of(errors));
  return to_alias_change(std::move(input));
}

Result<pb::ChangeAliasesResponse> do_change(const Call& call,
                                            const pb::ChangeAliasesRequest& from) {
  QUIPU_TRY_OK(check_items(from.changes_size(), 1, limits::kAliasChangesMax, "changes"));
  std::vector<AliasChange> changes;
  for (const pb::AliasChange& each : from.changes()) {
    QUIPU_TRY(AliasChange change, read_alias_change(each, changes.size()));
    changes.push_back(std::move(change));
  }
  QUIPU_TRY_OK(call.core().engine.update_aliases(call.tenant(), changes));
  pb::ChangeAliasesResponse answer;
  answer.set_changed(changes.size());
  return answer;
}

Result<std::vector<Alias>> find_aliases(const Call& call, const std::string& collection) {
  Engine& engine = call.core().engine;
  if (collection.empty()) return engine.aliases(call.tenant());
  return engine.aliases_of(call.tenant(), collection);
}

}  // namespace

void list_aliases(const CallPtr& call) {
  pb::ListAliasesRequest message;
  if (!parse_message(call, message)) return;
  const auto aliases = find_aliases(*call, message.collection());
  if (!aliases.ok()) return call->fail(aliases.error());
  pb::ListAliasesResponse answer;
  for (const Alias& alias : aliases.value()) {
    pb::Alias& made = *answer.add_aliases();
    made.set_name(alias.name);
    made.set_collection(alias.collection);
  }
  reply_message(call, answer);
}

void change_aliases(const CallPtr& call) {
  pb::ChangeAliasesRequest message;
  if (parse_message(call, message)) reply_or_fail(call, do_change(*call, message));
}

}  // namespace quipu::api::grpc::v1
