#include "quipu/storage/rocksdb/rocks_status.h"

#include <string>

#include "quipu/assert.h"
#include "quipu/storage/rocksdb/rocks_file_system.h"

namespace quipu::storage {
namespace {

// Whether the text names one of RocksDB's files.
bool names_file(std::string_view text) {
  for (const std::string_view part : {".sst", ".log", ".blob", "MANIFEST-", "CURRENT"}) {
    if (text.find(part) != std::string_view::npos) return true;
  }
  return false;
}

// A background error is kept, with its severity, and given to every later write.
bool stopped_writes(const rocksdb::Status& status) {
  return status.severity() >= rocksdb::Status::Severity::kHardError;
}

}  // namespace

Error to_error(const rocksdb::Status& status, std::string_view action) {
  QUIPU_ASSERT(!status.ok());
  Error error{.code = ErrorCode::kIo,
              .message = "cannot " + std::string(action) + ": " + status.ToString(),
              .reason = {}};
  if (status.IsCorruption()) {
    error.code = ErrorCode::kCorruption;
    error.reason = "storage_damaged";
    if (const std::string file = last_file_read(); !names_file(error.message) && !file.empty()) {
      error.message += "; the file read last is " + file;
    }
    return error;
  }
  if (status.IsNoSpace()) {
    error.code = ErrorCode::kResourceExhausted;
    error.reason = "disk_full";
    return error;
  }
  if (status.IsIOError() && stopped_writes(status)) {
    error.code = ErrorCode::kUnavailable;
    error.reason = "store_stopped";
    if (status.severity() >= rocksdb::Status::Severity::kFatalError) {
      error.message += "; the data folder must be closed and opened again";
    }
    return error;
  }
  switch (status.code()) {
    case rocksdb::Status::kBusy:
    case rocksdb::Status::kTryAgain:
    case rocksdb::Status::kIncomplete:
    case rocksdb::Status::kAborted: error.code = ErrorCode::kUnavailable; break;
    case rocksdb::Status::kShutdownInProgress: error.code = ErrorCode::kCancelled; break;
    case rocksdb::Status::kTimedOut: error.code = ErrorCode::kDeadlineExceeded; break;
    case rocksdb::Status::kNotSupported: error.code = ErrorCode::kUnimplemented; break;
    case rocksdb::Status::kNotFound: error.code = ErrorCode::kNotFound; break;
    case rocksdb::Status::kInvalidArgument: error.code = ErrorCode::kInternal; break;
    default: break;
  }
  return error;
}

Status to_status(const rocksdb::Status& status, std::string_view action) {
  if (status.ok()) return ok_status();
  return to_error(status, action);
}

}  // namespace quipu::storage
