// Checkpoints of sparse views. Format: docs/format/sparse_checkpoint.md.
#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <string>
#include <utility>

#include "quipu/assert.h"
#include "quipu/base/bytes.h"
#include "quipu/base/format.h"
#include "quipu/index/postings/posting_cursor.h"
#include "quipu/index/rows/checkpoint_sections.h"
#include "quipu/index/sparse/sparse_core.h"

namespace quipu::index {
namespace {

static_assert(std::endian::native == std::endian::little, "arrays are mapped as they lie in files");

constexpr std::string_view kSparseKind = "sparse";

struct SparseHeader {
  SparseOptions options;
  Seq covers;
  SparseTotals totals;
  std::uint32_t rows = 0;
  std::uint32_t slots = 0;
};

std::string encoded_sparse_header(const SparseHeader& header) {
  std::string bytes;
  ByteWriter out(bytes);
  out.u32(static_cast<std::uint32_t>(header.options.kind));
  out.u32(header.options.positions ? 1 : 0);
  out.u64(header.covers.value());
  out.u64(header.totals.rows);
  out.u64(header.totals.length);
  out.u32(header.rows);
  out.u32(header.slots);
  return bytes;
}

Result<SparseHeader> decoded_sparse_header(const std::string& path,
                                           std::span<const std::byte> section) {
  ByteReader in({reinterpret_cast<const char*>(section.data()), section.size()});
  SparseHeader header;
  const std::uint32_t kind = in.u32();
  const std::uint32_t positions = in.u32();
  header.covers = Seq(in.u64());
  header.totals.rows = in.u64();
  header.totals.length = in.u64();
  header.rows = in.u32();
  header.slots = in.u32();
  const bool plausible = kind <= static_cast<std::uint32_t>(PostingKind::kWeights) &&
                         positions <= 1 && header.rows <= kRowsMax &&
                         header.totals.rows <= header.rows;
  if (!in.ok() || in.left() != 0 || !plausible) {
    return damaged_checkpoint(path, "the header section holds impossible values");
  }
  header.options.kind = static_cast<PostingKind>(kind);
  header.options.positions = positions == 1;
  return header;
}

// How many items of each array a segment has, in the order of kParts.
using ArraySizes = std::array<std::uint64_t, 8>;
constexpr std::array<std::string_view, 8> kParts = {"keys",   "key_bytes", "buckets",   "blocks",
                                                    "starts", "data",      "positions", "members"};

ArraySizes sizes_of(const SegmentArrays& arrays) {
  return {arrays.keys.size(),
          arrays.key_bytes.size(),
          arrays.buckets.size(),
          arrays.blocks.size(),
          arrays.position_starts.size(),
          arrays.data.size(),
          arrays.positions.size(),
          arrays.rows.size()};
}

// Writes one array of all segments, one after the other.
template <typename T>
Status write_part(CheckpointWriter& writer, std::size_t part, const Segments& segments,
                  std::span<const T> SegmentArrays::*member) {
  QUIPU_TRY_OK(writer.begin_section(kParts[part]));
  for (const auto& segment : segments) {
    QUIPU_TRY_OK(writer.append_array(segment->arrays().*member));
  }
  return ok_status();
}

// Cuts the segments' arrays from the mapped sections, each in turn.
class SegmentReader {
 public:
  SegmentReader(const CheckpointFile& file, const std::string& path) : file_(file), path_(path) {}

  Status open() {
    QUIPU_TRY_OK(map(0, keys_));
    QUIPU_TRY_OK(map(1, key_bytes_));
    QUIPU_TRY_OK(map(2, buckets_));
    QUIPU_TRY_OK(map(3, blocks_));
    QUIPU_TRY_OK(map(4, starts_));
    QUIPU_TRY_OK(map(5, data_));
    QUIPU_TRY_OK(map(6, positions_));
    return map(7, members_);
  }
  Result<SegmentArrays> next(const ArraySizes& sizes) {
    SegmentArrays arrays;
    const bool whole =
        take(keys_, sizes[0], arrays.keys) && take(key_bytes_, sizes[1], arrays.key_bytes) &&
        take(buckets_, sizes[2], arrays.buckets) && take(blocks_, sizes[3], arrays.blocks) &&
        take(starts_, sizes[4], arrays.position_starts) && take(data_, sizes[5], arrays.data) &&
        take(positions_, sizes[6], arrays.positions) && take(members_, sizes[7], arrays.rows);
    if (!whole) return damaged_checkpoint(path_, "a segment is larger than its sections");
    return arrays;
  }

 private:
  template <typename T>
  Status map(std::size_t part, std::span<const T>& into) {
    QUIPU_TRY(into, file_.array<T>(kParts[part]));
    return ok_status();
  }
  template <typename T>
  static bool take(std::span<const T>& from, std::uint64_t count, std::span<const T>& into) {
    if (count > from.size()) return false;
    into = from.first(count);
    from = from.subspan(count);
    return true;
  }

