#include "quipu/api/status_map.h"

#include <array>
#include <optional>

namespace quipu::api {
namespace {

struct ByReason {
  std::string_view reason;
  int status;
  // Where gRPC's status is not its code's either.
  std::optional<GrpcStatus> grpc = std::nullopt;
};

// Reasons whose status is not their code's. Sorted by status.
constexpr std::array kByReason = {
    ByReason{"malformed_json", 400},
    ByReason{"duplicate_member", 400},
    ByReason{"malformed_request", 400},
    ByReason{"malformed_header", 400},
    ByReason{"body_required", 400},
    ByReason{"host_forbidden", 403, GrpcStatus::kPermissionDenied},
    ByReason{"origin_forbidden", 403, GrpcStatus::kPermissionDenied},
    ByReason{"method_not_allowed", 405},
    ByReason{"request_timeout", 408},
    ByReason{"body_too_large", 413},
    ByReason{"unsupported_media_type", 415},
    ByReason{"expectation_failed", 417},
    ByReason{"idempotency_mismatch", 422, GrpcStatus::kInvalidArgument},
    ByReason{"data_dir_locked", 423},
    ByReason{"locked", 423},
    ByReason{"header_too_large", 431},
    ByReason{"memory_full", 503, GrpcStatus::kUnavailable},
    ByReason{"model_damaged", 503},
    // What was sent, or lies in the folder for what is sent: not our failure.
    ByReason{"snapshot_damaged", 422, GrpcStatus::kInvalidArgument},
    ByReason{"vector_ids_used_up", 409, GrpcStatus::kFailedPrecondition},
    ByReason{"not_ready", 503},
    ByReason{"connection_limit", 503},
    ByReason{"http_version", 505},
    ByReason{"disk_full", 507},
};

int status_of(ErrorCode code) noexcept {
  switch (code) {
    case ErrorCode::kInvalidArgument: return 422;
    case ErrorCode::kNotFound: return 404;
    case ErrorCode::kAlreadyExists: return 409;
    case ErrorCode::kFailedPrecondition: return 409;
    case ErrorCode::kResourceExhausted: return 429;
    case ErrorCode::kDeadlineExceeded: return 504;
    case ErrorCode::kCancelled: return 503;
    case ErrorCode::kUnavailable: return 503;
    case ErrorCode::kUnimplemented: return 501;
    case ErrorCode::kCorruption: return 500;
    case ErrorCode::kIo: return 500;
    case ErrorCode::kInternal: return 500;
  }
  return 500;
}

GrpcStatus grpc_status_of(ErrorCode code) noexcept {
  switch (code) {
    case ErrorCode::kInvalidArgument: return GrpcStatus::kInvalidArgument;
    case ErrorCode::kNotFound: return GrpcStatus::kNotFound;
    case ErrorCode::kAlreadyExists: return GrpcStatus::kAlreadyExists;
    case ErrorCode::kFailedPrecondition: return GrpcStatus::kFailedPrecondition;
    case ErrorCode::kResourceExhausted: return GrpcStatus::kResourceExhausted;
    case ErrorCode::kDeadlineExceeded: return GrpcStatus::kDeadlineExceeded;
    // The server's own stop; a caller's cancellation never reaches an answer.
    case ErrorCode::kCancelled: return GrpcStatus::kUnavailable;
    case ErrorCode::kUnavailable: return GrpcStatus::kUnavailable;
    case ErrorCode::kUnimplemented: return GrpcStatus::kUnimplemented;
    case ErrorCode::kCorruption: return GrpcStatus::kInternal;
    case ErrorCode::kIo: return GrpcStatus::kInternal;
    case ErrorCode::kInternal: return GrpcStatus::kInternal;
  }
  return GrpcStatus::kInternal;
}

constexpr std::array<std::string_view, 17> kGrpcNames = {
    "OK",        "CANCELLED",      "UNKNOWN",           "INVALID_ARGUMENT",   "DEADLINE_EXCEEDED",
    "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION",
    "ABORTED",   "OUT_OF_RANGE",   "UNIMPLEMENTED",     "INTERNAL",           "UNAVAILABLE",
    "DATA_LOSS", "UNAUTHENTICATED"};

constexpr std::array kErrorStatuses = {400, 403, 404, 405, 408, 409, 413, 415, 417, 422,
                                       423, 429, 431, 500, 501, 503, 504, 505, 507};

}  // namespace

HttpStatus http_status(const Error& error) noexcept {
  int status = status_of(error.code);
  for (const ByReason& row : kByReason) {
    if (row.reason == error.stable_reason()) status = row.status;
  }
  return {.status = status,
          .title = http_reason(status),
          .internal = status == 500,
          .retry_after = status == 429 || status == 503};
}

GrpcStatus grpc_status(const Error& error) noexcept {
  for (const ByReason& row : kByReason) {
    if (row.grpc && row.reason == error.stable_reason()) return *row.grpc;
  }
  return grpc_status_of(error.code);
}

std::string_view grpc_status_name(GrpcStatus status) noexcept {
  const auto number = static_cast<std::size_t>(status);
  return kGrpcNames[number < kGrpcNames.size() ? number : 2];
}

std::string_view http_reason(int status) noexcept {
  switch (status) {
    case 100: return "Continue";
    case 200: return "OK";
    case 201: return "Created";
    case 202: return "Accepted";
    case 204: return "No Content";
    case 304: return "Not Modified";
    case 400: return "Bad Request";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 408: return "Request Timeout";
    case 409: return "Conflict";
    case 413: return "Content Too Large";
    case 415: return "Unsupported Media Type";
    case 417: return "Expectation Failed";
    case 422: return "Unprocessable Content";
    case 423: return "Locked";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    case 500: return "Internal Server Error";
    case 501: return "Not Implemented";
    case 503: return "Service Unavailable";
    case 504: return "Gateway Timeout";
    case 505: return "HTTP Version Not Supported";
    case 507: return "Insufficient Storage";
    default: return "Unknown";
  }
}

std::span<const int> error_statuses() noexcept { return kErrorStatuses; }

}  // namespace quipu::api
