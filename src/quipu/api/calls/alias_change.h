// One change of an alias, as callers say it.
#pragma once

#include <string>

#include "quipu/api/schema.h"
#include "quipu/engine.h"

namespace quipu::api {

struct AliasInput {
  AliasChange::Kind action = AliasChange::Kind::kPut;  // kPut, kDelete or kRename
  std::string alias;
  std::string collection;  // of put
  std::string to;          // of rename
  bool if_there = false;   // of delete
};

// Which of the members belong to the action.
void check_alias_change(const AliasInput& input, const Path& at, FieldErrors& errors);
[[nodiscard]] AliasChange to_alias_change(AliasInput input);

}  // namespace quipu::api
