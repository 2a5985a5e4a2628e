// Writes as Qdrant's requests describe them: read whole first, then done one after the other.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <variant>
#include <vector>

#include "quipu/api/qdrant/request.h"
#include "quipu/api/route.h"
#include "quipu/base/clock.h"
#include "quipu/base/json.h"
#include "quipu/engine.h"
#include "quipu/result.h"

namespace quipu::api::qdrant {

// The points that a write is about. Ids that are given win over a filter.
struct Selector {
  std::vector<PointId> ids;
  std::optional<Filter> filter;
};

enum class UpsertMode : std::uint8_t { kUpsert, kInsertOnly, kUpdateOnly };

// Ids are distinct: of several points of one id the last is kept, as if they were written in turn.
struct UpsertUpdate {
  std::vector<PointWrite> points;
  UpsertMode mode = UpsertMode::kUpsert;
  std::optional<Filter> only_if;  // points that are there are replaced only if it holds
  [[nodiscard]] bool unconditional() const {
    return mode == UpsertMode::kUpsert && !only_if.has_value();
  }
};
struct DeleteUpdate {
  Selector points;
};
// Changes of payloads, deletions of vectors.
struct PatchUpdate {
  Selector points;
  PointPatch patch;  // without id
};
// Ids are distinct: of several patches of one id the later vectors replace the earlier ones.
struct VectorsUpdate {
  std::vector<PointPatch> points;
  std::optional<Filter> only_if;
};
using Update = std::variant<UpsertUpdate, DeleteUpdate, PatchUpdate, VectorsUpdate>;

// What readers must know of the collection, asked for when it is first needed.
class VectorKinds {
 public:
  VectorKinds(Engine& engine, std::string_view tenant, std::string_view collection)
      : engine_(engine), tenant_(tenant), collection_(collection) {}
  // Errors: kNotFound ("collection_not_found"), kInvalidArgument ("vector_not_found").
  [[nodiscard]] Result<const VectorConfig*> find(std::string_view name);

 private:
  Engine& engine_;
  std::string_view tenant_;
  std::string_view collection_;
  std::optional<std::vector<VectorConfig>> vectors_;
};

// Readers of bodies. Errors: kInvalidArgument with the place, kUnimplemented (images, documents and
// objects to be embedded; shard keys).
[[nodiscard]] Result<Update> read_upsert(JsonView body, const Place& at, VectorKinds& kinds);
[[nodiscard]] Result<Update> read_delete(JsonView body, const Place& at);
[[nodiscard]] Result<Update> read_set_payload(JsonView body, const Place& at);
[[nodiscard]] Result<Update> read_overwrite_payload(JsonView body, const Place& at);
[[nodiscard]] Result<Update> read_delete_payload(JsonView body, const Place& at);
[[nodiscard]] Result<Update> read_clear_payload(JsonView body, const Place& at);
[[nodiscard]] Result<Update> read_update_vectors(JsonView body, const Place& at,
                                                 VectorKinds& kinds);
[[nodiscard]] Result<Update> read_delete_vectors(JsonView body, const Place& at);
// {"operations": [{"upsert": ...}, ...]}
[[nodiscard]] Result<std::vector<Update>> read_batch(JsonView body, VectorKinds& kinds);

// Where a write goes, and until when it may wait.
struct UpdateTarget {
  Engine* engine = nullptr;
  std::string_view tenant;
  std::string_view collection;
  Clock* clock = nullptr;
  std::chrono::steady_clock::time_point deadline;
};
// Of a call whose first parameter is the collection; it borrows from the call.
[[nodiscard]] UpdateTarget target_of(const CallPtr& call, const Terms& terms);

// Does an update and waits for it. Points that a patch names and that are not there do not stop the
// rest: the error (kNotFound, "point_not_found") comes after all others were written. The result is
// the highest number that a log gave to it, empty where none is known. More than 10,000 points go
// in several parts; after an error, earlier parts stay.
[[nodiscard]] Result<std::optional<std::uint64_t>> apply_update(const UpdateTarget& target,
                                                                Update update);

// The same, but usual upserts wait for the log in a callback, so that any number of them share a
// commit: `done` may be called on a thread of the engine, and must be quick.
using UpdateDone = std::function<void(Result<std::optional<std::uint64_t>>)>;
void apply_update_async(const UpdateTarget& target, Update update, UpdateDone done);

// What all readers of updates do.

// Keeps the last point of each id, where the first of it was.
void keep_last_of_each_id(std::vector<PointWrite>& points);
// Adds vectors for a point; those of a name that it has already are replaced.
class VectorsCollector {
 public:
  explicit VectorsCollector(VectorsUpdate& into) : into_(into) {}
  void add(const PointId& id, std::vector<NamedVector> vectors);

 private:
  VectorsUpdate& into_;
  std::unordered_map<PointId, std::size_t> places_;
};
// Sorts the ids and drops those that are there twice.
// Errors: kInvalidArgument when there are neither ids nor a filter.
[[nodiscard]] Status finish_selector(Selector& selector, bool by_ids, const Place& at);
[[nodiscard]] Error inference_not_built(const Place& at);
// A row of a multivector. Errors: kInvalidArgument for another size than `dim`, or too many rows.
[[nodiscard]] Status add_row(std::span<const float> row, std::uint32_t dim, const Place& at,
                             std::vector<float>& rows);
// Errors: kInvalidArgument for another number of indices than values, and where the vector of that
// name is of another kind.
[[nodiscard]] Status check_sparse(const NamedVector& vector, const Place& at, VectorKinds& kinds);
[[nodiscard]] Status check_multi(const VectorConfig& config, const Place& at);

}  // namespace quipu::api::qdrant
