#include "quipu/api/grpc/messages.h"

#include <memory>
#include <utility>
#include <vector>

#include "quipu/api/status_map.h"
#include "quipu/base/quote.h"

namespace quipu::api::grpc {
namespace {

// A deadline further away than this is none: adding it to a clock could overflow.
constexpr std::chrono::hours kDeadlineMax{24 * 365};

// Of an error's text: it goes out as metadata, of which callers take 8 KiB.
constexpr std::size_t kErrorBytesMax = 2048;

// The text as far as it may go, cut at a character's start.
std::string shortened(const std::string& text) {
  if (text.size() <= kErrorBytesMax) return text;
  std::size_t end = kErrorBytesMax;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
  return text.substr(0, end) + "...";
}

std::string text_of(const ::grpc::string_ref& text) { return {text.data(), text.size()}; }

}  // namespace

bool to_bytes(const ::grpc::ByteBuffer& buffer, std::string& bytes) {
  std::vector<::grpc::Slice> slices;
  // An empty message may come as a buffer without anything in it.
  if (!buffer.Valid()) return true;
  if (!buffer.Dump(&slices).ok()) return false;
  bytes.reserve(buffer.Length());
  for (const ::grpc::Slice& slice : slices) {
    bytes.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  }
  return true;
}

::grpc::ByteBuffer to_buffer(std::string bytes) {
  if (bytes.empty()) {
    const ::grpc::Slice nothing;
    return ::grpc::ByteBuffer(&nothing, 1);
  }
  auto owned = std::make_unique<std::string>(std::move(bytes));
  std::string* const text = owned.release();  // the slice owns it from here on
  const ::grpc::Slice slice(
      text->data(), text->size(), [](void* held) { delete static_cast<std::string*>(held); }, text);
  return ::grpc::ByteBuffer(&slice, 1);
}

::grpc::Status status_of(const Response& response) {
  if (response.status == 0) return ::grpc::Status::OK;
  return {static_cast<::grpc::StatusCode>(response.status), shortened(response.body)};
}

::grpc::Status refuse(::grpc::CallbackServerContext& context, const Error& error) {
  context.AddTrailingMetadata("quipu-code", std::string(error.stable_reason()));
  if (http_status(error).retry_after) context.AddTrailingMetadata("retry-after", "1");
  return {static_cast<::grpc::StatusCode>(grpc_status(error)), shortened(error.message)};
}

quipu::Status check_authority(const Transport& transport,
                              const ::grpc::CallbackServerContext& context) {
  if (!*transport.authority_allowed) return ok_status();
  const std::string authority = text_of(context.ExperimentalGetAuthority());
  if ((*transport.authority_allowed)(authority)) return ok_status();
  return Error{ErrorCode::kInvalidArgument,
               "this server does not answer to " + in_quotes(authority) +
                   "; server.allowed_hosts names those that it does",
               "host_forbidden"};
}

Request make_request(const Rpc& rpc, const ::grpc::CallbackServerContext& context,
                     std::string bytes) {
  Request request{.method = "POST",
                  .target = std::string(rpc.row.pattern),
                  .headers = {},
                  .body = std::move(bytes),
                  .peer = context.peer()};
  for (const char* const name : {"x-request-id", "authorization", "api-key", "idempotency-key"}) {
    const auto found = context.client_metadata().find(name);
    if (found == context.client_metadata().end()) continue;
    request.headers.emplace_back(name, text_of(found->second));
  }
  return request;
}

std::optional<std::chrono::steady_clock::time_point> deadline_of(
    const ::grpc::CallbackServerContext& context) {
  const auto left = context.deadline() - std::chrono::system_clock::now();
  if (left > kDeadlineMax) return std::nullopt;
  return std::chrono::steady_clock::now() +
         std::chrono::duration_cast<std::chrono::steady_clock::duration>(left);
}

::grpc::ServerUnaryReactor* answer_unary(const Transport& transport, const Rpc& rpc,
                                         ::grpc::CallbackServerContext& context,
                                         const ::grpc::ByteBuffer& request,
                                         ::grpc::ByteBuffer& response) {
  // Told of nothing but its end: a caller who cancels gets no answer, and the engine's work is over
  // by the call's deadline.
  ::grpc::ServerUnaryReactor* const reactor = context.DefaultReactor();
  const quipu::Status meant = check_authority(transport, context);
  if (!meant.ok()) {
    reactor->Finish(refuse(context, meant.error()));
    return reactor;
  }
  const std::size_t size = request.Valid() ? request.Length() : 0;
  const quipu::Status entered = transport.limits->enter(size);
  if (!entered.ok()) {
    reactor->Finish(refuse(context, entered.error()));
    return reactor;
  }
  std::string bytes;
  if (!to_bytes(request, bytes)) {
    transport.limits->leave(size);
    reactor->Finish({::grpc::StatusCode::INTERNAL, "the message could not be read"});
    return reactor;
  }
  transport.service->handle_rpc(rpc, make_request(rpc, context, std::move(bytes)),
                                deadline_of(context),
                                [&transport, &context, &response, reactor, size](Response answer) {
                                  for (const auto& [name, value] : answer.headers)
                                    context.AddTrailingMetadata(name, value);
                                  const ::grpc::Status status = status_of(answer);
                                  if (answer.status == 0)
                                    response = to_buffer(std::move(answer.body));
                                  transport.limits->leave(size);
                                  reactor->Finish(status);
                                });
  return reactor;
}

}  // namespace quipu::api::grpc
