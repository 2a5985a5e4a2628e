// One shard's slot map (invariants.md, rule 3): point id <-> 32-bit slot, with each point's
// version. Local and derived: it can be made anew from the state, and is no part of the state's
// digest.
//
// A slot that a deleted point leaves is reused only when a published view checkpoint covers its
// release and no reader of an earlier moment is left; until then it keeps the old id, so that a
// reader of an earlier moment can still name its hits.
//
// Threads: one writer (the committer) calls everything; id_of() may be called by any reader that
// holds a Guard taken before it chose its moment, for slots that its moment's views gave it.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "quipu/base/epoch.h"
#include "quipu/base/file_system.h"
#include "quipu/ids.h"
#include "quipu/result.h"

namespace quipu::engine {

class SlotMap {
 public:
  explicit SlotMap(EpochDomain& epochs);
  ~SlotMap();
  SlotMap(const SlotMap&) = delete;
  SlotMap& operator=(const SlotMap&) = delete;

  struct Entry {
    SlotId slot;
    std::uint64_t version = 0;
  };
  [[nodiscard]] std::optional<Entry> find(const PointId& id) const;
  // Sets the version of `id`, giving it a slot if it has none. Returns the slot.
  SlotId assign(const PointId& id, std::uint64_t version);
  // Forgets `id`, whose slot waits for reuse until checkpoints cover `released`. Returns the slot.
  std::optional<SlotId> release(const PointId& id, Seq released);
  // Slots released at or before `seq` are covered by a published checkpoint, and no reader of an
  // earlier moment is left: they may be reused.
  void reuse_released(Seq seq);

  [[nodiscard]] PointId id_of(SlotId slot) const;
  // Calls `visit` for each slot that holds a point, ascending. Writer.
  void for_each_slot(const std::function<void(SlotId)>& visit) const;
  [[nodiscard]] std::size_t size() const noexcept { return live_; }
  [[nodiscard]] std::uint64_t bytes_used() const noexcept;

  // A copy to be written by save() on another thread.
  struct Image {
    std::vector<PointId> ids;             // by slot
    std::vector<std::uint64_t> versions;  // by slot; kFree for slots that hold no point
    std::vector<std::uint32_t> free;      // slots that may be reused at once
  };
  [[nodiscard]] Image image() const;
  // As a checkpoint file of kind "slots".
  [[nodiscard]] static Status save(FileSystem& fs, const std::string& path, const Image& image);
  // Replaces the content of an empty map. Errors: kCorruption, kNotFound, kIo.
  Status load(FileSystem& fs, const std::string& path);

 private:
  static constexpr std::size_t kChunkSlots = 512;
  static constexpr std::uint32_t kNone = 0xffffffffU;
  static constexpr std::uint64_t kFree = 0;  // versions are log numbers, which begin with 1
  struct Chunk {
    PointId ids[kChunkSlots];
    std::uint64_t versions[kChunkSlots];
  };
  struct Released {
    std::uint32_t slot;
    Seq seq;
  };

  [[nodiscard]] std::size_t probe(const PointId& id) const;
  [[nodiscard]] std::uint32_t new_slot();
  void grow_directory();
  void grow_table();
  void table_insert(std::uint32_t slot);
  void table_erase(std::size_t position);
  [[nodiscard]] Chunk& chunk(std::uint32_t slot) const;

  EpochDomain& epochs_;
  // Readers load the directory, then a chunk: both are published before any moment that uses them.
  std::atomic<Chunk**> directory_{nullptr};
  std::size_t directory_capacity_ = 0;
  std::vector<std::unique_ptr<Chunk>> chunks_;  // owns what the directory points to
  std::uint32_t slot_count_ = 0;
  std::size_t live_ = 0;
  std::vector<std::uint32_t> table_;  // open addressing with linear probing; power of two
  std::vector<std::uint32_t> free_;
  std::deque<Released> released_;  // by ascending seq
};

}  // namespace quipu::engine
