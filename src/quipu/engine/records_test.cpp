// Goal: every record decodes to what was encoded, and damaged bytes are refused, not misread.
#include "quipu/engine/records.h"

#include <gtest/gtest.h>

#include "quipu/base/bytes.h"
#include "quipu/base/rng.h"
#include "quipu/base/test_support.h"

namespace quipu::engine {
namespace {

VectorIds ids(std::initializer_list<std::uint16_t> list) {
  VectorIds made;
  for (const std::uint16_t id : list) made.insert(id);
  return made;
}

TEST(Records, VectorIdsAreASet) {
  VectorIds set = ids({3, 400, 15, 16, 400, 3});
  std::vector<std::uint16_t> seen;
  set.for_each([&seen](std::uint16_t id) { seen.push_back(id); });
  EXPECT_EQ(seen, (std::vector<std::uint16_t>{3, 15, 16, 400}));
  EXPECT_TRUE(set.contains(16));
  EXPECT_FALSE(set.contains(17));
  EXPECT_FALSE(set.contains(0));
}

TEST(Records, PointsWithHighVectorIdsHaveTheirOwnFormat) {
  PointRecord record{.version = 1, .vectors = ids({2, 16, 65'535}), .payload = "{}"};
  std::string bytes = encode_point_record(record);
  EXPECT_EQ(bytes[0], 2);
  EXPECT_EQ(decode_point_record(bytes).value(), record);
  EXPECT_EQ(view_point_record(bytes).value().vectors, record.vectors);
  EXPECT_EQ(view_point_record(bytes).value().payload, "{}");
  for (std::size_t size = 0; size < bytes.size() - 2; ++size) {
    EXPECT_FALSE(decode_point_record(std::string_view(bytes).substr(0, size)).ok()) << size;
  }
  bytes[29] = 5;  // the first of the high ones, below 16
  EXPECT_FALSE(decode_point_record(bytes).ok());
}

// As earlier releases wrote them: a vector's id was its position.
TEST(Records, CollectionsOfEarlierFormatsStillRead) {
  const auto vector = [](ByteWriter& out, std::string_view name) {
    out.sized(name);
    out.u32(4);
    out.u8(0);
    out.sized("");
    out.u8(0);
    out.u32(16);
    out.u32(200);
    out.u8(0);
    out.u8(0);
  };
  std::string bytes;
  ByteWriter out(bytes);
  out.u8(2);
  out.u32(7);
  out.sized("t");
  out.sized("n");
  out.i64(9);
  out.varint(2);
  vector(out, "a");
  vector(out, "b");
  out.u32(1);
  out.u8(0);
  out.u32(50'000);
  out.varint(0);
  out.varint(0);
  out.varint(1);
  out.u32(3);
  out.u32(5);
  const auto decoded = decode_collection_record(bytes);
  ASSERT_EQ(why_not(decoded), "");
  EXPECT_EQ(decoded.value().config.vectors[1].name, "b");
  EXPECT_EQ(decoded.value().config.vectors[1].id, 1);
  EXPECT_EQ(decoded.value().next_view_id, 5U);
  EXPECT_EQ(decoded.value().next_vector_id, 2U);
}

TEST(Records, PointsRoundTrip) {
  PointRecord record{.version = 77,
                     .created_us = -5,
                     .updated_us = 1'700'000'000'000'000,
                     .vectors = ids({0, 15}),
                     .text = "caf\xc3\xa9",
                     .embedding = storage::OpEmbedding{.model = "m", .revision = "r"},
                     .payload = R"({"a":1})"};
  EXPECT_EQ(decode_point_record(encode_point_record(record)).value(), record);
  record.text.reset();
  record.embedding.reset();
  const std::string bytes = encode_point_record(record);
  EXPECT_EQ(decode_point_record(bytes).value(), record);
  EXPECT_EQ(decode_point_head(bytes).value().version, 77U);
  // Every cut of the fixed part is noticed.
  for (std::size_t size = 0; size < 28; ++size) {
    EXPECT_FALSE(decode_point_record(std::string_view(bytes).substr(0, size)).ok()) << size;
  }
  std::string other = bytes;
  other[0] = 9;
  EXPECT_FALSE(decode_point_record(other).ok());
}

TEST(Records, ShardsAndCollectionsRoundTrip) {
  const ShardMeta meta{.applied = Seq(5), .points = 6, .idempotency_keys = 7};
  const std::string shard = encode_shard_meta(meta);
  EXPECT_EQ(decode_shard_meta(shard).value(), meta);
  EXPECT_FALSE(decode_shard_meta(shard + "x").ok());
  CollectionRecord record{.id = CollectionId(3), .tenant = "t", .name = "n", .created_us = 9};
  record.config.vectors = {{.name = "", .dim = 4},
                           {.name = "b",
                            .dim = 5,
                            .metric = Metric::kDot,
                            .model = "m",
                            .index = IndexKind::kFlat,
                            .m = 3,
                            .ef_construction = 9}};
  record.config.shard_count = 2;
  record.config.durability = Durability::kAsync;
  record.shards = {ShardId(4), ShardId(5)};
  const std::string bytes = encode_collection_record(record);
  const auto decoded = decode_collection_record(bytes);
  ASSERT_EQ(why_not(decoded), "");
  EXPECT_EQ(encode_collection_record(decoded.value()), bytes);
  EXPECT_EQ(decoded.value().config.vectors[1].model, "m");
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(decode_collection_record(std::string_view(bytes).substr(0, size)).ok()) << size;
  }
  const CollectionPatch patch{.tail_vectors_max = 5};
  EXPECT_EQ(decode_collection_patch(encode_collection_patch(patch)).value().tail_vectors_max, 5U);
}

TEST(Records, IdempotencyRoundTripsAndRandomBytesAreRefusedOrSane) {
  IdempotencyRecord record{.request = {1, 2}, .time_us = 3, .seq = Seq(4)};
  record.items.push_back({.id = PointId::uuid(1, 2),
                          .outcome = ItemOutcome::kRefused,
                          .version = 5,
                          .error = Error{ErrorCode::kNotFound, "gone", "point_not_found"},
                          .truncated = true,
                          .token_count = 9});
  const std::string bytes = encode_idempotency_record(record);
  const auto decoded = decode_idempotency_record(bytes);
  ASSERT_EQ(why_not(decoded), "");
  EXPECT_EQ(decoded.value().items[0].error->reason, "point_not_found");
  EXPECT_EQ(encode_idempotency_record(decoded.value()), bytes);
  Rng rng(test_seed());
  for (int i = 0; i < 20'000; ++i) {
    std::string damaged = bytes;
    damaged[static_cast<std::size_t>(rng.below(damaged.size()))] =
        static_cast<char>(rng.below(256));
    damaged.resize(static_cast<std::size_t>(rng.below(damaged.size() + 1)));
    // Must not crash or read beyond; sanitizers watch.
    static_cast<void>(decode_idempotency_record(damaged).ok());
    static_cast<void>(decode_point_record(damaged).ok());
    static_cast<void>(decode_collection_record(damaged).ok());
  }
}

TEST(Records, NamesAreChecked) {
  for (const char* good : {"a", "A-b_c.9", "0"}) EXPECT_TRUE(validate_name("x", good).ok()) << good;
  for (const char* bad : {"", ".a", "a b", "a/b", "\xc3\xa9"}) {
    EXPECT_FALSE(validate_name("x", bad).ok()) << bad;
  }
  EXPECT_TRUE(validate_name("x", std::string(255, 'a')).ok());
  EXPECT_FALSE(validate_name("x", std::string(256, 'a')).ok());
}

}  // namespace
}  // namespace quipu::engine