  const CheckpointFile& file_;
  const std::string& path_;
  std::span<const KeyMeta> keys_;
  std::span<const char> key_bytes_;
  std::span<const std::uint32_t> buckets_;
  std::span<const BlockMeta> blocks_;
  std::span<const std::uint32_t> starts_;
  std::span<const std::uint8_t> data_;
  std::span<const std::uint8_t> positions_;
  std::span<const std::uint32_t> members_;
};

Result<std::shared_ptr<const Segments>> read_sparse_segments(
    const std::shared_ptr<CheckpointFile>& file, const std::string& path, PostingKind kind) {
  SegmentReader reader(*file, path);
  QUIPU_TRY_OK(reader.open());
  QUIPU_TRY(const std::span<ArraySizes> sizes, file->array<ArraySizes>("segments"));
  auto segments = std::make_shared<Segments>();
  for (const ArraySizes& each : sizes) {
    QUIPU_TRY(const SegmentArrays arrays, reader.next(each));
    segments->push_back(std::make_shared<const Segment>(kind, arrays, file));
  }
  return std::shared_ptr<const Segments>(std::move(segments));
}

// Whether every posting names a row of the segment, in order, with a number that can be.
bool sparse_postings_hold(const Segment& segment, std::uint32_t key) {
  PostingCursor cursor(segment, key);
  std::uint32_t count = 0;
  std::uint32_t before = 0;
  std::vector<std::uint32_t> positions;
  const std::span<const std::uint32_t> rows = segment.rows();
  for (std::uint32_t row = cursor.next(); row != kRowsEnd; row = cursor.next()) {
    if (count++ > 0 && row <= before) return false;
    before = row;
    if (!std::binary_search(rows.begin(), rows.end(), row)) return false;
    if (segment.kind() == PostingKind::kWeights) {
      if (!std::isfinite(std::bit_cast<float>(cursor.number()))) return false;
      continue;
    }
    if (cursor.number() == 0) return false;
    positions.clear();
    const bool whole = !segment.has_positions() ||
                       (cursor.read_positions(positions) && positions.size() == cursor.number());
    if (!whole) return false;
  }
  return count == cursor.count();
}

}  // namespace

std::shared_ptr<const SparseIndex::Capture> SparseIndex::capture(Seq covers) const {
  const SparseCore& core = *state_->core;
  QUIPU_ASSERT(state_->pending_rows.empty() && state_->pending_closed.empty());
  auto capture = std::make_shared<Capture>();
  capture->options = core.options;
  capture->covers = covers;
  capture->moment = moment();
  capture->meta.resize(core.rows.count());
  core.rows.copy_meta(capture->meta);
  capture->slots.resize(core.rows.slot_count());
  core.rows.copy_slots(capture->slots);
  capture->lengths.resize(capture->meta.size());
  std::vector<bool> used(capture->meta.size(), false);
  for (const auto& segment : *capture->moment->segments) {
    for (const std::uint32_t row : segment->rows()) {
      if (row >= used.size()) continue;  // only of a damaged file
      used[row] = true;
      capture->lengths[row] = core.length(row);
      if (capture->meta[row].closed != kOpen) capture->closed.push_back(row);
    }
  }
  std::sort(capture->closed.begin(), capture->closed.end());
  // What no segment has is free, or waits for a grace period, which ends with the process.
  for (std::uint32_t row = 0; row < used.size(); ++row) {
    if (used[row]) continue;
    capture->free.push_back(row);
    capture->meta[row] = {.state = static_cast<std::uint32_t>(RowState::kFree)};
  }
  return capture;
}

Status SparseIndex::save(FileSystem& fs, const std::string& path, const Capture& capture) {
  const Segments& segments = *capture.moment->segments;
  std::vector<ArraySizes> sizes;
  for (const auto& segment : segments) sizes.push_back(sizes_of(segment->arrays()));
  const std::string header =
      encoded_sparse_header({.options = capture.options,
                             .covers = capture.covers,
                             .totals = capture.moment->totals,
                             .rows = static_cast<std::uint32_t>(capture.meta.size()),
                             .slots = static_cast<std::uint32_t>(capture.slots.size())});
  QUIPU_TRY(const auto writer, CheckpointWriter::create(fs, path, kSparseKind, kSparseVersion));
  QUIPU_TRY_OK(writer->begin_section("header"));
  QUIPU_TRY_OK(writer->append(std::as_bytes(std::span(header))));
  QUIPU_TRY_OK(write_array(*writer, "rows", capture.meta));
  QUIPU_TRY_OK(write_array(*writer, "slots", capture.slots));
  QUIPU_TRY_OK(write_array(*writer, "lengths", capture.lengths));
  QUIPU_TRY_OK(write_array(*writer, "closed", capture.closed));
  QUIPU_TRY_OK(write_array(*writer, "free", capture.free));
  QUIPU_TRY_OK(write_array(*writer, "segments", sizes));
  QUIPU_TRY_OK(write_part(*writer, 0, segments, &SegmentArrays::keys));
  QUIPU_TRY_OK(write_part(*writer, 1, segments, &SegmentArrays::key_bytes));
  QUIPU_TRY_OK(write_part(*writer, 2, segments, &SegmentArrays::buckets));
  QUIPU_TRY_OK(write_part(*writer, 3, segments, &SegmentArrays::blocks));
  QUIPU_TRY_OK(write_part(*writer, 4, segments, &SegmentArrays::position_starts));
  QUIPU_TRY_OK(write_part(*writer, 5, segments, &SegmentArrays::data));
  QUIPU_TRY_OK(write_part(*writer, 6, segments, &SegmentArrays::positions));
  QUIPU_TRY_OK(write_part(*writer, 7, segments, &SegmentArrays::rows));
  return writer->finish();
}

Result<std::unique_ptr<SparseIndex>> SparseIndex::open(FileSystem& fs, const std::string& path,
                                                       const SparseOptions& options,
                                                       EpochDomain& epochs) {
  QUIPU_TRY(std::shared_ptr<CheckpointFile> file, CheckpointFile::open(fs, path, kSparseKind));
  if (file->version() != kSparseVersion) {
    return Error{.code = ErrorCode::kFailedPrecondition,
                 .message = format("{} has sparse format {}; this build reads {}", path,
                                   file->version(), kSparseVersion),
                 .reason = "checkpoint_version"};
  }
  QUIPU_TRY(const std::span<std::byte> section, file->section("header"));
  QUIPU_TRY(const SparseHeader header, decoded_sparse_header(path, section));
  if (header.options != options) {
    return Error{.code = ErrorCode::kFailedPrecondition,
                 .message = format("{} was saved with other options than are wanted", path),
                 .reason = "checkpoint_options"};
  }
  constexpr std::size_t kNumber = sizeof(std::uint32_t);
  QUIPU_TRY(const auto meta, sized_section(*file, path, "rows", header.rows, sizeof(RowMeta)));
  QUIPU_TRY(const auto slots, sized_section(*file, path, "slots", header.slots, kNumber));
  QUIPU_TRY(const auto lengths, sized_section(*file, path, "lengths", header.rows, kNumber));
  QUIPU_TRY(std::vector<std::uint32_t> closed, read_rows(*file, path, "closed", header.rows));
  QUIPU_TRY(std::vector<std::uint32_t> free, read_rows(*file, path, "free", header.rows));
  if (closed.size() + free.size() + header.totals.rows != header.rows) {
    return damaged_checkpoint(path, "the lists of rows do not add up to their count");
  }
  QUIPU_TRY(std::shared_ptr<const Segments> segments,
            read_sparse_segments(file, path, options.kind));
  QUIPU_TRY(std::unique_ptr<SparseIndex> index, create(options, epochs));
  SparseCore& core = *index->state_->core;
  core.mapped = std::move(file);
  core.rows.adopt(meta, slots, {}, std::move(free));
  core.lengths.adopt(lengths);
  index->state_->totals = header.totals;
  auto moment = std::make_shared<Moment>();
  moment->segments = segments;
  moment->closed.most = std::make_shared<std::vector<std::uint32_t>>(std::move(closed));
  moment->totals = header.totals;
  const MutexLock lock(core.mutex);
  core.segments = std::move(segments);
  core.closed = moment->closed;
  core.latest = std::move(moment);
  return index;
}

Status SparseIndex::verify() const {
  const SparseCore& core = *state_->core;
  if (core.mapped != nullptr) QUIPU_TRY_OK(core.mapped->verify());
  const std::shared_ptr<const Moment> now = moment();
  for (const auto& segment : *now->segments) {
    for (const std::uint32_t row : segment->rows()) {
      if (row < core.rows.count()) continue;
      return Error{
          .code = ErrorCode::kCorruption,
          .message = format("sparse index: a segment names row {} of {}", row, core.rows.count())};
    }
    for (std::uint32_t key = 0; key < segment->key_count(); ++key) {
      const bool sorted = key == 0 || segment->key(key - 1) < segment->key(key);
      const bool found = segment->find(segment->key(key)) == key;
      if (sorted && found && sparse_postings_hold(*segment, key)) continue;
      return Error{.code = ErrorCode::kCorruption,
                   .message = format("sparse index: the list of key {} is damaged", key)};
    }
  }
  return ok_status();
}

}  // namespace quipu::index
