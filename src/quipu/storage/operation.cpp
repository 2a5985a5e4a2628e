#include "quipu/storage/operation.h"

#include <algorithm>
#include <bit>
#include <initializer_list>
#include <limits>
#include <type_traits>
#include <utility>

#include "quipu/assert.h"
#include "quipu/base/limits.h"

namespace quipu::storage {
namespace {

// Format: docs/format/operation.md, which names these.
constexpr std::size_t kHeaderBytes = 12;  // magic, version, type, flags, size of what follows
constexpr std::size_t kChecksumBytes = 4;
constexpr std::uint8_t kHasIdempotency = 1U << 0U;  // the operation's only flag

constexpr std::uint8_t kHasIfVersion = 1U << 0U;
constexpr std::uint8_t kIfAbsent = 1U << 1U;
constexpr std::uint8_t kHasText = 1U << 2U;
constexpr std::uint8_t kHasEmbedding = 1U << 3U;
constexpr std::uint8_t kReplacePayload = 1U << 4U;
constexpr std::uint8_t kDeleteFlags = kHasIfVersion | kIfAbsent;
constexpr std::uint8_t kUpsertFlags = kDeleteFlags | kHasText | kHasEmbedding;
constexpr std::uint8_t kPatchFlags = kUpsertFlags | kReplacePayload;
constexpr std::uint8_t kHasMore = 1U << 5U;  // version 2, patch: vectors to delete, paths
constexpr std::uint8_t kRestoreFlags = kHasText | kHasEmbedding;

// Version 2: the forms of a vector.
constexpr std::uint8_t kDenseForm = 0;
constexpr std::uint8_t kSparseForm = 1;

constexpr std::uint8_t kNumberId = 0;
constexpr std::uint8_t kUuidId = 1;

// What a point takes at least: bounds the memory that a false count can ask for.
constexpr std::size_t kDeletePointBytesMin = 10;
constexpr std::size_t kUpsertPointBytesMin = 12;
constexpr std::size_t kPatchPointBytesMin = 13;
constexpr std::size_t kIdBytesMin = 9;
constexpr std::size_t kAliasChangeBytesMin = 2;
constexpr std::size_t kVectorChangeBytesMin = 2;
constexpr std::size_t kRestoredPointBytesMin = 28;

// Vector ids below this fit the mask of versions 2 and 3.
constexpr std::uint16_t kMaskedVectors = 16;

// Counts what a ByteWriter would write.
class ByteCounter {
 public:
  void u8(std::uint8_t) { size_ += 1; }
  void u16(std::uint16_t) { size_ += 2; }
  void u32(std::uint32_t) { size_ += 4; }
  void u64(std::uint64_t) { size_ += 8; }
  void i64(std::int64_t) { size_ += 8; }
  void varint(std::uint64_t v) {
    size_ += (static_cast<std::size_t>(std::bit_width(v | 1U)) + 6) / 7;
  }
  void sized(std::string_view v) {
    varint(v.size());
    size_ += v.size();
  }
  void floats(std::span<const float> v) { size_ += v.size_bytes(); }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }

