// Goal: after a power cut the store holds exactly the first so many batches: all that were synced,
// none half, no gap; and it opens without help.
// Method: generations of random batches on one folder, each ended by a crash at a random change of
// the file system, or in the middle of opening; then everything unsynced is dropped, cut or
// shuffled, and the store is compared with the model after as many batches as it says that it
// holds.
#include "quipu/base/fault_file_system.h"
#include "quipu/storage/rocksdb/store_test_support.h"

namespace quipu::storage {
namespace {

using Batches = std::vector<std::vector<Change>>;

constexpr std::string_view kCountKey = "~count";  // beyond every random range

Model model_after(const Batches& batches, std::size_t count) {
  Model model;
  for (std::size_t i = 0; i < count; ++i) {
    for (const Change& change : batches[i]) carry_out(change, model);
  }
  return model;
}

// What one folder has lived through.
class Life {
 public:
  Life(Rng& rng, std::string root) : rng_(rng), root_(std::move(root)) {}

  // Opens, compares, writes until the crash, loses power. `changes_max`: the crash comes at a
  // random one of so many changes; 0 for one by hand after the writes.
  void generation(CrashMode mode, std::uint64_t changes_max) {
    FaultFileSystem files(posix_file_system(), root_);
    if (changes_max != 0) files.crash_after(1 + rng_.below(changes_max));
    run(files);
    files.crash();
    const auto report = files.materialise(rng_, mode);
    ASSERT_OK(report);
    lost_bytes_ += report.value().lost_bytes;
    // What may be gone is gone or not now; the next opening tells.
  }

  // Opens without faults and compares once more.
  void check() {
    FaultFileSystem files(posix_file_system(), root_);
    auto opened = try_open(root_ + "/db", files);
    ASSERT_OK(opened);
    ASSERT_NO_FATAL_FAILURE(compare(*opened.value()));
  }

  [[nodiscard]] std::uint64_t lost_bytes() const { return lost_bytes_; }
  [[nodiscard]] std::size_t durable() const { return durable_; }
  [[nodiscard]] std::size_t lost_batches() const { return lost_batches_; }

 private:
  void run(FaultFileSystem& files) {
    auto opened = try_open(root_ + "/db", files);
    if (!opened.ok()) {
      // Only a crash may keep it from opening; what was durable stays so.
      ASSERT_TRUE(files.crashed()) << opened.error().message;
      return;
    }
    const auto store = std::move(opened).value();
    if (files.crashed()) return;  // At the very end of opening: nothing can be read any more.
    ASSERT_NO_FATAL_FAILURE(compare(*store, &files));
    const std::uint64_t batches_max = 60;
    for (std::uint64_t i = 0; i < batches_max && !files.crashed(); ++i) step(*store);
    files.crash();  // Before the store closes, which would sync.
  }

  void step(KeyValueStore& store) {
    const std::uint64_t dice = rng_.below(40);
    if (dice == 0) {
      if (store.flush().ok()) durable_ = batches_.size();
      return;
    }
    if (dice == 1) {
      if (store.sync_wal().ok()) durable_ = batches_.size();
      return;
    }
    std::vector<Change> changes = random_changes(rng_);
    changes.push_back({.kind = Change::Kind::kPut,
                       .family = Family::kMeta,
                       .key = std::string(kCountKey),
                       .value = std::to_string(batches_.size() + 1)});
    const bool sync = rng_.below(3) == 0;
    batches_.push_back(changes);
    if (write_changes(store, changes, sync).ok() && sync) durable_ = batches_.size();
  }

  void compare(KeyValueStore& store, FaultFileSystem* files = nullptr) {
    const auto found = content(store);
    if (files != nullptr && files->crashed()) return;
    ASSERT_OK(found);
    Model model = found.value();
    const std::string text = of(model, Family::kMeta)[std::string(kCountKey)];
    const std::size_t count = text.empty() ? 0 : std::stoul(text);
    ASSERT_GE(count, durable_);
    ASSERT_LE(count, batches_.size());
    Model expected = model_after(batches_, count);
    if (count == 0) of(expected, Family::kMeta)[std::string(kCountKey)] = "";
    ASSERT_TRUE(model == expected) << "after " << count << " batches";
    lost_batches_ += batches_.size() - count;
    batches_.resize(count);
    durable_ = count;  // What an open has shown is durable.
  }

