#include "quipu/engine/records.h"

#include <algorithm>
#include <set>

#include "quipu/base/bytes.h"
#include "quipu/base/format.h"
#include "quipu/base/limits.h"

namespace quipu::engine {
namespace {

// Each record begins with its own format number, so that a later release can tell them apart.
constexpr std::uint8_t kPointFormat = 1;
constexpr std::uint8_t kShardFormat = 1;
constexpr std::uint8_t kCollectionFormat = 1;
constexpr std::uint8_t kIdempotencyFormat = 1;

constexpr std::uint8_t kHasText = 1;
constexpr std::uint8_t kHasEmbedding = 2;

Error damaged(std::string_view what) {
  return Error{ErrorCode::kCorruption, format("a {} record does not decode", what),
               "damaged_record"};
}

PointRecord read_point_head(ByteReader& in, std::uint8_t& flags) {
  PointRecord record;
  if (in.u8() != kPointFormat) in.fail();
  record.version = in.u64();
  record.created_us = in.i64();
  record.updated_us = in.i64();
  record.vector_mask = in.u16();
  flags = in.u8();
  if ((flags & ~(kHasText | kHasEmbedding)) != 0) in.fail();
  return record;
}

void write_error(ByteWriter& out, const std::optional<Error>& error) {
  out.u8(error ? 1 : 0);
  if (!error) return;
  out.u8(static_cast<std::uint8_t>(error->code));
  out.sized(error->message);
  out.sized(error->reason);
}

std::optional<Error> read_error(ByteReader& in) {
  if (in.u8() == 0) return std::nullopt;
  Error error;
  const std::uint8_t code = in.u8();
  if (code > static_cast<std::uint8_t>(ErrorCode::kInternal)) in.fail();
  error.code = static_cast<ErrorCode>(code);
  error.message = std::string(in.sized());
  error.reason = std::string(in.sized());
  return error;
}

void write_id(ByteWriter& out, const PointId& id) {
  out.u8(id.is_uuid() ? 1 : 0);
  out.u64(id.high());
  out.u64(id.low());
}

PointId read_id(ByteReader& in) {
  const bool uuid = in.u8() == 1;
  const std::uint64_t high = in.u64();
  const std::uint64_t low = in.u64();
  return uuid ? PointId::uuid(high, low) : PointId::number(low);
}

void write_config(ByteWriter& out, const CollectionConfig& config) {
  out.varint(config.vectors.size());
  for (const VectorConfig& vector : config.vectors) {
    out.sized(vector.name);
    out.u32(vector.dim);
    out.u8(static_cast<std::uint8_t>(vector.metric));
    out.sized(vector.model);
    out.u8(static_cast<std::uint8_t>(vector.index));
    out.u32(vector.m);
    out.u32(vector.ef_construction);
  }
  out.u32(config.shard_count);
  out.u8(static_cast<std::uint8_t>(config.durability));
  out.u32(config.tail_vectors_max);
}

CollectionConfig read_config(ByteReader& in) {
  CollectionConfig config;
  const std::uint64_t count = in.varint();
  if (count > limits::kVectorsPerCollectionMax) in.fail();
  for (std::uint64_t i = 0; in.ok() && i < count; ++i) {
    VectorConfig vector;
    vector.name = std::string(in.sized());
    vector.dim = in.u32();
    vector.metric = static_cast<Metric>(in.u8());
    vector.model = std::string(in.sized());
    vector.index = static_cast<IndexKind>(in.u8());
    vector.m = in.u32();
    vector.ef_construction = in.u32();
    if (vector.metric > Metric::kManhattan || vector.index > IndexKind::kFlat) in.fail();
    config.vectors.push_back(std::move(vector));
  }
  config.shard_count = in.u32();
  config.durability = static_cast<Durability>(in.u8());
  if (config.durability > Durability::kAsync) in.fail();
  config.tail_vectors_max = in.u32();
  return config;
}

Error out_of_range(std::string_view field, std::uint64_t value, std::uint64_t low,
                   std::uint64_t high) {
  return Error{ErrorCode::kInvalidArgument,
               format("{} is {}; it must be from {} to {}", field, value, low, high),
               "out_of_range"};
}

Status validate_vector(const VectorConfig& vector, std::size_t index) {
  const std::string field = format("vectors[{}]", index);
  const bool name_ok =
      vector.name.size() <= 64 && std::all_of(vector.name.begin(), vector.name.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '_' || c == '-';
      });
  if (!name_ok) {
    return Error{ErrorCode::kInvalidArgument,
                 format("{}.name is '{}'; it must be at most 64 of [A-Za-z0-9_-]", field,
                        vector.name.substr(0, 80)),
                 "invalid_name"};
  }
  if (vector.dim < 1 || vector.dim > limits::kDimMax) {
    return out_of_range(field + ".dim", vector.dim, 1, limits::kDimMax);
  }
  if (vector.m < 2 || vector.m > 128) return out_of_range(field + ".m", vector.m, 2, 128);
  if (vector.ef_construction < vector.m || vector.ef_construction > 10'000) {
    return out_of_range(field + ".ef_construction", vector.ef_construction, vector.m, 10'000);
  }
  if (vector.model.size() > limits::kNameBytesMax) {
    return out_of_range(field + ".model bytes", vector.model.size(), 0, limits::kNameBytesMax);
  }
  return ok_status();
}

}  // namespace

std::string encode_point_record(const PointRecord& record) {
  std::string bytes;
  bytes.reserve(64 + record.payload.size() + (record.text ? record.text->size() : 0));
  ByteWriter out(bytes);
  out.u8(kPointFormat);
  out.u64(record.version);
  out.i64(record.created_us);
  out.i64(record.updated_us);
  out.u16(record.vector_mask);
  out.u8(static_cast<std::uint8_t>((record.text ? kHasText : 0) |
                                   (record.embedding ? kHasEmbedding : 0)));
  if (record.text) out.sized(*record.text);
  if (record.embedding) {
    out.sized(record.embedding->model);
    out.sized(record.embedding->revision);
  }
  out.bytes(record.payload);
  return bytes;
}

Result<PointRecord> decode_point_record(std::string_view bytes) {
  ByteReader in(bytes);
  std::uint8_t flags = 0;
  PointRecord record = read_point_head(in, flags);
  if ((flags & kHasText) != 0) record.text = std::string(in.sized());
  if ((flags & kHasEmbedding) != 0) {
    storage::OpEmbedding embedding;
    embedding.model = std::string(in.sized());
    embedding.revision = std::string(in.sized());
    record.embedding = std::move(embedding);
  }
  record.payload = std::string(in.bytes(in.left()));
  if (!in.ok()) return damaged("point");
  return record;
}

Result<PointRecord> decode_point_head(std::string_view bytes) {
  ByteReader in(bytes);
  std::uint8_t flags = 0;
  PointRecord record = read_point_head(in, flags);
  if (!in.ok()) return damaged("point");
  return record;
}

Result<PointView> view_point_record(std::string_view bytes) {
  ByteReader in(bytes);
  std::uint8_t flags = 0;
  PointView view;
  view.vector_mask = read_point_head(in, flags).vector_mask;
  if ((flags & kHasText) != 0) in.sized();
  if ((flags & kHasEmbedding) != 0) {
    in.sized();
    in.sized();
  }
  view.payload = in.bytes(in.left());
  if (!in.ok()) return damaged("point");
  return view;
}

std::string encode_shard_meta(const ShardMeta& meta) {
  std::string bytes;
  ByteWriter out(bytes);
  out.u8(kShardFormat);
  out.u64(meta.applied.value());
  out.u64(meta.points);
  out.u64(meta.idempotency_keys);
  return bytes;
}

Result<ShardMeta> decode_shard_meta(std::string_view bytes) {
  ByteReader in(bytes);
  ShardMeta meta;
  if (in.u8() != kShardFormat) in.fail();
  meta.applied = Seq(in.u64());
  meta.points = in.u64();
  meta.idempotency_keys = in.u64();
  if (!in.ok() || in.left() != 0) return damaged("shard");
  return meta;
}

std::string encode_collection_record(const CollectionRecord& record) {
  std::string bytes;
  ByteWriter out(bytes);
  out.u8(kCollectionFormat);
  out.u32(record.id.value());
  out.sized(record.tenant);
  out.sized(record.name);
  out.i64(record.created_us);
  write_config(out, record.config);
  out.varint(record.shards.size());
  for (const ShardId shard : record.shards) out.u32(shard.value());
  return bytes;
}

Result<CollectionRecord> decode_collection_record(std::string_view bytes) {
  ByteReader in(bytes);
  CollectionRecord record;
  if (in.u8() != kCollectionFormat) in.fail();
  record.id = CollectionId(in.u32());
  record.tenant = std::string(in.sized());
  record.name = std::string(in.sized());
  record.created_us = in.i64();
  record.config = read_config(in);
  const std::uint64_t shards = in.varint();
  if (shards != record.config.shard_count || shards > limits::kShardsPerCollectionMax) in.fail();
  for (std::uint64_t i = 0; in.ok() && i < shards; ++i) record.shards.emplace_back(in.u32());
  if (!in.ok() || in.left() != 0) return damaged("collection");
  return record;
}

std::string encode_collection_config(const CollectionConfig& config) {
  std::string bytes;
  ByteWriter out(bytes);
  out.u8(kCollectionFormat);
  write_config(out, config);
  return bytes;
}

Result<CollectionConfig> decode_collection_config(std::string_view bytes) {
  ByteReader in(bytes);
  if (in.u8() != kCollectionFormat) in.fail();
  CollectionConfig config = read_config(in);
  if (!in.ok() || in.left() != 0) return damaged("collection configuration");
  return config;
}

std::string encode_collection_patch(const CollectionPatch& patch) {
  std::string bytes;
  ByteWriter out(bytes);
  out.u8(kCollectionFormat);
  out.u8(patch.durability ? 1 : 0);
  if (patch.durability) out.u8(static_cast<std::uint8_t>(*patch.durability));
  out.u8(patch.tail_vectors_max ? 1 : 0);
  if (patch.tail_vectors_max) out.u32(*patch.tail_vectors_max);
  return bytes;
}

Result<CollectionPatch> decode_collection_patch(std::string_view bytes) {
  ByteReader in(bytes);
  CollectionPatch patch;
  if (in.u8() != kCollectionFormat) in.fail();
  if (in.u8() != 0) {
    patch.durability = static_cast<Durability>(in.u8());
    if (*patch.durability > Durability::kAsync) in.fail();
  }
  if (in.u8() != 0) patch.tail_vectors_max = in.u32();
  if (!in.ok() || in.left() != 0) return damaged("collection patch");
  return patch;
}

std::string encode_idempotency_record(const IdempotencyRecord& record) {
  std::string bytes;
  ByteWriter out(bytes);
  out.u8(kIdempotencyFormat);
  out.u64(record.request.high);
  out.u64(record.request.low);
  out.i64(record.time_us);
  out.u64(record.seq.value());
  out.varint(record.items.size());
  for (const ItemResult& item : record.items) {
    write_id(out, item.id);
    out.u8(static_cast<std::uint8_t>(item.outcome));
    out.varint(item.version);
    out.u8(item.truncated ? 1 : 0);
    out.varint(item.token_count);
    write_error(out, item.error);
  }
  return bytes;
}

Result<IdempotencyRecord> decode_idempotency_record(std::string_view bytes) {
  ByteReader in(bytes);
  IdempotencyRecord record;
  if (in.u8() != kIdempotencyFormat) in.fail();
  record.request.high = in.u64();
  record.request.low = in.u64();
  record.time_us = in.i64();
  record.seq = Seq(in.u64());
  const std::uint64_t count = in.varint();
  if (count > limits::kBatchPointsMax) in.fail();
  for (std::uint64_t i = 0; in.ok() && i < count; ++i) {
    ItemResult item;
    item.id = read_id(in);
    item.outcome = static_cast<ItemOutcome>(in.u8());
    if (item.outcome > ItemOutcome::kRefused) in.fail();
    item.version = in.varint();
    item.truncated = in.u8() != 0;
    item.token_count = static_cast<std::uint32_t>(in.varint());
    item.error = read_error(in);
    record.items.push_back(std::move(item));
  }
  if (!in.ok() || in.left() != 0) return damaged("idempotency");
  return record;
}

Status validate_collection_config(const CollectionConfig& config) {
  if (config.vectors.empty() || config.vectors.size() > limits::kVectorsPerCollectionMax) {
    return out_of_range("vectors count", config.vectors.size(), 1,
                        limits::kVectorsPerCollectionMax);
  }
  if (config.shard_count < 1 || config.shard_count > limits::kShardsPerCollectionMax) {
    return out_of_range("shard_count", config.shard_count, 1, limits::kShardsPerCollectionMax);
  }
  if (config.tail_vectors_max < 1'000 || config.tail_vectors_max > 10'000'000) {
    return out_of_range("tail_vectors_max", config.tail_vectors_max, 1'000, 10'000'000);
  }
  std::set<std::string_view> names;
  for (std::size_t i = 0; i < config.vectors.size(); ++i) {
    QUIPU_TRY_OK(validate_vector(config.vectors[i], i));
    if (!names.insert(config.vectors[i].name).second) {
      return Error{ErrorCode::kInvalidArgument,
                   format("vectors[{}].name '{}' is used twice", i, config.vectors[i].name),
                   "duplicate_name"};
    }
  }
  return ok_status();
}

Status validate_name(std::string_view what, std::string_view name) {
  const bool ok = !name.empty() && name.size() <= limits::kNameBytesMax && name[0] != '.' &&
                  std::all_of(name.begin(), name.end(), [](char c) {
                    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                           (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.';
                  });
  if (ok) return ok_status();
  return Error{ErrorCode::kInvalidArgument,
               format("{} name '{}' is not valid: 1 to {} of [A-Za-z0-9_.-], not "
                      "beginning with '.'",
                      what, name.substr(0, 80), limits::kNameBytesMax),
               "invalid_name"};
}

}  // namespace quipu::engine