 private:
  std::size_t size_ = 0;
};

// ---- Which version an operation needs.

bool needs_version_2(const std::vector<OpVector>& vectors) {
  return std::any_of(vectors.begin(), vectors.end(), [](const OpVector& vector) {
    return !vector.indices.empty() || vector.values.size() > limits::kDimMax;
  });
}

bool needs_version_4(const std::vector<OpVector>& vectors) {
  return std::any_of(vectors.begin(), vectors.end(),
                     [](const OpVector& vector) { return vector.vector_id >= kMaskedVectors; });
}

template <typename Point>
bool point_needs_version_4(const Point& point) {
  if constexpr (requires { point.delete_vectors; }) {
    if (!point.delete_vectors.empty() && point.delete_vectors.back() >= kMaskedVectors) return true;
  }
  if constexpr (requires { point.vectors; }) return needs_version_4(point.vectors);
  return false;
}

bool is_version_4(const OpBody& body) {
  return std::visit(
      [](const auto& op) {
        using Op = std::decay_t<decltype(op)>;
        if constexpr (std::is_same_v<Op, ChangeVectorsOp> || std::is_same_v<Op, BeginRecoveryOp> ||
                      std::is_same_v<Op, EndRecoveryOp> || std::is_same_v<Op, RestorePointsOp>) {
          return true;
        } else if constexpr (requires { op.patch.delete_vectors; }) {
          return point_needs_version_4(op.patch);
        } else if constexpr (requires { op.points; }) {
          return std::any_of(op.points.begin(), op.points.end(),
                             [](const auto& point) { return point_needs_version_4(point); });
        } else {
          return false;
        }
      },
      body);
}

bool has_more(const PatchPoint& point) {
  return !point.delete_vectors.empty() || !point.set_key.empty() || !point.delete_paths.empty();
}

bool names_target(AliasChange::Kind kind) {
  return kind == AliasChange::Kind::kPut || kind == AliasChange::Kind::kRename;
}

std::uint16_t version_of(const OpBody& body) {
  if (is_version_4(body)) return 4;
  if (std::holds_alternative<UpdateAliasesOp>(body)) return 3;
  const bool second = std::visit(
      [](const auto& op) {
        using Op = std::decay_t<decltype(op)>;
        if constexpr (requires { op.candidates; }) return true;
        if constexpr (std::is_same_v<Op, UpsertOp> || std::is_same_v<Op, PatchOp>) {
          return std::any_of(op.points.begin(), op.points.end(), [](const auto& point) {
            if constexpr (requires { point.set_key; }) {
              if (has_more(point)) return true;
            }
            return needs_version_2(point.vectors);
          });
        }
        return false;
      },
      body);
  return second ? 2 : 1;
}

// ---- Encoding, to a ByteWriter or a ByteCounter.

template <typename Sink>
void put(Sink& sink, const PointId& id) {
  sink.u8(id.is_uuid() ? kUuidId : kNumberId);
  if (id.is_uuid()) sink.u64(id.high());
  sink.u64(id.low());
}

template <typename Sink>
void put(Sink& sink, const std::vector<OpVector>& vectors, std::uint16_t version) {
  QUIPU_ASSERT(vectors.size() <= std::numeric_limits<std::uint8_t>::max());
  sink.u8(static_cast<std::uint8_t>(vectors.size()));
  for (const OpVector& vector : vectors) {
    sink.u16(vector.vector_id);
    const bool sparse = !vector.indices.empty();
    if (version >= 2) sink.u8(sparse ? kSparseForm : kDenseForm);
    sink.varint(vector.values.size());
    if (sparse) {
      QUIPU_ASSERT(version >= 2 && vector.indices.size() == vector.values.size());
      for (const std::uint32_t index : vector.indices) sink.u32(index);
    }
    sink.floats(vector.values);
  }
}

template <typename Sink>
void put_identity(Sink& sink, const PointId& id, std::uint8_t flags, const OpCondition& condition) {
  put(sink, id);
  if (condition.if_version) flags |= kHasIfVersion;
  if (condition.if_absent) flags |= kIfAbsent;
  sink.u8(flags);
  if (condition.if_version) sink.u64(*condition.if_version);
}

template <typename Point>
std::uint8_t content_flags(const Point& point) {
  std::uint8_t flags = 0;
  if (point.text) flags |= kHasText;
  if (point.embedding) flags |= kHasEmbedding;
  return flags;
}

template <typename Sink, typename Point>
void put_content(Sink& sink, const Point& point, std::uint16_t version) {
  put(sink, point.vectors, version);
  if (point.text) sink.sized(*point.text);
  if (point.embedding) {
    sink.sized(point.embedding->model);
    sink.sized(point.embedding->revision);
  }
}

template <typename Sink>
void put(Sink& sink, const UpsertPoint& point, std::uint16_t version) {
  put_identity(sink, point.id, content_flags(point), point.condition);
  put_content(sink, point, version);
  sink.sized(point.payload);
}

template <typename Sink>
void put_strings(Sink& sink, const std::vector<std::string>& strings) {
  sink.varint(strings.size());
  for (const std::string& string : strings) sink.sized(string);
}

template <typename Sink>
void put(Sink& sink, const PatchPoint& point, std::uint16_t version) {
  std::uint8_t flags = content_flags(point);
  if (point.replace_payload) flags |= kReplacePayload;
  if (has_more(point)) flags |= kHasMore;
  put_identity(sink, point.id, flags, point.condition);
  put_content(sink, point, version);
  put_strings(sink, point.delete_payload);
  sink.sized(point.set_payload);
  if (!has_more(point)) return;
  if (version >= 4) {
    sink.varint(point.delete_vectors.size());
    for (const std::uint16_t id : point.delete_vectors) sink.u16(id);
  } else {
    unsigned mask = 0;
    for (const std::uint16_t id : point.delete_vectors) mask |= 1U << id;
    sink.u16(static_cast<std::uint16_t>(mask));
  }
  sink.sized(point.set_key);
  put_strings(sink, point.delete_paths);
}

template <typename Sink>
void put(Sink& sink, const DeletePoint& point, std::uint16_t /*version*/) {
  put_identity(sink, point.id, 0, point.condition);
}

template <typename Sink>
void put(Sink& sink, const RestoredPoint& point, std::uint16_t version) {
  put(sink, point.id);
  sink.u8(content_flags(point));
  sink.i64(point.created_us);
  sink.i64(point.updated_us);
  put_content(sink, point, version);
  sink.sized(point.payload);
}

template <typename Sink>
void put(Sink& sink, const ChangeVectorsOp& op) {
  sink.sized(op.tenant);
  sink.sized(op.name);
  sink.varint(op.changes.size());
  for (const VectorNameChange& change : op.changes) {
    sink.u8(static_cast<std::uint8_t>(change.kind));
    sink.sized(change.name);
    if (change.kind != VectorNameChange::Kind::kDrop) sink.sized(change.detail);
  }
}

template <typename Sink>
void put(Sink& sink, const EndRecoveryOp& op) {
  sink.u32(op.collection);
  sink.u8(op.keep ? 1 : 0);
}

template <typename Sink>
void put(Sink& sink, const UpdateAliasesOp& op) {
  sink.sized(op.tenant);
  sink.varint(op.changes.size());
  for (const AliasChange& change : op.changes) {
    sink.u8(static_cast<std::uint8_t>(change.kind));
    sink.sized(change.alias);
    if (names_target(change.kind)) sink.sized(change.target);
  }
}

// Those that are neither lists of points nor a tenant, a name and some bytes.
template <typename Op>
constexpr bool kHasOwnForm =
    std::is_same_v<Op, UpdateAliasesOp> || std::is_same_v<Op, ChangeVectorsOp> ||
    std::is_same_v<Op, EndRecoveryOp>;

template <typename Sink>
void put_body(Sink& sink, const OpBody& body, std::uint16_t version) {
  std::visit(
      [&sink, version](const auto& op) {
        using Op = std::decay_t<decltype(op)>;
        if constexpr (requires { op.points; }) {
          sink.varint(op.points.size());
          for (const auto& point : op.points) put(sink, point, version);
        } else if constexpr (requires { op.candidates; }) {
          sink.sized(op.filter);
          sink.varint(op.candidates.size());
          for (const PointId& id : op.candidates) put(sink, id);
          if constexpr (requires { op.patch; }) put(sink, op.patch, version);
        } else if constexpr (kHasOwnForm<Op>) {
          put(sink, op);
        } else {
          sink.sized(op.tenant);
          sink.sized(op.name);
          if constexpr (requires { op.config; }) sink.sized(op.config);
          if constexpr (std::is_same_v<Op, UpdateCollectionOp>) sink.sized(op.patch);
        }
      },
      body);
}

template <typename Sink>
void put_after_header(Sink& sink, const Operation& operation, std::uint16_t version) {
  sink.i64(operation.time_us);
  if (operation.idempotency) {
    sink.u64(operation.idempotency->key.high);
    sink.u64(operation.idempotency->key.low);
    sink.u64(operation.idempotency->request.high);
    sink.u64(operation.idempotency->request.low);
  }
  put_body(sink, operation.body, version);
}

// ---- Limits, the same for both directions.

// No exponent of all ones: neither infinite nor NaN. An or over the whole vector, without branches,
// so that it is taken several values at a time.
bool all_finite(std::span<const float> values) noexcept {
  std::uint32_t found = 0;
  for (const float value : values) {
    constexpr std::uint32_t kExponent = 0x7f80'0000;
    found |=
        static_cast<std::uint32_t>((std::bit_cast<std::uint32_t>(value) & kExponent) == kExponent);
  }
  return found == 0;
}

// Collects the first complaint.
class Complaint {
 public:
  [[nodiscard]] bool made() const noexcept { return !text_.empty(); }
  [[nodiscard]] const std::string& text() const noexcept { return text_; }
  void say(std::string text) {
    if (text_.empty()) text_ = std::move(text);
  }
  // Says that `what` is beyond `limit`, if it is. Returns whether it is within.
  bool within(std::string_view what, std::uint64_t value, std::uint64_t limit) {
    if (value <= limit) return true;
    say(std::string(what) + " is " + std::to_string(value) + ", above the limit of " +
        std::to_string(limit));
    return false;
  }

