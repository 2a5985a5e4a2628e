#include "quipu/storage/keys.h"

#include <algorithm>
#include <utility>

#include "quipu/assert.h"

namespace quipu::storage {
namespace {

constexpr std::uint8_t kNumberKey = 0;
constexpr std::uint8_t kUuidKey = 1;
constexpr char kDedupByKey = 'k';
constexpr char kDedupByTime = 't';
constexpr char kApplied = 'a';
constexpr std::string_view kCatalogue = "c/";
constexpr std::string_view kAlias = "l/";
constexpr std::string_view kCounter = "n/";
constexpr ShardId kSystemShard{0};

// Orders as the signed numbers do when compared as unsigned: the sign bit turned over.
constexpr std::uint64_t kSignBit = std::uint64_t{1} << 63U;

std::uint64_t ordered(std::int64_t value) noexcept {
  return static_cast<std::uint64_t>(value) ^ kSignBit;
}

std::int64_t from_ordered(std::uint64_t value) noexcept {
  return static_cast<std::int64_t>(value ^ kSignBit);
}

void put_u16_big_endian(ByteWriter& writer, std::uint16_t value) {
  writer.u8(static_cast<std::uint8_t>(value >> 8U));
  writer.u8(static_cast<std::uint8_t>(value & 0xffU));
}

std::uint16_t u16_big_endian(ByteReader& reader) {
  const auto high = static_cast<unsigned>(reader.u8());
  return static_cast<std::uint16_t>((high << 8U) | reader.u8());
}

// Begins a key: the shard, and room for the rest.
std::string begin_key(ShardId shard) {
  QUIPU_ASSERT(shard.value() <= kShardIdMax);
  std::string key;
  key.reserve(32);
  ByteWriter(key).u32_big_endian(shard.value());
  return key;
}

void put_id(ByteWriter& writer, const PointId& id) {
  writer.u8(id.is_uuid() ? kUuidKey : kNumberKey);
  if (id.is_uuid()) writer.u64_big_endian(id.high());
  writer.u64_big_endian(id.low());
}

PointId read_id(ByteReader& reader) {
  const std::uint8_t kind = reader.u8();
  if (kind == kNumberKey) return PointId::number(reader.u64_big_endian());
  if (kind != kUuidKey) {
    reader.fail();
    return {};
  }
  const std::uint64_t high = reader.u64_big_endian();
  return PointId::uuid(high, reader.u64_big_endian());
}

void put_digest(ByteWriter& writer, const Digest128& digest) {
  writer.u64_big_endian(digest.high);
  writer.u64_big_endian(digest.low);
}

Digest128 read_digest(ByteReader& reader) {
  const std::uint64_t high = reader.u64_big_endian();
  return Digest128{.high = high, .low = reader.u64_big_endian()};
}

ShardId read_shard(ByteReader& reader) {
  const std::uint32_t value = reader.u32_big_endian();
  if (value > kShardIdMax) reader.fail();
  return ShardId(value);
}

Error damaged_key(std::string_view what, std::string_view key) {
  constexpr char kDigits[] = "0123456789abcdef";
  constexpr std::size_t kShownMax = 64;
  std::string hex;
  for (const char c : key.substr(0, kShownMax)) {
    hex.push_back(kDigits[static_cast<unsigned char>(c) >> 4U]);
    hex.push_back(kDigits[static_cast<unsigned char>(c) & 15U]);
  }
  if (key.size() > kShownMax) hex += "...";
  return Error{.code = ErrorCode::kCorruption,
               .message = "a key of the store is no " + std::string(what) + ": " + hex,
               .reason = "key_damaged"};
}

// Whether everything was read and nothing is left.
bool complete(const ByteReader& reader) { return reader.ok() && reader.left() == 0; }

}  // namespace

std::string shard_prefix(ShardId shard) { return begin_key(shard); }

KeyRange shard_range(ShardId shard) {
  std::string begin = begin_key(shard);
  std::string end;
  ByteWriter(end).u32_big_endian(shard.value() + 1);
  return {std::move(begin), std::move(end)};
}

Result<ShardId> decode_shard(std::string_view key) {
  ByteReader reader(key);
  const ShardId shard = read_shard(reader);
  if (!reader.ok()) return damaged_key("key of a shard", key);
  return shard;
}

std::string after_prefix(std::string_view prefix) {
  std::string end(prefix);
  while (!end.empty() && static_cast<unsigned char>(end.back()) == 0xff) end.pop_back();
  QUIPU_ASSERT(!end.empty());
  end.back() = static_cast<char>(static_cast<unsigned char>(end.back()) + 1);
  return end;
}

std::string point_key(ShardId shard, const PointId& id) {
  std::string key = begin_key(shard);
  ByteWriter writer(key);
  put_id(writer, id);
  return key;
}

Result<PointKey> decode_point_key(std::string_view key) {
  ByteReader reader(key);
  PointKey decoded;
  decoded.shard = read_shard(reader);
  decoded.id = read_id(reader);
  if (!complete(reader)) return damaged_key("point's key", key);
  return decoded;
}

std::string vector_key(ShardId shard, std::uint16_t vector_id, const PointId& id) {
  std::string key = begin_key(shard);
  ByteWriter writer(key);
  put_u16_big_endian(writer, vector_id);
  put_id(writer, id);
  return key;
}

KeyRange vector_range(ShardId shard, std::uint16_t vector_id) {
  std::string begin = begin_key(shard);
  ByteWriter writer(begin);
  put_u16_big_endian(writer, vector_id);
  std::string end = after_prefix(begin);
  return {std::move(begin), std::move(end)};
}

Result<VectorKey> decode_vector_key(std::string_view key) {
  ByteReader reader(key);
  VectorKey decoded;
  decoded.shard = read_shard(reader);
  decoded.vector_id = u16_big_endian(reader);
  decoded.id = read_id(reader);
  if (!complete(reader)) return damaged_key("vector's key", key);
  return decoded;
}

std::string log_key(ShardId shard, Seq seq) {
  std::string key = begin_key(shard);
  ByteWriter(key).u64_big_endian(seq.value());
  return key;
}

KeyRange log_range(ShardId shard, Seq first, Seq last) {
  return {log_key(shard, first), log_key(shard, last)};
}

Result<LogKey> decode_log_key(std::string_view key) {
  ByteReader reader(key);
  LogKey decoded;
  decoded.shard = read_shard(reader);
  decoded.seq = Seq(reader.u64_big_endian());
  if (!complete(reader)) return damaged_key("log number's key", key);
  return decoded;
}

std::string dedup_key(ShardId shard, const Digest128& digest) {
  std::string key = begin_key(shard);
  key.push_back(kDedupByKey);
  ByteWriter writer(key);
  put_digest(writer, digest);
  return key;
}

Result<Digest128> decode_dedup_key(std::string_view key) {
  ByteReader reader(key);
  read_shard(reader);
  if (reader.u8() != static_cast<std::uint8_t>(kDedupByKey)) reader.fail();
  const Digest128 digest = read_digest(reader);
  if (!complete(reader)) return damaged_key("idempotency key", key);
  return digest;
}

std::string dedup_time_key(ShardId shard, std::int64_t time_us, const Digest128& digest) {
  std::string key = begin_key(shard);
  key.push_back(kDedupByTime);
  ByteWriter writer(key);
  writer.u64_big_endian(ordered(time_us));
  put_digest(writer, digest);
  return key;
}

Result<DedupTimeKey> decode_dedup_time_key(std::string_view key) {
  ByteReader reader(key);
  DedupTimeKey decoded;
  decoded.shard = read_shard(reader);
  if (reader.u8() != static_cast<std::uint8_t>(kDedupByTime)) reader.fail();
  decoded.time_us = from_ordered(reader.u64_big_endian());
  decoded.digest = read_digest(reader);
  if (!complete(reader)) return damaged_key("time of an idempotency key", key);
  return decoded;
}

KeyRange dedup_time_range(ShardId shard, std::int64_t before_us) {
  std::string begin = begin_key(shard);
  begin.push_back(kDedupByTime);
  std::string end = begin;
  ByteWriter(end).u64_big_endian(ordered(before_us));
  return {std::move(begin), std::move(end)};
}

std::string applied_key(ShardId shard) {
  std::string key = begin_key(shard);
  key.push_back(kApplied);
  return key;
}

std::string counter_key(ShardId shard, std::string_view name) {
  QUIPU_ASSERT(!name.empty());
  QUIPU_ASSERT(name.find('\0') == std::string_view::npos);
  std::string key = begin_key(shard);
  key.append(kCounter).append(name);
  return key;
}

namespace {

std::string named_prefix(std::string_view kind, std::string_view tenant) {
  QUIPU_ASSERT(tenant.find('\0') == std::string_view::npos);
  std::string prefix = begin_key(kSystemShard);
  prefix.append(kind).append(tenant).push_back('\0');
  return prefix;
}

KeyRange named_range(std::string_view kind) {
  std::string begin = begin_key(kSystemShard);
  begin.append(kind);
  std::string end = after_prefix(begin);
  return {std::move(begin), std::move(end)};
}

Result<CatalogueKey> decode_named(const KeyRange& range, std::string_view what,
                                  std::string_view key) {
  const std::string& prefix = range.begin;
  const std::size_t separator =
      key.starts_with(prefix) ? key.find('\0', prefix.size()) : std::string_view::npos;
  if (separator == std::string_view::npos) return damaged_key(what, key);
  return CatalogueKey{.tenant = std::string(key.substr(prefix.size(), separator - prefix.size())),
                      .name = std::string(key.substr(separator + 1))};
}

}  // namespace

std::string catalogue_key(std::string_view tenant, std::string_view name) {
  return named_prefix(kCatalogue, tenant).append(name);
}

KeyRange catalogue_range(std::string_view tenant) {
  std::string begin = named_prefix(kCatalogue, tenant);
  std::string end = after_prefix(begin);
  return {std::move(begin), std::move(end)};
}

KeyRange catalogue_range() { return named_range(kCatalogue); }

Result<CatalogueKey> decode_catalogue_key(std::string_view key) {
  return decode_named(catalogue_range(), "collection's key", key);
}

std::string alias_key(std::string_view tenant, std::string_view alias) {
  return named_prefix(kAlias, tenant).append(alias);
}

KeyRange alias_range() { return named_range(kAlias); }

Result<CatalogueKey> decode_alias_key(std::string_view key) {
  return decode_named(alias_range(), "alias's key", key);
}

std::string view_key(ShardId shard, std::string_view view, Seq covered) {
  std::string key = view_range(shard, view).begin;
  ByteWriter(key).u64_big_endian(covered.value());
  return key;
}

KeyRange view_range(ShardId shard, std::string_view view) {
  QUIPU_ASSERT(!view.empty());
  QUIPU_ASSERT(view.find('\0') == std::string_view::npos);
  std::string begin = begin_key(shard);
  begin.append(view).push_back('\0');
  std::string end = after_prefix(begin);
  return {std::move(begin), std::move(end)};
}

Result<ViewKey> decode_view_key(std::string_view key) {
  ByteReader reader(key);
  ViewKey decoded;
  decoded.shard = read_shard(reader);
  const std::string_view rest = reader.bytes(reader.left());
  const std::size_t separator = rest.find('\0');
  if (!reader.ok() || separator == std::string_view::npos || separator == 0) {
    return damaged_key("view checkpoint's key", key);
  }
  decoded.view = std::string(rest.substr(0, separator));
  ByteReader number(rest.substr(separator + 1));
  decoded.covered = Seq(number.u64_big_endian());
  if (!complete(number)) return damaged_key("view checkpoint's key", key);
  return decoded;
}

}  // namespace quipu::storage
