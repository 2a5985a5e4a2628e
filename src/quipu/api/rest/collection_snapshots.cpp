// Snapshots of collections: made, listed, fetched, sent, deleted, recovered from.
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "quipu/api/call.h"
#include "quipu/api/calls/collection_snapshots.h"
#include "quipu/api/rest/answers.h"
#include "quipu/api/rest/handlers.h"
#include "quipu/base/json.h"
#include "quipu/base/limits.h"

namespace quipu::api::rest {
namespace {

struct RecoveryBody {
  std::string snapshot;
  std::string from;
  std::string sha256;
  std::optional<std::uint32_t> shard_count;
};

const SchemaPtr<RecoveryBody>& recovery_schema() {
  static const SchemaPtr<RecoveryBody> schema =
      Object<RecoveryBody>("CollectionRecovery", "What a collection is to become.")
          .required("snapshot", &RecoveryBody::snapshot, text(1, 255), "The snapshot's name.")
          .optional("from", &RecoveryBody::from, text(1, 255),
                    "The collection that the snapshot is of; the one of the path unless given.")
          .optional("sha256", &RecoveryBody::sha256, text(64, 64),
                    "What the file's SHA-256 must be, in lower-case hexadecimal.")
          .optional("shard_count", &RecoveryBody::shard_count,
                    maybe(integer<std::uint32_t>(1, limits::kShardsPerCollectionMax)),
                    "The snapshot's unless given.")
          .done();
  return schema;
}

void write_snapshot(JsonWriter& out, const SnapshotFile& file) {
  out.begin_object().key("name").value(std::string_view(file.name));
  out.key("size_bytes").value(file.size);
  out.key("sha256").value(std::string_view(file.sha256));
  write_time(out, "created_at", file.made_us);
  out.end_object();
}

void reply_snapshot(const CallPtr& call, int status, const Result<SnapshotFile>& file) {
  if (!file.ok()) return call->fail(file.error());
  std::string json;
  JsonWriter out(json);
  write_snapshot(out, file.value());
  call->reply_json(status, std::move(json));
}

// The snapshots of the path's collection; on a mistake the call is answered and the result is
// empty.
std::optional<CollectionSnapshots> snapshots_of_path(const CallPtr& call) {
  auto folder = CollectionSnapshots::of(*call, call->parameter(0));
  if (folder.ok()) return std::move(folder).value();
  call->fail(folder.error());
  return std::nullopt;
}

}  // namespace

void list_collection_snapshots(const CallPtr& call) {
  const auto folder = snapshots_of_path(call);
  if (!folder) return;
  const auto files = folder->list();
  if (!files.ok()) return call->fail(files.error());
  std::string json;
  JsonWriter out(json);
  out.begin_object().key("snapshots").begin_array();
  for (const SnapshotFile& file : files.value()) write_snapshot(out, file);
  out.end_array().end_object();
  call->reply_json(200, std::move(json));
}

void make_collection_snapshot(const CallPtr& call) {
  const auto folder = snapshots_of_path(call);
  if (folder) reply_snapshot(call, 201, folder->make());
}

void fetch_collection_snapshot(const CallPtr& call) {
  const auto folder = snapshots_of_path(call);
  if (!folder) return;
  const auto file = folder->find(call->parameter(1));
  if (!file.ok()) return call->fail(file.error());
  const auto path = folder->path_of(call->parameter(1));
  if (!path.ok()) return call->fail(path.error());
  call->reply(snapshot_response(file.value(), path.value()));
}

void send_collection_snapshot(const CallPtr& call) {
  const auto folder = snapshots_of_path(call);
  if (!folder) return;
  const auto upload = upload_of(*call, *folder);
  if (!upload.ok()) return call->fail(upload.error());
  call->drop_body();
  reply_snapshot(call, 201, folder->add(call->parameter(1), upload.value()->path));
}

void delete_collection_snapshot(const CallPtr& call) {
  const auto folder = snapshots_of_path(call);
  if (!folder) return;
  const Status removed = folder->remove(call->parameter(1));
  if (!removed.ok()) return call->fail(removed.error());
  std::string json;
  JsonWriter out(json);
  out.begin_object().key("name").value(std::string_view(call->parameter(1)));
  out.key("dropped").value(true).end_object();
  call->reply_json(200, std::move(json));
}

void recover_collection(const CallPtr& call) {
  const auto body = call->body(recovery_schema());
  if (!body) return;
  const auto into = snapshots_of_path(call);
  if (!into) return;
  const auto from =
      CollectionSnapshots::of(*call, body->from.empty() ? call->parameter(0) : body->from);
  if (!from.ok()) return call->fail(from.error());
  auto path = from.value().path_of(body->snapshot);
  if (!path.ok()) return call->fail(path.error());
  const auto recovered = into->recover(
      {.path = std::move(path).value(), .sha256 = body->sha256, .shard_count = body->shard_count});
  reply_collection(call, 200, recovered);
}

void describe_recover_collection(JsonWriter& out, Components& components) {
  recovery_schema()->describe(out, components, "");
}

}  // namespace quipu::api::rest
