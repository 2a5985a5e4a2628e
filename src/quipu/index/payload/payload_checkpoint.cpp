// Checkpoints of payload indexes. Format: docs/format/payload_checkpoint.md.
#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <string>
#include <utility>

#include "quipu/assert.h"
#include "quipu/base/bytes.h"
#include "quipu/base/format.h"
#include "quipu/index/payload/payload_core.h"
#include "quipu/index/payload/payload_lists.h"
#include "quipu/index/postings/posting_cursor.h"
#include "quipu/index/rows/checkpoint_sections.h"

namespace quipu::index {
namespace {

static_assert(std::endian::native == std::endian::little, "arrays are mapped as they lie in files");
static_assert(sizeof(GeoPoint) == 16 && sizeof(Uuid) == 16);

constexpr std::string_view kPayloadKind = "payload";

struct PayloadHeader {
  PayloadOptions options;
  Seq covers;
  Seq last;
  std::uint64_t points = 0;
  std::uint32_t rows = 0;
  std::uint32_t slots = 0;
};

std::string encoded_payload_header(const PayloadHeader& header) {
  std::string bytes;
  ByteWriter out(bytes);
  out.u32(static_cast<std::uint32_t>(header.options.kind));
  out.u32(header.options.positions ? 1 : 0);
  out.u64(header.covers.value());
  out.u64(header.last.value());
  out.u64(header.points);
  out.u32(header.rows);
  out.u32(header.slots);
  return bytes;
}

Result<PayloadHeader> decoded_payload_header(const std::string& path,
                                             std::span<const std::byte> section) {
  ByteReader in({reinterpret_cast<const char*>(section.data()), section.size()});
  PayloadHeader header;
  const std::uint32_t kind = in.u32();
  const std::uint32_t positions = in.u32();
  header.covers = Seq(in.u64());
  header.last = Seq(in.u64());
  header.points = in.u64();
  header.rows = in.u32();
  header.slots = in.u32();
  const bool plausible = kind <= static_cast<std::uint32_t>(PayloadKind::kText) && positions <= 1 &&
                         header.rows <= PayloadRows::kRowsMax && header.points <= header.rows &&
                         header.last <= header.covers;
  if (!in.ok() || in.left() != 0 || !plausible) {
    return damaged_checkpoint(path, "the header section holds impossible values");
  }
  header.options.kind = static_cast<PayloadKind>(kind);
  header.options.positions = positions == 1;
  return header;
}

// The arrays of a segment, each with the section in which all segments' lie, one after the other.
// `visit` is called with the section's name and a reference to the span.
struct Parts {
  SegmentArrays postings;
  std::span<const std::int64_t> integers;
  std::span<const std::uint32_t> integer_rows;
  std::span<const double> floats;
  std::span<const std::uint32_t> float_rows;
  std::span<const Uuid> uuids;
  std::span<const std::uint32_t> uuid_rows;
  std::span<const GeoPoint> points;
  std::span<const std::uint32_t> point_rows;
};
constexpr std::size_t kPartCount = 16;
using PartSizes = std::array<std::uint64_t, kPartCount>;

template <typename Visit>
Status for_each_part(Parts& parts, const Visit& visit) {
  QUIPU_TRY_OK(visit(0, "keys", parts.postings.keys));
  QUIPU_TRY_OK(visit(1, "key_bytes", parts.postings.key_bytes));
  QUIPU_TRY_OK(visit(2, "buckets", parts.postings.buckets));
  QUIPU_TRY_OK(visit(3, "blocks", parts.postings.blocks));
  QUIPU_TRY_OK(visit(4, "starts", parts.postings.position_starts));
  QUIPU_TRY_OK(visit(5, "data", parts.postings.data));
  QUIPU_TRY_OK(visit(6, "positions", parts.postings.positions));
  QUIPU_TRY_OK(visit(7, "members", parts.postings.rows));
  QUIPU_TRY_OK(visit(8, "integers", parts.integers));
  QUIPU_TRY_OK(visit(9, "integer_rows", parts.integer_rows));
  QUIPU_TRY_OK(visit(10, "floats", parts.floats));
  QUIPU_TRY_OK(visit(11, "float_rows", parts.float_rows));
  QUIPU_TRY_OK(visit(12, "uuids", parts.uuids));
  QUIPU_TRY_OK(visit(13, "uuid_rows", parts.uuid_rows));
  QUIPU_TRY_OK(visit(14, "points", parts.points));
  return visit(15, "point_rows", parts.point_rows);
}

Parts parts_of(const PayloadSegment& segment) {
  return {.postings = segment.postings->arrays(),
          .integers = segment.integers.values(),
          .integer_rows = segment.integers.rows(),
          .floats = segment.floats.values(),
          .float_rows = segment.floats.rows(),
          .uuids = segment.uuids.values(),
          .uuid_rows = segment.uuids.rows(),
          .points = segment.points.values(),
          .point_rows = segment.points.rows()};
}

Status write_segments(CheckpointWriter& writer, const PayloadSegments& segments) {
  std::vector<Parts> all;
  std::vector<PartSizes> sizes;
  for (const auto& segment : segments) {
    all.push_back(parts_of(*segment));
    sizes.emplace_back();
    QUIPU_TRY_OK(
        for_each_part(all.back(), [&](std::size_t part, std::string_view, const auto& span) {
          sizes.back()[part] = span.size();
          return ok_status();
        }));
  }
  QUIPU_TRY_OK(write_array(writer, "segments", sizes));
  // One section after the other: of each, the arrays of all segments.
  for (std::size_t wanted = 0; wanted < kPartCount; ++wanted) {
    bool begun = false;
    Parts none;
    const auto write = [&](std::size_t part, std::string_view name, const auto& span) -> Status {
      if (part != wanted) return ok_status();
      if (!std::exchange(begun, true)) QUIPU_TRY_OK(writer.begin_section(name));
      return writer.append_array(span);
    };
    QUIPU_TRY_OK(for_each_part(none, write));  // without segments, the section is there, too
    for (Parts& parts : all) QUIPU_TRY_OK(for_each_part(parts, write));
  }
  return ok_status();
}

Result<std::shared_ptr<const PayloadSegments>> read_payload_segments(
    const std::shared_ptr<CheckpointFile>& file, const std::string& path) {
  Parts rest;  // of the sections: what no segment has taken yet
  QUIPU_TRY_OK(for_each_part(rest, [&](std::size_t, std::string_view name, auto& span) -> Status {
    using Item =
        std::remove_const_t<typename std::remove_reference_t<decltype(span)>::element_type>;
    QUIPU_TRY(span, file->array<Item>(name));
    return ok_status();
  }));
  QUIPU_TRY(const std::span<PartSizes> sizes, file->array<PartSizes>("segments"));
  auto segments = std::make_shared<PayloadSegments>();
  for (const PartSizes& each : sizes) {
    Parts parts = rest;
    QUIPU_TRY_OK(
        for_each_part(parts, [&](std::size_t part, std::string_view name, auto& span) -> Status {
          if (each[part] <= span.size()) {
            span = span.first(each[part]);
            return ok_status();
          }
          return damaged_checkpoint(path, format("section {} ends before its segments do", name));
        }));
    QUIPU_TRY_OK(for_each_part(rest, [&](std::size_t part, std::string_view, auto& span) -> Status {
      span = span.subspan(each[part]);
      return ok_status();
    }));
    auto segment = std::make_shared<PayloadSegment>();
    segment->postings = std::make_shared<const Segment>(PostingKind::kCounts, parts.postings, file);
    segment->integers = {parts.integers, parts.integer_rows};
    segment->floats = {parts.floats, parts.float_rows};
    segment->uuids = {parts.uuids, parts.uuid_rows};
    segment->points = {parts.points, parts.point_rows};
    segment->keeps = file;
    segments->push_back(std::move(segment));
  }
  return std::shared_ptr<const PayloadSegments>(std::move(segments));
}

bool is_member(const PayloadSegment& segment, std::uint32_t row) {
  return std::binary_search(segment.rows().begin(), segment.rows().end(), row);
}

// Whether every posting names a row of the segment, in order, with a number that can be.
bool payload_postings_hold(const PayloadSegment& segment, std::uint32_t key) {
  PostingCursor cursor(*segment.postings, key);
  const bool term = segment.postings->key(key).front() == static_cast<char>(PayloadTag::kTerm);
  std::uint32_t count = 0;
  std::uint32_t before = 0;
  std::vector<std::uint32_t> positions;
  for (std::uint32_t row = cursor.next(); row != kRowsEnd; row = cursor.next()) {
    if (count++ > 0 && row <= before) return false;
    before = row;
    if (!is_member(segment, row) || cursor.number() == 0) return false;
    if (!segment.postings->has_positions()) continue;
    positions.clear();
    if (!cursor.read_positions(positions)) return false;
    if (positions.size() != (term ? cursor.number() : 0)) return false;
  }
  return count == cursor.count();
}

template <typename T>
bool run_holds(const PayloadSegment& segment, const SortedRun<T>& run) {
  for (std::size_t i = 0; i < run.size(); ++i) {
    if (!is_member(segment, run.rows()[i])) return false;
    const RunEntry<T> here = {run.values()[i], run.rows()[i]};
    if constexpr (std::is_same_v<T, double>) {
      if (!std::isfinite(here.value)) return false;
    }
    if (i > 0 && entry_before(here, {run.values()[i - 1], run.rows()[i - 1]})) return false;
  }
  return true;
}

Status check_segment(const PayloadSegment& segment, std::uint32_t row_count) {
  const auto damaged = [](std::string_view what) {
    return Error{.code = ErrorCode::kCorruption, .message = format("payload index: {}", what)};
  };
  const std::span<const std::uint32_t> rows = segment.rows();
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (rows[i] >= row_count) {
      return damaged(format("a segment names row {} of {}", rows[i], row_count));
    }
    if (i > 0 && rows[i] <= rows[i - 1]) return damaged("a segment's rows are out of order");
  }
  const Segment& postings = *segment.postings;
  for (std::uint32_t key = 0; key < postings.key_count(); ++key) {
    const bool sorted = key == 0 || postings.key(key - 1) < postings.key(key);
    const bool found = !postings.key(key).empty() && postings.find(postings.key(key)) == key;
    if (!sorted || !found || !payload_postings_hold(segment, key)) {
      return damaged(format("the list of key {} is damaged", key));
    }
  }
  const bool runs_hold = run_holds(segment, segment.integers) &&
                         run_holds(segment, segment.floats) && run_holds(segment, segment.uuids) &&
                         run_holds(segment, segment.points);
  if (!runs_hold) return damaged("a run of values is damaged");
  return ok_status();
}

}  // namespace

