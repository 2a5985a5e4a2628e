#include "quipu/engine/records.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <set>
#include <utility>

#include "quipu/assert.h"
#include "quipu/base/bytes.h"
#include "quipu/base/format.h"
#include "quipu/base/limits.h"
#include "quipu/engine/refusals.h"

namespace quipu::engine {
namespace {

// Each record begins with its own format number, so that a later release can tell them apart.
constexpr std::uint8_t kPointFormat = 1;
constexpr std::uint8_t kFarPointFormat = 2;  // has vectors with ids from 16 on
constexpr std::uint8_t kShardFormat = 1;
// 1: dense vectors only; 2: a vector's id is its position.
constexpr std::uint8_t kCollectionFormat = 3;
constexpr std::uint8_t kIdempotencyFormat = 1;

constexpr std::uint8_t kHasText = 1;
constexpr std::uint8_t kHasEmbedding = 2;
constexpr std::uint16_t kNearVectors = 16;  // ids below this are a mask
constexpr std::uint32_t kVectorIdEnd = 65'536;

Error damaged(std::string_view what) {
  return Error{ErrorCode::kCorruption, format("a {} record does not decode", what),
               "damaged_record"};
}

void read_far_vectors(ByteReader& in, VectorIds& vectors) {
  const std::size_t count = in.u8();
  std::uint16_t last = kNearVectors - 1;
  if (count == 0 || count > limits::kVectorsPerCollectionMax) in.fail();
  for (std::size_t i = 0; in.ok() && i < count; ++i) {
    const std::uint16_t id = in.u16();
    if (id <= last) in.fail();
    last = id;
    vectors.insert(id);
  }
}

PointRecord read_point_head(ByteReader& in, std::uint8_t& flags) {
  PointRecord record;
  const std::uint8_t number = in.u8();
  if (number != kPointFormat && number != kFarPointFormat) in.fail();
  record.version = in.u64();
  record.created_us = in.i64();
  record.updated_us = in.i64();
  const unsigned mask = in.u16();
  for (std::uint16_t id = 0; mask >> id != 0; ++id) {
    if ((mask >> id & 1U) != 0) record.vectors.insert(id);
  }
  flags = in.u8();
  if ((flags & ~(kHasText | kHasEmbedding)) != 0) in.fail();
  if (number == kFarPointFormat) read_far_vectors(in, record.vectors);
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

void write_words(ByteWriter& out, const std::vector<WordsConfig>& fields) {
  out.varint(fields.size());
  for (const WordsConfig& words : fields) {
    out.sized(words.name);
    out.sized(words.source);
    out.sized(words.analyzer);
    out.u64(std::bit_cast<std::uint64_t>(words.k1));
    out.u64(std::bit_cast<std::uint64_t>(words.b));
    out.u32(words.view_id);
  }
}

std::vector<WordsConfig> read_words(ByteReader& in) {
  std::vector<WordsConfig> fields;
  const std::uint64_t count = in.varint();
  if (count > limits::kWordsFieldsMax) in.fail();
  for (std::uint64_t i = 0; in.ok() && i < count; ++i) {
    WordsConfig& words = fields.emplace_back();
    words.name = std::string(in.sized());
    words.source = std::string(in.sized());
    words.analyzer = std::string(in.sized());
    words.k1 = std::bit_cast<double>(in.u64());
    words.b = std::bit_cast<double>(in.u64());
    words.view_id = in.u32();
  }
  return fields;
}

void write_payload_indexes(ByteWriter& out, const std::vector<PayloadIndexConfig>& indexes) {
  out.varint(indexes.size());
  for (const PayloadIndexConfig& index : indexes) {
    out.sized(index.key);
    out.u8(static_cast<std::uint8_t>(index.kind));
    out.sized(index.options);
    out.u32(index.view_id);
  }
}

std::vector<PayloadIndexConfig> read_payload_indexes(ByteReader& in) {
  std::vector<PayloadIndexConfig> indexes;
  const std::uint64_t count = in.varint();
  if (count > limits::kPayloadIndexesMax) in.fail();
  for (std::uint64_t i = 0; in.ok() && i < count; ++i) {
    PayloadIndexConfig& index = indexes.emplace_back();
    index.key = std::string(in.sized());
    index.kind = static_cast<PayloadIndexKind>(in.u8());
    if (index.kind > PayloadIndexKind::kText) in.fail();
    index.options = std::string(in.sized());
    index.view_id = in.u32();
  }
  return indexes;
}

void write_names(ByteWriter& out, const std::vector<std::string>& names) {
  out.varint(names.size());
  for (const std::string& name : names) out.sized(name);
}

std::vector<std::string> read_names(ByteReader& in, std::size_t limit) {
  std::vector<std::string> names;
  const std::uint64_t count = in.varint();
  if (count > limit) in.fail();
  for (std::uint64_t i = 0; in.ok() && i < count; ++i) names.emplace_back(in.sized());
  return names;
}

// The format number of a record that may be of an earlier release.
std::uint8_t read_collection_format(ByteReader& in) {
  const std::uint8_t number = in.u8();
  if (number < 1 || number > kCollectionFormat) in.fail();
  return number;
}

void write_vector(ByteWriter& out, const VectorConfig& vector) {
  out.sized(vector.name);
  out.u32(vector.dim);
  out.u8(static_cast<std::uint8_t>(vector.metric));
  out.sized(vector.model);
  out.u8(static_cast<std::uint8_t>(vector.index));
  out.u32(vector.m);
  out.u32(vector.ef_construction);
  out.u8(static_cast<std::uint8_t>(vector.kind));
  out.u8(vector.idf ? 1 : 0);
  out.u16(vector.id);
}

VectorConfig read_vector(ByteReader& in, std::uint8_t format_number, std::uint16_t position) {
  VectorConfig vector;
  vector.name = std::string(in.sized());
  vector.dim = in.u32();
  vector.metric = static_cast<Metric>(in.u8());
  vector.model = std::string(in.sized());
  vector.index = static_cast<IndexKind>(in.u8());
  vector.m = in.u32();
  vector.ef_construction = in.u32();
  if (format_number >= 2) {
    vector.kind = static_cast<VectorKind>(in.u8());
    vector.idf = in.u8() != 0;
  }
  vector.id = format_number >= 3 ? in.u16() : position;
  if (vector.kind > VectorKind::kMulti) in.fail();
  if (vector.metric > Metric::kManhattan || vector.index > IndexKind::kFlat) in.fail();
  return vector;
}

void write_config(ByteWriter& out, const CollectionConfig& config) {
  out.varint(config.vectors.size());
  for (const VectorConfig& vector : config.vectors) write_vector(out, vector);
  out.u32(config.shard_count);
  out.u8(static_cast<std::uint8_t>(config.durability));
  out.u32(config.tail_vectors_max);
  write_words(out, config.words);
  write_payload_indexes(out, config.payload_indexes);
}

CollectionConfig read_config(ByteReader& in, std::uint8_t format_number) {
  CollectionConfig config;
  const std::uint64_t count = in.varint();
  if (count > limits::kVectorsPerCollectionMax) in.fail();
  for (std::uint64_t i = 0; in.ok() && i < count; ++i) {
    config.vectors.push_back(read_vector(in, format_number, static_cast<std::uint16_t>(i)));
  }
  config.shard_count = in.u32();
  config.durability = static_cast<Durability>(in.u8());
  if (config.durability > Durability::kAsync) in.fail();
  config.tail_vectors_max = in.u32();
  if (format_number >= 2) {
    config.words = read_words(in);
    config.payload_indexes = read_payload_indexes(in);
  }
  return config;
}

bool is_field_name(std::string_view name) {
  return name.size() <= 64 && std::all_of(name.begin(), name.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '_' || c == '-';
         });
}

Error bad_name(std::string_view field, std::string_view name, std::string_view what) {
  return Error{
      ErrorCode::kInvalidArgument,
      format("{}.name is '{}'; it must be {} of [A-Za-z0-9_-]", field, name.substr(0, 80), what),
      "invalid_name"};
}

Status validate_sparse(const VectorConfig& vector, const std::string& field) {
  const auto refuse = [&field](std::string_view member) {
    return Error{ErrorCode::kInvalidArgument,
                 format("{}.{} is given; a sparse vector has none", field, member),
                 "sparse_vector"};
  };
  if (vector.dim != 0) return refuse("dim");
  if (!vector.model.empty()) return refuse("model");
  return ok_status();
}

Status validate_vector(const VectorConfig& vector, std::size_t index) {
  const std::string field = format("vectors[{}]", index);
  if (!is_field_name(vector.name)) return bad_name(field, vector.name, "at most 64");
  if (vector.idf && vector.kind != VectorKind::kSparse) {
    return Error{ErrorCode::kInvalidArgument,
                 format("{}.idf is given; only a sparse vector has it", field), "not_sparse"};
  }
  if (vector.kind == VectorKind::kSparse) return validate_sparse(vector, field);
  if (vector.kind == VectorKind::kMulti && !vector.model.empty()) {
    return Error{ErrorCode::kInvalidArgument,
                 format("{}.model is '{}'; no model makes multivectors yet", field, vector.model),
                 "model_kind"};
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

Status validate_words(const WordsConfig& words, std::size_t index) {
  const std::string field = format("words[{}]", index);
  if (words.name.empty() || !is_field_name(words.name)) {
    return bad_name(field, words.name, "1 to 64");
  }
  const auto within = [&field](std::string_view member, double value, double high) -> Status {
    if (value >= 0 && value <= high) return ok_status();
    return Error{ErrorCode::kInvalidArgument,
                 format("{}.{} is {}; it must be from 0 to {}", field, member, value, high),
                 "out_of_range"};
  };
  QUIPU_TRY_OK(within("k1", words.k1, 10));
  return within("b", words.b, 1);
}

Status validate_names(const CollectionConfig& config) {
  std::set<std::string_view> names;
  const auto add = [&names](std::string_view list, std::size_t i, std::string_view name) -> Status {
    if (names.insert(name).second) return ok_status();
    return Error{ErrorCode::kInvalidArgument,
                 format("{}[{}].name '{}' is used twice", list, i, name), "duplicate_name"};
  };
  for (std::size_t i = 0; i < config.vectors.size(); ++i) {
    QUIPU_TRY_OK(add("vectors", i, config.vectors[i].name));
  }
  for (std::size_t i = 0; i < config.words.size(); ++i) {
    QUIPU_TRY_OK(add("words", i, config.words[i].name));
  }
  std::set<std::string_view> keys;
  for (const PayloadIndexConfig& index : config.payload_indexes) {
    if (!keys.insert(index.key).second) {
      return Error{ErrorCode::kInvalidArgument,
                   format("the payload key '{}' has two indexes", index.key), "duplicate_key"};
    }
  }
  return ok_status();
}

}  // namespace

bool VectorIds::contains(std::uint16_t id) const noexcept {
  if (id < kLow) return (low_ >> id & 1U) != 0;
  return std::binary_search(high_.begin(), high_.end(), id);
}

void VectorIds::insert(std::uint16_t id) {
  if (id < kLow) {
    low_ = static_cast<std::uint16_t>(low_ | 1U << id);
    return;
  }
  const auto at = std::lower_bound(high_.begin(), high_.end(), id);
  if (at == high_.end() || *at != id) high_.insert(at, id);
}

std::string encode_point_record(const PointRecord& record) {
  unsigned near = 0;
  std::vector<std::uint16_t> far;
  record.vectors.for_each([&](std::uint16_t id) {
    if (id < kNearVectors) {
      near |= 1U << id;
    } else {
      far.push_back(id);
    }
  });
  QUIPU_ASSERT(far.size() <= limits::kVectorsPerCollectionMax);
  std::string bytes;
  bytes.reserve(64 + record.payload.size() + (record.text ? record.text->size() : 0));
  ByteWriter out(bytes);
  out.u8(far.empty() ? kPointFormat : kFarPointFormat);
  out.u64(record.version);
  out.i64(record.created_us);
  out.i64(record.updated_us);
  out.u16(static_cast<std::uint16_t>(near));
  out.u8(static_cast<std::uint8_t>((record.text ? kHasText : 0) |
                                   (record.embedding ? kHasEmbedding : 0)));
  if (!far.empty()) {
    out.u8(static_cast<std::uint8_t>(far.size()));
    for (const std::uint16_t id : far) out.u16(id);
  }
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
  view.vectors = std::move(read_point_head(in, flags).vectors);
  if ((flags & kHasText) != 0) in.sized();
  if ((flags & kHasEmbedding) != 0) {
    in.sized();
    in.sized();
  }
  view.payload = in.bytes(in.left());
  if (!in.ok()) return damaged("point");
  return view;
}

Result<JsonDocument> parse_payload(const PointId& id, std::string_view payload) {
  auto parsed = JsonDocument::parse(payload);
  if (parsed.ok()) return parsed;
  return Error{ErrorCode::kCorruption,
               format("the payload of point {} is not JSON", id.to_string()), "damaged_record"};
}

Result<storage::OpVector> decode_vector(const VectorConfig& config, std::string_view bytes) {
  storage::OpVector vector{.vector_id = config.id, .values = {}, .indices = {}};
  const std::size_t numbers = bytes.size() / sizeof(float);
  const std::size_t row = config.dim;
  bool fits = bytes.size() % sizeof(float) == 0;
  switch (config.kind) {
    case VectorKind::kDense: fits = fits && numbers == row; break;
    case VectorKind::kMulti: fits = fits && numbers > 0 && numbers % row == 0; break;
    case VectorKind::kSparse: fits = fits && numbers % 2 == 0; break;
  }
  if (!fits) {
    return Error{
        ErrorCode::kCorruption,
        format("a stored vector '{}' has {} bytes, which do not fit it", config.name, bytes.size()),
        "damaged_record"};
  }
  const char* at = bytes.data();
  if (config.kind == VectorKind::kSparse) {
    vector.indices.resize(numbers / 2);
    if (numbers > 0) std::memcpy(vector.indices.data(), at, numbers / 2 * sizeof(std::uint32_t));
    at += numbers / 2 * sizeof(std::uint32_t);
  }
  vector.values.resize(config.kind == VectorKind::kSparse ? numbers / 2 : numbers);
  if (!vector.values.empty()) {
    std::memcpy(vector.values.data(), at, vector.values.size() * sizeof(float));
  }
  return vector;
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
  out.u32(record.next_view_id);
  out.u32(record.next_vector_id);
  return bytes;
}

Result<CollectionRecord> decode_collection_record(std::string_view bytes) {
  ByteReader in(bytes);
  CollectionRecord record;
  const std::uint8_t number = read_collection_format(in);
  record.id = CollectionId(in.u32());
  record.tenant = std::string(in.sized());
  record.name = std::string(in.sized());
  record.created_us = in.i64();
  record.config = read_config(in, number);
  const std::uint64_t shards = in.varint();
  if (shards != record.config.shard_count || shards > limits::kShardsPerCollectionMax) in.fail();
  for (std::uint64_t i = 0; in.ok() && i < shards; ++i) record.shards.emplace_back(in.u32());
  if (number >= 2) record.next_view_id = in.u32();
  record.next_vector_id =
      number >= 3 ? in.u32() : static_cast<std::uint32_t>(record.config.vectors.size());
  if (!in.ok() || in.left() != 0) return damaged("collection");
  return record;
}

void number_views(CollectionRecord& record) {
  for (VectorConfig& vector : record.config.vectors) {
    vector.id = static_cast<std::uint16_t>(record.next_vector_id++);
  }
  for (WordsConfig& words : record.config.words) words.view_id = record.next_view_id++;
  for (PayloadIndexConfig& index : record.config.payload_indexes) {
    index.view_id = record.next_view_id++;
  }
}

std::string encode_vector_config(const VectorConfig& vector) {
  std::string bytes;
  ByteWriter out(bytes);
  out.u8(kCollectionFormat);
  write_vector(out, vector);
  return bytes;
}

Result<VectorConfig> decode_vector_config(std::string_view bytes) {
  ByteReader in(bytes);
  VectorConfig vector = read_vector(in, read_collection_format(in), 0);
  if (!in.ok() || in.left() != 0) return damaged("vector configuration");
  return vector;
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
  const std::uint8_t number = read_collection_format(in);
  CollectionConfig config = read_config(in, number);
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
  write_words(out, patch.add_words);
  write_names(out, patch.drop_words);
  write_payload_indexes(out, patch.add_payload_indexes);
  write_names(out, patch.drop_payload_indexes);
  return bytes;
}

Result<CollectionPatch> decode_collection_patch(std::string_view bytes) {
  ByteReader in(bytes);
  CollectionPatch patch;
  const std::uint8_t number = read_collection_format(in);
  if (in.u8() != 0) {
    patch.durability = static_cast<Durability>(in.u8());
    if (*patch.durability > Durability::kAsync) in.fail();
  }
  if (in.u8() != 0) patch.tail_vectors_max = in.u32();
  if (number >= 2) {
    patch.add_words = read_words(in);
    patch.drop_words = read_names(in, limits::kWordsFieldsMax);
    patch.add_payload_indexes = read_payload_indexes(in);
    patch.drop_payload_indexes = read_names(in, limits::kPayloadIndexesMax);
  }
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

Result<CollectionConfig> apply_collection_patch(CollectionConfig config,
                                                const CollectionPatch& patch,
                                                std::uint32_t& next_view_id) {
  if (patch.durability) config.durability = *patch.durability;
  if (patch.tail_vectors_max) config.tail_vectors_max = *patch.tail_vectors_max;
  for (const std::string& name : patch.drop_words) {
    const auto same = [&name](const WordsConfig& words) { return words.name == name; };
    if (std::erase_if(config.words, same) == 0) {
      return Error{ErrorCode::kNotFound, format("there are no words '{}'", name.substr(0, 80)),
                   "words_not_found"};
    }
  }
  for (WordsConfig words : patch.add_words) {
    const bool there = std::any_of(config.words.begin(), config.words.end(),
                                   [&words](const auto& each) { return each.name == words.name; });
    if (there) {
      return Error{ErrorCode::kAlreadyExists, format("there are words '{}' already", words.name),
                   "words_exist"};
    }
    words.view_id = next_view_id++;
    config.words.push_back(std::move(words));
  }
  for (const std::string& key : patch.drop_payload_indexes) {
    const auto same = [&key](const PayloadIndexConfig& index) { return index.key == key; };
    if (std::erase_if(config.payload_indexes, same) == 0) {
      return Error{ErrorCode::kNotFound,
                   format("the payload key '{}' has no index", key.substr(0, 80)),
                   "index_not_found"};
    }
  }
  for (PayloadIndexConfig index : patch.add_payload_indexes) {
    std::erase_if(config.payload_indexes,
                  [&index](const auto& each) { return each.key == index.key; });
    index.view_id = next_view_id++;
    config.payload_indexes.push_back(std::move(index));
  }
  return config;
}

namespace {

Status refuse_vector(const CollectionConfig& config, std::string_view name) {
  const bool vector = std::any_of(config.vectors.begin(), config.vectors.end(),
                                  [name](const VectorConfig& each) { return each.name == name; });
  const bool words = std::any_of(config.words.begin(), config.words.end(),
                                 [name](const WordsConfig& each) { return each.name == name; });
  if (!vector && !words) return ok_status();
  return Error{ErrorCode::kAlreadyExists,
               format("there {} '{}' already", vector ? "is a vector" : "are words", name),
               "vector_exists"};
}

Status apply_vector_change(CollectionConfig& config, const storage::VectorNameChange& change,
                           std::uint32_t& next_vector_id) {
  using Kind = storage::VectorNameChange::Kind;
  if (change.kind == Kind::kAdd) {
    QUIPU_TRY(VectorConfig vector, decode_vector_config(change.detail));
    QUIPU_TRY_OK(refuse_vector(config, vector.name));
    if (config.vectors.size() >= limits::kVectorsPerCollectionMax) {
      return out_of_range("vectors count", config.vectors.size() + 1, 0,
                          limits::kVectorsPerCollectionMax);
    }
    if (next_vector_id >= kVectorIdEnd) {
      return Error{
          ErrorCode::kResourceExhausted,
          format("the collection has had {} vectors in its life, which is the limit", kVectorIdEnd),
          "vector_ids_used_up"};
    }
    vector.id = static_cast<std::uint16_t>(next_vector_id++);
    config.vectors.push_back(std::move(vector));
    return ok_status();
  }
  const auto found = std::find_if(config.vectors.begin(), config.vectors.end(),
                                  [&](const auto& each) { return each.name == change.name; });
  if (found == config.vectors.end()) {
    return Error{ErrorCode::kNotFound, format("there is no vector '{}'", change.name.substr(0, 80)),
                 "vector_not_found"};
  }
  if (change.kind == Kind::kDrop) {
    config.vectors.erase(found);
    return ok_status();
  }
  QUIPU_TRY_OK(refuse_vector(config, change.detail));
  found->name = change.detail;
  return ok_status();
}

}  // namespace

Result<CollectionConfig> apply_vector_changes(CollectionConfig config,
                                              const std::vector<storage::VectorNameChange>& changes,
                                              std::uint32_t& next_vector_id) {
  for (std::size_t i = 0; i < changes.size(); ++i) {
    Status applied = apply_vector_change(config, changes[i], next_vector_id);
    if (applied.ok()) continue;
    Error error = std::move(applied).error();
    if (changes.size() > 1) error.message = format("changes[{}]: {}", i, error.message);
    return error;
  }
  return config;
}

Status validate_collection_config(const CollectionConfig& config) {
  if (config.vectors.size() > limits::kVectorsPerCollectionMax) {
    return out_of_range("vectors count", config.vectors.size(), 0,
                        limits::kVectorsPerCollectionMax);
  }
  if (config.words.size() > limits::kWordsFieldsMax) {
    return out_of_range("words count", config.words.size(), 0, limits::kWordsFieldsMax);
  }
  if (config.payload_indexes.size() > limits::kPayloadIndexesMax) {
    return out_of_range("payload_indexes count", config.payload_indexes.size(), 0,
                        limits::kPayloadIndexesMax);
  }
  if (config.shard_count < 1 || config.shard_count > limits::kShardsPerCollectionMax) {
    return out_of_range("shard_count", config.shard_count, 1, limits::kShardsPerCollectionMax);
  }
  if (config.tail_vectors_max < 1'000 || config.tail_vectors_max > 10'000'000) {
    return out_of_range("tail_vectors_max", config.tail_vectors_max, 1'000, 10'000'000);
  }
  for (std::size_t i = 0; i < config.vectors.size(); ++i) {
    QUIPU_TRY_OK(validate_vector(config.vectors[i], i));
  }
  for (std::size_t i = 0; i < config.words.size(); ++i) {
    QUIPU_TRY_OK(validate_words(config.words[i], i));
  }
  return validate_names(config);
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
