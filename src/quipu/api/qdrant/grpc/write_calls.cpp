// Writes of points.
#include <utility>

#include "quipu/api/call.h"
#include "quipu/api/qdrant/grpc/handlers.h"
#include "quipu/api/qdrant/grpc/rpc_call.h"
#include "quipu/api/qdrant/grpc/updates.h"

namespace quipu::api::qdrant::rpc {
namespace {

using Number = std::optional<std::uint64_t>;

void fill_result(const Number& number, const Terms& terms, pb::UpdateResult& out) {
  if (number) out.set_operation_id(*number);
  out.set_status(terms.wait ? pb::Completed : pb::Acknowledged);
}

// Reads a message with `read(request, kinds)` and does what it says.
template <typename Request, typename Read>
void do_update(const CallPtr& call, const Read& read) {
  Request request;
  if (!parse_message(call, request)) return;
  call->set_parameters({request.collection_name()});
  const auto terms = terms_of(*call, request);
  if (!terms.ok()) return call->fail(terms.error());
  VectorKinds kinds(call->core().engine, call->tenant(), call->parameter(0));
  auto update = read(request, kinds);
  if (!update.ok()) return call->fail(update.error());
  request.Clear();
  apply_update_async(target_of(call, terms.value()), std::move(update).value(),
                     [call, terms = terms.value()](Result<Number> number) {
                       if (!number.ok()) return call->fail(number.error());
                       pb::PointsOperationResponse answer;
                       fill_result(number.value(), terms, *answer.mutable_result());
                       reply_timed(call, answer);
                     });
}

template <typename Request>
void do_update(const CallPtr& call) {
  do_update<Request>(
      call, [](const Request& request, VectorKinds& kinds) { return read_update(request, kinds); });
}

}  // namespace

void upsert(const CallPtr& call) { do_update<pb::UpsertPoints>(call); }
void delete_points(const CallPtr& call) { do_update<pb::DeletePoints>(call); }
void update_vectors(const CallPtr& call) { do_update<pb::UpdatePointVectors>(call); }
void delete_vectors(const CallPtr& call) { do_update<pb::DeletePointVectors>(call); }
void delete_payload(const CallPtr& call) { do_update<pb::DeletePayloadPoints>(call); }
void clear_payload(const CallPtr& call) { do_update<pb::ClearPayloadPoints>(call); }

void set_payload(const CallPtr& call) {
  do_update<pb::SetPayloadPoints>(call, [](const pb::SetPayloadPoints& request, VectorKinds&) {
    return read_payload_update(request, false);
  });
}

void overwrite_payload(const CallPtr& call) {
  do_update<pb::SetPayloadPoints>(call, [](const pb::SetPayloadPoints& request, VectorKinds&) {
    return read_payload_update(request, true);
  });
}

void update_batch(const CallPtr& call) {
  pb::UpdateBatchPoints request;
  if (!parse_message(call, request)) return;
  call->set_parameters({request.collection_name()});
  const auto terms = terms_of(*call, request);
  if (!terms.ok()) return call->fail(terms.error());
  VectorKinds kinds(call->core().engine, call->tenant(), call->parameter(0));
  auto updates = read_updates(request, kinds);
  if (!updates.ok()) return call->fail(updates.error());
  request.Clear();
  const UpdateTarget target = target_of(call, terms.value());
  pb::UpdateBatchResponse answer;
  for (Update& update : std::move(updates).value()) {
    const auto number = apply_update(target, std::move(update));
    if (!number.ok()) return call->fail(number.error());
    fill_result(number.value(), terms.value(), *answer.add_result());
  }
  reply_timed(call, answer);
}

}  // namespace quipu::api::qdrant::rpc
