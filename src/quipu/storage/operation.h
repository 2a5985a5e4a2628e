// The operations that a shard's log holds: what they say, and their bytes on disk.
// Format: docs/format/operation.md. An encoded operation begins with a magic and a version and ends
// with a CRC-32C over all that is before it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "quipu/base/bytes.h"
#include "quipu/ids.h"
#include "quipu/result.h"

namespace quipu::storage {

// Judged in apply, against the state at that moment.
struct OpCondition {
  std::optional<std::uint64_t> if_version;
  bool if_absent = false;
  friend bool operator==(const OpCondition&, const OpCondition&) = default;
};

// `vector_id`: the number that the collection's configuration gave the vector, which no other one
// ever has. A dense vector has its values, a multivector those of all its rows, a sparse one as
// many indices, which ascend. An empty sparse vector is as an empty dense one; which it is, the
// collection's configuration says.
struct OpVector {
  std::uint16_t vector_id = 0;
  std::vector<float> values;
  std::vector<std::uint32_t> indices;
  friend bool operator==(const OpVector&, const OpVector&) = default;
};

// Which model made a point's text into vectors (invariants.md, rule 12); absent without a text.
struct OpEmbedding {
  std::string model;
  std::string revision;
  friend bool operator==(const OpEmbedding&, const OpEmbedding&) = default;
};

struct UpsertPoint {
  PointId id;
  OpCondition condition;
  std::vector<OpVector> vectors;
  std::optional<std::string> text;
  std::optional<OpEmbedding> embedding;
  std::string payload;  // a JSON object without white space
  friend bool operator==(const UpsertPoint&, const UpsertPoint&) = default;
};
struct UpsertOp {
  std::vector<UpsertPoint> points;
  friend bool operator==(const UpsertOp&, const UpsertOp&) = default;
};

struct PatchPoint {
  PointId id;
  OpCondition condition;
  std::vector<OpVector> vectors;
  std::optional<std::string> text;
  std::optional<OpEmbedding> embedding;
  bool replace_payload = false;
  std::vector<std::string> delete_payload;
  std::string set_payload;
  // From version 2 on.
  std::vector<std::uint16_t> delete_vectors;  // ids, ascending
  std::string set_key;  // the path of the object that `set_payload` is merged into
  std::vector<std::string> delete_paths;  // as `delete_payload`, but paths into the payload
  friend bool operator==(const PatchPoint&, const PatchPoint&) = default;
};
struct PatchOp {
  std::vector<PatchPoint> points;
  friend bool operator==(const PatchOp&, const PatchOp&) = default;
};

struct DeletePoint {
  PointId id;
  OpCondition condition;
  friend bool operator==(const DeletePoint&, const DeletePoint&) = default;
};
struct DeleteOp {
  std::vector<DeletePoint> points;
  friend bool operator==(const DeleteOp&, const DeleteOp&) = default;
};

// System shard only. `config` is the catalogue's own encoding (engine/catalogue).
struct CreateCollectionOp {
  std::string tenant;
  std::string name;
  std::string config;
  friend bool operator==(const CreateCollectionOp&, const CreateCollectionOp&) = default;
};
struct UpdateCollectionOp {
  std::string tenant;
  std::string name;
  std::string patch;
  friend bool operator==(const UpdateCollectionOp&, const UpdateCollectionOp&) = default;
};
struct DropCollectionOp {
  std::string tenant;
  std::string name;
  friend bool operator==(const DropCollectionOp&, const DropCollectionOp&) = default;
};

// Of points that match a filter. Those that may were found before the log (`candidates`,
// ascending); which of them do is judged in apply, on their payload at that moment (invariants.md,
// rule 10). `filter`: JSON, as query/filter reads it.
struct DeleteByFilterOp {
  std::string filter;
  std::vector<PointId> candidates;
  friend bool operator==(const DeleteByFilterOp&, const DeleteByFilterOp&) = default;
};
// `patch` without id and condition.
struct PatchByFilterOp {
  std::string filter;
  std::vector<PointId> candidates;
  PatchPoint patch;
  friend bool operator==(const PatchByFilterOp&, const PatchByFilterOp&) = default;
};

// System shard only, from version 3 on. Changes of other names of a tenant's collections, judged
// one after the other and applied all or none.
struct AliasChange {
  enum class Kind : std::uint8_t {  // On disk: append only.
    kPut,     // `alias` names the collection `target` from now on, whatever it named before
    kDelete,  // refused when `alias` is not there
    kRename,  // `target` names what `alias` did; what `target` named before is forgotten
    kDeleteIfThere,
  };
  Kind kind = Kind::kPut;
  std::string alias;
  std::string target;  // empty for those that delete
  friend bool operator==(const AliasChange&, const AliasChange&) = default;
};
struct UpdateAliasesOp {
  std::string tenant;
  std::vector<AliasChange> changes;  // 1..limits::kAliasChangesMax
  friend bool operator==(const UpdateAliasesOp&, const UpdateAliasesOp&) = default;
};

// From version 4 on, in the system shard and in the logs of all shards of the collection. Changes
// of its vectors, judged one after the other and applied all or none.
struct VectorNameChange {
  enum class Kind : std::uint8_t {  // On disk: append only.
    kAdd,     // `name` with `detail`: its configuration, in the catalogue's own encoding
    kDrop,    // `name`; what points have of it is never asked for again
    kRename,  // `name` to `detail`
  };
  Kind kind = Kind::kAdd;
  std::string name;
  std::string detail;  // empty for kDrop
  friend bool operator==(const VectorNameChange&, const VectorNameChange&) = default;
};
struct ChangeVectorsOp {
  std::string tenant;
  std::string name;
  std::vector<VectorNameChange> changes;  // 1..limits::kVectorChangesMax
  friend bool operator==(const ChangeVectorsOp&, const ChangeVectorsOp&) = default;
};

// System shard only, from version 4 on. A collection that nobody can see yet: what is recovered
// from a snapshot goes into it.
struct BeginRecoveryOp {
  std::string tenant;
  std::string name;  // that it will have
  std::string config;
  friend bool operator==(const BeginRecoveryOp&, const BeginRecoveryOp&) = default;
};
// It is seen under its name from now on, and the collection that had the name is dropped; or it is
// given up.
struct EndRecoveryOp {
  std::uint32_t collection = 0;  // its id
  bool keep = false;
  friend bool operator==(const EndRecoveryOp&, const EndRecoveryOp&) = default;
};

// From version 4 on. Points as they were in another collection, their times included.
struct RestoredPoint {
  PointId id;
  std::int64_t created_us = 0;
  std::int64_t updated_us = 0;
  std::vector<OpVector> vectors;
  std::optional<std::string> text;
  std::optional<OpEmbedding> embedding;
  std::string payload;
  friend bool operator==(const RestoredPoint&, const RestoredPoint&) = default;
};
struct RestorePointsOp {
  std::vector<RestoredPoint> points;
  friend bool operator==(const RestorePointsOp&, const RestorePointsOp&) = default;
};

// The body's position in this variant is its type byte on disk: append only.
using OpBody = std::variant<UpsertOp, PatchOp, DeleteOp, CreateCollectionOp, UpdateCollectionOp,
                            DropCollectionOp, DeleteByFilterOp, PatchByFilterOp, UpdateAliasesOp,
                            ChangeVectorsOp, BeginRecoveryOp, EndRecoveryOp, RestorePointsOp>;

// key: digest of (tenant, route, client's key, part); request: digest of what was asked.
struct OpIdempotency {
  Digest128 key;
  Digest128 request;
  friend bool operator==(const OpIdempotency&, const OpIdempotency&) = default;
};

struct Operation {
  std::int64_t time_us = 0;  // decided before the log; never read from a clock in apply
  std::optional<OpIdempotency> idempotency;
  OpBody body;
  friend bool operator==(const Operation&, const Operation&) = default;
};

inline constexpr std::uint32_t kOperationMagic = 0x504f5051;  // "QPOP"
inline constexpr std::uint16_t kOperationVersion = 4;         // the newest that is read

// Keys that one PatchPoint may delete from its payload.
inline constexpr std::size_t kDeletePayloadKeysMax = 1'024;

// Whether decode_operation() would take what encode_operation() gives: every count and length
// within limits.h, every vector finite, the whole at most limits::kBatchBytesMax. To be asked
// before an operation enters a log, since one that cannot be read back would stop the shard for
// good. Errors: kInvalidArgument ("operation_limits") naming the part, its value and the limit.
[[nodiscard]] Status validate_operation(const Operation& operation);

// The size of the encoding. Costs a walk over the operation, not over its vectors' values.
[[nodiscard]] std::size_t encoded_operation_size(const Operation& operation) noexcept;

// Appends the encoding to `out`, in the lowest version that can say it. Canonical: equal operations
// give equal bytes.
// Encodes also what validate_operation() refuses, for digests and measurements; only what has no
// encoding at all (more than 255 vectors in a point, 4 GiB in all) is a bug of the caller.
void encode_operation(const Operation& operation, std::string& out);
[[nodiscard]] std::string encode_operation(const Operation& operation);

struct DecodedOperation {
  Operation operation;
  std::size_t size = 0;  // bytes consumed
};
// Reads one operation from the front of `bytes`; what follows it is not looked at. What decodes
// encodes to the same bytes again. Memory: a small multiple of the bytes consumed.
// Errors: kCorruption saying which part is wrong: magic, version newer than ours, checksum, a
// length beyond limits.h or what is left, a value out of range, bytes left inside the record.
[[nodiscard]] Result<DecodedOperation> decode_operation(std::string_view bytes);

}  // namespace quipu::storage
