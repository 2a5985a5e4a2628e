// Goal: after any history of writes, flushes, compactions, reopenings, the store holds what a map
// would, seen from now and from every snapshot, forwards, backwards and by key.
// Method: weighted random steps on few keys, against a std::map for each family.
#include <deque>

#include "quipu/base/fault_file_system.h"
#include "quipu/storage/rocksdb/store_test_support.h"

namespace quipu::storage {
namespace {

struct Moment {
  std::shared_ptr<const KvSnapshot> snapshot;
  Model model;
};

class History {
 public:
  // Without real syncs, unless `real`: they take most of the time and none of the paths.
  History(std::uint64_t seed, bool real)
      : without_syncs_(posix_file_system(), folder_.path()),
        files_(real ? posix_file_system() : without_syncs_),
        rng_(seed),
        store_(open_store(path(), files_)) {}

  void run(int steps) {
    for (int i = 0; i < steps && !::testing::Test::HasFatalFailure(); ++i) step();
    moments_.clear();
    reopen();
    check_all();
  }
  [[nodiscard]] int reopened() const { return reopened_; }

 private:
  [[nodiscard]] std::string path() const { return folder_ / "db"; }

  void step() {
    const std::uint64_t dice = rng_.below(1000);
    if (dice < 600) {
      write();
    } else if (dice < 850) {
      check_family();
    } else if (dice < 900) {
      check_gets();
    } else if (dice < 930) {
      take_moment();
    } else if (dice < 950) {
      if (!moments_.empty()) moments_.pop_front();
    } else if (dice < 965) {
      ASSERT_OK(store_->flush());
    } else if (dice < 975) {
      const Family family = kAllFamilies[rng_.below(kFamilyCount)];
      ASSERT_OK(store_->compact_range(family, rng_.below(2) == 0 ? "" : random_key(rng_), ""));
    } else if (dice < 985) {
      drop_range();
    } else if (dice < 990) {
      reopen();
    } else {
      ASSERT_OK(store_->sync_wal());
    }
  }

  void write() {
    const std::vector<Change> changes = random_changes(rng_);
    ASSERT_OK(write_changes(*store_, changes, rng_.below(10) == 0));
    for (const Change& change : changes) carry_out(change, model_);
  }

  void take_moment() {
    if (moments_.size() == 4) moments_.pop_front();
    moments_.push_back({store_->snapshot(), model_});
  }

  // Whole files vanish for older snapshots too, so those are let go first.
  void drop_range() {
    moments_.clear();
    Change change{.kind = Change::Kind::kEraseRange};
    change.family = kAllFamilies[rng_.below(kFamilyCount)];
    change.key = random_key(rng_);
    change.value = random_key(rng_);
    ASSERT_OK(store_->drop_range(change.family, change.key, change.value));
    carry_out(change, model_);
  }

  void reopen() {
    moments_.clear();
    store_.reset();
    store_ = open_store(path(), files_);
    ASSERT_NE(store_, nullptr);
    ++reopened_;
  }

  void check_all() {
    const auto found = content(*store_);
    ASSERT_OK(found);
    ASSERT_EQ(found.value(), model_);
  }

  std::pair<const KvSnapshot*, Model*> any_moment() {
    const std::uint64_t pick = rng_.below(moments_.size() + 1);
    if (pick == moments_.size()) return {nullptr, &model_};
    return {moments_[pick].snapshot.get(), &moments_[pick].model};
  }

  // A bounded scan with random seeks and turns, step by step beside the map's iterator.
  void check_family() {
    const auto [snapshot, model] = any_moment();
    const Family family = kAllFamilies[rng_.below(kFamilyCount)];
    KeyValueStore::IterateParams params;
    if (rng_.below(2) == 0) params.begin = random_key(rng_);
    if (rng_.below(2) == 0) params.end = random_key(rng_);
    params.fill_cache = rng_.below(2) == 0;
    std::map<std::string, std::string> inside;
    for (const auto& [key, value] : of(*model, family)) {
      if (key >= params.begin && (params.end.empty() || key < params.end)) inside[key] = value;
    }
    const auto iterator = store_->iterate(family, params, snapshot);
    ASSERT_FALSE(iterator->valid());
    auto twin = inside.end();
    for (int move = 0; move < 12; ++move) {
      const std::string key = random_key(rng_);
      const std::uint64_t dice = rng_.below(4);
      if (dice == 0 || twin == inside.end()) {
        iterator->seek(key);
        twin = inside.lower_bound(key);
      } else if (dice == 1) {
        iterator->seek_for_prev(key);
        twin = inside.upper_bound(key);
        twin = twin == inside.begin() ? inside.end() : std::prev(twin);
      } else if (dice == 2) {
        iterator->next();
        ++twin;
      } else {
        iterator->prev();
        twin = twin == inside.begin() ? inside.end() : std::prev(twin);
      }
      ASSERT_EQ(iterator->valid(), twin != inside.end());
      ASSERT_OK(iterator->status());
      if (twin == inside.end()) continue;
      ASSERT_EQ(iterator->key(), twin->first);
      ASSERT_EQ(iterator->value(), twin->second);
    }
  }

  void check_gets() {
    const auto [snapshot, model] = any_moment();
    const Family family = kAllFamilies[rng_.below(kFamilyCount)];
    std::vector<std::string> keys(1 + rng_.below(20));
    for (std::string& key : keys) key = random_key(rng_);
    const auto found = store_->multi_get(family, keys, snapshot);
    ASSERT_OK(found);
    ASSERT_EQ(found.value().size(), keys.size());
    for (std::size_t i = 0; i < keys.size(); ++i) {
      const auto expected = of(*model, family).find(keys[i]);
      const bool there = expected != of(*model, family).end();
      ASSERT_EQ(found.value()[i].has_value(), there);
      if (there) {
        ASSERT_EQ(*found.value()[i], expected->second);
      }
      const auto single = store_->get(family, keys[i], snapshot);
      ASSERT_OK(single);
      ASSERT_EQ(single.value(), found.value()[i]);
    }
  }

  TempFolder folder_;
  FaultFileSystem without_syncs_;
  FileSystem& files_;
  Rng rng_;
  Model model_;
  std::unique_ptr<KeyValueStore> store_;
  std::deque<Moment> moments_;
  int reopened_ = 0;
};

TEST(RocksStoreModel, FollowsAnyHistory) {
  const std::uint64_t seed = test_seed();
  int reopened = 0;
  for (std::uint64_t round = 0; round < 4 && !HasFatalFailure(); ++round) {
    const bool real = round == 3;
    History history(seed + round, real);
    history.run(test_rounds(real ? 200 : 1000));
    reopened += history.reopened();
  }
  EXPECT_GT(reopened, 5);
}

}  // namespace
}  // namespace quipu::storage
