// Pieces of answers that several handlers write.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "quipu/api/call.h"
#include "quipu/base/json.h"
#include "quipu/engine.h"

namespace quipu::api::rest {

void write_id(JsonWriter& out, const PointId& id);
void write_time(JsonWriter& out, std::string_view name, std::int64_t time_us);

// How the vectors of a collection are written: which are rows, and how long the rows are.
struct VectorShapes {
  std::vector<std::pair<std::string, std::uint32_t>> rows;  // name and dim of each multivector
  // Asks the engine, if vectors are selected. Errors: kNotFound ("collection_not_found").
  [[nodiscard]] static Result<VectorShapes> of(const Call& call, const Select& select);
  [[nodiscard]] static VectorShapes of(const CollectionInfo& info);
};

// The members of a point after "id": version, times, and what was selected.
void write_point_members(JsonWriter& out, const Point& point, const Select& select,
                         const VectorShapes& shapes);
void write_point(JsonWriter& out, const Point& point, const Select& select,
                 const VectorShapes& shapes);
void write_order_value(JsonWriter& out, const OrderKey& key);
void write_explain(JsonWriter& out, const SearchExplain& explain);

// Where the items of a write came from, for the paths in its errors.
struct WriteAnswer {
  std::string_view list = "points";  // the body's list; items are list[i]
  bool one = false;                  // answers are about one point: not_found is 404
};
// Answers a write. When conditions let nothing be written: 409, with each refusal.
void reply_written(const CallPtr& call, const Result<WriteResult>& result, WriteAnswer about);
// The callback for Engine::*_async. Long answers are written on the compute pool, because the
// engine's thread that brings the result commits for everybody.
[[nodiscard]] Engine::WriteDone when_written(const CallPtr& call, WriteAnswer about);

// The id in the path. On a mistake the call is answered and the result is empty.
[[nodiscard]] std::optional<PointId> path_id(const CallPtr& call, std::size_t parameter);

// Answers a write by filter.
void reply_filter_written(const CallPtr& call, const Result<FilterWriteResult>& result);

// Microseconds since the call began, in milliseconds.
[[nodiscard]] double milliseconds_since_start(const Call& call);

// with_payload, with_text, with_vector of a query string.
[[nodiscard]] Select select_of_query(const Call& call);

}  // namespace quipu::api::rest
