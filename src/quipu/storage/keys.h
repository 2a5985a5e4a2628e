// The keys of the store: what stands where in each column family.
//
// Every key begins with its shard, big-endian, so that a shard's data of a family is one range.
// Numbers in keys are big-endian and encodings are of fixed length or the key's last part, so the
// order of the bytes is the order of what they mean: ids as PointId orders them, log numbers,
// times.
//
//   family             key after the shard
//   points, access     point id
//   vectors            u16 vector id, point id
//   log                u64 log number
//   dedup              'k' digest   |   't' i64 time, digest
//   meta               'a' (applied number)   |   "c/" tenant 0 name   |   "l/" tenant 0 alias   |
//                      "n/" name of a counter
//   views              name 0 u64 covered log number
//
// A point id is u8 kind (0 number, 1 UUID), then 8 or 16 bytes.
// Decoders check everything and return kCorruption ("key_damaged") naming the bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "quipu/base/bytes.h"
#include "quipu/ids.h"
#include "quipu/result.h"

namespace quipu::storage {

// Half open: [begin, end).
struct KeyRange {
  std::string begin;
  std::string end;
};

// The highest shard that keys can be made for, so that every range has an end.
inline constexpr std::uint32_t kShardIdMax = 0xffff'fffe;

// All keys of a shard in any one family.
[[nodiscard]] KeyRange shard_range(ShardId shard);
[[nodiscard]] std::string shard_prefix(ShardId shard);
// The shard that a key of any family begins with.
[[nodiscard]] Result<ShardId> decode_shard(std::string_view key);

// The least key that is greater than every key beginning with `prefix`; `prefix` holds at least one
// byte that is not 0xff.
[[nodiscard]] std::string after_prefix(std::string_view prefix);

// Families points and access.
[[nodiscard]] std::string point_key(ShardId shard, const PointId& id);
struct PointKey {
  ShardId shard;
  PointId id;
  friend bool operator==(const PointKey&, const PointKey&) = default;
};
[[nodiscard]] Result<PointKey> decode_point_key(std::string_view key);

// Family vectors. `vector_id`: as the collection's configuration numbers it.
[[nodiscard]] std::string vector_key(ShardId shard, std::uint16_t vector_id, const PointId& id);
// All vectors of one id of a shard.
[[nodiscard]] KeyRange vector_range(ShardId shard, std::uint16_t vector_id);
struct VectorKey {
  ShardId shard;
  std::uint16_t vector_id = 0;
  PointId id;
  friend bool operator==(const VectorKey&, const VectorKey&) = default;
};
[[nodiscard]] Result<VectorKey> decode_vector_key(std::string_view key);

// Family log.
[[nodiscard]] std::string log_key(ShardId shard, Seq seq);
// The operations from `first` up to and without `last`.
[[nodiscard]] KeyRange log_range(ShardId shard, Seq first, Seq last);
struct LogKey {
  ShardId shard;
  Seq seq;
  friend bool operator==(const LogKey&, const LogKey&) = default;
};
[[nodiscard]] Result<LogKey> decode_log_key(std::string_view key);

// Family dedup: by digest to look up, by time to forget the oldest.
[[nodiscard]] std::string dedup_key(ShardId shard, const Digest128& digest);
[[nodiscard]] Result<Digest128> decode_dedup_key(std::string_view key);
[[nodiscard]] std::string dedup_time_key(ShardId shard, std::int64_t time_us,
                                         const Digest128& digest);
struct DedupTimeKey {
  ShardId shard;
  std::int64_t time_us = 0;
  Digest128 digest;
  friend bool operator==(const DedupTimeKey&, const DedupTimeKey&) = default;
};
[[nodiscard]] Result<DedupTimeKey> decode_dedup_time_key(std::string_view key);
// Everything that was remembered before `before_us`.
[[nodiscard]] KeyRange dedup_time_range(ShardId shard, std::int64_t before_us);

// Family meta. The number of the last operation that the shard's state holds.
[[nodiscard]] std::string applied_key(ShardId shard);
// `name`: not empty, no byte 0.
[[nodiscard]] std::string counter_key(ShardId shard, std::string_view name);
// A collection's record in the system shard. `tenant`: no byte 0, which would let two collections
// share a key; callers have checked names against the catalogue's rules.
[[nodiscard]] std::string catalogue_key(std::string_view tenant, std::string_view name);
// All collections of a tenant, and those of all tenants.
[[nodiscard]] KeyRange catalogue_range(std::string_view tenant);
[[nodiscard]] KeyRange catalogue_range();
struct CatalogueKey {
  std::string tenant;
  std::string name;
  friend bool operator==(const CatalogueKey&, const CatalogueKey&) = default;
};
[[nodiscard]] Result<CatalogueKey> decode_catalogue_key(std::string_view key);

// An alias's record in the system shard; as the collections' in everything.
[[nodiscard]] std::string alias_key(std::string_view tenant, std::string_view alias);
[[nodiscard]] KeyRange alias_range();  // all aliases of all tenants
[[nodiscard]] Result<CatalogueKey> decode_alias_key(std::string_view key);

// Family views: the checkpoints of a view, oldest first. `view`: not empty, no byte 0.
[[nodiscard]] std::string view_key(ShardId shard, std::string_view view, Seq covered);
[[nodiscard]] KeyRange view_range(ShardId shard, std::string_view view);
struct ViewKey {
  ShardId shard;
  std::string view;
  Seq covered;
  friend bool operator==(const ViewKey&, const ViewKey&) = default;
};
[[nodiscard]] Result<ViewKey> decode_view_key(std::string_view key);

}  // namespace quipu::storage