 private:
  std::string text_;
};

void check_indices(Complaint& complaint, const OpVector& vector) {
  if (vector.indices.size() != vector.values.size()) {
    complaint.say("a sparse vector has " + std::to_string(vector.indices.size()) + " indices and " +
                  std::to_string(vector.values.size()) + " values");
  }
  const auto disorder = std::adjacent_find(vector.indices.begin(), vector.indices.end(),
                                           [](auto a, auto b) { return a >= b; });
  if (disorder != vector.indices.end()) {
    complaint.say("a sparse vector's indices do not ascend at " + std::to_string(*disorder));
  }
}

void check(Complaint& complaint, const std::vector<OpVector>& vectors) {
  if (!complaint.within("a point's count of vectors", vectors.size(),
                        limits::kVectorsPerCollectionMax)) {
    return;
  }
  for (const OpVector& vector : vectors) {
    complaint.within("a vector's count of values", vector.values.size(), limits::kVectorValuesMax);
    if (!vector.indices.empty()) check_indices(complaint, vector);
    if (!all_finite(vector.values)) {
      complaint.say("vector " + std::to_string(vector.vector_id) +
                    " holds a value that is not a finite number");
    }
  }
}

template <typename Point>
void check_content(Complaint& complaint, const Point& point) {
  check(complaint, point.vectors);
  if (point.text) complaint.within("a text's size", point.text->size(), limits::kTextBytesMax);
  if (point.embedding) {
    complaint.within("a model name's size", point.embedding->model.size(), limits::kNameBytesMax);
    complaint.within("a model revision's size", point.embedding->revision.size(),
                     limits::kNameBytesMax);
  }
}

void check(Complaint& complaint, const UpsertPoint& point) {
  check_content(complaint, point);
  complaint.within("a payload's size", point.payload.size(), limits::kPayloadBytesMax);
}

void check(Complaint& complaint, const PatchPoint& point) {
  check_content(complaint, point);
  complaint.within("a patch's count of deleted keys", point.delete_payload.size(),
                   kDeletePayloadKeysMax);
  for (const std::string& key : point.delete_payload) {
    complaint.within("a deleted key's size", key.size(), limits::kPayloadBytesMax);
  }
  complaint.within("a payload's size", point.set_payload.size(), limits::kPayloadBytesMax);
  complaint.within("a payload path's size", point.set_key.size(), limits::kPayloadBytesMax);
  complaint.within("a patch's count of deleted vectors", point.delete_vectors.size(),
                   limits::kVectorsPerCollectionMax);
  const auto disorder = std::adjacent_find(point.delete_vectors.begin(), point.delete_vectors.end(),
                                           [](auto a, auto b) { return a >= b; });
  if (disorder != point.delete_vectors.end()) {
    complaint.say("a patch's deleted vectors do not ascend at " + std::to_string(*disorder));
  }
  complaint.within("a patch's count of deleted paths", point.delete_paths.size(),
                   kDeletePayloadKeysMax);
  for (const std::string& path : point.delete_paths) {
    complaint.within("a deleted path's size", path.size(), limits::kPayloadBytesMax);
  }
}

void check(Complaint&, const DeletePoint&) {}

void check(Complaint& complaint, const RestoredPoint& point) {
  check_content(complaint, point);
  complaint.within("a payload's size", point.payload.size(), limits::kPayloadBytesMax);
}

void check(Complaint& complaint, const ChangeVectorsOp& op) {
  complaint.within("a tenant name's size", op.tenant.size(), limits::kNameBytesMax);
  complaint.within("a collection name's size", op.name.size(), limits::kNameBytesMax);
  complaint.within("the count of vector changes", op.changes.size(), limits::kVectorChangesMax);
  for (const VectorNameChange& change : op.changes) {
    complaint.within("a vector name's size", change.name.size(), limits::kNameBytesMax);
    complaint.within("the size of a vector change's detail", change.detail.size(),
                     limits::kPayloadBytesMax);
    if (change.kind == VectorNameChange::Kind::kDrop && !change.detail.empty()) {
      complaint.say("the dropping of a vector has a detail");
    }
  }
}

void check(Complaint&, const EndRecoveryOp&) {}

template <typename Op>
void check_candidates(Complaint& complaint, const Op& op) {
  complaint.within("a filter's size", op.filter.size(), limits::kPayloadBytesMax);
  complaint.within("the count of candidates", op.candidates.size(), limits::kBatchPointsMax);
  const auto disorder = std::adjacent_find(op.candidates.begin(), op.candidates.end(),
                                           [](const auto& a, const auto& b) { return !(a < b); });
  if (disorder != op.candidates.end()) {
    complaint.say("the candidates do not ascend at " + disorder->to_string());
  }
  if constexpr (requires { op.patch; }) {
    check(complaint, op.patch);
    if (op.patch.id != PointId() || op.patch.condition != OpCondition()) {
      complaint.say("the patch of a filter has an id or a condition");
    }
  }
}

void check(Complaint& complaint, const UpdateAliasesOp& op) {
  complaint.within("a tenant name's size", op.tenant.size(), limits::kNameBytesMax);
  complaint.within("the count of alias changes", op.changes.size(), limits::kAliasChangesMax);
  for (const AliasChange& change : op.changes) {
    complaint.within("an alias's size", change.alias.size(), limits::kNameBytesMax);
    complaint.within("the size of an alias's target", change.target.size(), limits::kNameBytesMax);
    if (!names_target(change.kind) && !change.target.empty()) {
      complaint.say("the deletion of an alias has a target");
    }
  }
}

void check(Complaint& complaint, const OpBody& body) {
  std::visit(
      [&complaint](const auto& op) {
        using Op = std::decay_t<decltype(op)>;
        if constexpr (requires { op.points; }) {
          complaint.within("the count of points", op.points.size(), limits::kBatchPointsMax);
          for (const auto& point : op.points) check(complaint, point);
        } else if constexpr (requires { op.candidates; }) {
          check_candidates(complaint, op);
        } else if constexpr (kHasOwnForm<Op>) {
          check(complaint, op);
        } else {
          complaint.within("a tenant name's size", op.tenant.size(), limits::kNameBytesMax);
          complaint.within("a collection name's size", op.name.size(), limits::kNameBytesMax);
          std::size_t size = 0;
          if constexpr (requires { op.config; }) size = op.config.size();
          if constexpr (std::is_same_v<Op, UpdateCollectionOp>) size = op.patch.size();
          complaint.within("a collection configuration's size", size, limits::kPayloadBytesMax);
        }
      },
      body);
}

// ---- Decoding. After a complaint or a failed read everything reads as zero or empty.

class BodyReader {
 public:
  BodyReader(ByteReader& reader, Complaint& complaint, std::uint16_t version)
      : reader_(reader), complaint_(complaint), version_(version) {}

