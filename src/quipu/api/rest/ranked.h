// What search and query share: ranked requests, alone or in a batch, and their answers.
#pragma once

#include <string_view>
#include <vector>

#include "quipu/api/call.h"
#include "quipu/api/calls/search_input.h"
#include "quipu/api/rest/answers.h"
#include "quipu/base/json.h"
#include "quipu/engine.h"

namespace quipu::api::rest {

// Asks one after the other (a batch takes one thread, so that it cannot starve single searches) and
// answers {"hits": ...}, or {"results": [...]} unless it came as one.
void answer_ranked(const CallPtr& call, OneOrMany<RankedRequest> requests);

// {"id", "score", "collection"?, "order_value"?, "parts"?, and what was selected}
void write_hit(JsonWriter& out, const SearchHit& hit, const Select& select,
               const VectorShapes& shapes, bool hybrid, std::string_view collection = {});

}  // namespace quipu::api::rest
