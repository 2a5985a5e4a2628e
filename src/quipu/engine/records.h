// What the state's keys hold: point records, a shard's meta record, collection records.
// Formats: docs/format/state.md.
//
// Threads: pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "quipu/base/json.h"
#include "quipu/engine.h"
#include "quipu/ids.h"
#include "quipu/result.h"
#include "quipu/storage/operation.h"

namespace quipu::engine {

// Which vectors a point has, by their ids. Those of vectors that the collection has dropped since
// are still there until the point is next written, and mean nothing.
class VectorIds {
 public:
  [[nodiscard]] bool contains(std::uint16_t id) const noexcept;
  void insert(std::uint16_t id);
  // Calls visit(id) by ascending id.
  template <typename Visit>
  void for_each(const Visit& visit) const {
    for (std::uint16_t id = 0; id < kLow; ++id) {
      if ((low_ >> id & 1U) != 0) visit(id);
    }
    for (const std::uint16_t id : high_) visit(id);
  }
  friend bool operator==(const VectorIds&, const VectorIds&) = default;

 private:
  static constexpr std::uint16_t kLow = 16;  // most collections never have a higher one
  std::uint16_t low_ = 0;                    // a mask
  std::vector<std::uint16_t> high_;          // ascending
};

// One point without its vectors.
struct PointRecord {
  std::uint64_t version = 0;
  std::int64_t created_us = 0;
  std::int64_t updated_us = 0;
  VectorIds vectors;
  std::optional<std::string> text;
  std::optional<storage::OpEmbedding> embedding;
  std::string payload;
  friend bool operator==(const PointRecord&, const PointRecord&) = default;
};
[[nodiscard]] std::string encode_point_record(const PointRecord& record);
// Errors: kCorruption.
[[nodiscard]] Result<PointRecord> decode_point_record(std::string_view bytes);
// Only the fixed-size head (version, times, vectors), without copying text and payload.
[[nodiscard]] Result<PointRecord> decode_point_head(std::string_view bytes);

// What a filter needs of a point record; borrowed from its bytes.
struct PointView {
  VectorIds vectors;
  std::string_view payload;
};
// Errors: kCorruption.
[[nodiscard]] Result<PointView> view_point_record(std::string_view bytes);
// A stored payload. Errors: kCorruption naming the point.
[[nodiscard]] Result<JsonDocument> parse_payload(const PointId& id, std::string_view payload);

// What the state holds of one vector: dense values, a multivector's rows, or a sparse vector's
// indices and then its weights. Errors: kCorruption when the size does not fit the configuration.
[[nodiscard]] Result<storage::OpVector> decode_vector(const VectorConfig& config,
                                                      std::string_view bytes);

// One shard's counters, stored in the batch that changes them.
struct ShardMeta {
  Seq applied;  // the last operation whose effects are in the state
  std::uint64_t points = 0;
  std::uint64_t idempotency_keys = 0;
  friend bool operator==(const ShardMeta&, const ShardMeta&) = default;
};
[[nodiscard]] std::string encode_shard_meta(const ShardMeta& meta);
[[nodiscard]] Result<ShardMeta> decode_shard_meta(std::string_view bytes);

struct CollectionRecord {
  CollectionId id;
  std::string tenant;
  std::string name;
  CollectionConfig config;
  std::int64_t created_us = 0;
  std::vector<ShardId> shards;
  std::uint32_t next_view_id = 1;    // of words and payload indexes; never given twice
  std::uint32_t next_vector_id = 0;  // as above; beyond 65,535: none is left
};
// A configuration for a new collection: its views get their numbers.
void number_views(CollectionRecord& record);

[[nodiscard]] std::string encode_collection_record(const CollectionRecord& record);
[[nodiscard]] Result<CollectionRecord> decode_collection_record(std::string_view bytes);

// What an alias names: a collection's own name.
[[nodiscard]] std::string encode_alias_record(std::string_view collection);
[[nodiscard]] Result<std::string> decode_alias_record(std::string_view bytes);

// The configuration as an operation carries it.
[[nodiscard]] std::string encode_collection_config(const CollectionConfig& config);
[[nodiscard]] Result<CollectionConfig> decode_collection_config(std::string_view bytes);
[[nodiscard]] std::string encode_collection_patch(const CollectionPatch& patch);
[[nodiscard]] Result<CollectionPatch> decode_collection_patch(std::string_view bytes);

// One vector's configuration, as an operation that adds it carries it.
[[nodiscard]] std::string encode_vector_config(const VectorConfig& vector);
[[nodiscard]] Result<VectorConfig> decode_vector_config(std::string_view bytes);

// What an idempotency key remembers of its write.
struct IdempotencyRecord {
  Digest128 request;
  std::int64_t time_us = 0;
  Seq seq;
  std::vector<ItemResult> items;
};
[[nodiscard]] std::string encode_idempotency_record(const IdempotencyRecord& record);
[[nodiscard]] Result<IdempotencyRecord> decode_idempotency_record(std::string_view bytes);

// The configuration after the patch, whose views get numbers from `next_view_id` on. Errors:
// kAlreadyExists (words of that name), kNotFound (what is to be dropped).
[[nodiscard]] Result<CollectionConfig> apply_collection_patch(CollectionConfig config,
                                                              const CollectionPatch& patch,
                                                              std::uint32_t& next_view_id);
// The vectors after the changes; new ones get ids from `next_vector_id` on. Errors: kAlreadyExists
// ("vector_exists"), kNotFound ("vector_not_found"), kInvalidArgument and kResourceExhausted for
// too many; with several changes, naming the change.
[[nodiscard]] Result<CollectionConfig> apply_vector_changes(
    CollectionConfig config, const std::vector<storage::VectorNameChange>& changes,
    std::uint32_t& next_vector_id);
// Errors: kInvalidArgument naming the field, its value and its limits.
[[nodiscard]] Status validate_collection_config(const CollectionConfig& config);
// Tenants and collections: 1..255 of [A-Za-z0-9_.-], not beginning with '.'.
[[nodiscard]] Status validate_name(std::string_view what, std::string_view name);

}  // namespace quipu::engine
