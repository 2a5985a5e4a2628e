// Remember, recall and forget on a plain collection: the collection is made with the default model
// when it is first needed, ids are made, and texts longer than the model are cut into linked
// records.
//
// A remembered text that fits the model is one point: text, and the caller's metadata as payload.
// A longer one is one point for each chunk; the first keeps the record's id, the others have ids of
// their own, and each carries `quipu_chunk` {"of": id, "index", "count", "offset", "bytes"} in its
// payload.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "quipu/base/clock.h"
#include "quipu/engine.h"
#include "quipu/result.h"

namespace quipu::engine {

struct RememberRequest {
  std::string text;             // 1 byte to 1 MiB of UTF-8
  std::optional<PointId> id;    // given: remembering again replaces; absent: a new UUID v7
  std::string metadata = "{}";  // a JSON object
  std::string collection;       // "": the default
  WriteParams params;
};
struct Remembered {
  PointId id;
  bool created = true;
  std::uint64_t version = 0;
  std::vector<PointId> chunks;  // all points that hold it; one when it was not cut
  std::uint32_t token_count = 0;
  std::string seq;
  bool durable = true;
};
struct RecallRequest {
  std::string query;
  std::size_t k = 10;  // 1..1,000
  std::string collection;
  std::optional<float> score_threshold;
  bool explain = false;
  ReadParams params;
};
struct Recalled {
  PointId id;        // of the record
  PointId point;     // the chunk that matched; equal to `id` when it was not cut
  float score = 0;   // cosine similarity
  std::string text;  // of the chunk
  std::string metadata;
  std::int64_t created_us = 0;
  std::int64_t updated_us = 0;
};
struct RecallResult {
  std::vector<Recalled> records;  // best first; each record once, with its best chunk
  std::optional<SearchExplain> explain;
  bool query_truncated = false;
};

// Threads: any.
class PlainMemory {
 public:
  struct Options {
    std::string tenant = "default";
    std::string model = "all-MiniLM-L6-v2";
    std::string collection = "memories";
  };
  // Borrows both.
  PlainMemory(Engine& engine, Clock& clock, Options options);
  ~PlainMemory();

  // Several at once are embedded and written together, which is faster; one result for each.
  [[nodiscard]] std::vector<Result<Remembered>> remember(std::vector<RememberRequest> requests);
  [[nodiscard]] Result<RecallResult> recall(const RecallRequest& request);
  // Removes the record and all its chunks. Returns whether it was there.
  [[nodiscard]] Result<bool> forget(PointId id, std::string_view collection);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// The UUID of a name: the same for the same bytes, always (RFC 9562, section 5.8, over SHA-256).
[[nodiscard]] PointId derived_uuid(std::string_view name);
// A time-ordered UUID (RFC 9562, section 5.7). Threads: any.
[[nodiscard]] PointId make_uuid_v7(std::int64_t now_us);

}  // namespace quipu::engine
