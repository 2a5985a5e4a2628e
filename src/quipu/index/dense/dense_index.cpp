#include "quipu/index/dense/dense_index.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "quipu/assert.h"
#include "quipu/base/format.h"
#include "quipu/base/limits.h"
#include "quipu/index/dense/dense_core.h"

namespace quipu::index {
namespace {

constexpr std::uint32_t kLinksMin = 2;
constexpr std::uint32_t kLinksMaxPerLevel = 128;
constexpr std::uint32_t kEfConstructionMax = 10'000;

Status check_options(const DenseOptions& options) {
  const auto refuse = [](std::string_view name, std::uint32_t value, std::uint32_t least,
                         std::uint32_t most) {
    return Error{.code = ErrorCode::kInvalidArgument,
                 .message = format("{} is {}; it must be from {} to {}", name, value, least, most)};
  };
  if (options.dim < 1 || options.dim > limits::kDimMax) {
    return refuse("dim", options.dim, 1, limits::kDimMax);
  }
  if (options.m < kLinksMin || options.m > kLinksMaxPerLevel) {
    return refuse("m", options.m, kLinksMin, kLinksMaxPerLevel);
  }
  if (options.ef_construction < options.m || options.ef_construction > kEfConstructionMax) {
    return refuse("ef_construction", options.ef_construction, options.m, kEfConstructionMax);
  }
  if (options.metric > Metric::kManhattan) {
    return refuse("metric", static_cast<std::uint32_t>(options.metric), 0,
                  static_cast<std::uint32_t>(Metric::kManhattan));
  }
  return ok_status();
}

// The finalizer of splitmix64, as in quipu/ids.h.
std::uint64_t mixed(std::uint64_t x) {
  x += 0x9e3779b97f4a7c15ULL;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
  return x ^ (x >> 31);
}

}  // namespace

std::uint32_t level_of(const DenseOptions& options, SlotId slot, Seq added) {
  const std::uint64_t hash = mixed(mixed(options.seed ^ slot.value()) ^ added.value());
  // In (0, 1]: the logarithm is finite.
  const double uniform = (static_cast<double>(hash >> 11) + 1) * 0x1p-53;
  const double level = -std::log(uniform) / std::log(static_cast<double>(options.m));
  return std::min(static_cast<std::uint32_t>(level), hnsw::kLevelMax);
}

void retire(const std::shared_ptr<DenseCore>& core, hnsw::RetiredBlocks&& blocks,
            Tail::Retired&& segments) {
  if (blocks.empty() && segments.empty()) return;
  core->epochs.retire([core, blocks = std::move(blocks), segments = std::move(segments)] {
    core->nodes.give_back(blocks);
  });
}

void retire_rows(const std::shared_ptr<DenseCore>& core, std::vector<std::uint32_t>&& rows,
                 bool nodes) {
  if (rows.empty()) return;
  core->epochs.retire([core, rows = std::move(rows), nodes] {
    if (nodes) {
      for (const std::uint32_t row : rows) core->nodes.remove_node(row);
    }
    core->rows.release(rows);
  });
}

DenseIndex::DenseIndex() : state_(std::make_unique<State>()) {}
DenseIndex::~DenseIndex() = default;

Result<std::unique_ptr<DenseIndex>> DenseIndex::create(const DenseOptions& options,
                                                       EpochDomain& epochs) {
  QUIPU_TRY_OK(check_options(options));
  std::unique_ptr<DenseIndex> index(new DenseIndex());
  index->state_->core = std::make_shared<DenseCore>(options, epochs);
  return index;
}

void DenseIndex::insert(SlotId slot, std::span<const float> vector, Seq seq) {
  DenseCore& core = *state_->core;
  static_cast<void>(erase(slot, seq));  // an insert need not find anything to close
  const RowState state = core.options.graph ? RowState::kTail : RowState::kLoose;
  const std::uint32_t row = core.rows.add(slot, vector, seq, state);
  core.live_rows.fetch_add(1, std::memory_order_relaxed);  // only a count
  if (core.options.graph) core.tail.append(row);
}

bool DenseIndex::erase(SlotId slot, Seq seq) {
  DenseCore& core = *state_->core;
  const std::uint32_t row = core.rows.open_row(slot);
  if (row == kNoRow) return false;
  core.rows.close(row, seq);
  core.live_rows.fetch_sub(1, std::memory_order_relaxed);    // only a count
  core.closed_rows.fetch_add(1, std::memory_order_relaxed);  // only a count
  const MutexLock lock(core.closed_mutex);
  core.closed.push_back(row);
  return true;
}

Result<std::size_t> DenseIndex::search(std::span<const float> query,
                                       const DenseSearchParams& params, std::span<DenseHit> hits,
                                       DenseSearchStats* stats) const {
  const DenseCore& core = *state_->core;
  const auto invalid = [](std::string message) {
    return Error{.code = ErrorCode::kInvalidArgument, .message = std::move(message)};
  };
  if (query.size() != core.options.dim) {
    return invalid(
        format("the query has {} dimensions; the index has {}", query.size(), core.options.dim));
  }
  if (!simd::all_finite(query)) return invalid("the query holds a number that is not finite");
  if (params.ef != 0 && params.ef < hits.size()) {
    return invalid(
        format("ef is {}; it must be at least the {} hits asked for", params.ef, hits.size()));
  }
  if (params.ef > limits::kEfMax) {
    return invalid(format("ef is {}; it must be at most {}", params.ef, limits::kEfMax));
  }
  const bool limited = params.deadline != std::chrono::steady_clock::time_point::max();
  if (limited && params.clock == nullptr) return invalid("a deadline was given without a clock");
  DenseSearchStats unused;
  DenseSearchStats& counts = stats == nullptr ? unused : *stats;
  counts = {};
  const EpochDomain::Guard guard = core.epochs.pin();
  if (core.options.metric != Metric::kCosine) {
    return dense_search(core, query, params, hits, counts);
  }
  // Distances are 1 - cosine only for unit queries; one that is so already is not copied.
  constexpr float kNearOne = 1e-5F;
  const float squares = simd::kernels().dot(query.data(), query.data(), query.size());
  if (std::fabs(squares - 1) <= kNearOne) return dense_search(core, query, params, hits, counts);
  std::vector<float> unit(query.begin(), query.end());
  static_cast<void>(simd::normalise(unit));  // a zero query has no direction: all are at 1
  return dense_search(core, unit, params, hits, counts);
}

void DenseIndex::for_each_slot(Seq as_of, const std::function<void(SlotId)>& visit) const {
  const RowStore& rows = state_->core->rows;
  const std::uint32_t count = rows.count();
  for (std::uint32_t row = 0; row < count; ++row) {
    if (rows.visible(row, as_of)) visit(SlotId(rows.slot(row)));
  }
}

void DenseIndex::copy_vector(RowId row, std::span<float> into) const {
  const DenseCore& core = *state_->core;
  QUIPU_ASSERT(row.value() < core.rows.count());
  QUIPU_ASSERT(into.size() == core.options.dim);
  std::memcpy(into.data(), core.rows.vector(row.value()), into.size_bytes());
}

DenseStats DenseIndex::stats() const {
  const DenseCore& core = *state_->core;
  DenseStats stats;
  stats.live_rows = core.live_rows.load(std::memory_order_relaxed);      // counts may be a
  stats.closed_rows = core.closed_rows.load(std::memory_order_relaxed);  // little apart
  stats.linked_rows = core.linked_rows.load(std::memory_order_relaxed);
  const std::size_t used = stats.live_rows + stats.closed_rows;
  stats.free_rows = std::max<std::size_t>(core.rows.count(), used) - used;
  stats.tail_rows = core.tail.waiting();
  stats.bytes_mapped = core.mapped_bytes;
  stats.bytes_used =
      sizeof(DenseCore) + core.rows.bytes_used() + core.nodes.bytes_used() + core.tail.bytes_used();
  const MutexLock lock(core.closed_mutex);
  stats.bytes_used += core.closed.size() * sizeof(std::uint32_t);
  return stats;
}

const DenseOptions& DenseIndex::options() const noexcept { return state_->core->options; }

}  // namespace quipu::index
