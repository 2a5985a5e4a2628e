// What requests have in common: parameters of the query string, selections, ids.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "quipu/api/call.h"
#include "quipu/base/json.h"
#include "quipu/engine.h"
#include "quipu/query/filter/filter_check.h"
#include "quipu/result.h"

namespace quipu::api::qdrant {

using query::Place;

// wait, ordering, timeout of a write; timeout, consistency of a read. One node keeps every order
// and is always consistent, so of these only `timeout` does something, after they were checked.
[[nodiscard]] std::vector<QueryParameter> write_parameters();
[[nodiscard]] std::vector<QueryParameter> read_parameters();
[[nodiscard]] std::vector<QueryParameter> timeout_parameter();

// What the parameters say. Errors: kInvalidArgument naming the parameter.
struct Terms {
  bool wait = false;
  std::chrono::milliseconds timeout{};  // what is left of it, or of the service's own limit
};
[[nodiscard]] Result<Terms> terms_of(const Call& call);

// The collection that the path names.
[[nodiscard]] inline const std::string& name_of(const CallPtr& call) { return call->parameter(0); }

// Errors: kUnimplemented when the body has a shard key: collections are sharded by id alone.
[[nodiscard]] Status refuse_shard_key(JsonView body, const Place& at);
[[nodiscard]] Error shard_keys_not_built(const Place& at);
// What is left of a caller's own limit in seconds. Errors: kInvalidArgument for 0.
[[nodiscard]] Result<std::chrono::milliseconds> shorten(const Call& call, std::uint64_t seconds);

// Which parts of points an answer has.
struct Selection {
  Select select;
  bool payload = false;  // the answer has one, be it with nothing chosen of it
  bool vectors = false;
};
// The members with_payload, with_vector (with_vectors) of a body; `payload` is the default of the
// first. Errors: kInvalidArgument with the place.
[[nodiscard]] Result<Selection> read_selection(JsonView body, const Place& at, bool payload);
[[nodiscard]] Status read_payload_selection(JsonView json, const Place& at, Selection& into);
[[nodiscard]] Status read_vector_selection(JsonView json, const Place& at, Selection& into);

[[nodiscard]] Result<std::vector<PointId>> read_ids(JsonView json, const Place& at);
[[nodiscard]] Result<std::vector<std::string>> read_strings(JsonView json, const Place& at);
[[nodiscard]] Result<std::optional<Filter>> read_filter(JsonView body, const Place& at);

}  // namespace quipu::api::qdrant
