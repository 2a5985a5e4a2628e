// Checkpoints of dense views. Format: docs/format/dense_checkpoint.md.
#include <algorithm>
#include <bit>
#include <cstring>
#include <string>

#include "quipu/base/bytes.h"
#include "quipu/base/format.h"
#include "quipu/index/dense/dense_core.h"
#include "quipu/index/rows/checkpoint_sections.h"

namespace quipu::index {
namespace {

static_assert(std::endian::native == std::endian::little, "arrays are mapped as they lie in files");

constexpr std::string_view kDenseKind = "dense";
constexpr std::size_t kWriteBytes = std::size_t{1} << 20;

struct DenseHeader {
  DenseOptions options;
  Seq covers;
  std::uint64_t live_rows = 0;
  std::uint32_t rows = 0;
  std::uint32_t slots = 0;
  std::uint32_t vector_bytes = 0;  // from one row's vector to the next
  hnsw::EntryPoint entry;
};

std::string encoded_dense_header(const DenseHeader& header) {
  std::string bytes;
  ByteWriter out(bytes);
  out.u32(header.options.dim);
  out.u8(static_cast<std::uint8_t>(header.options.metric));
  out.u8(header.options.graph ? 1 : 0);
  out.u16(0);
  out.u32(header.options.m);
  out.u32(header.options.ef_construction);
  out.u64(header.options.seed);
  out.u64(header.covers.value());
  out.u64(header.live_rows);
  out.u32(header.rows);
  out.u32(header.slots);
  out.u32(header.vector_bytes);
  out.u32(header.entry.node);
  out.u32(header.entry.level);
  return bytes;
}

Result<DenseHeader> decoded_dense_header(const std::string& path,
                                         std::span<const std::byte> section) {
  ByteReader in({reinterpret_cast<const char*>(section.data()), section.size()});
  DenseHeader header;
  header.options.dim = in.u32();
  const std::uint8_t metric = in.u8();
  const std::uint8_t graph = in.u8();
  const std::uint16_t reserved = in.u16();
  header.options.m = in.u32();
  header.options.ef_construction = in.u32();
  header.options.seed = in.u64();
  header.covers = Seq(in.u64());
  header.live_rows = in.u64();
  header.rows = in.u32();
  header.slots = in.u32();
  header.vector_bytes = in.u32();
  header.entry.node = in.u32();
  header.entry.level = in.u32();
  const bool plausible = metric <= static_cast<std::uint8_t>(Metric::kManhattan) && graph <= 1 &&
                         reserved == 0 && header.rows <= kRowsMax &&
                         header.live_rows <= header.rows && header.entry.level <= hnsw::kLevelMax &&
                         (header.entry.node < header.rows || header.entry.node == hnsw::kNoNode);
  if (!in.ok() || in.left() != 0 || !plausible) {
    return damaged_checkpoint(path, "the header section holds impossible values");
  }
  header.options.metric = static_cast<Metric>(metric);
  header.options.graph = graph == 1;
  return header;
}

Status check_same_options(const std::string& path, const DenseOptions& saved,
                          const DenseOptions& wanted) {
  const auto differs = [&](std::string_view name, std::uint64_t was, std::uint64_t is) {
    return Error{.code = ErrorCode::kFailedPrecondition,
                 .message = format("{} was saved with {} {}; {} is wanted", path, name, was, is),
                 .reason = "checkpoint_options"};
  };
  if (saved.dim != wanted.dim) return differs("dim", saved.dim, wanted.dim);
  if (saved.metric != wanted.metric) {
    return differs("metric", static_cast<std::uint64_t>(saved.metric),
                   static_cast<std::uint64_t>(wanted.metric));
  }
  if (saved.graph != wanted.graph) return differs("graph", saved.graph, wanted.graph);
  if (saved.m != wanted.m) return differs("m", saved.m, wanted.m);
  if (saved.ef_construction != wanted.ef_construction) {
    return differs("ef_construction", saved.ef_construction, wanted.ef_construction);
  }
  if (saved.seed != wanted.seed) return differs("seed", saved.seed, wanted.seed);
  return ok_status();
}

// Writes the rows' vectors; free rows, which the writer may be filling anew, as zeros.
Status write_vectors(CheckpointWriter& writer, const RowStore& rows,
                     std::span<const RowMeta> meta) {
  const std::size_t stride = rows.vector_bytes();
  std::vector<std::byte> buffer;
  buffer.reserve(std::max(kWriteBytes, stride));
  for (std::uint32_t row = 0; row < meta.size(); ++row) {
    if (buffer.size() + stride > buffer.capacity()) {
      QUIPU_TRY_OK(writer.append(buffer));
      buffer.clear();
    }
    buffer.resize(buffer.size() + stride);
    if (meta[row].state == static_cast<std::uint32_t>(RowState::kFree)) continue;
    std::memcpy(buffer.data() + buffer.size() - stride, rows.vector(row), stride);
  }
  return writer.append(buffer);
}

Result<hnsw::MappedNodes> map_nodes(const CheckpointFile& file, const std::string& path,
                                    const DenseHeader& header) {
  const std::size_t links = header.options.m * sizeof(std::uint32_t);
  hnsw::MappedNodes nodes;
  QUIPU_TRY(nodes.references,
            sized_section(file, path, "nodes", header.rows, 2 * sizeof(std::uint32_t)));
  QUIPU_TRY(nodes.base_blocks, counted_section(file, path, "blocks0", 2 * links));
  QUIPU_TRY(nodes.upper_references, counted_section(file, path, "upper", sizeof(std::uint32_t)));
  QUIPU_TRY(nodes.upper_blocks, counted_section(file, path, "blocks1", links));
  nodes.entry = header.entry;
  return nodes;
}

// Fills a fresh core from a mapped file.
Status load(DenseCore& core, const std::string& path, const DenseHeader& header) {
  const CheckpointFile& file = *core.mapped;
  QUIPU_TRY(const auto meta, sized_section(file, path, "rows", header.rows, sizeof(RowMeta)));
  QUIPU_TRY(const auto slots,
            sized_section(file, path, "slots", header.slots, sizeof(std::uint32_t)));
  QUIPU_TRY(const auto vectors,
            sized_section(file, path, "vectors", header.rows, core.rows.vector_bytes()));
  QUIPU_TRY(const hnsw::MappedNodes nodes, map_nodes(file, path, header));
  QUIPU_TRY(const std::vector<std::uint32_t> tail, read_rows(file, path, "tail", header.rows));
  QUIPU_TRY(const std::vector<std::uint32_t> closed, read_rows(file, path, "closed", header.rows));
  QUIPU_TRY(std::vector<std::uint32_t> free, read_rows(file, path, "free", header.rows));
  const std::size_t unused = closed.size() + free.size();
  if (unused > header.rows || header.rows - unused != header.live_rows ||
      tail.size() > header.rows) {
    return damaged_checkpoint(path, "the lists of rows do not add up to their count");
  }
  const std::size_t bytes = meta.size() + slots.size() + vectors.size() + nodes.references.size() +
                            nodes.base_blocks.size() + nodes.upper_references.size() +
                            nodes.upper_blocks.size();
  core.mapped_bytes = bytes;
  core.rows.adopt(meta, slots, vectors, std::move(free));
  if (core.options.graph) core.nodes.adopt(nodes);
  for (const std::uint32_t row : tail) core.tail.append(row);
  core.live_rows.store(header.live_rows);
  core.closed_rows.store(closed.size());
  const std::size_t used = header.live_rows + closed.size();
  core.linked_rows.store(core.options.graph ? used - std::min(used, tail.size()) : 0);
  const MutexLock lock(core.closed_mutex);
  core.closed.assign(closed.begin(), closed.end());
  return ok_status();
}

// Whether a node's neighbours exist and reach its levels.
bool links_hold(const hnsw::NodeStore& nodes, std::uint32_t node) {
  const std::uint32_t height = nodes.level(node);
  if (height > hnsw::kLevelMax) return false;
  for (std::uint32_t level = 0; level <= height; ++level) {
    const std::uint32_t* links = nodes.links_of(node, level);
    for (std::uint32_t i = 0; i < nodes.links_max(level) && links[i] != hnsw::kNoNode; ++i) {
      // The bound after the link: it may have been made this moment.
      if (links[i] >= nodes.bound() || links[i] == node) return false;
      if (nodes.level(links[i]) < level) return false;
    }
  }
  return true;
}

}  // namespace

std::shared_ptr<const DenseIndex::Capture> DenseIndex::capture(Seq covers) {
  const std::shared_ptr<DenseCore>& core = state_->core;
  auto capture = std::make_shared<Capture>();
  capture->core = core;
  capture->covers = covers;
  capture->hold = core->rows.hold();
  capture->meta.resize(core->rows.count());
  capture->slots.resize(core->rows.slot_count());
  core->rows.copy_slots(capture->slots);
  const Gate::Alone alone(core->gate);
  const EpochDomain::Guard guard = core->epochs.pin();
  core->rows.copy_meta(capture->meta);
  std::vector<RowMeta>& meta = capture->meta;
  for (std::uint32_t row = 0; row < meta.size(); ++row) {
    auto state = static_cast<RowState>(meta[row].state);
    // Half of a consolidation is not saved: its rows are closed ones still, or free ones already.
    if (state == RowState::kRemoving) state = RowState::kLinked;
    if (state == RowState::kRemoved) state = RowState::kFree;
    meta[row].state = static_cast<std::uint32_t>(state);
    if (state == RowState::kFree) {
      capture->free.push_back(row);
    } else if (meta[row].closed != kOpen) {
      capture->closed.push_back(row);
    } else {
      ++capture->live_rows;
    }
  }
  std::stable_sort(
      capture->closed.begin(), capture->closed.end(),
      [&](std::uint32_t a, std::uint32_t b) { return meta[a].closed < meta[b].closed; });
  core->tail.for_each([&](std::uint32_t row) {
    if (meta[row].state == static_cast<std::uint32_t>(RowState::kTail))
      capture->tail.push_back(row);
    return true;
  });
  capture->nodes =
      core->nodes.image(static_cast<std::uint32_t>(meta.size()), [&](std::uint32_t row) {
        return meta[row].state == static_cast<std::uint32_t>(RowState::kLinked);
      });
  return capture;
}

Status DenseIndex::save(FileSystem& fs, const std::string& path, const Capture& capture) {
  const DenseCore& core = *capture.core;
  const std::string header =
      encoded_dense_header({.options = core.options,
                            .covers = capture.covers,
                            .live_rows = capture.live_rows,
                            .rows = static_cast<std::uint32_t>(capture.meta.size()),
                            .slots = static_cast<std::uint32_t>(capture.slots.size()),
                            .vector_bytes = static_cast<std::uint32_t>(core.rows.vector_bytes()),
                            .entry = capture.nodes.entry});
  QUIPU_TRY(const auto writer, CheckpointWriter::create(fs, path, kDenseKind, kDenseVersion));
  QUIPU_TRY_OK(writer->begin_section("header"));
  QUIPU_TRY_OK(writer->append(std::as_bytes(std::span(header))));
  QUIPU_TRY_OK(write_array(*writer, "rows", capture.meta));
  QUIPU_TRY_OK(write_array(*writer, "slots", capture.slots));
  QUIPU_TRY_OK(write_array(*writer, "tail", capture.tail));
  QUIPU_TRY_OK(write_array(*writer, "closed", capture.closed));
  QUIPU_TRY_OK(write_array(*writer, "free", capture.free));
  QUIPU_TRY_OK(write_array(*writer, "nodes", capture.nodes.references));
  QUIPU_TRY_OK(write_array(*writer, "blocks0", capture.nodes.base_blocks));
  QUIPU_TRY_OK(write_array(*writer, "upper", capture.nodes.upper_references));
  QUIPU_TRY_OK(write_array(*writer, "blocks1", capture.nodes.upper_blocks));
  QUIPU_TRY_OK(writer->begin_section("vectors"));
  QUIPU_TRY_OK(write_vectors(*writer, core.rows, capture.meta));
  return writer->finish();
}

Result<std::unique_ptr<DenseIndex>> DenseIndex::open(FileSystem& fs, const std::string& path,
                                                     const DenseOptions& options,
                                                     EpochDomain& epochs) {
  QUIPU_TRY(std::unique_ptr<CheckpointFile> file, CheckpointFile::open(fs, path, kDenseKind));
  if (file->version() != kDenseVersion) {
    return Error{.code = ErrorCode::kFailedPrecondition,
                 .message = format("{} has dense format {}; this build reads {}", path,
                                   file->version(), kDenseVersion),
                 .reason = "checkpoint_version"};
  }
  QUIPU_TRY(const std::span<std::byte> section, file->section("header"));
  QUIPU_TRY(const DenseHeader header, decoded_dense_header(path, section));
  QUIPU_TRY_OK(check_same_options(path, header.options, options));
  QUIPU_TRY(std::unique_ptr<DenseIndex> index, create(options, epochs));
  DenseCore& core = *index->state_->core;
  if (header.vector_bytes != core.rows.vector_bytes()) {
    return damaged_checkpoint(path, format("vectors are {} bytes apart; {} are expected",
                                           header.vector_bytes, core.rows.vector_bytes()));
  }
  core.mapped = std::move(file);
  QUIPU_TRY_OK(load(core, path, header));
  return index;
}

Status DenseIndex::verify() const {
  const DenseCore& core = *state_->core;
  if (core.mapped != nullptr) QUIPU_TRY_OK(core.mapped->verify());
  const std::uint32_t bound = core.options.graph ? core.nodes.bound() : 0;
  for (std::uint32_t node = 0; node < bound;) {
    // A guard for every few nodes, so that a long check does not hold back what is to be freed.
    constexpr std::uint32_t kNodesPerGuard = 1024;
    const EpochDomain::Guard guard = core.epochs.pin();
    for (const std::uint32_t end = std::min(bound, node + kNodesPerGuard); node < end; ++node) {
      if (core.rows.state(node) != RowState::kLinked || links_hold(core.nodes, node)) continue;
      return Error{.code = ErrorCode::kCorruption,
                   .message = format("dense index: row {} has a link that leads nowhere", node)};
    }
  }
  return ok_status();
}

}  // namespace quipu::index