std::shared_ptr<const PayloadIndex::Capture> PayloadIndex::capture(Seq covers) const {
  const PayloadCore& core = *state_->core;
  QUIPU_ASSERT(state_->builder.empty() && state_->pending_closed.empty());
  auto capture = std::make_shared<Capture>();
  capture->options = core.options;
  capture->covers = covers;
  capture->moment = moment();
  QUIPU_ASSERT(capture->moment->last <= covers);
  capture->rows = core.rows.image();
  PayloadRows::Image& image = capture->rows;
  std::vector<bool> used(image.slots.size(), false);
  for (const auto& segment : *capture->moment->segments) {
    for (const std::uint32_t row : segment->rows()) {
      if (row >= used.size()) continue;  // only of a damaged file
      used[row] = true;
      if (image.closed[row] != PayloadRows::kOpen) capture->closed.push_back(row);
    }
  }
  std::sort(capture->closed.begin(), capture->closed.end());
  // What no segment has is free, or waits for a grace period, which ends with the process.
  for (std::uint32_t row = 0; row < used.size(); ++row) {
    if (used[row]) continue;
    capture->free.push_back(row);
    image.added[row] = 0;
    image.closed[row] = 0;
    image.slots[row] = 0;
    if (!image.chain.empty()) image.chain[row] = 0;
  }
  return capture;
}

