// Writes of points.
#include <chrono>
#include <string>
#include <utility>

#include "quipu/api/call.h"
#include "quipu/api/qdrant/dialect.h"
#include "quipu/api/qdrant/handlers.h"
#include "quipu/api/qdrant/update.h"

namespace quipu::api::qdrant {
namespace {

using Answer = Result<std::string>;
using Number = std::optional<std::uint64_t>;

void write_update_result(JsonWriter& out, const Number& number, const Terms& terms) {
  out.begin_object().key("operation_id");
  if (number) {
    out.value(*number);
  } else {
    out.null();
  }
  out.key("status").value(terms.wait ? "completed" : "acknowledged").end_object();
}

std::string update_result(const Number& number, const Terms& terms) {
  std::string json;
  JsonWriter out(json);
  write_update_result(out, number, terms);
  return json;
}

// Reads the body with `read` and does what it says.
template <typename Read>
void do_update(const CallPtr& call, const Read& read) {
  const auto body = call->json_body();
  if (!body) return;
  const auto answer = [&]() -> Answer {
    QUIPU_TRY(const Terms terms, terms_of(*call));
    QUIPU_TRY(Update update, read(body->root(), Place("")));
    QUIPU_TRY(const Number number, apply_update(target_of(call, terms), std::move(update)));
    return update_result(number, terms);
  };
  reply(call, answer());
}

VectorKinds kinds_of(const CallPtr& call) {
  return {call->core().engine, call->tenant(), call->parameter(0)};
}

Answer do_batch(const CallPtr& call, JsonView body) {
  QUIPU_TRY(const Terms terms, terms_of(*call));
  VectorKinds kinds = kinds_of(call);
  QUIPU_TRY(std::vector<Update> updates, read_batch(body, kinds));
  const UpdateTarget target = target_of(call, terms);
  std::string json;
  JsonWriter out(json);
  out.begin_array();
  for (Update& update : updates) {
    QUIPU_TRY(const Number number, apply_update(target, std::move(update)));
    write_update_result(out, number, terms);
  }
  out.end_array();
  return json;
}

}  // namespace

void upsert_points(const CallPtr& call) {
  const auto terms = terms_of(*call);
  if (!terms.ok()) return call->fail(terms.error());
  Result<Update> update = bad_request("");
  {
    const auto body = call->json_body();
    if (!body) return;
    VectorKinds kinds = kinds_of(call);
    update = read_upsert(body->root(), Place(""), kinds);
  }
  if (!update.ok()) return call->fail(update.error());
  call->drop_body();
  apply_update_async(target_of(call, terms.value()), std::move(update).value(),
                     [call, terms = terms.value()](Result<Number> number) {
                       if (!number.ok()) return call->fail(number.error());
                       reply_result(call, update_result(number.value(), terms));
                     });
}

void delete_points(const CallPtr& call) { do_update(call, read_delete); }

void update_vectors(const CallPtr& call) {
  do_update(call, [&call](JsonView body, const Place& at) {
    VectorKinds kinds = kinds_of(call);
    return read_update_vectors(body, at, kinds);
  });
}

void delete_vectors(const CallPtr& call) { do_update(call, read_delete_vectors); }

void set_payload(const CallPtr& call) { do_update(call, read_set_payload); }

void overwrite_payload(const CallPtr& call) { do_update(call, read_overwrite_payload); }

void delete_payload(const CallPtr& call) { do_update(call, read_delete_payload); }

void clear_payload(const CallPtr& call) { do_update(call, read_clear_payload); }

void update_batch(const CallPtr& call) {
  const auto body = call->json_body();
  if (body) reply(call, do_batch(call, body->root()));
}

}  // namespace quipu::api::qdrant