  [[nodiscard]] bool ok() const noexcept { return reader_.ok() && !complaint_.made(); }

  // Checked before anything is allocated.
  std::string sized(std::string_view what, std::size_t limit) {
    const std::string_view bytes = reader_.sized();
    if (!complaint_.within(what, bytes.size(), limit)) return {};
    return std::string(bytes);
  }

  std::size_t count(std::string_view what, std::size_t limit, std::size_t bytes_min) {
    const std::uint64_t value = reader_.varint();
    if (!complaint_.within(what, value, limit)) return 0;
    if (value > reader_.left() / bytes_min) {
      complaint_.say(std::string(what) + " is " + std::to_string(value) + ", but only " +
                     std::to_string(reader_.left()) + " bytes are left");
      return 0;
    }
    return static_cast<std::size_t>(value);
  }

  std::uint8_t flags(std::string_view what, unsigned known) {
    const std::uint8_t value = reader_.u8();
    if ((value & ~known) == 0) return value;
    complaint_.say(std::string(what) + " has unknown flags (" + std::to_string(value) + ")");
    return 0;
  }

  PointId id() {
    const std::uint8_t kind = reader_.u8();
    if (kind == kNumberId) return PointId::number(reader_.u64());
    if (kind == kUuidId) {
      const std::uint64_t high = reader_.u64();
      return PointId::uuid(high, reader_.u64());
    }
    complaint_.say("a point id has unknown kind " + std::to_string(kind));
    return {};
  }