Status PayloadIndex::save(FileSystem& fs, const std::string& path, const Capture& capture) {
  const PayloadRows::Image& rows = capture.rows;
  const std::string header =
      encoded_payload_header({.options = capture.options,
                              .covers = capture.covers,
                              .last = capture.moment->last,
                              .points = capture.moment->points,
                              .rows = static_cast<std::uint32_t>(rows.slots.size()),
                              .slots = static_cast<std::uint32_t>(rows.latest.size())});
  QUIPU_TRY(const auto writer, CheckpointWriter::create(fs, path, kPayloadKind, kPayloadVersion));
  QUIPU_TRY_OK(writer->begin_section("header"));
  QUIPU_TRY_OK(writer->append(std::as_bytes(std::span(header))));
  QUIPU_TRY_OK(write_array(*writer, "added", rows.added));
  QUIPU_TRY_OK(write_array(*writer, "row_closed", rows.closed));
  QUIPU_TRY_OK(write_array(*writer, "row_slots", rows.slots));
  QUIPU_TRY_OK(write_array(*writer, "slots", rows.latest));
  QUIPU_TRY_OK(write_array(*writer, "chain", rows.chain));
  QUIPU_TRY_OK(write_array(*writer, "closed", capture.closed));
  QUIPU_TRY_OK(write_array(*writer, "free", capture.free));
  QUIPU_TRY_OK(write_segments(*writer, *capture.moment->segments));
  return writer->finish();
}

