// Snapshots: of everything, and of collections.
#include <quipu_proto/quipu/v1/snapshots.pb.h>

#include <string>
#include <utility>

#include "quipu/api/calls/collection_snapshots.h"
#include "quipu/api/calls/server_snapshot.h"
#include "quipu/api/grpc/v1/collection_messages.h"
#include "quipu/api/grpc/v1/handlers.h"
#include "quipu/api/grpc/v1/messages.h"
#include "quipu/base/limits.h"
#include "quipu/base/quote.h"

namespace quipu::api::grpc::v1 {
namespace {

constexpr std::size_t kSha256Digits = 64;

Result<pb::CreateSnapshotResponse> do_create_snapshot(const Call& call,
                                                      const pb::CreateSnapshotRequest& from) {
  QUIPU_TRY_OK(check_bytes(from.name(), 1, kServerSnapshotNameMax, "name"));
  if (!is_server_snapshot_name(from.name())) {
    return bad_field("name",
                     "must have only letters, digits, _ and -, got " + in_quotes(from.name()));
  }
  pb::CreateSnapshotResponse answer;
  QUIPU_TRY(*answer.mutable_path(), take_server_snapshot(call, from.name()));
  answer.set_name(from.name());
  answer.set_took_ms(ms_since_start(call));
  return answer;
}

void fill_snapshot_file(const SnapshotFile& file, pb::SnapshotFile& out) {
  out.set_name(file.name);
  out.set_size_bytes(file.size);
  out.set_sha256(file.sha256);
  out.set_created_us(file.made_us);
}

Result<pb::ListCollectionSnapshotsResponse> do_list(
    const Call& call, const pb::ListCollectionSnapshotsRequest& from) {
  QUIPU_TRY(const CollectionSnapshots folder, CollectionSnapshots::of(call, from.collection()));
  QUIPU_TRY(const std::vector<SnapshotFile> files, folder.list());
  pb::ListCollectionSnapshotsResponse answer;
  for (const SnapshotFile& file : files) fill_snapshot_file(file, *answer.add_snapshots());
  return answer;
}

Result<pb::SnapshotFile> do_make(const Call& call, const pb::MakeCollectionSnapshotRequest& from) {
  QUIPU_TRY(const CollectionSnapshots folder, CollectionSnapshots::of(call, from.collection()));
  QUIPU_TRY(const SnapshotFile file, folder.make());
  pb::SnapshotFile answer;
  fill_snapshot_file(file, answer);
  return answer;
}

Result<pb::DeleteCollectionSnapshotResponse> do_delete(
    const Call& call, const pb::DeleteCollectionSnapshotRequest& from) {
  QUIPU_TRY(const CollectionSnapshots folder, CollectionSnapshots::of(call, from.collection()));
  QUIPU_TRY_OK(folder.remove(from.snapshot()));
  return pb::DeleteCollectionSnapshotResponse();
}

Result<CollectionInfo> do_recover(const Call& call, const pb::RecoverCollectionRequest& from) {
  QUIPU_TRY_OK(check_bytes(from.snapshot(), 1, limits::kNameBytesMax, "snapshot"));
  SnapshotRecovery recovery{.path = {}, .sha256 = from.sha256(), .shard_count = {}};
  if (!from.sha256().empty()) {
    QUIPU_TRY_OK(check_bytes(from.sha256(), kSha256Digits, kSha256Digits, "sha256"));
  }
  if (from.has_shard_count()) {
    QUIPU_TRY_OK(
        check_within(from.shard_count(), 1, limits::kShardsPerCollectionMax, "shard_count"));
    recovery.shard_count = from.shard_count();
  }
  QUIPU_TRY(const CollectionSnapshots into, CollectionSnapshots::of(call, from.collection()));
  const std::string& source = from.from().empty() ? from.collection() : from.from();
  QUIPU_TRY(const CollectionSnapshots folder, CollectionSnapshots::of(call, source));
  QUIPU_TRY(recovery.path, folder.path_of(from.snapshot()));
  return into.recover(recovery);
}

template <typename Request, typename Work>
void answer_snapshot(const CallPtr& call, const Work& work) {
  Request message;
  if (parse_message(call, message)) reply_or_fail(call, work(*call, message));
}

}  // namespace

void create_snapshot(const CallPtr& call) {
  answer_snapshot<pb::CreateSnapshotRequest>(call, do_create_snapshot);
}
void list_collection_snapshots(const CallPtr& call) {
  answer_snapshot<pb::ListCollectionSnapshotsRequest>(call, do_list);
}
void make_collection_snapshot(const CallPtr& call) {
  answer_snapshot<pb::MakeCollectionSnapshotRequest>(call, do_make);
}
void delete_collection_snapshot(const CallPtr& call) {
  answer_snapshot<pb::DeleteCollectionSnapshotRequest>(call, do_delete);
}
void recover_collection(const CallPtr& call) {
  pb::RecoverCollectionRequest message;
  if (parse_message(call, message)) reply_info(call, do_recover(*call, message));
}

}  // namespace quipu::api::grpc::v1