  OpCondition condition(std::uint8_t flags) {
    OpCondition condition{.if_version = std::nullopt, .if_absent = (flags & kIfAbsent) != 0};
    if ((flags & kHasIfVersion) != 0) condition.if_version = reader_.u64();
    return condition;
  }

  std::vector<OpVector> vectors() {
    const std::uint8_t size = reader_.u8();
    std::vector<OpVector> vectors;
    if (!complaint_.within("a point's count of vectors", size, limits::kVectorsPerCollectionMax)) {
      return vectors;
    }
    vectors.reserve(size);
    for (std::size_t i = 0; i < size && ok(); ++i) {
      OpVector& vector = vectors.emplace_back();
      vector.vector_id = reader_.u16();
      const std::uint8_t form = version_ >= 2 ? reader_.u8() : kDenseForm;
      if (form > kSparseForm) complaint_.say("a vector has form " + std::to_string(form));
      const bool sparse = form == kSparseForm;
      const std::size_t values = count("a vector's count of values",
                                       version_ >= 2 ? limits::kVectorValuesMax : limits::kDimMax,
                                       sizeof(float) + (sparse ? sizeof(std::uint32_t) : 0));
      if (sparse && values == 0) complaint_.say("a vector of the sparse form is empty");
      if (sparse) vector.indices.resize(values);
      for (std::uint32_t& index : vector.indices) index = reader_.u32();
      vector.values.resize(values);
      reader_.floats(vector.values);
    }
    return vectors;
  }

