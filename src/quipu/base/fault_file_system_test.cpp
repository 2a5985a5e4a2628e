#include "quipu/base/fault_file_system.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <thread>

#include "quipu/base/bytes.h"
#include "quipu/base/test_support.h"

namespace quipu {
namespace {

class Faults : public testing::Test {
 protected:
  // The root is a folder of its own, so that what lies beside it is seen too.
  Faults() { EXPECT_EQ(why_not(real.create_directories(root)), ""); }

  void start() {
    faults.reset();
    faults = std::make_unique<FaultFileSystem>(real, root);
  }
  std::unique_ptr<WritableFile> open(std::string_view name, OpenMode mode = OpenMode::kTruncate) {
    auto file = faults->open_writable(at(name), mode);
    EXPECT_EQ(why_not(file), "");
    return std::move(file).value();
  }
  void put(std::string_view name, std::string_view text, bool sync) {
    auto file = open(name);
    EXPECT_EQ(why_not(file->append(as_byte_span(text))), "");
    if (sync) {
      EXPECT_EQ(why_not(file->sync()), "");
    }
    EXPECT_EQ(why_not(file->close()), "");
  }
  CrashReport cut_power(CrashMode mode = CrashMode::kDropUnsynced) {
    faults->crash();
    const Result<CrashReport> report = faults->materialise(rng, mode);
    EXPECT_EQ(why_not(report), "");
    return report.ok() ? report.value() : CrashReport{};
  }
  // On the real disk: "absent", or what is in it.
  std::string content(std::string_view name) {
    const auto read = read_file(real, at(name), 1 << 24);
    return read.ok() ? read.value() : "absent";
  }
  [[nodiscard]] std::string at(std::string_view name) const {
    return root + "/" + std::string(name);
  }