  Rng& rng_;
  const std::string root_;
  Batches batches_;
  std::size_t durable_ = 0;  // at least so many must be there
  std::size_t lost_batches_ = 0;
  std::uint64_t lost_bytes_ = 0;
};

class RocksStoreCrash : public ::testing::TestWithParam<CrashMode> {};

TEST_P(RocksStoreCrash, WhatIsLeftIsAPrefixWithAllThatWasSynced) {
  const QuietLog quiet;
  Rng rng(test_seed());
  std::uint64_t lost_bytes = 0;
  std::size_t lost_batches = 0;
  std::size_t durable = 0;
  for (int round = 0; round < test_rounds(3); ++round) {
    const TempFolder folder;
    Life life(rng, folder.path());
    for (int generation = 0; generation < 5; ++generation) {
      ASSERT_NO_FATAL_FAILURE(life.generation(GetParam(), rng.below(2) == 0 ? 0 : 200))
          << "round " << round << ", generation " << generation;
    }
    ASSERT_NO_FATAL_FAILURE(life.check());
    lost_bytes += life.lost_bytes();
    lost_batches += life.lost_batches();
    durable += life.durable();
  }
  // Else these were no crashes.
  EXPECT_GT(lost_bytes, 0U);
  EXPECT_GT(lost_batches, 0U);
  EXPECT_GT(durable, 50U);
}

// Crashes in the first changes of a folder's life: half-made stores open too.
TEST_P(RocksStoreCrash, AStoreThatWasHalfMadeOpens) {
  const QuietLog quiet;
  Rng rng(test_seed());
  const TempFolder first;
  FaultFileSystem counting(posix_file_system(), first.path());
  { ASSERT_NE(open_store(first / "db", counting), nullptr); }
  const std::uint64_t changes = counting.changes();
  ASSERT_GT(changes, 20U);
  for (std::uint64_t change = 1; change <= changes; change += 2 + rng.below(6)) {
    SCOPED_TRACE("crash at change " + std::to_string(change));
    const TempFolder folder;
    {
      FaultFileSystem files(posix_file_system(), folder.path());
      files.crash_after(change);
      { const auto store = try_open(folder / "db", files); }
      files.crash();
      ASSERT_OK(files.materialise(rng, GetParam()));
    }
    const auto store = open_store(folder / "db");
    ASSERT_NE(store, nullptr);
    ASSERT_OK(put(*store, Family::kMeta, "a", "1"));
  }
}

INSTANTIATE_TEST_SUITE_P(Modes, RocksStoreCrash,
                         ::testing::Values(CrashMode::kDropUnsynced, CrashMode::kPrefix,
                                           CrashMode::kReorder),
                         [](const auto& mode) {
                           switch (mode.param) {
                             case CrashMode::kDropUnsynced: return "DropUnsynced";
                             case CrashMode::kPrefix: return "Prefix";
                             default: return "Reorder";
                           }
                         });

// A store that meets one error after another, and what it was asked to hold.
class Troubled {
 public:
  explicit Troubled(Rng& rng)
      : rng_(rng),
        files_(posix_file_system(), folder_.path()),
        store_(open_store(folder_ / "db", files_)) {}

  void step() {
    if (rng_.below(12) == 0) plan_fault();
    const Status status = act();
    if (status.ok()) return;
    // Something that RocksDB itself does not allow after an error.
    if (rng_.below(3) == 0) static_cast<void>(store_->sync_wal());
    files_.clear_faults();
    if (store_->resume().ok() && put(*store_, Family::kJobs, "z", "probe").ok()) {
      ++resumed_;
      return;
    }
    ASSERT_NO_FATAL_FAILURE(reopen());
    ++reopened_;
  }

  void check() {
    files_.clear_faults();
    ASSERT_NO_FATAL_FAILURE(reopen());
    auto found = content(*store_);
    ASSERT_OK(found);
    Model expected;
    for (std::size_t i = 0; i < batches_.size(); ++i) {
      const bool there = of(found.value(), Family::kMeta).contains(mark_of(i));
      ASSERT_TRUE(there || !acknowledged_[i]) << "batch " << i << " is lost";
      if (!there) continue;
      for (const Change& change : batches_[i]) carry_out(change, expected);
    }
    of(found.value(), Family::kJobs).erase("z");
    ASSERT_TRUE(found.value() == expected);
  }

  [[nodiscard]] std::uint64_t fired() const { return files_.faults_fired(); }
  [[nodiscard]] int resumed() const { return resumed_; }
  [[nodiscard]] int reopened() const { return reopened_; }

 private:
  static std::string mark_of(std::size_t i) { return "~" + std::to_string(i); }

  void plan_fault() {
    constexpr std::array kParts = {".log", ".sst", ".blob", "MANIFEST", "CURRENT", ""};
    files_.inject({.point = static_cast<FaultPoint>(rng_.below(5)),
                   .kind = rng_.below(3) == 0 ? FaultKind::kIoError : FaultKind::kDiskFull,
                   .path_part = kParts[rng_.below(kParts.size())],
                   .skip = rng_.below(4),
                   .count = 1 + rng_.below(3),
                   .short_write = rng_.below(2) == 0});
  }

  Status act() {
    const std::uint64_t dice = rng_.below(20);
    if (dice == 0) return store_->flush();
    if (dice == 1) return store_->sync_wal();
    if (dice == 2) return store_->compact_range(kAllFamilies[rng_.below(kFamilyCount)], "", "");
    std::vector<Change> changes = random_changes(rng_);
    changes.push_back({.kind = Change::Kind::kPut,
                       .family = Family::kMeta,
                       .key = mark_of(batches_.size()),
                       .value = "1"});
    const Status status = write_changes(*store_, changes, rng_.below(2) == 0);
    batches_.push_back(std::move(changes));
    acknowledged_.push_back(status.ok());
    return status.ok() ? ok_status() : Status(status.error());
  }