  template <typename Point>
  void content(Point& point, std::uint8_t flags) {
    point.vectors = vectors();
    if ((flags & kHasText) != 0) point.text = sized("a text's size", limits::kTextBytesMax);
    if ((flags & kHasEmbedding) != 0) {
      point.embedding.emplace();
      point.embedding->model = sized("a model name's size", limits::kNameBytesMax);
      point.embedding->revision = sized("a model revision's size", limits::kNameBytesMax);
    }
  }

  void read(UpsertPoint& point) {
    point.id = id();
    const std::uint8_t flags_read = flags("an upserted point", kUpsertFlags);
    point.condition = condition(flags_read);
    content(point, flags_read);
    point.payload = sized("a payload's size", limits::kPayloadBytesMax);
  }

  void read(PatchPoint& point) {
    point.id = id();
    const std::uint8_t flags_read =
        flags("a patched point", version_ >= 2 ? kPatchFlags | kHasMore : unsigned{kPatchFlags});
    point.condition = condition(flags_read);
    content(point, flags_read);
    point.replace_payload = (flags_read & kReplacePayload) != 0;
    point.delete_payload.resize(count("a patch's count of deleted keys", kDeletePayloadKeysMax, 1));
    for (std::string& key : point.delete_payload) {
      key = sized("a deleted key's size", limits::kPayloadBytesMax);
    }
    point.set_payload = sized("a payload's size", limits::kPayloadBytesMax);
    if ((flags_read & kHasMore) == 0) return;
    read_deleted_vectors(point);
    point.set_key = sized("a payload path's size", limits::kPayloadBytesMax);
    point.delete_paths.resize(count("a patch's count of deleted paths", kDeletePayloadKeysMax, 1));
    for (std::string& path : point.delete_paths) {
      path = sized("a deleted path's size", limits::kPayloadBytesMax);
    }
    if (!has_more(point)) complaint_.say("a patched point's flags promise more than there is");
  }

  void read_deleted_vectors(PatchPoint& point) {
    if (version_ >= 4) {
      point.delete_vectors.resize(count("a patch's count of deleted vectors",
                                        limits::kVectorsPerCollectionMax, sizeof(std::uint16_t)));
      for (std::uint16_t& id : point.delete_vectors) id = reader_.u16();
      return;
    }
    const unsigned mask = reader_.u16();
    for (std::uint16_t id = 0; id < kMaskedVectors; ++id) {
      if ((mask >> id & 1U) != 0) point.delete_vectors.push_back(id);
    }
  }

  void read(RestoredPoint& point) {
    point.id = id();
    const std::uint8_t flags_read = flags("a restored point", kRestoreFlags);
    point.created_us = reader_.i64();
    point.updated_us = reader_.i64();
    content(point, flags_read);
    point.payload = sized("a payload's size", limits::kPayloadBytesMax);
  }

  void read(DeletePoint& point) {
    point.id = id();
    point.condition = condition(flags("a deleted point", kDeleteFlags));
  }

  template <typename Op>
  Op points(std::size_t point_bytes_min) {
    Op op;
    const std::size_t size = count("the count of points", limits::kBatchPointsMax, point_bytes_min);
    op.points.reserve(size);
    for (std::size_t i = 0; i < size && ok(); ++i) read(op.points.emplace_back());
    return op;
  }

  template <typename Op>
  Op collection() {
    Op op;
    op.tenant = sized("a tenant name's size", limits::kNameBytesMax);
    op.name = sized("a collection name's size", limits::kNameBytesMax);
    constexpr std::string_view kConfig = "a collection configuration's size";
    if constexpr (requires { op.config; }) {
      op.config = sized(kConfig, limits::kPayloadBytesMax);
    }
    if constexpr (std::is_same_v<Op, UpdateCollectionOp>) {
      op.patch = sized(kConfig, limits::kPayloadBytesMax);
    }
    return op;
  }

