// Points by id and page by page, whatever the request was read from and the answer is written to.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string_view>
#include <vector>

#include "quipu/api/qdrant/request.h"
#include "quipu/engine.h"
#include "quipu/result.h"

namespace quipu::api::qdrant {

struct PageAsked {
  ScrollRequest request;  // without `after` and `limit`
  std::size_t limit = 10;
  std::optional<PointId> first;  // where the page begins
};
// Limits, and what does not go together. Errors: kInvalidArgument with the place.
[[nodiscard]] Status check_page(const PageAsked& asked, const Place& at);

// Called with each point in turn; its error ends the reading. The order key is null when points
// come by their ids.
using PointVisitor = std::function<Status(const Point& point, const OrderKey* order)>;

// The result is where the next page begins.
[[nodiscard]] Result<std::optional<PointId>> read_page(Engine& engine, std::string_view tenant,
                                                       std::string_view collection, PageAsked asked,
                                                       const PointVisitor& visit);
// Any number of points by id, in the order of `ids`; those that are not there are left out.
// `request` says all but the ids. Errors: those of Engine::get(), for an empty list too.
[[nodiscard]] Status read_points(Engine& engine, std::string_view tenant,
                                 std::string_view collection, const std::vector<PointId>& ids,
                                 GetRequest request, const PointVisitor& visit);

// A page has no limit of its own at Qdrant's clients, but what an answer takes in memory has one.
// Errors: kInvalidArgument.
[[nodiscard]] Status check_answer_size(std::size_t bytes);

}  // namespace quipu::api::qdrant
