#include "quipu/cli/exit_codes.h"

namespace quipu::cli {

ExitCode exit_code_of(const Error& error) noexcept {
  const std::string_view reason = error.stable_reason();
  if (reason == "forbidden" || reason == "unauthorized") return kExitForbidden;
  // The folder's state is right; it is another process's turn.
  if (reason == "data_dir_locked") return kExitUnavailable;
  switch (error.code) {
    case ErrorCode::kInvalidArgument: return kExitUsage;
    case ErrorCode::kNotFound: return kExitNotFound;
    case ErrorCode::kAlreadyExists:
    case ErrorCode::kFailedPrecondition: return kExitConflict;
    case ErrorCode::kResourceExhausted:
    case ErrorCode::kDeadlineExceeded:
    case ErrorCode::kUnavailable: return kExitUnavailable;
    case ErrorCode::kCancelled: return kExitInterrupted;
    case ErrorCode::kCorruption:
    case ErrorCode::kIo:
    case ErrorCode::kUnimplemented:
    case ErrorCode::kInternal: return kExitFailure;
  }
  return kExitFailure;
}

}  // namespace quipu::cli