  template <typename Op>
  Op by_filter() {
    Op op;
    op.filter = sized("a filter's size", limits::kPayloadBytesMax);
    const std::size_t size = count("the count of candidates", limits::kBatchPointsMax, kIdBytesMin);
    op.candidates.reserve(size);
    for (std::size_t i = 0; i < size && ok(); ++i) op.candidates.push_back(id());
    if constexpr (requires { op.patch; }) read(op.patch);
    return op;
  }

  ChangeVectorsOp vector_changes() {
    ChangeVectorsOp op;
    op.tenant = sized("a tenant name's size", limits::kNameBytesMax);
    op.name = sized("a collection name's size", limits::kNameBytesMax);
    const std::size_t size =
        count("the count of vector changes", limits::kVectorChangesMax, kVectorChangeBytesMin);
    op.changes.reserve(size);
    for (std::size_t i = 0; i < size && ok(); ++i) {
      VectorNameChange& change = op.changes.emplace_back();
      const std::uint8_t kind = reader_.u8();
      if (kind > static_cast<std::uint8_t>(VectorNameChange::Kind::kRename)) {
        complaint_.say("a change of a vector has unknown kind " + std::to_string(kind));
        break;
      }
      change.kind = static_cast<VectorNameChange::Kind>(kind);
      change.name = sized("a vector name's size", limits::kNameBytesMax);
      if (change.kind != VectorNameChange::Kind::kDrop) {
        change.detail = sized("the size of a vector change's detail", limits::kPayloadBytesMax);
      }
    }
    return op;
  }

  EndRecoveryOp end_recovery() {
    EndRecoveryOp op;
    op.collection = reader_.u32();
    const std::uint8_t keep = reader_.u8();
    if (keep > 1) complaint_.say("the end of a recovery says " + std::to_string(keep));
    op.keep = keep == 1;
    return op;
  }

  UpdateAliasesOp aliases() {
    UpdateAliasesOp op;
    op.tenant = sized("a tenant name's size", limits::kNameBytesMax);
    const std::size_t size =
        count("the count of alias changes", limits::kAliasChangesMax, kAliasChangeBytesMin);
    op.changes.reserve(size);
    for (std::size_t i = 0; i < size && ok(); ++i) {
      AliasChange& change = op.changes.emplace_back();
      const std::uint8_t kind = reader_.u8();
      if (kind > static_cast<std::uint8_t>(AliasChange::Kind::kDeleteIfThere)) {
        complaint_.say("a change of an alias has unknown kind " + std::to_string(kind));
        break;
      }
      change.kind = static_cast<AliasChange::Kind>(kind);
      change.alias = sized("an alias's size", limits::kNameBytesMax);
      if (names_target(change.kind)) {
        change.target = sized("the size of an alias's target", limits::kNameBytesMax);
      }
    }
    return op;
  }

  OpBody body(std::uint8_t type) {
    if ((version_ < 2 && type > 5) || (version_ < 3 && type > 7) || (version_ < 4 && type > 8)) {
      complaint_.say("its type " + std::to_string(type) + " is unknown to its version");
      return {};
    }
    switch (type) {
      case 0: return points<UpsertOp>(kUpsertPointBytesMin);
      case 1: return points<PatchOp>(kPatchPointBytesMin);
      case 2: return points<DeleteOp>(kDeletePointBytesMin);
      case 3: return collection<CreateCollectionOp>();
      case 4: return collection<UpdateCollectionOp>();
      case 5: return collection<DropCollectionOp>();
      case 6: return by_filter<DeleteByFilterOp>();
      case 7: return by_filter<PatchByFilterOp>();
      case 8: return aliases();
      case 9: return vector_changes();
      case 10: return collection<BeginRecoveryOp>();
      case 11: return end_recovery();
      case 12: return points<RestorePointsOp>(kRestoredPointBytesMin);
      default: complaint_.say("its type " + std::to_string(type) + " is unknown"); return {};
    }
  }

