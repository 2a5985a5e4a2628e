// What search and query share: ranked requests, alone or in a batch, and their answers.
#pragma once

#include <string_view>
#include <vector>

#include "quipu/api/call.h"
#include "quipu/api/rest/answers.h"
#include "quipu/base/json.h"
#include "quipu/engine.h"

namespace quipu::api::rest {

struct RankedRequest {
  QueryRequest query;   // its params are set when it is asked
  bool hybrid = false;  // a search's fusion: its parts are called "vector" and "words"
};

// Whether to run it takes long: it waits for the embedder, or looks at every point. Such a query
// must not hold a thread that searches for others.
[[nodiscard]] bool takes_long(const QueryStage& stage);

// Asks one after the other (a batch takes one thread, so that it cannot starve single searches) and
// answers {"hits": ...}, or {"results": [...]} unless it came as one.
void answer_ranked(const CallPtr& call, OneOrMany<RankedRequest> requests);

// {"id", "score", "collection"?, "order_value"?, "parts"?, and what was selected}
void write_hit(JsonWriter& out, const SearchHit& hit, const Select& select,
               const VectorShapes& shapes, bool hybrid, std::string_view collection = {});

// Fails a call that is about several things, naming the one.
void fail_item(const CallPtr& call, const Error& error, bool one, std::size_t index);

}  // namespace quipu::api::rest
