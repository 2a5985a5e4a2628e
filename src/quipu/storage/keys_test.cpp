#include "quipu/storage/keys.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <tuple>
#include <vector>

#include "quipu/storage/test_support.h"

namespace quipu::storage {
namespace {

// Numbers where an order breaks if it breaks: around zero, around each byte's and the sign's carry.
std::uint64_t edgy(Rng& rng) {
  switch (rng.below(4)) {
    case 0: return rng.below(3);
    case 1: return std::numeric_limits<std::uint64_t>::max() - rng.below(3);
    case 2: return (std::uint64_t{1} << (8 * rng.below(8))) + rng.below(3) - 1;
    default: return rng.next();
  }
}

ShardId random_shard(Rng& rng) {
  return ShardId(static_cast<std::uint32_t>(
      std::min<std::uint64_t>(edgy(rng) >> (rng.below(2) * 32), kShardIdMax)));
}

PointId random_edgy_id(Rng& rng) {
  if (rng.below(2) == 0) return PointId::number(edgy(rng));
  const std::uint64_t high = edgy(rng);
  return PointId::uuid(high, edgy(rng));
}

int sign(std::strong_ordering order) { return order < 0 ? -1 : order > 0 ? 1 : 0; }
int sign(int order) { return order < 0 ? -1 : order > 0 ? 1 : 0; }

// For random values: the order of the keys is the order of the values, and keys decode to them.
template <typename Make, typename Encode, typename Decode>
void check_order(Rng& rng, const Make& make, const Encode& encode, const Decode& decode) {
  for (int round = 0; round < 2000; ++round) {
    const auto a = make(rng);
    const auto b = rng.below(8) == 0 ? a : make(rng);
    const std::string key_a = encode(a);
    const std::string key_b = encode(b);
    ASSERT_EQ(sign(a <=> b), sign(key_a.compare(key_b)));
    const auto decoded = decode(key_a);
    ASSERT_OK(decoded);
    ASSERT_EQ(decoded.value(), a);
    // A key that is cut short or goes on is refused, never read as another.
    ASSERT_FALSE(decode(std::string_view(key_a).substr(0, rng.below(key_a.size()))).ok());
    ASSERT_FALSE(decode(key_a + '\1').ok());
  }
}

TEST(Keys, PointKeysOrderAsShardThenId) {
  Rng rng(test_seed());
  using Value = std::tuple<ShardId, PointId>;
  check_order(
      rng, [](Rng& r) { return Value(random_shard(r), random_edgy_id(r)); },
      [](const Value& v) { return point_key(std::get<0>(v), std::get<1>(v)); },
      [](std::string_view key) -> Result<Value> {
        QUIPU_TRY(const PointKey read, decode_point_key(key));
        return Value(read.shard, read.id);
      });
}

TEST(Keys, VectorKeysOrderAsShardIndexId) {
  Rng rng(test_seed());
  using Value = std::tuple<ShardId, std::uint16_t, PointId>;
  check_order(
      rng,
      [](Rng& r) {
        return Value(random_shard(r), static_cast<std::uint16_t>(edgy(r) & 0xffffU),
                     random_edgy_id(r));
      },
      [](const Value& v) { return vector_key(std::get<0>(v), std::get<1>(v), std::get<2>(v)); },
      [](std::string_view key) -> Result<Value> {
        QUIPU_TRY(const VectorKey read, decode_vector_key(key));
        return Value(read.shard, read.vector_id, read.id);
      });
}

TEST(Keys, LogKeysOrderAsShardThenNumber) {
  Rng rng(test_seed());
  using Value = std::tuple<ShardId, Seq>;
  check_order(
      rng, [](Rng& r) { return Value(random_shard(r), Seq(edgy(r))); },
      [](const Value& v) { return log_key(std::get<0>(v), std::get<1>(v)); },
      [](std::string_view key) -> Result<Value> {
        QUIPU_TRY(const LogKey read, decode_log_key(key));
        return Value(read.shard, read.seq);
      });
}

TEST(Keys, DedupTimesOrderAlsoBefore1970) {
  Rng rng(test_seed());
  using Value = std::tuple<ShardId, std::int64_t, Digest128>;
  check_order(
      rng,
      [](Rng& r) {
        const auto time_us = static_cast<std::int64_t>(edgy(r));
        const std::uint64_t high = edgy(r);
        return Value(random_shard(r), time_us, Digest128{high, edgy(r)});
      },
      [](const Value& v) { return dedup_time_key(std::get<0>(v), std::get<1>(v), std::get<2>(v)); },
      [](std::string_view key) -> Result<Value> {
        QUIPU_TRY(const DedupTimeKey read, decode_dedup_time_key(key));
        return Value(read.shard, read.time_us, read.digest);
      });
}

TEST(Keys, ViewKeysOrderByCoveredNumberWithinAView) {
  Rng rng(test_seed());
  using Value = std::tuple<ShardId, std::string, Seq>;
  check_order(
      rng,
      [](Rng& r) {
        std::string name(1 + r.below(3), 'a');
        for (char& c : name) c = static_cast<char>('a' + r.below(2));
        return Value(random_shard(r), std::move(name), Seq(edgy(r)));
      },
      [](const Value& v) { return view_key(std::get<0>(v), std::get<1>(v), std::get<2>(v)); },
      [](std::string_view key) -> Result<Value> {
        QUIPU_TRY(ViewKey read, decode_view_key(key));
        return Value(read.shard, std::move(read.view), read.covered);
      });
}

TEST(Keys, RangesHoldExactlyTheirKeys) {
  Rng rng(test_seed());
  const auto inside = [](const KeyRange& range, std::string_view key) {
    return range.begin <= key && key < range.end;
  };
  for (int round = 0; round < 2000; ++round) {
    const ShardId shard = random_shard(rng);
    const ShardId other = random_shard(rng);
    const auto index = static_cast<std::uint16_t>(rng.below(3));
    const auto other_index = static_cast<std::uint16_t>(rng.below(3));
    const PointId id = random_edgy_id(rng);
    ASSERT_EQ(inside(shard_range(shard), point_key(other, id)), shard == other);
    ASSERT_EQ(inside(shard_range(shard), vector_key(other, index, id)), shard == other);
    ASSERT_EQ(inside(vector_range(shard, index), vector_key(shard, other_index, id)),
              index == other_index);
    const Seq first(edgy(rng));
    const Seq last(edgy(rng));
    const Seq probe(edgy(rng));
    ASSERT_EQ(inside(log_range(shard, first, last), log_key(shard, probe)),
              first <= probe && probe < last);
    const auto time_us = static_cast<std::int64_t>(edgy(rng));
    const auto probe_us = static_cast<std::int64_t>(edgy(rng));
    const Digest128 digest{edgy(rng), edgy(rng)};
    ASSERT_EQ(inside(dedup_time_range(shard, time_us), dedup_time_key(shard, probe_us, digest)),
              probe_us < time_us);
    ASSERT_FALSE(inside(dedup_time_range(shard, time_us), dedup_key(shard, digest)));
    ASSERT_TRUE(inside(view_range(shard, "ab"), view_key(shard, "ab", probe)));
    ASSERT_FALSE(inside(view_range(shard, "ab"), view_key(shard, "abc", probe)));
    ASSERT_FALSE(inside(view_range(shard, "ab"), view_key(shard, "a", probe)));
  }
}

TEST(Keys, MetaKeysDoNotMeet) {
  const ShardId system(0);
  const KeyRange catalogue = catalogue_range();
  const KeyRange aliases = alias_range();
  for (const std::string& key : {applied_key(system), counter_key(system, "shards"),
                                 point_key(system, PointId::number(1))}) {
    EXPECT_FALSE(catalogue.begin <= key && key < catalogue.end);
    EXPECT_FALSE(aliases.begin <= key && key < aliases.end);
    EXPECT_FALSE(decode_catalogue_key(key).ok());
    EXPECT_FALSE(decode_alias_key(key).ok());
  }
  const std::string alias = alias_key("acme", "notes");
  EXPECT_FALSE(catalogue.begin <= alias && alias < catalogue.end);
  EXPECT_TRUE(aliases.begin <= alias && alias < aliases.end);
  EXPECT_FALSE(decode_catalogue_key(alias).ok());
  EXPECT_FALSE(decode_alias_key(catalogue_key("acme", "notes")).ok());
  EXPECT_EQ(decode_alias_key(alias).value(), (CatalogueKey{.tenant = "acme", .name = "notes"}));
  EXPECT_NE(applied_key(system), applied_key(ShardId(1)));
  EXPECT_EQ(decode_shard(applied_key(ShardId(7))).value(), ShardId(7));
  EXPECT_FALSE(decode_shard("abc").ok());
  EXPECT_FALSE(decode_shard("\xff\xff\xff\xff").ok());
}

TEST(Keys, CatalogueKeysKeepTenantsApart) {
  const std::string key = catalogue_key("acme", "notes");
  const auto decoded = decode_catalogue_key(key);
  ASSERT_OK(decoded);
  EXPECT_EQ(decoded.value(), (CatalogueKey{.tenant = "acme", .name = "notes"}));
  // The same letters, cut elsewhere, are another key and lie in another tenant's range.
  const std::string other = catalogue_key("acmen", "otes");
  EXPECT_NE(key, other);
  const KeyRange acme = catalogue_range("acme");
  EXPECT_TRUE(acme.begin <= key && key < acme.end);
  EXPECT_FALSE(acme.begin <= other && other < acme.end);
  EXPECT_TRUE(catalogue_range().begin <= other && other < catalogue_range().end);
}

TEST(Keys, DedupKeysRoundTrip) {
  const Digest128 digest{0x0123'4567'89ab'cdef, 42};
  const std::string key = dedup_key(ShardId(9), digest);
  ASSERT_EQ(decode_dedup_key(key).value(), digest);
  EXPECT_FALSE(decode_dedup_key(dedup_time_key(ShardId(9), 5, digest)).ok());
  EXPECT_FALSE(decode_dedup_time_key(key).ok());
}

TEST(Keys, UnknownIdKindsAreRefusedByName) {
  std::string key = point_key(ShardId(1), PointId::number(2));
  key[4] = 2;
  const auto decoded = decode_point_key(key);
  ASSERT_FALSE(decoded.ok());
  EXPECT_EQ(decoded.error().code, ErrorCode::kCorruption);
  EXPECT_EQ(decoded.error().reason, "key_damaged");
  EXPECT_NE(decoded.error().message.find("0000000102"), std::string::npos)
      << decoded.error().message;
}

TEST(Keys, AfterPrefixCarries) {
  EXPECT_EQ(after_prefix("a"), "b");
  EXPECT_EQ(after_prefix("a\xff\xff"), "b");
  EXPECT_EQ(after_prefix(std::string("\0\xff", 2)), "\1");
}

}  // namespace
}  // namespace quipu::storage