 private:
  ByteReader& reader_;
  Complaint& complaint_;
  const std::uint16_t version_;
};

Error damaged(const std::string& what) {
  return Error{.code = ErrorCode::kCorruption,
               .message = "an operation record is damaged: " + what,
               .reason = "operation_damaged"};
}

struct Header {
  std::uint16_t version = 1;
  std::uint8_t type = 0;
  std::uint8_t flags = 0;
  std::size_t size = 0;  // of the whole record
};

// Checks all that is to be checked before the body may be looked at, the checksum last.
Result<Header> read_header(std::string_view bytes) {
  ByteReader reader(bytes);
  const std::uint32_t magic = reader.u32();
  const std::uint16_t version = reader.u16();
  Header header{.version = version, .type = reader.u8(), .flags = reader.u8(), .size = 0};
  const std::uint32_t size = reader.u32();
  if (!reader.ok()) {
    return damaged("its header takes " + std::to_string(kHeaderBytes) + " bytes, " +
                   std::to_string(bytes.size()) + " are left");
  }
  if (magic != kOperationMagic) return damaged("it does not begin with its magic");
  if (version < 1 || version > kOperationVersion) {
    return damaged("its version is " + std::to_string(version) + "; this program knows 1 to " +
                   std::to_string(kOperationVersion));
  }
  if (size > limits::kBatchBytesMax - kHeaderBytes - kChecksumBytes) {
    return damaged("its size of " + std::to_string(size) + " bytes is above the limit of " +
                   std::to_string(limits::kBatchBytesMax));
  }
  header.size = kHeaderBytes + size + kChecksumBytes;
  if (header.size > bytes.size()) {
    return damaged("it takes " + std::to_string(header.size) + " bytes, " +
                   std::to_string(bytes.size()) + " are left");
  }
  ByteReader checksum(bytes.substr(header.size - kChecksumBytes, kChecksumBytes));
  if (checksum.u32() != crc32c(bytes.substr(0, header.size - kChecksumBytes))) {
    return damaged("its checksum does not match");
  }
  return header;
}

}  // namespace

Status validate_operation(const Operation& operation) {
  Complaint complaint;
  check(complaint, operation.body);
  complaint.within("the operation's size in bytes", encoded_operation_size(operation),
                   limits::kBatchBytesMax);
  if (!complaint.made()) return ok_status();
  return Error{.code = ErrorCode::kInvalidArgument,
               .message = "the operation cannot be logged: " + complaint.text(),
               .reason = "operation_limits"};
}

std::size_t encoded_operation_size(const Operation& operation) noexcept {
  ByteCounter counter;
  put_after_header(counter, operation, version_of(operation.body));
  return kHeaderBytes + counter.size() + kChecksumBytes;
}

void encode_operation(const Operation& operation, std::string& out) {
  const std::size_t begin = out.size();
  const std::size_t size = encoded_operation_size(operation);
  QUIPU_ASSERT(size <= std::numeric_limits<std::uint32_t>::max());
  out.reserve(begin + size);
  ByteWriter writer(out);
  writer.u32(kOperationMagic);
  const std::uint16_t version = version_of(operation.body);
  writer.u16(version);
  writer.u8(static_cast<std::uint8_t>(operation.body.index()));
  writer.u8(operation.idempotency ? kHasIdempotency : 0);
  writer.u32(static_cast<std::uint32_t>(size - kHeaderBytes - kChecksumBytes));
  put_after_header(writer, operation, version);
  writer.u32(crc32c(std::string_view(out).substr(begin)));
  QUIPU_ASSERT(out.size() == begin + size);
}

std::string encode_operation(const Operation& operation) {
  std::string out;
  encode_operation(operation, out);
  return out;
}

Result<DecodedOperation> decode_operation(std::string_view bytes) {
  QUIPU_TRY(const Header header, read_header(bytes));
  if ((header.flags & static_cast<std::uint8_t>(~kHasIdempotency)) != 0) {
    return damaged("it has unknown flags (" + std::to_string(header.flags) + ")");
  }
  ByteReader reader(bytes.substr(kHeaderBytes, header.size - kHeaderBytes - kChecksumBytes));
  Complaint complaint;
  BodyReader body(reader, complaint, header.version);
  Result<DecodedOperation> decoded(DecodedOperation{.operation = {}, .size = header.size});
  Operation& operation = decoded.value().operation;
  operation.time_us = reader.i64();
  if ((header.flags & kHasIdempotency) != 0) {
    OpIdempotency& idempotency = operation.idempotency.emplace();
    for (std::uint64_t* part : {&idempotency.key.high, &idempotency.key.low,
                                &idempotency.request.high, &idempotency.request.low}) {
      *part = reader.u64();
    }
  }
  operation.body = body.body(header.type);
  if (!reader.ok()) complaint.say("a field is cut short or a number is not in its shortest form");
  if (reader.ok() && reader.left() != 0) {
    complaint.say(std::to_string(reader.left()) + " bytes are left inside it");
  }
  // Indices and finiteness, which the reading did not need to look at.
  if (!complaint.made()) check(complaint, operation.body);
  if (!complaint.made() && version_of(operation.body) != header.version) {
    complaint.say("its version " + std::to_string(header.version) + " is not the lowest for it");
  }
  if (complaint.made()) return damaged(complaint.text());
  return decoded;
}

}  // namespace quipu::storage
