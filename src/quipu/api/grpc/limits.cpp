#include "quipu/api/grpc/limits.h"

#include "quipu/base/format.h"

namespace quipu::api::grpc {

Limits::Limits(Most most, MetricsRegistry& metrics)
    : most_(most),
      in_flight_(
          metrics.gauge("quipu_grpc_calls_in_flight", "Messages that are being answered.", {})) {}

Status Limits::enter(std::size_t bytes) {
  const std::size_t calls = calls_.fetch_add(1) + 1;
  if (calls > most_.calls_max) {
    calls_.fetch_sub(1);
    return Error{
        ErrorCode::kResourceExhausted,
        format("{} calls are being answered, the most that may be at once", most_.calls_max),
        "too_many_calls"};
  }
  if (bytes_.fetch_add(bytes) + bytes > most_.bytes_max) {
    bytes_.fetch_sub(bytes);
    calls_.fetch_sub(1);
    return Error{
        ErrorCode::kUnavailable,
        format("the messages of all calls together would have more than {} bytes", most_.bytes_max),
        "buffers_full"};
  }
  in_flight_.set(static_cast<double>(calls));
  return ok_status();
}

void Limits::leave(std::size_t bytes) {
  bytes_.fetch_sub(bytes);
  in_flight_.set(static_cast<double>(calls_.fetch_sub(1) - 1));
}

}  // namespace quipu::api::grpc
