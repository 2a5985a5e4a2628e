// Ranked reads, whatever they were read from: what is asked, and what is found.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "quipu/api/call.h"
#include "quipu/api/qdrant/request.h"
#include "quipu/engine.h"
#include "quipu/result.h"

namespace quipu::api::qdrant {

// One query of a request, ready to be asked.
struct Ranked {
  QueryRequest request;
  Selection selection;
};

// Points of another collection whose ids are the groups' values.
struct Lookup {
  std::string collection;
  Selection selection;
};

struct Grouped {
  GroupRequest request;
  Selection selection;
  std::optional<Lookup> lookup;
};

// Whether a text of the query is embedded, which waits for the model.
[[nodiscard]] bool embeds(const QueryStage& stage);
// Where to run: waiting for the embedder must not hold a thread that searches for others.
void run_query(const CallPtr& call, bool embedding, std::function<void(const CallPtr&)> work);

// Groups, and the points that their values name, if the request has a lookup.
struct FoundGroups {
  GroupResult result;
  std::vector<Point> records;
  // Null when there is none.
  [[nodiscard]] const Point* record_of(const HitGroup& group) const;
};
[[nodiscard]] Result<FoundGroups> find_groups(Engine& engine, std::string_view tenant,
                                              std::string_view collection, const Grouped& grouped);

}  // namespace quipu::api::qdrant
