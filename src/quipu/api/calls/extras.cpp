#include "quipu/api/calls/extras.h"

#include <optional>
#include <utility>

#include "quipu/base/format.h"

namespace quipu::api {
namespace {

constexpr int kStoreTriesMax = 16;

PointId extras_point(CollectionId id) { return PointId::number(id.value()); }

Result<std::optional<Point>> read_extras(Engine& engine, CollectionId id) {
  auto points = engine.get(
      kExtrasTenant, kExtrasCollection,
      {.ids = {extras_point(id)}, .select = {.payload = true, .text = false}, .params = {}});
  if (!points.ok()) {
    // Made with the first that are stored.
    if (points.error().code == ErrorCode::kNotFound) return std::optional<Point>();
    return std::move(points).error();
  }
  if (points.value().empty()) return std::optional<Point>();
  return std::optional<Point>(std::move(points.value().front()));
}

Status make_extras_store(Engine& engine) {
  const auto made = engine.create_collection(kExtrasTenant, kExtrasCollection, {});
  if (made.ok() || made.error().code == ErrorCode::kAlreadyExists) return ok_status();
  return made.error();
}

}  // namespace

Result<std::string> load_extras(Engine& engine, CollectionId id) {
  QUIPU_TRY(const std::optional<Point> point, read_extras(engine, id));
  return point ? point->payload : std::string("{}");
}

Status change_extras(Engine& engine, CollectionId id,
                     const std::function<Result<std::string>(std::string_view extras)>& change) {
  for (int tries = 0; tries < kStoreTriesMax; ++tries) {
    QUIPU_TRY(const std::optional<Point> before, read_extras(engine, id));
    QUIPU_TRY(std::string after, change(before ? std::string_view(before->payload) : "{}"));
    if (!before && after == "{}") return ok_status();
    if (!before) QUIPU_TRY_OK(make_extras_store(engine));
    PointWrite write{
        .id = extras_point(id), .vectors = {}, .text = {}, .payload = std::move(after)};
    write.condition.if_absent = !before;
    if (before) write.condition.if_version = before->version;
    UpsertRequest request{.points = {}, .allow_bare = true, .params = {}};
    request.points.push_back(std::move(write));
    QUIPU_TRY(const WriteResult written,
              engine.upsert(kExtrasTenant, kExtrasCollection, std::move(request)));
    if (written.items.front().outcome != ItemOutcome::kRefused) return ok_status();
  }
  return Error{
      ErrorCode::kUnavailable,
      format("the collection's options were changed by others {} times meanwhile", kStoreTriesMax),
      "write_conflict"};
}

Status drop_extras(Engine& engine, CollectionId id) {
  DeleteRequest request;
  request.points.push_back({.id = extras_point(id), .condition = {}});
  const auto removed = engine.remove(kExtrasTenant, kExtrasCollection, std::move(request));
  if (removed.ok() || removed.error().code == ErrorCode::kNotFound) return ok_status();
  return removed.error();
}

}  // namespace quipu::api
