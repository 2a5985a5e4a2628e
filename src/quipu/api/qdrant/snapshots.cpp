// Snapshots of collections: Quipu's own files, in Qdrant's requests.
#include <array>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "quipu/api/call.h"
#include "quipu/api/calls/collection_snapshots.h"
#include "quipu/api/qdrant/dialect.h"
#include "quipu/api/qdrant/handlers.h"
#include "quipu/api/qdrant/request.h"
#include "quipu/base/format.h"
#include "quipu/base/quote.h"
#include "quipu/query/request/json_reading.h"
#include "quipu/telemetry/time_text.h"

namespace quipu::api::qdrant {
namespace {

constexpr std::array<std::string_view, 3> kPriorities = {"no_sync", "snapshot", "replica"};

void write_description(JsonWriter& out, const SnapshotFile& file) {
  // Without the fraction and the zone, as Qdrant writes them.
  const std::string time = telemetry::rfc3339(file.made_us).substr(0, 19);
  out.begin_object().key("name").value(std::string_view(file.name));
  out.key("creation_time").value(std::string_view(time));
  out.key("size").value(file.size);
  out.key("checksum").value(std::string_view(file.sha256)).end_object();
}

// Runs what may take long and answers with its result, or, with wait=false, before it.
template <typename Work>
void answer_by(const CallPtr& call, const Work& work) {
  if (call->flag("wait", true)) return reply(call, work());
  std::string json;
  JsonWriter out(json);
  out.begin_object().key("result").null().key("status").value("accepted");
  out.key("time").value(seconds_since_start(*call)).end_object();
  call->reply_json(202, std::move(json));
  const Result<std::string> done = work();
  if (!done.ok()) static_cast<void>(public_message(*call, done.error()));  // logs what is ours
}

Status check_checksum(std::string_view checksum) {
  const bool hexadecimal = std::ranges::all_of(
      checksum, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
  if (checksum.empty() || (checksum.size() == 64 && hexadecimal)) return ok_status();
  return bad_request(
      format("checksum must be a SHA-256 in 64 hexadecimal digits, got {}", in_quotes(checksum)));
}

// The file that a location names, if it is one of this server's snapshots.
Result<std::string> path_of_location(const Call& call, const CollectionSnapshots& folder,
                                     std::string_view location) {
  constexpr std::string_view kFile = "file://";
  if (location.starts_with("http://") || location.starts_with("https://")) {
    return not_built(
        "location: snapshots of other servers are not fetched; upload the file, or copy "
        "collections with 'quipu import qdrant URL'");
  }
  if (!location.starts_with(kFile)) {
    return bad_request(format("location must begin with file://, got {}", in_quotes(location)));
  }
  // Links and dots are followed before the place is judged.
  std::error_code failed;
  const std::filesystem::path root = std::filesystem::weakly_canonical(folder.root(), failed);
  if (failed) return bad_request("location: there are no snapshots yet");
  const std::filesystem::path file =
      std::filesystem::weakly_canonical(location.substr(kFile.size()), failed);
  const bool inside = !failed && file.parent_path().parent_path() == root / call.tenant() &&
                      check_snapshot_name(file.filename().string()).ok();
  if (!inside) {
    return bad_request(format("location {} is not inside this server's folder of snapshots, {}",
                              in_quotes(location), (root / call.tenant()).string()));
  }
  if (!std::filesystem::is_regular_file(file, failed)) {
    return Error{ErrorCode::kNotFound, format("there is no snapshot {}", in_quotes(location)),
                 "snapshot_not_found"};
  }
  return file.string();
}

Result<SnapshotRecovery> read_recovery(const Call& call, const CollectionSnapshots& folder,
                                       JsonView body) {
  constexpr std::array<std::string_view, 4> kMembers = {"location", "priority", "checksum",
                                                        "api_key"};
  const Place at("");
  QUIPU_TRY_OK(query::check_object(body, "an object", at));
  QUIPU_TRY_OK(query::check_members(body, kMembers, at));
  QUIPU_TRY(const JsonView location, query::required(body, "location", at));
  if (!location.is_string()) return query::expected("a string", location, Place(at, "location"));
  if (const auto priority = query::member(body, "priority")) {
    QUIPU_TRY_OK(query::read_choice(*priority, kPriorities, Place(at, "priority")));
  }
  SnapshotRecovery recovery{.path = {}, .sha256 = {}, .shard_count = {}};
  if (const auto checksum = query::member(body, "checksum")) {
    if (!checksum->is_string()) {
      return query::expected("a string", *checksum, Place(at, "checksum"));
    }
    recovery.sha256 = std::string(*checksum->as_string());
    QUIPU_TRY_OK(check_checksum(recovery.sha256));
  }
  QUIPU_TRY(recovery.path, path_of_location(call, folder, *location.as_string()));
  return recovery;
}

Result<std::string> take_upload(const CallPtr& call) {
  QUIPU_TRY(const CollectionSnapshots folder, CollectionSnapshots::of(*call, name_of(call)));
  const std::string checksum(call->query("checksum").value_or(""));
  QUIPU_TRY_OK(check_checksum(checksum));
  const auto priority = call->query("priority");
  if (priority && std::ranges::find(kPriorities, *priority) == kPriorities.end()) {
    return bad_request(format("query parameter \"priority\" must be {}, got {}",
                              query::name_list(kPriorities), in_quotes(*priority)));
  }
  QUIPU_TRY(const std::shared_ptr<const Upload> form, upload_of(*call, folder));
  call->drop_body();
  QUIPU_TRY(const std::shared_ptr<const Upload> file, part_of_form(*call, folder, *form));
  QUIPU_TRY_OK(
      folder.recover({.path = file->path, .sha256 = checksum, .shard_count = std::nullopt}));
  return std::string("true");
}

}  // namespace

void list_snapshots(const CallPtr& call) {
  const auto folder = CollectionSnapshots::of(*call, name_of(call));
  if (!folder.ok()) return call->fail(folder.error());
  const auto files = folder.value().list();
  if (!files.ok()) return call->fail(files.error());
  std::string json;
  JsonWriter out(json);
  out.begin_array();
  for (const SnapshotFile& file : files.value()) write_description(out, file);
  out.end_array();
  reply_result(call, json);
}

void create_snapshot(const CallPtr& call) {
  const auto folder = CollectionSnapshots::of(*call, name_of(call));
  if (!folder.ok()) return call->fail(folder.error());
  const auto info = call->core().engine.collection(call->tenant(), name_of(call));
  if (!info.ok()) return call->fail(info.error());
  answer_by(call, [&]() -> Result<std::string> {
    QUIPU_TRY(const SnapshotFile file, folder.value().make());
    std::string json;
    JsonWriter out(json);
    write_description(out, file);
    return json;
  });
}

void fetch_snapshot(const CallPtr& call) {
  const auto folder = CollectionSnapshots::of(*call, name_of(call));
  if (!folder.ok()) return call->fail(folder.error());
  const auto file = folder.value().find(call->parameter(1));
  if (!file.ok()) return call->fail(file.error());
  const auto path = folder.value().path_of(call->parameter(1));
  if (!path.ok()) return call->fail(path.error());
  call->reply(snapshot_response(file.value(), path.value()));
}

void delete_snapshot(const CallPtr& call) {
  const auto folder = CollectionSnapshots::of(*call, name_of(call));
  if (!folder.ok()) return call->fail(folder.error());
  answer_by(call, [&]() -> Result<std::string> {
    QUIPU_TRY_OK(folder.value().remove(call->parameter(1)));
    return std::string("true");
  });
}

void recover_snapshot(const CallPtr& call) {
  const auto body = call->json_body();
  if (!body) return;
  const auto folder = CollectionSnapshots::of(*call, name_of(call));
  if (!folder.ok()) return call->fail(folder.error());
  const auto recovery = read_recovery(*call, folder.value(), body->root());
  if (!recovery.ok()) return call->fail(recovery.error());
  answer_by(call, [&]() -> Result<std::string> {
    QUIPU_TRY_OK(folder.value().recover(recovery.value()));
    return std::string("true");
  });
}

void upload_snapshot(const CallPtr& call) {
  answer_by(call, [&] { return take_upload(call); });
}

}  // namespace quipu::api::qdrant