namespace {

Result<PayloadRows::Mapped> map_rows(const CheckpointFile& file, const std::string& path,
                                     const PayloadHeader& header) {
  constexpr std::size_t kNumber = sizeof(std::uint32_t);
  constexpr std::size_t kMoment = sizeof(std::uint64_t);
  const bool chained = header.options.kind == PayloadKind::kText;
  PayloadRows::Mapped rows;
  QUIPU_TRY(rows.added, sized_section(file, path, "added", header.rows, kMoment));
  QUIPU_TRY(rows.closed, sized_section(file, path, "row_closed", header.rows, kMoment));
  QUIPU_TRY(rows.slots, sized_section(file, path, "row_slots", header.rows, kNumber));
  QUIPU_TRY(rows.latest, sized_section(file, path, "slots", header.slots, kNumber));
  QUIPU_TRY(rows.chain, sized_section(file, path, "chain", chained ? header.rows : 0, kNumber));
  return rows;
}

}  // namespace

Result<std::unique_ptr<PayloadIndex>> PayloadIndex::open(FileSystem& fs, const std::string& path,
                                                         const PayloadOptions& options,
                                                         EpochDomain& epochs) {
  QUIPU_TRY(std::shared_ptr<CheckpointFile> file, CheckpointFile::open(fs, path, kPayloadKind));
  if (file->version() != kPayloadVersion) {
    return Error{.code = ErrorCode::kFailedPrecondition,
                 .message = format("{} has payload format {}; this build reads {}", path,
                                   file->version(), kPayloadVersion),
                 .reason = "checkpoint_version"};
  }
  QUIPU_TRY(const std::span<std::byte> section, file->section("header"));
  QUIPU_TRY(const PayloadHeader header, decoded_payload_header(path, section));
  if (header.options != options) {
    return Error{.code = ErrorCode::kFailedPrecondition,
                 .message = format("{} was saved with other options than are wanted", path),
                 .reason = "checkpoint_options"};
  }
  QUIPU_TRY(const PayloadRows::Mapped rows, map_rows(*file, path, header));
  QUIPU_TRY(std::vector<std::uint32_t> closed, read_rows(*file, path, "closed", header.rows));
  QUIPU_TRY(std::vector<std::uint32_t> free, read_rows(*file, path, "free", header.rows));
  // A point has one row, or with kText some more.
  const std::uint64_t known = closed.size() + free.size() + header.points;
  if (options.kind == PayloadKind::kText ? known > header.rows : known != header.rows) {
    return damaged_checkpoint(path, "the lists of rows do not add up to their count");
  }
  if (!std::is_sorted(closed.begin(), closed.end())) {
    return damaged_checkpoint(path, "section closed is out of order");
  }
  QUIPU_TRY(std::shared_ptr<const PayloadSegments> segments, read_payload_segments(file, path));
  QUIPU_TRY(std::unique_ptr<PayloadIndex> index, create(options, epochs));
  PayloadCore& core = *index->state_->core;
  core.mapped = std::move(file);
  core.rows.adopt(rows, std::move(free));
  index->state_->points = header.points;
  index->state_->last = header.last;
  index->state_->covers = header.covers;
  auto moment = std::make_shared<Moment>();
  moment->segments = segments;
  moment->closed.most = std::make_shared<std::vector<std::uint32_t>>(std::move(closed));
  moment->points = header.points;
  moment->last = header.last;
  const MutexLock lock(core.mutex);
  core.segments = std::move(segments);
  core.closed = moment->closed;
  core.latest = std::move(moment);
  return index;
}

Status PayloadIndex::verify() const {
  const PayloadCore& core = *state_->core;
  if (core.mapped != nullptr) QUIPU_TRY_OK(core.mapped->verify());
  const std::shared_ptr<const Moment> now = moment();
  for (const auto& segment : *now->segments) {
    QUIPU_TRY_OK(check_segment(*segment, core.rows.count()));
  }
  return ok_status();
}

}  // namespace quipu::index