  void reopen() {
    store_.reset();
    store_ = open_store(folder_ / "db", files_);
    ASSERT_NE(store_, nullptr);
  }

  Rng& rng_;
  TempFolder folder_;
  FaultFileSystem files_;
  std::unique_ptr<KeyValueStore> store_;
  Batches batches_;
  std::vector<bool> acknowledged_;
  int resumed_ = 0;
  int reopened_ = 0;
};

// Errors of every kind at every place, one after another, with the store resumed, or opened again
// where it must be. Nothing that was acknowledged goes, nothing is half there, and RocksDB, whose
// assertions are on, does not end the process.
TEST(RocksStoreFaults, AcknowledgedWritesSurviveAnyErrors) {
  const QuietLog quiet;
  Rng rng(test_seed());
  std::uint64_t fired = 0;
  int resumed = 0;
  int reopened = 0;
  // Faults are drawn: more rounds are played until enough of each kind have happened.
  const auto enough = [&] { return fired > 10 && resumed > 0 && reopened > 0; };
  for (int round = 0; round < test_rounds(4) || (!enough() && round < 40); ++round) {
    Troubled troubled(rng);
    for (int step = 0; step < 150; ++step) ASSERT_NO_FATAL_FAILURE(troubled.step());
    ASSERT_NO_FATAL_FAILURE(troubled.check());
    fired += troubled.fired();
    resumed += troubled.resumed();
    reopened += troubled.reopened();
  }
  EXPECT_GT(fired, 10U);
  EXPECT_GT(resumed, 0);
  EXPECT_GT(reopened, 0);
}

// The negative control: the same kind of run with syncs switched off must lose what was "synced".
TEST(RocksStoreCrashControl, WithoutSyncsAcknowledgedWritesAreLost) {
  const QuietLog quiet;
  Rng rng(test_seed());
  const TempFolder folder;
  {
    FaultFileSystem files(posix_file_system(), folder.path());
    files.ignore_syncs(true);
    const auto store = open_store(folder / "db", files);
    ASSERT_NE(store, nullptr);
    for (int i = 0; i < 20; ++i) ASSERT_OK(put(*store, Family::kMeta, std::to_string(i), "v"));
    files.crash();
    ASSERT_OK(files.materialise(rng, CrashMode::kDropUnsynced));
  }
  const auto opened = try_open(folder / "db");
  // Gone, or found to be gone: either way the promise was broken and the test sees it.
  if (opened.ok()) {
    EXPECT_EQ(get(*opened.value(), Family::kMeta, "0"), "");
  }
}

// A process that dies without losing power leaves unsynced writes to the next one, which shows them
// to readers: from then on they must survive a power cut as well.
TEST(RocksStoreCrashControl, WhatAnOpenHasShownIsDurable) {
  const QuietLog quiet;
  Rng rng(test_seed());
  const TempFolder folder;
  std::filesystem::create_directories(folder / "live");
  FaultFileSystem files(posix_file_system(), folder / "live");
  {
    const auto store = open_store(folder / "live/db", files);
    ASSERT_NE(store, nullptr);
    ASSERT_OK(put(*store, Family::kMeta, "a", "1", /*sync=*/false));
    // As a kill leaves it: the files as they are, without the close's sync.
    std::filesystem::copy(folder / "live/db", folder / "live/killed",
                          std::filesystem::copy_options::recursive);
  }
  // Through the file system, so that it knows these bytes and that nobody synced them.
  ASSERT_OK(files.create_directories(folder / "live/next"));
  for (const auto& entry : std::filesystem::directory_iterator(folder / "live/killed")) {
    const std::string name = entry.path().filename().string();
    const auto bytes = read_file(posix_file_system(), entry.path().string(), 1U << 24U);
    ASSERT_OK(bytes);
    auto file = files.open_writable(folder / ("live/next/" + name), OpenMode::kTruncate);
    ASSERT_OK(file);
    ASSERT_OK(file.value()->append(std::as_bytes(std::span(bytes.value()))));
    if (!name.ends_with(".log")) {
      ASSERT_OK(file.value()->sync());
    }
    ASSERT_OK(file.value()->close());
  }
  ASSERT_OK(files.sync_directory(folder / "live/next"));
  {
    const auto store = open_store(folder / "live/next", files);
    ASSERT_NE(store, nullptr);
    EXPECT_EQ(get(*store, Family::kMeta, "a"), "1");
    files.crash();
  }
  ASSERT_OK(files.materialise(rng, CrashMode::kDropUnsynced));
  const auto store = open_store(folder / "live/next");
  ASSERT_NE(store, nullptr);
  EXPECT_EQ(get(*store, Family::kMeta, "a"), "1");
}

}  // namespace
}  // namespace quipu::storage
