#include "quipu/api/calls/alias_change.h"

#include <string_view>
#include <utility>

namespace quipu::api {

using AliasKind = AliasChange::Kind;

void check_alias_change(const AliasInput& input, const Path& at, FieldErrors& errors) {
  const auto check = [&](std::string_view name, bool given, bool wanted, std::string_view action) {
    if (given == wanted) return;
    errors.add(
        Path(at, name), wanted ? "missing_field" : "bad_value",
        (wanted ? "is required by the action " : "is only for the action ") + std::string(action));
  };
  check("collection", !input.collection.empty(), input.action == AliasKind::kPut, "put");
  check("to", !input.to.empty(), input.action == AliasKind::kRename, "rename");
  if (input.if_there) check("if_there", true, input.action == AliasKind::kDelete, "delete");
}

AliasChange to_alias_change(AliasInput input) {
  AliasChange change{.kind = input.action, .alias = std::move(input.alias), .target = {}};
  if (input.action == AliasKind::kPut) change.target = std::move(input.collection);
  if (input.action == AliasKind::kRename) change.target = std::move(input.to);
  if (input.if_there) change.kind = AliasKind::kDeleteIfThere;
  return change;
}

}  // namespace quipu::api
