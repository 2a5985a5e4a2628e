// Goal: after any history the slot map is the map it claims to be, slots are reused only when they
// may, and what is saved loads as it was.
#include "quipu/engine/slot_map.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "quipu/base/rng.h"
#include "quipu/base/test_support.h"

namespace quipu::engine {
namespace {

PointId id_for(std::uint64_t n) {
  return n % 2 == 0 ? PointId::number(n) : PointId::uuid(n * 31, n);
}

TEST(SlotMap, FollowsAnyHistory) {
  Rng rng(test_seed());
  EpochDomain epochs;
  SlotMap slots(epochs);
  std::map<PointId, SlotMap::Entry> model;
  std::map<std::uint32_t, std::uint64_t> waiting;  // released slots: at which number
  std::uint64_t seq = 1;
  std::uint64_t reusable = 0;
  for (int step = 0; step < 20'000; ++step, ++seq) {
    const PointId id = id_for(rng.below(3'000));
    const std::uint64_t dice = rng.below(10);
    if (dice < 5) {
      const SlotId slot = slots.assign(id, seq);
      const auto known = model.find(id);
      if (known != model.end()) {
        ASSERT_EQ(slot, known->second.slot) << "a point keeps its slot";
      } else if (const auto was = waiting.find(slot.value()); was != waiting.end()) {
        ASSERT_LE(was->second, reusable) << "a slot was reused before it may be";
        waiting.erase(was);
      }
      model[id] = {.slot = slot, .version = seq};
      ASSERT_EQ(slots.id_of(slot), id);
    } else if (dice < 8) {
      const auto slot = slots.release(id, Seq(seq));
      ASSERT_EQ(slot.has_value(), model.contains(id));
      if (slot) {
        waiting[slot->value()] = seq;
        ASSERT_EQ(slots.id_of(*slot), id) << "a reader of an earlier moment can still name it";
        model.erase(id);
      }
    } else if (dice == 8) {
      const auto found = slots.find(id);
      ASSERT_EQ(found.has_value(), model.contains(id));
      if (found) {
        ASSERT_EQ(found->slot, model[id].slot);
        ASSERT_EQ(found->version, model[id].version);
      }
    } else if (rng.below(20) == 0) {
      reusable = std::max(reusable, seq - rng.below(seq));
      slots.reuse_released(Seq(reusable));
    }
    ASSERT_EQ(slots.size(), model.size());
  }
  std::set<SlotId> used;
  for (const auto& [id, entry] : model) ASSERT_TRUE(used.insert(entry.slot).second);
}

TEST(SlotMap, LoadsWhatItSaved) {
  TempDir dir;
  EpochDomain epochs;
  SlotMap slots(epochs);
  for (std::uint64_t n = 0; n < 2'000; ++n) slots.assign(id_for(n), n + 1);
  for (std::uint64_t n = 0; n < 2'000; n += 3) slots.release(id_for(n), Seq(5'000 + n));
  const std::string path = dir.file("slots.ckpt");
  ASSERT_EQ(why_not(SlotMap::save(posix_file_system(), path, slots.image())), "");
  SlotMap loaded(epochs);
  ASSERT_EQ(why_not(loaded.load(posix_file_system(), path)), "");
  EXPECT_EQ(loaded.size(), slots.size());
  for (std::uint64_t n = 0; n < 2'000; ++n) {
    const auto expected = slots.find(id_for(n));
    const auto found = loaded.find(id_for(n));
    ASSERT_EQ(found.has_value(), expected.has_value());
    if (found) {
      ASSERT_EQ(found->slot, expected->slot);
      ASSERT_EQ(found->version, expected->version);
    }
  }
  // What the image covers is free in it: new points take released slots before new ones.
  const std::uint64_t before = loaded.image().ids.size();
  for (std::uint64_t n = 0; n < 667; ++n) loaded.assign(PointId::number(1'000'000 + n), 9'000 + n);
  EXPECT_EQ(loaded.image().ids.size(), before);
}

TEST(SlotMap, RefusesADamagedFile) {
  TempDir dir;
  EpochDomain epochs;
  SlotMap slots(epochs);
  for (std::uint64_t n = 0; n < 100; ++n) slots.assign(id_for(n), n + 1);
  const std::string path = dir.file("slots.ckpt");
  ASSERT_EQ(why_not(SlotMap::save(posix_file_system(), path, slots.image())), "");
  std::string bytes = read_file(posix_file_system(), path, 1U << 20).value();
  Rng rng(test_seed());
  int refused = 0;
  for (int i = 0; i < 50; ++i) {
    std::string damaged = bytes;
    // Section contents begin at 4096; what is between sections is padding, which no one reads.
    damaged[4096 + static_cast<std::size_t>(rng.below(2'400))] ^=
        static_cast<char>(1 + rng.below(255));
    ASSERT_EQ(why_not(write_file_atomically(posix_file_system(), path, damaged)), "");
    SlotMap loaded(epochs);
    const Status status = loaded.load(posix_file_system(), path);
    if (!status.ok()) {
      EXPECT_EQ(status.error().code, ErrorCode::kCorruption);
      ++refused;
    }
  }
  EXPECT_EQ(refused, 50);
}

}  // namespace
}  // namespace quipu::engine
