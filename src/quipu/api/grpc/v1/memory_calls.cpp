// Remember, recall and forget.
#include <quipu_proto/quipu/v1/memory.pb.h>

#include <string>
#include <utility>
#include <vector>

#include "quipu/api/calls/records.h"
#include "quipu/api/grpc/v1/handlers.h"
#include "quipu/api/grpc/v1/messages.h"
#include "quipu/base/format.h"
#include "quipu/base/limits.h"

namespace quipu::api::grpc::v1 {
namespace {

// ---------------------------------------------------------------- remember

// `at` is what stands before the fields' names in errors.
Result<RecordInput> read_record_input(const pb::RememberRequest& from, const std::string& at) {
  RecordInput record;
  QUIPU_TRY_OK(check_bytes(from.text(), 1, limits::kTextBytesMax, at + "text"));
  record.text = from.text();
  if (from.has_id()) {
    QUIPU_TRY(record.id, read_id(from.id(), at + "id"));
  }
  QUIPU_TRY(record.metadata, read_object(from.metadata_json(), "{}", at + "metadata_json"));
  QUIPU_TRY_OK(check_bytes(from.collection(), 0, limits::kNameBytesMax, at + "collection"));
  record.collection = from.collection();
  return record;
}

void fill_remembered(const engine::Remembered& record, pb::Remembered& out) {
  fill_id(record.id, *out.mutable_id());
  out.set_created(record.created);
  out.set_version(record.version);
  for (const PointId& id : record.chunks) fill_id(id, *out.add_chunks());
  out.set_token_count(record.token_count);
  out.set_seq(record.seq);
  out.set_durable(record.durable);
}

Result<pb::Remembered> do_remember(const Call& call, const pb::RememberRequest& from) {
  std::vector<RecordInput> records;
  QUIPU_TRY(RecordInput record, read_record_input(from, ""));
  records.push_back(std::move(record));
  const RememberedRecords done = remember_records(call, std::move(records), true);
  if (!done.records.front().ok()) return done.records.front().error();
  pb::Remembered answer;
  fill_remembered(done.records.front().value(), answer);
  return answer;
}

Result<pb::RememberBatchResponse> do_remember_batch(const Call& call,
                                                    const pb::RememberBatchRequest& from) {
  QUIPU_TRY_OK(check_items(from.records_size(), 1, kRecordsMax, "records"));
  std::vector<RecordInput> records;
  for (const pb::RememberRequest& each : from.records()) {
    QUIPU_TRY(RecordInput record, read_record_input(each, format("records[{}].", records.size())));
    records.push_back(std::move(record));
  }
  const RememberedRecords done = remember_records(call, std::move(records), false);
  pb::RememberBatchResponse answer;
  for (const auto& record : done.records) {
    auto& item = *answer.add_items();
    if (record.ok()) {
      fill_remembered(record.value(), *item.mutable_record());
    } else {
      fill_item_error(record.error(), *item.mutable_error());
    }
  }
  answer.set_remembered(done.records.size() - done.failed);
  answer.set_failed(done.failed);
  answer.set_seq(done.seq);
  return answer;
}

// ---------------------------------------------------------------- recall, read, forget

Result<pb::RecallResponse> do_recall(const Call& call, const pb::RecallRequest& from) {
  engine::RecallRequest request;
  QUIPU_TRY_OK(check_bytes(from.query(), 1, kRecallQueryBytesMax, "query"));
  request.query = from.query();
  if (from.has_k()) request.k = from.k();
  QUIPU_TRY_OK(check_within(request.k, 1, kRecallRecordsMax, "k"));
  QUIPU_TRY_OK(check_bytes(from.collection(), 0, limits::kNameBytesMax, "collection"));
  request.collection = from.collection();
  if (from.has_score_threshold()) request.score_threshold = from.score_threshold();
  request.explain = from.explain();
  request.params = read_params(call, from.min_seq());
  QUIPU_TRY(const engine::RecallResult found, call.core().memory.recall(request));
  pb::RecallResponse answer;
  for (const engine::Recalled& record : found.records) {
    pb::Recalled& made = *answer.add_records();
    fill_id(record.id, *made.mutable_id());
    fill_id(record.point, *made.mutable_point());
    made.set_score(record.score);
    made.set_text(record.text);
    made.set_metadata_json(record.metadata.empty() ? "{}" : record.metadata);
    made.set_created_us(record.created_us);
    made.set_updated_us(record.updated_us);
  }
  answer.set_query_truncated(found.query_truncated);
  if (found.explain) fill_explain(*found.explain, *answer.mutable_explain());
  answer.set_took_ms(ms_since_start(call));
  return answer;
}

Result<pb::Record> do_get_record(const Call& call, const pb::GetRecordRequest& from) {
  QUIPU_TRY(const PointId id, read_id(from.id(), "id"));
  QUIPU_TRY(const StoredRecord record,
            read_record(call, id, from.collection(), read_params(call, from.min_seq())));
  pb::Record answer;
  fill_id(record.point.id, *answer.mutable_id());
  answer.set_version(record.point.version);
  answer.set_text(record.point.text.value_or(""));
  answer.set_metadata_json(record.metadata);
  answer.set_chunk_json(record.chunk);
  answer.set_created_us(record.point.created_us);
  answer.set_updated_us(record.point.updated_us);
  return answer;
}

Result<pb::ForgetResponse> do_forget(const Call& call, const pb::ForgetRequest& from) {
  QUIPU_TRY_OK(check_items(from.ids_size(), 1, kRecordsMax, "ids"));
  QUIPU_TRY(const std::vector<PointId> ids, read_ids(from.ids(), "ids"));
  QUIPU_TRY(const std::vector<ForgottenRecord> items, forget_all(call, ids, from.collection()));
  pb::ForgetResponse answer;
  for (const ForgottenRecord& item : items) {
    pb::Forgotten& made = *answer.add_items();
    fill_id(item.id, *made.mutable_id());
    if (item.error) {
      made.set_outcome(pb::Forgotten::OUTCOME_REFUSED);
      fill_item_error(*item.error, *made.mutable_error());
    } else {
      made.set_outcome(item.deleted ? pb::Forgotten::OUTCOME_DELETED
                                    : pb::Forgotten::OUTCOME_NOT_FOUND);
    }
  }
  return answer;
}

template <typename Request, typename Work>
void answer_memory(const CallPtr& call, const Work& work) {
  Request message;
  if (parse_message(call, message)) reply_or_fail(call, work(*call, message));
}

}  // namespace

void remember(const CallPtr& call) { answer_memory<pb::RememberRequest>(call, do_remember); }
void remember_batch(const CallPtr& call) {
  answer_memory<pb::RememberBatchRequest>(call, do_remember_batch);
}
void recall(const CallPtr& call) { answer_memory<pb::RecallRequest>(call, do_recall); }
void forget(const CallPtr& call) { answer_memory<pb::ForgetRequest>(call, do_forget); }

void get_record(const CallPtr& call) {
  pb::GetRecordRequest message;
  if (!parse_message(call, message)) return;
  const bool waits = !message.min_seq().empty();
  run(call, waits, [message = std::move(message)](const CallPtr& self) {
    reply_or_fail(self, do_get_record(*self, message));
  });
}

}  // namespace quipu::api::grpc::v1
