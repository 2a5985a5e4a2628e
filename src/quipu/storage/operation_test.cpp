#include "quipu/storage/operation.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <limits>
#include <set>
#include <sstream>

#include "quipu/base/limits.h"
#include "quipu/storage/test_support.h"

namespace quipu::storage {
namespace {

// ---- Random operations. Sizes are mostly small; some reach into the multi-byte varints.

std::string random_text(Rng& rng) {
  return random_bytes(rng, rng.below(10) == 0 ? rng.below(400) : rng.below(12));
}

PointId random_id(Rng& rng) {
  if (rng.below(2) == 0) return PointId::number(rng.next() >> rng.below(64));
  const std::uint64_t high = rng.next();
  return PointId::uuid(high, rng.next());
}

OpCondition random_condition(Rng& rng) {
  OpCondition condition;
  if (rng.below(3) == 0) condition.if_version = rng.next() >> rng.below(64);
  condition.if_absent = rng.below(4) == 0;
  return condition;
}

std::vector<OpVector> random_vectors(Rng& rng) {
  std::vector<OpVector> vectors(rng.below(4));
  for (OpVector& vector : vectors) {
    vector.vector_id = static_cast<std::uint16_t>(rng.below(rng.below(8) == 0 ? 65'536 : 16));
    vector.values.resize(rng.below(8) == 0 ? rng.below(300) : rng.below(5));
    for (float& value : vector.values) value = static_cast<float>(rng.normal());
    if (rng.below(6) != 0) continue;
    vector.indices.resize(vector.values.size());
    std::uint32_t index = 0;
    for (std::uint32_t& each : vector.indices) {
      each = index;
      index += 1 + static_cast<std::uint32_t>(rng.below(1000));
    }
  }
  return vectors;
}

template <typename Point>
void random_content(Rng& rng, Point& point) {
  point.id = random_id(rng);
  if constexpr (requires { point.condition; }) point.condition = random_condition(rng);
  point.vectors = random_vectors(rng);
  if (rng.below(2) == 0) point.text = random_text(rng);
  if (rng.below(3) == 0) {
    point.embedding.emplace();
    point.embedding->model = random_bytes(rng, rng.below(20));
    point.embedding->revision = random_bytes(rng, rng.below(20));
  }
}

void random_change(Rng& rng, PatchPoint& point) {
  point.replace_payload = rng.below(2) == 0;
  point.delete_payload.resize(rng.below(4));
  for (std::string& key : point.delete_payload) key = random_text(rng);
  point.set_payload = random_text(rng);
  if (rng.below(2) == 0) return;
  std::set<std::uint16_t> deleted;
  for (std::size_t i = rng.below(4); i > 0; --i) {
    deleted.insert(static_cast<std::uint16_t>(rng.below(rng.below(8) == 0 ? 65'536 : 16)));
  }
  point.delete_vectors.assign(deleted.begin(), deleted.end());
  if (rng.below(2) == 0) point.set_key = random_text(rng);
  point.delete_paths.resize(rng.below(3));
  for (std::string& path : point.delete_paths) path = random_text(rng);
}

std::vector<PointId> random_candidates(Rng& rng) {
  std::set<PointId> ids;
  for (std::size_t i = rng.below(50); i > 0; --i) ids.insert(random_id(rng));
  return {ids.begin(), ids.end()};
}

UpdateAliasesOp random_aliases(Rng& rng) {
  UpdateAliasesOp op{random_text(rng).substr(0, 255), {}};
  op.changes.resize(rng.below(6));
  for (AliasChange& change : op.changes) {
    change.kind = static_cast<AliasChange::Kind>(rng.below(4));
    change.alias = random_text(rng).substr(0, 255);
    const bool target =
        change.kind == AliasChange::Kind::kPut || change.kind == AliasChange::Kind::kRename;
    if (target) change.target = random_text(rng).substr(0, 255);
  }
  return op;
}

ChangeVectorsOp random_vector_changes(Rng& rng) {
  ChangeVectorsOp op{random_text(rng).substr(0, 255), "notes", {}};
  op.changes.resize(rng.below(6));
  for (VectorNameChange& change : op.changes) {
    change.kind = static_cast<VectorNameChange::Kind>(rng.below(3));
    change.name = random_text(rng).substr(0, 255);
    if (change.kind != VectorNameChange::Kind::kDrop) change.detail = random_text(rng);
  }
  return op;
}

OpBody random_body(Rng& rng) {
  switch (rng.below(13)) {
    case 8: return random_aliases(rng);
    case 9: return random_vector_changes(rng);
    case 10: return BeginRecoveryOp{random_text(rng).substr(0, 255), "notes", random_text(rng)};
    case 11: return EndRecoveryOp{static_cast<std::uint32_t>(rng.next()), rng.below(2) == 0};
    case 12: {
      RestorePointsOp op;
      op.points.resize(rng.below(5));
      for (RestoredPoint& point : op.points) {
        random_content(rng, point);
        point.created_us = static_cast<std::int64_t>(rng.next());
        point.updated_us = static_cast<std::int64_t>(rng.next());
        point.payload = random_text(rng);
      }
      return op;
    }
    case 0: {
      UpsertOp op;
      op.points.resize(rng.below(5));
      for (UpsertPoint& point : op.points) {
        random_content(rng, point);
        point.payload = random_text(rng);
      }
      return op;
    }
    case 1: {
      PatchOp op;
      op.points.resize(rng.below(5));
      for (PatchPoint& point : op.points) {
        random_content(rng, point);
        random_change(rng, point);
      }
      return op;
    }
    case 2: {
      DeleteOp op;
      op.points.resize(rng.below(200));
      for (DeletePoint& point : op.points) {
        point.id = random_id(rng);
        point.condition = random_condition(rng);
      }
      return op;
    }
    case 3: return CreateCollectionOp{random_text(rng).substr(0, 255), "notes", random_text(rng)};
    case 4: return UpdateCollectionOp{"acme", random_text(rng).substr(0, 255), random_text(rng)};
    case 5: return DeleteByFilterOp{random_text(rng), random_candidates(rng)};
    case 6: {
      PatchByFilterOp op{random_text(rng), random_candidates(rng), {}};
      random_content(rng, op.patch);
      op.patch.id = {};
      op.patch.condition = {};
      random_change(rng, op.patch);
      return op;
    }
    default: return DropCollectionOp{random_text(rng).substr(0, 255), "notes"};
  }
}

Operation random_operation(Rng& rng) {
  Operation operation;
  operation.time_us = static_cast<std::int64_t>(rng.next());
  if (rng.below(2) == 0) {
    OpIdempotency& idempotency = operation.idempotency.emplace();
    idempotency.key = {rng.next(), rng.next()};
    idempotency.request = {rng.next(), rng.next()};
  }
  operation.body = random_body(rng);
  return operation;
}

TEST(Operation, WhatIsEncodedDecodesToItself) {
  Rng rng(test_seed());
  for (int round = 0; round < 1500; ++round) {
    const Operation operation = random_operation(rng);
    ASSERT_OK(validate_operation(operation));
    const std::string bytes = encode_operation(operation);
    ASSERT_EQ(bytes.size(), encoded_operation_size(operation));
    const auto decoded = decode_operation(bytes + random_bytes(rng, rng.below(20)));
    ASSERT_OK(decoded);
    ASSERT_EQ(decoded.value().size, bytes.size());
    ASSERT_EQ(decoded.value().operation, operation);
    ASSERT_EQ(encode_operation(decoded.value().operation), bytes);
  }
}

TEST(Operation, EncodingAppends) {
  std::string out = "before";
  const Operation operation{.time_us = 5, .idempotency = {}, .body = DropCollectionOp{"t", "n"}};
  encode_operation(operation, out);
  EXPECT_EQ(out, "before" + encode_operation(operation));
}

TEST(Operation, EverySingleByteFlipIsRefused) {
  Rng rng(test_seed());
  for (int round = 0; round < 30; ++round) {
    const std::string bytes = encode_operation(random_operation(rng));
    for (std::size_t place = 0; place < bytes.size(); ++place) {
      std::string damaged = bytes;
      damaged[place] = static_cast<char>(damaged[place] ^ static_cast<char>(1 + rng.below(255)));
      const auto decoded = decode_operation(damaged);
      ASSERT_FALSE(decoded.ok()) << "byte " << place << " of " << bytes.size();
      ASSERT_EQ(decoded.error().code, ErrorCode::kCorruption);
    }
  }
}

TEST(Operation, EveryCutIsRefused) {
  Rng rng(test_seed());
  for (int round = 0; round < 30; ++round) {
    const std::string bytes = encode_operation(random_operation(rng));
    for (std::size_t size = 0; size < bytes.size(); ++size) {
      ASSERT_FALSE(decode_operation(std::string_view(bytes).substr(0, size)).ok());
    }
  }
}

// Bytes changed behind a checksum that was made to fit: nothing crashes, and whatever is taken is
// canonical. This reaches the checks that a random flip never gets to.
TEST(Operation, DamageBehindAFittingChecksumIsRefusedOrCanonical) {
  Rng rng(test_seed());
  int refused = 0;
  int taken = 0;
  for (int round = 0; round < 20000; ++round) {
    std::string bytes = encode_operation(random_operation(rng));
    for (std::uint64_t flips = 1 + rng.below(3); flips > 0; --flips) {
      const std::size_t place = 6 + rng.below(bytes.size() - 10);
      bytes[place] = static_cast<char>(rng.below(256));
    }
    const std::uint32_t crc = crc32c(std::string_view(bytes).substr(0, bytes.size() - 4));
    bytes.resize(bytes.size() - 4);
    ByteWriter(bytes).u32(crc);
    const auto decoded = decode_operation(bytes);
    if (!decoded.ok()) {
      ASSERT_EQ(decoded.error().code, ErrorCode::kCorruption);
      ++refused;
      continue;
    }
    ++taken;
    ASSERT_EQ(encode_operation(decoded.value().operation), bytes);
  }
  EXPECT_GT(refused, 1000);
  EXPECT_GT(taken, 1000);
}

// ---- One bad part at a time, each behind a fitting checksum, each named.

class Raw {
 public:
  explicit Raw(std::uint8_t type, std::uint8_t flags = 0) {
    writer_.u32(kOperationMagic);
    writer_.u16(1);
    writer_.u8(type);
    writer_.u8(flags);
    writer_.u32(0);
    writer_.i64(1);
  }
  Raw(const Raw&) = delete;
  Raw& operator=(const Raw&) = delete;
  ByteWriter& writer() { return writer_; }
  // The error's message, or "" when the record is taken.
  std::string verdict() {
    std::string bytes = bytes_;
    const auto size = static_cast<std::uint32_t>(bytes.size() - 12);
    std::string size_bytes;
    ByteWriter(size_bytes).u32(size);
    bytes.replace(8, 4, size_bytes);
    ByteWriter(bytes).u32(crc32c(bytes));
    const auto decoded = decode_operation(bytes);
    return decoded.ok() ? "" : decoded.error().message;
  }

 private:
  std::string bytes_;
  ByteWriter writer_{bytes_};
};

TEST(Operation, EachBadPartIsNamed) {
  const auto expect = [](Raw& raw, const std::string& part) {
    EXPECT_NE(raw.verdict().find(part), std::string::npos) << raw.verdict() << " for " << part;
  };
  {
    Raw raw(6);
    expect(raw, "type 6");
  }
  {
    Raw raw(2, 2);
    raw.writer().varint(0);
    expect(raw, "unknown flags (2)");
  }
  {
    Raw raw(2);
    raw.writer().varint(limits::kBatchPointsMax + 1);
    expect(raw, "count of points is 10001");
  }
  {
    Raw raw(2);
    raw.writer().varint(100);
    expect(raw, "only 0 bytes are left");
  }
  {
    Raw raw(2);
    raw.writer().u8(0x80);  // the number 0 in two bytes
    raw.writer().u8(0);
    expect(raw, "shortest form");
  }
  {
    Raw raw(2);
    raw.writer().varint(1);
    raw.writer().u8(2);
    raw.writer().u64(1);
    raw.writer().u64(1);
    expect(raw, "unknown kind 2");
  }
  {
    Raw raw(2);
    raw.writer().varint(1);
    raw.writer().u8(0);
    raw.writer().u64(1);
    raw.writer().u8(4);  // a text flag on a delete
    expect(raw, "unknown flags (4)");
  }
  {
    Raw raw(2);
    raw.writer().varint(0);
    raw.writer().u8(0);
    expect(raw, "1 bytes are left inside");
  }
  {
    Raw raw(5);
    raw.writer().sized(std::string(limits::kNameBytesMax + 1, 'x'));
    raw.writer().sized("name");
    expect(raw, "tenant name's size is 256");
  }
}

std::string one_vector(std::uint16_t index, std::size_t dim, float value) {
  Raw raw(0);
  raw.writer().varint(1);
  raw.writer().u8(0);
  raw.writer().u64(1);
  raw.writer().u8(0);
  raw.writer().u8(1);
  raw.writer().u16(index);
  raw.writer().varint(dim);
  raw.writer().floats(std::vector<float>(dim, value));
  raw.writer().sized("{}");
  return raw.verdict();
}

TEST(Operation, VectorsAreCheckedAtTheirLimits) {
  EXPECT_EQ(one_vector(15, 2, 1.0F), "");
  EXPECT_EQ(one_vector(0, limits::kDimMax, 1.0F), "");
  EXPECT_EQ(one_vector(0, 3, std::numeric_limits<float>::max()), "");
  EXPECT_EQ(one_vector(0, 3, std::numeric_limits<float>::denorm_min()), "");
  // Versions before 4 have no such ids.
  EXPECT_NE(one_vector(16, 2, 1.0F).find("is not the lowest for it"), std::string::npos);
  EXPECT_NE(one_vector(0, limits::kDimMax + 1, 1.0F).find("count of values is 65537"),
            std::string::npos);
  for (const float bad :
       {std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity(),
        std::nanf("1"), -std::nanf("")}) {
    EXPECT_NE(one_vector(3, 7, bad).find("vector 3 holds a value"), std::string::npos);
  }
}

TEST(Operation, TheVersionAndMagicAreNamed) {
  std::string bytes = encode_operation({.time_us = 1, .idempotency = {}, .body = DeleteOp{}});
  bytes[4] = static_cast<char>(kOperationVersion + 1);
  EXPECT_NE(decode_operation(bytes).error().message.find("version is 5"), std::string::npos);
  bytes[0] = 'X';
  EXPECT_NE(decode_operation(bytes).error().message.find("magic"), std::string::npos);
}

// ---- What may not enter a log is found before it does.

TEST(Operation, ValidationHoldsTheLimits) {
  const auto verdict = [](OpBody body) {
    const Status status =
        validate_operation({.time_us = 0, .idempotency = {}, .body = std::move(body)});
    if (status.ok()) return std::string();
    EXPECT_EQ(status.error().code, ErrorCode::kInvalidArgument);
    return status.error().message;
  };
  const auto upsert = [](UpsertPoint point) { return UpsertOp{{std::move(point)}}; };
  UpsertPoint fits;
  fits.text = std::string(limits::kTextBytesMax, 't');
  fits.payload = std::string(limits::kPayloadBytesMax, 'p');
  fits.vectors.resize(limits::kVectorsPerCollectionMax);
  fits.vectors[0].values.resize(limits::kDimMax);
  EXPECT_EQ(verdict(upsert(fits)), "");

  UpsertPoint point = fits;
  point.text->push_back('t');
  EXPECT_NE(verdict(upsert(point)).find("text's size is 1048577"), std::string::npos);
  point = fits;
  point.payload.push_back('p');
  EXPECT_NE(verdict(upsert(point)).find("payload's size is 1048577"), std::string::npos);
  point = fits;
  point.vectors.emplace_back();
  EXPECT_NE(verdict(upsert(point)).find("count of vectors is 17"), std::string::npos);
  point = fits;
  point.vectors[0].values.resize(limits::kVectorValuesMax + 1);
  EXPECT_NE(verdict(upsert(point)).find("count of values is 1048577"), std::string::npos);
  point = fits;
  point.vectors[0].values[77] = std::nanf("");
  EXPECT_NE(verdict(upsert(point)).find("vector 0"), std::string::npos);
  point = fits;
  point.embedding = OpEmbedding{.model = std::string(256, 'm'), .revision = ""};
  EXPECT_NE(verdict(upsert(point)).find("model name's size is 256"), std::string::npos);
  point.embedding = OpEmbedding{.model = "m", .revision = std::string(256, 'r')};
  EXPECT_NE(verdict(upsert(point)).find("revision's size is 256"), std::string::npos);

  PatchPoint patch;
  patch.delete_payload.resize(kDeletePayloadKeysMax);
  EXPECT_EQ(verdict(PatchOp{{patch}}), "");
  patch.delete_payload.emplace_back();
  EXPECT_NE(verdict(PatchOp{{patch}}).find("deleted keys is 1025"), std::string::npos);

  DeleteOp many;
  many.points.resize(limits::kBatchPointsMax);
  EXPECT_EQ(verdict(many), "");
  many.points.emplace_back();
  EXPECT_NE(verdict(many).find("count of points is 10001"), std::string::npos);

  UpsertOp large;
  large.points.resize(70);
  for (UpsertPoint& p : large.points) p.payload = fits.payload;
  EXPECT_NE(verdict(large).find("size in bytes"), std::string::npos);
  EXPECT_NE(verdict(CreateCollectionOp{"t", std::string(256, 'n'), ""}).find("collection name"),
            std::string::npos);
}

// What is beyond the limits has an encoding, which nobody reads back.
TEST(Operation, WhatIsNotValidIsEncodedAndRefused) {
  DeleteOp many;
  many.points.resize(limits::kBatchPointsMax + 1);
  const Operation operation{.time_us = 0, .idempotency = {}, .body = many};
  ASSERT_FALSE(validate_operation(operation).ok());
  const auto decoded = decode_operation(encode_operation(operation));
  ASSERT_FALSE(decoded.ok());
  EXPECT_EQ(decoded.error().code, ErrorCode::kCorruption);
}

TEST(OperationDeathTest, WhatHasNoEncodingIsABug) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  UpsertPoint point;
  point.vectors.resize(256);
  const Operation operation{.time_us = 0, .idempotency = {}, .body = UpsertOp{{point}}};
  EXPECT_DEATH(static_cast<void>(encode_operation(operation)), "vectors.size");
}

// ---- The golden file: one operation of each type, version 1 for ever.

std::vector<Operation> golden_operations() {
  UpsertPoint numbered;
  numbered.id = PointId::number(42);
  numbered.condition.if_version = 7;
  numbered.vectors = {{.vector_id = 0, .values = {0.5F, -1.25F, 3.0e-39F}},
                      {.vector_id = 3, .values = {1.0F}}};
  numbered.text = "Grüße aus Cusco";
  numbered.embedding = OpEmbedding{.model = "all-MiniLM-L6-v2", .revision = "53aa5117"};
  numbered.payload = R"({"lang":"de"})";
  UpsertPoint named;
  named.id = PointId::uuid(0x0123'4567'89ab'cdef, 0xfedc'ba98'7654'3210);
  named.condition.if_absent = true;
  named.payload = "{}";
  PatchPoint patched;
  patched.id = PointId::number(std::numeric_limits<std::uint64_t>::max());
  patched.replace_payload = true;
  patched.delete_payload = {"a", "b.c"};
  patched.set_payload = R"({"x":[1,2]})";
  patched.text = "";
  DeletePoint removed;
  removed.id = PointId::number(0);
  removed.condition.if_version = 0;
  OpIdempotency once{.key = {1, 2}, .request = {3, 4}};
  std::vector<Operation> all;
  all.push_back({1'700'000'000'000'000, once, UpsertOp{{numbered, named}}});
  all.push_back({-1, std::nullopt, PatchOp{{patched}}});
  all.push_back({0, std::nullopt, DeleteOp{{removed}}});
  all.push_back({5, std::nullopt, CreateCollectionOp{"default", "memories", "config bytes"}});
  all.push_back({6, once, UpdateCollectionOp{"default", "memories", "patch bytes"}});
  all.push_back({7, std::nullopt, DropCollectionOp{"default", "memories"}});
  return all;
}

// What version 2 added.
std::vector<Operation> golden_operations_2() {
  UpsertPoint sparse;
  sparse.id = PointId::number(9);
  sparse.vectors = {{.vector_id = 1, .values = {0.25F, -2.0F}, .indices = {0, 4'000'000'000}},
                    {.vector_id = 2, .values = {0.5F}}};
  sparse.payload = "{}";
  PatchPoint patched;
  patched.id = PointId::number(10);
  patched.delete_vectors = {1, 15};
  patched.set_key = "a.b[0]";
  patched.delete_paths = {"c[].d"};
  patched.set_payload = R"({"x":1})";
  PatchPoint change;
  change.delete_payload = {"old"};
  std::vector<Operation> all;
  all.push_back({8, std::nullopt, UpsertOp{{sparse}}});
  all.push_back({9, std::nullopt, PatchOp{{patched}}});
  all.push_back({10, OpIdempotency{.key = {5, 6}, .request = {7, 8}},
                 DeleteByFilterOp{R"({"must":[]})", {PointId::number(1), PointId::uuid(1, 2)}}});
  all.push_back(
      {11, std::nullopt, PatchByFilterOp{R"({"must":[]})", {PointId::number(3)}, change}});
  return all;
}

// What version 3 added.
std::vector<Operation> golden_operations_3() {
  using Kind = AliasChange::Kind;
  std::vector<Operation> all;
  all.push_back({12, std::nullopt,
                 UpdateAliasesOp{"default",
                                 {{Kind::kPut, "live", "notes-2"},
                                  {Kind::kDelete, "old", ""},
                                  {Kind::kRename, "next", "live"},
                                  {Kind::kDeleteIfThere, "maybe", ""}}}});
  all.push_back({13, OpIdempotency{.key = {1, 2}, .request = {3, 4}},
                 UpdateAliasesOp{"acme", {{Kind::kPut, "a", "b"}}}});
  return all;
}

// What version 4 added.
std::vector<Operation> golden_operations_4() {
  using Kind = VectorNameChange::Kind;
  UpsertPoint far;
  far.id = PointId::number(11);
  far.vectors = {{.vector_id = 16, .values = {0.5F}},
                 {.vector_id = 65'535, .values = {1.0F}, .indices = {3}}};
  far.payload = "{}";
  PatchPoint patched;
  patched.id = PointId::number(12);
  patched.delete_vectors = {2, 300};
  PatchPoint change;
  change.delete_vectors = {16};
  RestoredPoint restored;
  restored.id = PointId::uuid(1, 2);
  restored.created_us = -5;
  restored.updated_us = 1'700'000'000'000'000;
  restored.vectors = {{.vector_id = 1, .values = {0.25F, 4.0F}}};
  restored.text = "ayllu";
  restored.embedding = OpEmbedding{.model = "m", .revision = "r"};
  restored.payload = R"({"a":1})";
  std::vector<Operation> all;
  all.push_back({14, std::nullopt,
                 ChangeVectorsOp{"default",
                                 "notes",
                                 {{Kind::kAdd, "late", "config bytes"},
                                  {Kind::kDrop, "old", ""},
                                  {Kind::kRename, "late", "old"}}}});
  all.push_back({15, std::nullopt, BeginRecoveryOp{"default", "notes", "config bytes"}});
  all.push_back({16, std::nullopt, EndRecoveryOp{77, true}});
  all.push_back({17, std::nullopt, EndRecoveryOp{78, false}});
  all.push_back({18, std::nullopt, RestorePointsOp{{restored}}});
  all.push_back({19, std::nullopt, UpsertOp{{far}}});
  all.push_back({20, std::nullopt, PatchOp{{patched}}});
  all.push_back({21, std::nullopt, PatchByFilterOp{"{}", {PointId::number(3)}, change}});
  return all;
}

TEST(Operation, ChangesOfVectorsAreChecked) {
  const auto refusal = [](OpBody body) {
    const Operation operation{.time_us = 1, .idempotency = {}, .body = std::move(body)};
    const Status checked = validate_operation(operation);
    return checked.ok() ? std::string() : checked.error().message;
  };
  ChangeVectorsOp op{"t", "c", {{VectorNameChange::Kind::kDrop, "a", ""}}};
  EXPECT_EQ(refusal(op), "");
  op.changes[0].detail = "b";
  EXPECT_NE(refusal(op).find("dropping of a vector has a detail"), std::string::npos);
  op.changes[0] = {VectorNameChange::Kind::kAdd, std::string(256, 'a'), "b"};
  EXPECT_NE(refusal(op).find("vector name's size is 256"), std::string::npos);
  op.changes.assign(limits::kVectorChangesMax, {VectorNameChange::Kind::kAdd, "a", "b"});
  EXPECT_EQ(refusal(op), "");
  op.changes.emplace_back();
  EXPECT_NE(refusal(op).find("count of vector changes is 65"), std::string::npos);
  PatchPoint patch;
  patch.delete_vectors = {4, 4};
  EXPECT_NE(refusal(PatchOp{{patch}}).find("do not ascend at 4"), std::string::npos);
  patch.delete_vectors.clear();
  for (std::uint16_t id = 0; id < 17; ++id) patch.delete_vectors.push_back(id);
  EXPECT_NE(refusal(PatchOp{{patch}}).find("deleted vectors is 17"), std::string::npos);
  for (std::uint8_t type = 9; type <= 12; ++type) {
    Raw early(type);
    EXPECT_NE(early.verdict().find("is unknown to its version"), std::string::npos);
  }
}

TEST(Operation, ChangesOfAliasesAreChecked) {
  const auto refusal = [](const UpdateAliasesOp& op) {
    const Operation operation{.time_us = 1, .idempotency = {}, .body = op};
    const Status checked = validate_operation(operation);
    return checked.ok() ? std::string() : checked.error().message;
  };
  UpdateAliasesOp op{"t", {{AliasChange::Kind::kDelete, "a", ""}}};
  EXPECT_EQ(refusal(op), "");
  op.changes[0].target = "b";
  EXPECT_NE(refusal(op).find("deletion of an alias has a target"), std::string::npos);
  op.changes[0] = {AliasChange::Kind::kPut, std::string(256, 'a'), "b"};
  EXPECT_NE(refusal(op).find("alias's size is 256"), std::string::npos);
  op.changes[0] = {AliasChange::Kind::kPut, "a", std::string(256, 'b')};
  EXPECT_NE(refusal(op).find("target is 256"), std::string::npos);
  op.changes.assign(limits::kAliasChangesMax, {AliasChange::Kind::kPut, "a", "b"});
  EXPECT_EQ(refusal(op), "");
  op.changes.emplace_back();
  EXPECT_NE(refusal(op).find("count of alias changes is 10001"), std::string::npos);
  op = {std::string(256, 't'), {}};
  EXPECT_NE(refusal(op).find("tenant name's size is 256"), std::string::npos);
  Raw early(8);
  EXPECT_NE(early.verdict().find("type 8 is unknown to its version"), std::string::npos);
}

// Run once with QUIPU_WRITE_GOLDEN=1 when a new version is made; never to make this test pass.
void expect_golden(const std::string& name, const std::vector<Operation>& operations) {
  const std::string path = std::string(QUIPU_SOURCE_DIR) + "/tests/golden/" + name;
  std::string expected;
  for (const Operation& operation : operations) encode_operation(operation, expected);
  if (std::getenv("QUIPU_WRITE_GOLDEN") != nullptr) {
    std::ofstream(path, std::ios::binary) << expected;
  }
  std::ifstream file(path, std::ios::binary);
  ASSERT_TRUE(file.is_open()) << path;
  std::stringstream content;
  content << file.rdbuf();
  const std::string golden = content.str();
  EXPECT_EQ(golden, expected);
  std::string_view rest = golden;
  for (const Operation& operation : operations) {
    const auto decoded = decode_operation(rest);
    ASSERT_OK(decoded);
    EXPECT_EQ(decoded.value().operation, operation);
    rest.remove_prefix(decoded.value().size);
  }
  EXPECT_TRUE(rest.empty());
}

TEST(Operation, TheGoldenFileOfVersion1StillReads) {
  expect_golden("operation_v1.bin", golden_operations());
}
TEST(Operation, TheGoldenFileOfVersion2StillReads) {
  expect_golden("operation_v2.bin", golden_operations_2());
}
TEST(Operation, TheGoldenFileOfVersion3StillReads) {
  expect_golden("operation_v3.bin", golden_operations_3());
}

TEST(Operation, TheGoldenFileOfVersion4StillReads) {
  expect_golden("operation_v4.bin", golden_operations_4());
}

TEST(Operation, AVersionAboveWhatIsNeededIsRefused) {
  std::string bytes = encode_operation(golden_operations().back());
  bytes[4] = 2;
  std::string checksum;
  ByteWriter(checksum).u32(crc32c(std::string_view(bytes).substr(0, bytes.size() - 4)));
  bytes.replace(bytes.size() - 4, 4, checksum);
  const auto decoded = decode_operation(bytes);
  ASSERT_FALSE(decoded.ok());
  EXPECT_NE(decoded.error().message.find("version 2 is not the lowest"), std::string::npos);
}

TEST(Operation, SparseVectorsAndCandidatesAscend) {
  UpsertPoint point;
  point.vectors = {{.vector_id = 0, .values = {1, 2}, .indices = {7, 7}}};
  Operation operation{.time_us = 0, .idempotency = {}, .body = UpsertOp{{point}}};
  ASSERT_FALSE(validate_operation(operation).ok());
  EXPECT_NE(validate_operation(operation).error().message.find("do not ascend at 7"),
            std::string::npos);
  EXPECT_FALSE(decode_operation(encode_operation(operation)).ok());
  operation.body = DeleteByFilterOp{"{}", {PointId::number(4), PointId::number(3)}};
  EXPECT_NE(validate_operation(operation).error().message.find("do not ascend at 4"),
            std::string::npos);
}

}  // namespace
}  // namespace quipu::storage
