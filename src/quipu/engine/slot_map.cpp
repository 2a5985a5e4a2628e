#include "quipu/engine/slot_map.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "quipu/base/checkpoint_file.h"
#include "quipu/base/format.h"

namespace quipu::engine {
namespace {

constexpr std::uint32_t kFileVersion = 1;

// A point id as the checkpoint file holds it: fixed size, no padding.
struct StoredId {
  std::uint64_t high;
  std::uint64_t low;
  std::uint64_t kind;
};

}  // namespace

SlotMap::SlotMap(EpochDomain& epochs) : epochs_(epochs) {}

SlotMap::~SlotMap() { delete[] directory_.load(std::memory_order_relaxed); }

SlotMap::Chunk& SlotMap::chunk(std::uint32_t slot) const { return *chunks_[slot / kChunkSlots]; }

void SlotMap::for_each_slot(const std::function<void(SlotId)>& visit) const {
  for (std::uint32_t slot = 0; slot < slot_count_; ++slot) {
    if (chunk(slot).versions[slot % kChunkSlots] != kFree) visit(SlotId(slot));
  }
}

PointId SlotMap::id_of(SlotId slot) const {
  // Pairs with the release store in grow_directory(): the chunk is whole when it can be seen.
  Chunk* const* directory = directory_.load(std::memory_order_acquire);
  return directory[slot.value() / kChunkSlots]->ids[slot.value() % kChunkSlots];
}

std::size_t SlotMap::probe(const PointId& id) const {
  const std::size_t mask = table_.size() - 1;
  std::size_t position = static_cast<std::size_t>(stable_hash(id)) & mask;
  while (table_[position] != kNone) {
    const std::uint32_t slot = table_[position];
    if (chunk(slot).ids[slot % kChunkSlots] == id) return position;
    position = (position + 1) & mask;
  }
  return position;
}

std::optional<SlotMap::Entry> SlotMap::find(const PointId& id) const {
  if (table_.empty()) return std::nullopt;
  const std::uint32_t slot = table_[probe(id)];
  if (slot == kNone) return std::nullopt;
  return Entry{.slot = SlotId(slot), .version = chunk(slot).versions[slot % kChunkSlots]};
}

SlotId SlotMap::assign(const PointId& id, std::uint64_t version) {
  QUIPU_ASSERT(version != kFree);
  if (const std::optional<Entry> entry = find(id)) {
    const std::uint32_t slot = entry->slot.value();
    chunk(slot).versions[slot % kChunkSlots] = version;
    return entry->slot;
  }
  const std::uint32_t slot = new_slot();
  chunk(slot).ids[slot % kChunkSlots] = id;
  chunk(slot).versions[slot % kChunkSlots] = version;
  ++live_;
  // At most two thirds full: linear probing stays short.
  if (live_ * 3 >= table_.size() * 2) {
    grow_table();  // inserts every live slot, this one included
  } else {
    table_insert(slot);
  }
  return SlotId(slot);
}

std::optional<SlotId> SlotMap::release(const PointId& id, Seq released) {
  if (table_.empty()) return std::nullopt;
  const std::size_t position = probe(id);
  const std::uint32_t slot = table_[position];
  if (slot == kNone) return std::nullopt;
  table_erase(position);
  chunk(slot).versions[slot % kChunkSlots] = kFree;
  released_.push_back({.slot = slot, .seq = released});
  --live_;
  return SlotId(slot);
}

void SlotMap::reuse_released(Seq seq) {
  while (!released_.empty() && released_.front().seq <= seq) {
    free_.push_back(released_.front().slot);
    released_.pop_front();
  }
}

std::uint32_t SlotMap::new_slot() {
  if (!free_.empty()) {
    const std::uint32_t slot = free_.back();
    free_.pop_back();
    return slot;
  }
  QUIPU_ASSERT(slot_count_ < kNone);
  if (slot_count_ == chunks_.size() * kChunkSlots) grow_directory();
  return slot_count_++;
}

void SlotMap::grow_directory() {
  chunks_.push_back(std::make_unique<Chunk>());
  Chunk** current = directory_.load(std::memory_order_relaxed);
  if (chunks_.size() <= directory_capacity_) {
    current[chunks_.size() - 1] = chunks_.back().get();
    return;
  }
  directory_capacity_ = std::max<std::size_t>(8, directory_capacity_ * 2);
  Chunk** grown = new Chunk*[directory_capacity_]();
  for (std::size_t i = 0; i < chunks_.size(); ++i) grown[i] = chunks_[i].get();
  // Pairs with the acquire load in id_of().
  directory_.store(grown, std::memory_order_release);
  // Readers may still be looking at the old one.
  if (current != nullptr) epochs_.retire([current] { delete[] current; });
}

void SlotMap::grow_table() {
  const std::size_t size = std::max<std::size_t>(16, table_.size() * 2);
  table_.assign(size, kNone);
  for (std::uint32_t slot = 0; slot < slot_count_; ++slot) {
    if (chunk(slot).versions[slot % kChunkSlots] != kFree) table_insert(slot);
  }
}

void SlotMap::table_insert(std::uint32_t slot) {
  const std::size_t mask = table_.size() - 1;
  std::size_t position =
      static_cast<std::size_t>(stable_hash(chunk(slot).ids[slot % kChunkSlots])) & mask;
  while (table_[position] != kNone) position = (position + 1) & mask;
  table_[position] = slot;
}

void SlotMap::table_erase(std::size_t position) {
  // Backward-shift deletion (Knuth, TAOCP volume 3, section 6.4, algorithm R): no tombstones.
  const std::size_t mask = table_.size() - 1;
  std::size_t hole = position;
  std::size_t next = (hole + 1) & mask;
  while (table_[next] != kNone) {
    const std::uint32_t slot = table_[next];
    const std::size_t home =
        static_cast<std::size_t>(stable_hash(chunk(slot).ids[slot % kChunkSlots])) & mask;
    // Move it back unless its home lies cyclically in (hole, next].
    if (((next - home) & mask) >= ((next - hole) & mask)) {
      table_[hole] = slot;
      hole = next;
    }
    next = (next + 1) & mask;
  }
  table_[hole] = kNone;
}

std::uint64_t SlotMap::bytes_used() const noexcept {
  return chunks_.size() * (sizeof(Chunk) + sizeof(void*)) + directory_capacity_ * sizeof(void*) +
         table_.size() * sizeof(std::uint32_t) + free_.capacity() * sizeof(std::uint32_t) +
         released_.size() * sizeof(Released);
}

SlotMap::Image SlotMap::image() const {
  Image image;
  image.ids.reserve(slot_count_);
  image.versions.reserve(slot_count_);
  for (std::uint32_t slot = 0; slot < slot_count_; ++slot) {
    image.ids.push_back(chunk(slot).ids[slot % kChunkSlots]);
    image.versions.push_back(chunk(slot).versions[slot % kChunkSlots]);
  }
  // Slots released but not yet reusable are: this very image covers their release.
  image.free = free_;
  for (const Released& released : released_) image.free.push_back(released.slot);
  return image;
}

Status SlotMap::save(FileSystem& fs, const std::string& path, const Image& image) {
  QUIPU_TRY(const std::unique_ptr<CheckpointWriter> writer,
            CheckpointWriter::create(fs, path, "slots", kFileVersion));
  QUIPU_TRY_OK(writer->begin_section("ids"));
  std::vector<StoredId> block;
  for (std::size_t i = 0; i < image.ids.size();) {
    block.clear();
    for (; i < image.ids.size() && block.size() < 4096; ++i) {
      const PointId& id = image.ids[i];
      block.push_back({.high = id.high(), .low = id.low(), .kind = id.is_uuid() ? 1U : 0U});
    }
    QUIPU_TRY_OK(writer->append_array(std::span<const StoredId>(block)));
  }
  QUIPU_TRY_OK(writer->begin_section("versions"));
  QUIPU_TRY_OK(writer->append_array(std::span<const std::uint64_t>(image.versions)));
  QUIPU_TRY_OK(writer->begin_section("free"));
  QUIPU_TRY_OK(writer->append_array(std::span<const std::uint32_t>(image.free)));
  return writer->finish();
}

Status SlotMap::load(FileSystem& fs, const std::string& path) {
  QUIPU_ASSERT(slot_count_ == 0);
  QUIPU_TRY(const std::unique_ptr<CheckpointFile> file, CheckpointFile::open(fs, path, "slots"));
  // Everything else rests on this map, and it is small: it is checked whole before it is used.
  QUIPU_TRY_OK(file->verify());
  QUIPU_TRY(const std::span<StoredId> ids, file->array<StoredId>("ids"));
  QUIPU_TRY(const std::span<std::uint64_t> versions, file->array<std::uint64_t>("versions"));
  QUIPU_TRY(const std::span<std::uint32_t> free, file->array<std::uint32_t>("free"));
  const auto damaged = [&path](const char* what) {
    return Error{ErrorCode::kCorruption, format("{}: {}", path, what), "damaged_checkpoint"};
  };
  if (file->version() != kFileVersion) return damaged("a version of slots that is not known");
  if (ids.size() != versions.size() || ids.size() >= kNone) return damaged("sizes differ");
  std::size_t live = 0;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (i % kChunkSlots == 0) grow_directory();
    Chunk& into = *chunks_.back();
    into.ids[i % kChunkSlots] =
        ids[i].kind == 0 ? PointId::number(ids[i].low) : PointId::uuid(ids[i].high, ids[i].low);
    into.versions[i % kChunkSlots] = versions[i];
    live += versions[i] != kFree ? 1 : 0;
  }
  slot_count_ = static_cast<std::uint32_t>(ids.size());
  live_ = live;
  for (const std::uint32_t slot : free) {
    if (slot >= slot_count_ || versions[slot] != kFree) return damaged("a free slot is in use");
  }
  free_.assign(free.begin(), free.end());
  std::size_t size = 16;
  while (live_ * 3 >= size * 2) size *= 2;
  table_.assign(size / 2, kNone);
  grow_table();
  return ok_status();
}

}  // namespace quipu::engine