  FileSystem& real = posix_file_system();
  TempDir dir{TempDir::Place::kMemory};
  const std::string root = dir.file("root");
  Rng rng{test_seed()};
  std::unique_ptr<FaultFileSystem> faults;
};

TEST_F(Faults, WithoutACrashItIsAFileSystem) {
  ASSERT_TRUE(write_file_atomically(real, at("old"), "before").ok());
  start();
  put("a", "hello", false);
  EXPECT_EQ(read_file(*faults, at("a"), 100).value(), "hello");
  EXPECT_EQ(read_file(*faults, at("old"), 100).value(), "before");
  EXPECT_EQ(faults->map(at("a")).value()->bytes().size(), 5U);
  EXPECT_TRUE(faults->create_directories(at("d/e")).ok());
  EXPECT_TRUE(faults->is_directory(at("d/e")));
  EXPECT_TRUE(faults->rename(at("a"), at("d/b")).ok());
  EXPECT_TRUE(faults->hard_link(at("d/b"), at("c")).ok());
  EXPECT_TRUE(faults->remove_file(at("d/b")).ok());
  EXPECT_TRUE(faults->remove_directory(at("d/e")).ok());
  EXPECT_EQ(faults->file_size(at("c")).value(), 5U);
  EXPECT_GT(faults->modified_us(at("c")).value(), 0);
  EXPECT_GT(faults->free_bytes(root).value(), 0U);
  EXPECT_TRUE(faults->exists(at("c")));
  EXPECT_EQ(faults->list(at("d")).value(), std::vector<std::string>{});
  faults.reset();
  EXPECT_EQ(content("c"), "hello");
  EXPECT_EQ(real.list(dir.path()).value(), (std::vector<std::string>{"root"}));
}

TEST_F(Faults, ASyncedFileWithoutASyncedNameVanishes) {
  start();
  put("named", "x", true);
  ASSERT_TRUE(faults->sync_directory(root).ok());
  put("nameless", "x", true);
  const CrashReport report = cut_power();
  EXPECT_EQ(content("named"), "x");
  EXPECT_EQ(content("nameless"), "absent");
  EXPECT_EQ(report.unsynced_changes, 1U);
  EXPECT_EQ(report.lost_changes, 1U);
}

TEST_F(Faults, ASyncedNameWithoutSyncedBytesIsEmpty) {
  start();
  put("a", "0123456789", false);
  ASSERT_TRUE(faults->sync_directory(root).ok());
  const CrashReport report = cut_power();
  EXPECT_EQ(content("a"), "");
  EXPECT_EQ(report.unsynced_bytes, 10U);
  EXPECT_EQ(report.lost_bytes, 10U);
}

TEST_F(Faults, OnlyWhatCameBeforeTheSyncIsSafe) {
  start();
  auto file = open("a");
  ASSERT_TRUE(faults->sync_directory(root).ok());
  ASSERT_TRUE(file->append(as_byte_span("safe")).ok());
  ASSERT_TRUE(file->sync().ok());
  ASSERT_TRUE(file->append(as_byte_span("gone")).ok());
  cut_power();
  EXPECT_EQ(content("a"), "safe");
}

TEST_F(Faults, UnsyncedTruncationsAreUndone) {
  start();
  put("a", "0123456789", true);
  put("b", "0123456789", true);
  ASSERT_TRUE(faults->sync_directory(root).ok());
  auto a = open("a", OpenMode::kAppend);
  ASSERT_TRUE(a->truncate(6).ok());
  ASSERT_TRUE(a->append(as_byte_span("xy")).ok());
  ASSERT_TRUE(a->truncate(2).ok());
  ASSERT_TRUE(a->append(as_byte_span("zzzzzzzzzzzzzz")).ok());
  auto b = open("b");  // truncates
  ASSERT_TRUE(b->append(as_byte_span("new")).ok());
  cut_power();
  EXPECT_EQ(content("a"), "0123456789");
  EXPECT_EQ(content("b"), "0123456789");
}

TEST_F(Faults, SyncedTruncationsStay) {
  start();
  put("a", "0123456789", true);
  ASSERT_TRUE(faults->sync_directory(root).ok());
  auto a = open("a", OpenMode::kAppend);
  ASSERT_TRUE(a->truncate(4).ok());
  ASSERT_TRUE(a->sync().ok());
  cut_power();
  EXPECT_EQ(content("a"), "0123");
}

TEST_F(Faults, UnsyncedRemovalsAndRenamesAreUndone) {
  ASSERT_TRUE(write_file_atomically(real, at("removed"), "R").ok());
  ASSERT_TRUE(write_file_atomically(real, at("from"), "F").ok());
  ASSERT_TRUE(write_file_atomically(real, at("to"), "T").ok());
  start();
  ASSERT_TRUE(faults->remove_file(at("removed")).ok());
  ASSERT_TRUE(faults->rename(at("from"), at("to")).ok());
  EXPECT_EQ(content("to"), "F");
  cut_power();
  EXPECT_EQ(content("removed"), "R");
  EXPECT_EQ(content("from"), "F");
  EXPECT_EQ(content("to"), "T");
}

TEST_F(Faults, SyncedRemovalsAndRenamesStay) {
  ASSERT_TRUE(write_file_atomically(real, at("removed"), "R").ok());
  ASSERT_TRUE(write_file_atomically(real, at("from"), "F").ok());
  ASSERT_TRUE(write_file_atomically(real, at("to"), "T").ok());
  start();
  ASSERT_TRUE(faults->remove_file(at("removed")).ok());
  ASSERT_TRUE(faults->rename(at("from"), at("to")).ok());
  ASSERT_TRUE(faults->sync_directory(root).ok());
  const CrashReport report = cut_power();
  EXPECT_EQ(content("removed"), "absent");
  EXPECT_EQ(content("from"), "absent");
  EXPECT_EQ(content("to"), "F");
  EXPECT_EQ(report.unsynced_changes, 0U);
}

TEST_F(Faults, DirectoriesAreThereWhenCreateReturns) {
  start();
  ASSERT_TRUE(faults->create_directories(at("a/b//c/")).ok());
  ASSERT_TRUE(faults->rename(at("a/b/c"), at("a/b/d")).ok());
  cut_power();
  EXPECT_TRUE(real.is_directory(at("a/b/c")));
  EXPECT_FALSE(real.exists(at("a/b/d")));
}

TEST_F(Faults, ARenameBetweenDirectoriesIsNeverHalfDone) {
  for (const bool sync_source : {true, false}) {
    ASSERT_TRUE(remove_tree(real, root).ok());
    ASSERT_TRUE(real.create_directories(at("x")).ok());
    ASSERT_TRUE(real.create_directories(at("y")).ok());
    ASSERT_TRUE(write_file_atomically(real, at("x/a"), "A").ok());
    start();
    put("y/first", "", true);
    ASSERT_TRUE(faults->rename(at("x/a"), at("y/a")).ok());
    ASSERT_TRUE(faults->sync_directory(at(sync_source ? "x" : "y")).ok());
    cut_power();
    EXPECT_EQ(content("x/a"), "absent");
    EXPECT_EQ(content("y/a"), "A");
    EXPECT_EQ(content("y/first"), "");  // came before it in the same directory
  }
}

TEST_F(Faults, LinksShareWhatIsSynced) {
  start();
  put("a", "one", true);
  ASSERT_TRUE(faults->hard_link(at("a"), at("b")).ok());
  ASSERT_TRUE(faults->sync_directory(root).ok());
  auto b = open("b", OpenMode::kAppend);
  ASSERT_TRUE(b->append(as_byte_span("two")).ok());
  ASSERT_TRUE(b->sync().ok());
  ASSERT_TRUE(b->append(as_byte_span("three")).ok());
  ASSERT_TRUE(faults->remove_file(at("b")).ok());
  cut_power();
  EXPECT_EQ(content("a"), "onetwo");
  EXPECT_EQ(content("b"), "onetwo");
}

TEST_F(Faults, IgnoredSyncsSaveNothing) {
  start();
  faults->ignore_syncs(true);
  put("a", "x", true);
  ASSERT_TRUE(faults->sync_directory(root).ok());
  ASSERT_TRUE(faults->create_directories(at("d")).ok());
  const CrashReport report = cut_power();
  EXPECT_EQ(content("a"), "absent");
  EXPECT_FALSE(real.exists(at("d")));
  EXPECT_EQ(report.lost_changes, 2U);
}

TEST_F(Faults, EverythingFailsAfterTheCrash) {
  start();
  put("a", "x", true);
  auto file = open("b");
  auto reader = faults->open_random_access(at("a")).value();
  faults->crash();
  EXPECT_TRUE(faults->crashed());
  std::byte buffer[1];
  const auto lost = [](const auto& result) {
    return !result.ok() && result.error().code == ErrorCode::kIo &&
           result.error().reason == "power_lost";
  };
  EXPECT_TRUE(lost(file->append(as_byte_span("x"))));
  EXPECT_TRUE(lost(file->sync()));
  EXPECT_TRUE(lost(file->truncate(0)));
  EXPECT_TRUE(lost(file->close()));
  EXPECT_TRUE(lost(reader->read(0, buffer)));
  EXPECT_TRUE(lost(faults->open_writable(at("c"), OpenMode::kTruncate)));
  EXPECT_TRUE(lost(faults->open_random_access(at("a"))));
  EXPECT_TRUE(lost(faults->map(at("a"))));
  EXPECT_TRUE(lost(faults->list(root)));
  EXPECT_TRUE(lost(faults->file_size(at("a"))));
  EXPECT_TRUE(lost(faults->modified_us(at("a"))));
  EXPECT_TRUE(lost(faults->create_directories(at("d"))));
  EXPECT_TRUE(lost(faults->remove_file(at("a"))));
  EXPECT_TRUE(lost(faults->remove_directory(at("d"))));
  EXPECT_TRUE(lost(faults->rename(at("a"), at("c"))));
  EXPECT_TRUE(lost(faults->hard_link(at("a"), at("c"))));
  EXPECT_TRUE(lost(faults->sync_directory(root)));
  EXPECT_TRUE(lost(faults->lock(at("LOCK"))));
  EXPECT_TRUE(lost(faults->free_bytes(root)));
  EXPECT_FALSE(faults->exists(at("a")));
  EXPECT_FALSE(faults->is_directory(root));
  // And what is open may outlive the file system.
  faults.reset();
  EXPECT_TRUE(lost(file->append(as_byte_span("x"))));
}

TEST_F(Faults, MaterialiseWantsOneCrash) {
  start();
  EXPECT_EQ(faults->materialise(rng, CrashMode::kPrefix).error().code,
            ErrorCode::kFailedPrecondition);
  cut_power();
  EXPECT_EQ(faults->materialise(rng, CrashMode::kPrefix).error().code,
            ErrorCode::kFailedPrecondition);
  EXPECT_EQ(real.list(dir.path()).value(), (std::vector<std::string>{"root"}));
}

TEST_F(Faults, TheCrashComesAtTheChangeThatWasAskedFor) {
  start();
  const std::uint64_t before = faults->changes();
  put("a", "x", true);  // open, append, sync
  EXPECT_EQ(faults->changes() - before, 3U);
  for (const std::uint64_t moment : {1U, 2U, 3U}) {
    start();
    faults->crash_after(moment);
    EXPECT_EQ(read_file(*faults, at("a"), 9).value(), "x");  // reads do not count
    auto file = faults->open_writable(at("a"), OpenMode::kAppend);
    EXPECT_EQ(file.ok(), moment > 1);
    if (moment == 1) continue;
    EXPECT_EQ(file.value()->append(as_byte_span("y")).ok(), moment > 2);
    if (moment == 2) {
      // Done, but not acknowledged.
      EXPECT_EQ(content("a"), "xy");
      cut_power();
      EXPECT_EQ(content("a"), "x");
      continue;
    }
    EXPECT_FALSE(file.value()->sync().ok());
    cut_power();
    EXPECT_EQ(content("a"), "x");
  }
  start();
  faults->crash_after(1);
  faults->crash_after(0);
  put("a", "z", false);
  EXPECT_FALSE(faults->crashed());
}

TEST_F(Faults, InjectedFaultsHitWhatTheyName) {
  start();
  faults->inject({.point = FaultPoint::kAppend, .path_part = "wal", .skip = 1, .count = 2});
  auto wal = open("wal");
  auto other = open("other");
  EXPECT_TRUE(other->append(as_byte_span("o")).ok());
  EXPECT_TRUE(wal->append(as_byte_span("1")).ok());
  EXPECT_EQ(wal->append(as_byte_span("2")).error().code, ErrorCode::kIo);
  EXPECT_TRUE(other->append(as_byte_span("o")).ok());
  EXPECT_EQ(wal->append(as_byte_span("3")).error().code, ErrorCode::kIo);
  EXPECT_TRUE(wal->append(as_byte_span("4")).ok());
  EXPECT_EQ(faults->faults_fired(), 2U);
  EXPECT_EQ(content("wal"), "14");
  EXPECT_EQ(content("other"), "oo");
}

TEST_F(Faults, AFullDiskStaysFullUntilItIsCleared) {
  start();
  faults->inject({.kind = FaultKind::kDiskFull, .count = kFaultForever, .short_write = true});
  auto file = open("a");
  for (int round = 0; round < 3; ++round) {
    const Status full = file->append(as_byte_span("1234"));
    ASSERT_FALSE(full.ok());
    EXPECT_EQ(full.error().code, ErrorCode::kResourceExhausted);
    EXPECT_EQ(full.error().reason, "disk_full");
  }
  EXPECT_EQ(content("a"), "121212");
  EXPECT_EQ(file->size(), 6U);
  faults->clear_faults();
  EXPECT_TRUE(file->append(as_byte_span("!")).ok());
  EXPECT_EQ(faults->faults_fired(), 3U);
}

TEST_F(Faults, AFailedSyncSavesNothingAndPoisonsTheFile) {
  start();
  faults->inject({.point = FaultPoint::kSync});
  auto file = open("a");
  ASSERT_TRUE(faults->sync_directory(root).ok());
  ASSERT_TRUE(file->append(as_byte_span("x")).ok());
  EXPECT_EQ(file->sync().error().code, ErrorCode::kIo);
  EXPECT_EQ(file->sync().error().code, ErrorCode::kIo);
  EXPECT_EQ(file->append(as_byte_span("y")).error().code, ErrorCode::kIo);
  EXPECT_EQ(faults->faults_fired(), 1U);
  cut_power();
  EXPECT_EQ(content("a"), "");
}

TEST_F(Faults, OpensRenamesAndDirectorySyncsFailToo) {
  start();
  put("a", "x", true);
  faults->inject({.point = FaultPoint::kOpenWritable, .kind = FaultKind::kDiskFull});
  faults->inject({.point = FaultPoint::kRename});
  faults->inject({.point = FaultPoint::kSyncDirectory});
  EXPECT_EQ(faults->open_writable(at("b"), OpenMode::kTruncate).error().reason, "disk_full");
  EXPECT_EQ(faults->rename(at("a"), at("c")).error().code, ErrorCode::kIo);
  EXPECT_EQ(faults->sync_directory(root).error().code, ErrorCode::kIo);
  EXPECT_EQ(faults->faults_fired(), 3U);
  EXPECT_FALSE(real.exists(at("b")));
  EXPECT_EQ(content("a"), "x");
  cut_power();
  EXPECT_EQ(content("a"), "absent");
}

TEST_F(Faults, LocksAreRealAndWhatIsOutsidePassesThrough) {
  start();
  {
    const auto held = faults->lock(at("LOCK"));
    ASSERT_EQ(why_not(held), "");
    EXPECT_EQ(faults->lock(at("LOCK")).error().reason, "locked");
    EXPECT_EQ(real.lock(at("LOCK")).error().reason, "locked");
  }
  EXPECT_EQ(why_not(faults->lock(at("LOCK"))), "");
  ASSERT_TRUE(write_file_atomically(*faults, dir.file("outside"), "x").ok());
  EXPECT_EQ(faults->rename(at("LOCK"), dir.file("LOCK")).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(faults->hard_link(dir.file("outside"), at("in")).error().code,
            ErrorCode::kInvalidArgument);
  EXPECT_EQ(faults->remove_directory(root).error().code, ErrorCode::kInvalidArgument);
  cut_power();
  EXPECT_EQ(read_file(real, dir.file("outside"), 9).value(), "x");
}

TEST_F(Faults, ASetUpThatFailsIsTold) {
  FaultFileSystem broken(real, dir.file("no/such"));
  EXPECT_EQ(broken.list(dir.path()).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(broken.materialise(rng, CrashMode::kPrefix).error().code, ErrorCode::kNotFound);
}

TEST_F(Faults, WhatAKilledProcessLeftBesideIsRemoved) {
  ASSERT_TRUE(real.create_directories(root + ".unsynced").ok());
  ASSERT_TRUE(write_file_atomically(real, root + ".unsynced/1", "old").ok());
  start();
  put("a", "x", true);
  faults.reset();
  EXPECT_EQ(real.list(dir.path()).value(), (std::vector<std::string>{"root"}));
}

TEST_F(Faults, AFileThatOutlivesItDoesNotHurtTheNext) {
  start();
  auto old = open("old");
  cut_power();
  start();
  auto file = open("new");
  ASSERT_TRUE(file->append(as_byte_span("x")).ok());
  ASSERT_TRUE(file->sync().ok());
  old.reset();
  ASSERT_TRUE(faults->sync_directory(root).ok());
  cut_power();
  EXPECT_EQ(content("new"), "x");
}

TEST_F(Faults, ManyThreadsAndACrashAmongThem) {
  start();
  constexpr int kThreads = 4;
  std::vector<std::string> acknowledged(kThreads);
  std::vector<std::unique_ptr<WritableFile>> files;
  for (int index = 0; index < kThreads; ++index) files.push_back(open(std::to_string(index)));
  ASSERT_TRUE(faults->sync_directory(root).ok());
  faults->crash_after(200 + rng.below(500));
  std::vector<std::thread> threads;
  for (int index = 0; index < kThreads; ++index) {
    threads.emplace_back([&, index] {
      WritableFile& file = *files[static_cast<std::size_t>(index)];
      std::string& mine = acknowledged[static_cast<std::size_t>(index)];
      for (int step = 0;; ++step) {
        const std::string text = std::to_string(step) + ",";
        if (!file.append(as_byte_span(text)).ok() || !file.sync().ok()) return;
        mine += text;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  ASSERT_EQ(why_not(faults->materialise(rng, CrashMode::kReorder)), "");
  for (int index = 0; index < kThreads; ++index) {
    const std::string& mine = acknowledged[static_cast<std::size_t>(index)];
    EXPECT_EQ(content(std::to_string(index)).substr(0, mine.size()), mine);
  }
}

// After a power cut at any moment the old content is there or the new one, and the new one once the
// write was acknowledged. Returns how many cuts broke that.
int broken_atomic_writes(bool ignore_syncs, std::uint64_t seed) {
  FileSystem& real = posix_file_system();
  Rng rng(seed);
  const std::string fresh(2000, 'n');
  int broken = 0;
  for (int round = 0; round < 60; ++round) {
    TempDir dir(TempDir::Place::kMemory);
    EXPECT_TRUE(write_file_atomically(real, dir.file("a"), "old").ok());
    FaultFileSystem faults(real, dir.path());
    faults.ignore_syncs(ignore_syncs);
    faults.crash_after(1 + rng.below(7));
    const bool written = write_file_atomically(faults, dir.file("a"), fresh).ok();
    faults.crash();
    EXPECT_TRUE(faults.materialise(rng, CrashMode::kReorder).ok());
    const auto after = read_file(real, dir.file("a"), 1 << 20);
    const bool good =
        after.ok() && (after.value() == fresh || (!written && after.value() == "old"));
    if (!good) ++broken;
  }
  return broken;
}

TEST(FaultsControl, AtomicWritesHoldAndBreakWithoutSyncs) {
  const std::uint64_t seed = test_seed();
  EXPECT_EQ(broken_atomic_writes(false, seed), 0);
  EXPECT_GT(broken_atomic_writes(true, seed), 0);
}

}  // namespace
}  // namespace quipu
