// RocksDB's statuses as our errors.
#pragma once

#include <rocksdb/status.h>

#include <string_view>

#include "quipu/result.h"

namespace quipu::storage {

// `action`: what was being done, to begin the message with ("write to the store in /data").
// kCorruption ("storage_damaged") names a file: RocksDB's text where it does, else the file that
// this thread read last. kResourceExhausted ("disk_full"); kUnavailable ("store_stopped") when an
// earlier error stopped all writes; kFailedPrecondition ("locked"); kIo.
// `status` is not OK.
[[nodiscard]] Error to_error(const rocksdb::Status& status, std::string_view action);

// The same, or ok.
[[nodiscard]] Status to_status(const rocksdb::Status& status, std::string_view action);

}  // namespace quipu::storage
