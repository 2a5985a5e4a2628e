#include "quipu/api/calls/records.h"

#include <algorithm>
#include <utility>

#include "quipu/base/json.h"

namespace quipu::api {
namespace {

// The member of a payload that Quipu keeps for itself (engine/plain_memory.h).
constexpr std::string_view kChunkMember = "quipu_chunk";

// Memory collections have one shard, so of several writes to one collection the last version's
// token is the latest moment.
std::string latest_seq(const std::vector<Result<engine::Remembered>>& records,
                       bool same_collection) {
  const engine::Remembered* latest = nullptr;
  for (const auto& record : records) {
    if (!record.ok()) continue;
    if (latest == nullptr || record.value().version > latest->version) latest = &record.value();
  }
  return latest != nullptr && same_collection ? latest->seq : "";
}

StoredRecord to_record(Point point) {
  StoredRecord record{.point = std::move(point), .metadata = {}, .chunk = {}};
  const std::string& payload = record.point.payload;
  const Result<JsonDocument> parsed = JsonDocument::parse(payload);
  if (!parsed.ok() || !parsed.value().root().find(kChunkMember)) {
    record.metadata = parsed.ok() ? payload : "{}";
    return record;
  }
  JsonWriter out(record.metadata);
  out.begin_object();
  parsed.value().root().for_each_member([&](std::string_view name, JsonView value) {
    if (name != kChunkMember) out.key(name).raw(value.to_string());
    return true;
  });
  out.end_object();
  const JsonView chunk = *parsed.value().root().find(kChunkMember);
  if (chunk.is_object()) record.chunk = chunk.to_string();
  return record;
}

}  // namespace

RememberedRecords remember_records(const Call& call, std::vector<RecordInput> records, bool one) {
  const bool same_collection = std::ranges::all_of(records, [&](const RecordInput& record) {
    return record.collection == records.front().collection;
  });
  std::vector<engine::RememberRequest> requests;
  requests.reserve(records.size());
  for (RecordInput& record : records) {
    engine::RememberRequest request;
    request.text = std::move(record.text);
    request.id = record.id;
    request.metadata = std::move(record.metadata);
    request.collection = std::move(record.collection);
    request.params = call.write_params(one ? "" : std::to_string(requests.size()));
    requests.push_back(std::move(request));
  }
  RememberedRecords done;
  done.records = call.core().memory.remember(std::move(requests));
  for (const auto& record : done.records) done.failed += record.ok() ? 0U : 1U;
  done.seq = latest_seq(done.records, same_collection);
  return done;
}

Error record_not_found(const PointId& id) {
  return {ErrorCode::kNotFound, "there is no record " + id.to_string(), "record_not_found"};
}

Result<StoredRecord> read_record(const Call& call, const PointId& id, std::string_view collection,
                                 const ReadParams& params) {
  const bool usual = collection.empty();
  if (usual) collection = call.core().options.memory_collection;
  auto points = call.core().engine.get(call.tenant(), collection,
                                       {.ids = {id}, .select = {}, .params = params});
  // The usual collection is made by the first remember(): before that, nothing is known.
  if (!points.ok() && usual && points.error().stable_reason() == "collection_not_found") {
    return record_not_found(id);
  }
  if (!points.ok()) return std::move(points).error();
  std::vector<Point> found = std::move(points).value();
  if (found.empty()) return record_not_found(id);
  return to_record(std::move(found.front()));
}

Result<std::vector<ForgottenRecord>> forget_all(const Call& call, const std::vector<PointId>& ids,
                                                std::string_view collection) {
  std::vector<ForgottenRecord> items;
  items.reserve(ids.size());
  for (const PointId& id : ids) {
    auto forgotten = call.core().memory.forget(id, collection);
    if (!forgotten.ok() && forgotten.error().code != ErrorCode::kInvalidArgument) {
      return std::move(forgotten).error();
    }
    ForgottenRecord& item = items.emplace_back(ForgottenRecord{.id = id, .error = {}});
    if (forgotten.ok()) {
      item.deleted = forgotten.value();
    } else {
      item.error = std::move(forgotten).error();
    }
  }
  return items;
}

}  // namespace quipu::api
