// Records of a memory collection, as engine/plain_memory.h keeps them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "quipu/api/call.h"
#include "quipu/engine.h"
#include "quipu/engine/plain_memory.h"
#include "quipu/result.h"

namespace quipu::api {

inline constexpr std::size_t kRecordsMax = 1'000;  // of one request
inline constexpr std::size_t kRecallQueryBytesMax = std::size_t{64} << 10;
inline constexpr std::size_t kRecallRecordsMax = 1'000;

struct RecordInput {
  std::string text;
  std::optional<PointId> id;
  std::string metadata = "{}";
  std::string collection;  // "": the configuration's
};

struct RememberedRecords {
  std::vector<Result<engine::Remembered>> records;  // in the request's order
  std::uint64_t failed = 0;
  std::string seq;  // covers all of them, when one token does; else ""
};
// Remembers all, waiting for the embedder and the log. `one`: the request was not a list, and its
// idempotency key is for this record itself.
[[nodiscard]] RememberedRecords remember_records(const Call& call, std::vector<RecordInput> records,
                                                 bool one);

struct StoredRecord {
  Point point;
  std::string metadata;  // the payload without the member that Quipu keeps for itself
  std::string chunk;     // that member: which part of a longer text this is; "" for none
};
// Errors: kNotFound ("record_not_found"; also while the usual collection is not there yet).
[[nodiscard]] Result<StoredRecord> read_record(const Call& call, const PointId& id,
                                               std::string_view collection,
                                               const ReadParams& params);
[[nodiscard]] Error record_not_found(const PointId& id);

struct ForgottenRecord {
  PointId id;
  bool deleted = false;        // else it was not there, or is refused
  std::optional<Error> error;  // why it is refused
};
// One after the other. Errors: what stops one (no such collection, a full queue) stops all; what
// was forgotten by then stays so.
[[nodiscard]] Result<std::vector<ForgottenRecord>> forget_all(const Call& call,
                                                              const std::vector<PointId>& ids,
                                                              std::string_view collection);

}  // namespace quipu::api
