#include "quipu/storage/rocksdb/rocks_store.h"

#include <gtest/gtest.h>
#include <rocksdb/db.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <thread>

#include "quipu/base/fault_file_system.h"
#include "quipu/storage/rocksdb/store_test_support.h"

namespace quipu::storage {
namespace {

// The files of a folder whose names end in `suffix`, sorted.
std::vector<std::string> files_of(const std::string& folder, std::string_view suffix) {
  std::vector<std::string> found;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().string().ends_with(suffix)) found.push_back(entry.path().string());
  }
  std::sort(found.begin(), found.end());
  return found;
}

void flip_byte(const std::string& path, std::uint64_t place) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekg(static_cast<std::streamoff>(place));
  const int byte = file.get();
  file.seekp(static_cast<std::streamoff>(place));
  file.put(static_cast<char>(byte ^ 0x55));
}

TEST(RocksStore, KeepsFamiliesApartAndSurvivesReopening) {
  const TempFolder folder;
  {
    const auto store = open_store(folder / "db");
    const auto batch = store->make_batch();
    for (const Family family : kAllFamilies) {
      if (family != Family::kAccess) batch->put(family, "key", family_name(family));
    }
    batch->add(Family::kAccess, "key", 3);
    EXPECT_EQ(batch->count(), kFamilyCount);
    EXPECT_GT(batch->size_bytes(), 50U);
    ASSERT_OK(store->write(*batch, {}));
  }
  const auto store = open_store(folder / "db");
  for (const Family family : kAllFamilies) {
    const std::string expected =
        family == Family::kAccess ? le64(3) : std::string(family_name(family));
    EXPECT_EQ(get(*store, family, "key"), expected);
    EXPECT_EQ(get(*store, family, "other"), "");
  }
}

TEST(RocksStore, ABatchIsReusableAfterClearAndUnchangedByWriting) {
  const TempFolder folder;
  const auto store = open_store(folder / "db");
  const auto batch = store->make_batch();
  batch->put(Family::kMeta, "a", "1");
  const std::size_t size = batch->size_bytes();
  ASSERT_OK(store->write(*batch, {}));
  EXPECT_EQ(batch->size_bytes(), size);
  EXPECT_EQ(batch->count(), 1U);
  batch->clear();
  EXPECT_EQ(batch->count(), 0U);
  ASSERT_OK(store->write(*batch, {}));  // An empty batch is no error.
  batch->put(Family::kMeta, "b", "2");
  ASSERT_OK(store->write(*batch, {}));
  EXPECT_EQ(get(*store, Family::kMeta, "a") + get(*store, Family::kMeta, "b"), "12");
}

TEST(RocksStore, ASnapshotSeesOneMoment) {
  const TempFolder folder;
  const auto store = open_store(folder / "db");
  ASSERT_OK(put(*store, Family::kPoints, "a", "old"));
  const auto snapshot = store->snapshot();
  const auto iterator = store->iterate(Family::kPoints, {}, snapshot.get());
  ASSERT_OK(put(*store, Family::kPoints, "a", "new"));
  ASSERT_OK(put(*store, Family::kPoints, "b", "new"));
  ASSERT_OK(store->flush());
  ASSERT_OK(store->compact_range(Family::kPoints, "", ""));
  EXPECT_EQ(get(*store, Family::kPoints, "a", snapshot.get()), "old");
  EXPECT_EQ(get(*store, Family::kPoints, "b", snapshot.get()), "");
  iterator->seek("");
  ASSERT_TRUE(iterator->valid());
  EXPECT_EQ(iterator->value(), "old");
  iterator->next();
  EXPECT_FALSE(iterator->valid());
  EXPECT_EQ(get(*store, Family::kPoints, "a"), "new");
}

TEST(RocksStore, SnapshotsAndIteratorsMayOutliveTheStore) {
  const TempFolder folder;
  auto store = open_store(folder / "db");
  ASSERT_OK(put(*store, Family::kPoints, "a", "1"));
  auto snapshot = store->snapshot();
  auto iterator = store->iterate(Family::kPoints, {}, snapshot.get());
  store.reset();
  iterator->seek("a");
  EXPECT_TRUE(iterator->valid());
  // Until they are gone the folder stays locked.
  EXPECT_FALSE(try_open(folder / "db").ok());
  iterator.reset();
  std::thread([last = std::move(snapshot)]() mutable { last.reset(); }).join();
  snapshot.reset();
  EXPECT_NE(open_store(folder / "db"), nullptr);
}

TEST(RocksStore, AddsWrapAroundAndRefuseOtherSizes) {
  const TempFolder folder;
  const QuietLog quiet;
  const auto store = open_store(folder / "db");
  const auto batch = store->make_batch();
  batch->add(Family::kAccess, "n", std::numeric_limits<std::uint64_t>::max());
  batch->add(Family::kAccess, "n", 3);
  batch->put(Family::kAccess, "bad", "abc");
  batch->add(Family::kAccess, "bad", 1);
  ASSERT_OK(store->write(*batch, {}));
  EXPECT_EQ(get(*store, Family::kAccess, "n"), le64(2));
  const auto bad = store->get(Family::kAccess, "bad", nullptr);
  ASSERT_FALSE(bad.ok());
  EXPECT_EQ(bad.error().code, ErrorCode::kCorruption);
}

TEST(RocksStore, DropRangeGivesTheSpaceBack) {
  const TempFolder folder;
  const auto store = open_store(folder / "db");
  Rng rng(1);
  const auto batch = store->make_batch();
  for (int i = 0; i < 2000; ++i) {
    batch->put(Family::kVectors, (i < 1900 ? "drop" : "keep") + std::to_string(i),
               random_bytes(rng, 2000));
  }
  ASSERT_OK(store->write(*batch, {.sync = false}));
  ASSERT_OK(store->flush());
  ASSERT_OK(store->compact_range(Family::kVectors, "", ""));
  const std::uint64_t before = store->statistics().disk_bytes;
  ASSERT_OK(store->drop_range(Family::kVectors, "drop", "drop~"));
  ASSERT_OK(store->compact_range(Family::kVectors, "", ""));
  EXPECT_EQ(get(*store, Family::kVectors, "drop7"), "");
  EXPECT_NE(get(*store, Family::kVectors, "keep1950"), "");
  // Files go by a background thread, so tables are looked at through what is alive.
  EXPECT_LT(store->statistics().estimated_keys, 300U);
  EXPECT_GT(before, 3'000'000U);
  EXPECT_OK(store->drop_range(Family::kVectors, "z", "a"));
  const Status unbounded = store->drop_range(Family::kVectors, "a", "");
  ASSERT_FALSE(unbounded.ok());
  EXPECT_EQ(unbounded.error().code, ErrorCode::kInvalidArgument);
}

TEST(RocksStore, LogValuesLieInBlobFilesAndGoWithTheirRange) {
  const TempFolder folder;
  const auto store = open_store(folder / "db");
  Rng rng(1);
  for (int i = 0; i < 4; ++i) {
    const auto batch = store->make_batch();
    for (int k = 0; k < 50; ++k) {
      batch->put(Family::kLog, std::to_string(i) + std::to_string(1000 + k),
                 random_bytes(rng, 4000));
    }
    ASSERT_OK(store->write(*batch, {.sync = false}));
    ASSERT_OK(store->flush());
  }
  EXPECT_GE(files_of(folder / "db", ".blob").size(), 4U);
  ASSERT_OK(store->drop_range(Family::kLog, "0", "3"));
  ASSERT_OK(store->compact_range(Family::kLog, "", ""));
  EXPECT_EQ(get(*store, Family::kLog, "01001"), "");
  EXPECT_EQ(get(*store, Family::kLog, "31001").size(), 4000U);
}

TEST(RocksStore, ACheckpointIsAStoreOfThatMoment) {
  const TempFolder folder;
  const auto store = open_store(folder / "db");
  Rng rng(test_seed());
  Model model;
  for (int i = 0; i < 100; ++i) {
    const auto changes = random_changes(rng);
    ASSERT_OK(write_changes(*store, changes, false));
    for (const Change& change : changes) carry_out(change, model);
  }
  ASSERT_OK(store->checkpoint(folder / "copy"));
  ASSERT_OK(put(*store, Family::kMeta, "later", "1"));
  const Status again = store->checkpoint(folder / "copy");
  ASSERT_FALSE(again.ok());
  EXPECT_EQ(again.error().code, ErrorCode::kAlreadyExists);
  const auto copy = open_store(folder / "copy");
  ASSERT_NE(copy, nullptr);
  const auto found = content(*copy);
  ASSERT_OK(found);
  EXPECT_EQ(found.value(), model);
}

TEST(RocksStore, StatisticsCountWhatWasWritten) {
  const TempFolder folder;
  const auto store = open_store(folder / "db");
  const KvStatistics before = store->statistics();
  const std::string value(1000, 'v');
  for (int i = 0; i < 100; ++i) {
    ASSERT_OK(put(*store, Family::kVectors, "k" + std::to_string(i), value, false));
  }
  const KvStatistics written = store->statistics();
  EXPECT_EQ(written.user_bytes_written - before.user_bytes_written, 100U * 1000 + 10 * 2 + 90 * 3);
  EXPECT_GE(written.file_bytes_written - before.file_bytes_written, 100'000U);
  EXPECT_LT(written.file_bytes_written - before.file_bytes_written, 120'000U);
  EXPECT_GT(written.memtable_bytes, 100'000U);
  ASSERT_OK(store->flush());
  const KvStatistics flushed = store->statistics();
  EXPECT_GE(flushed.file_bytes_written - written.file_bytes_written, 100'000U);
  EXPECT_GE(flushed.disk_bytes, 100'000U);
  EXPECT_EQ(flushed.estimated_keys, 100U);
}

TEST(RocksStore, TheCacheKeepsToItsBound) {
  const TempFolder folder;
  const auto store = open_store(folder / "db");
  const auto batch = store->make_batch();
  Rng rng(1);
  for (int i = 0; i < 1000; ++i) {
    batch->put(Family::kPoints, std::to_string(i), random_bytes(rng, 2000));
  }
  ASSERT_OK(store->write(*batch, {.sync = false}));
  ASSERT_OK(store->flush());
  for (int i = 0; i < 1000; ++i)
    ASSERT_EQ(get(*store, Family::kPoints, std::to_string(i)).size(), 2000U);
  EXPECT_GT(store->statistics().block_cache_bytes, 1'000'000U);
  store->set_cache_bytes_max(200'000);
  EXPECT_LT(store->statistics().block_cache_bytes, 300'000U);
  for (int i = 0; i < 1000; ++i)
    ASSERT_EQ(get(*store, Family::kPoints, std::to_string(i)).size(), 2000U);
  EXPECT_LT(store->statistics().block_cache_bytes, 300'000U);
}

TEST(RocksStore, ManyThreadsWriteAndReadAtOnce) {
  constexpr int kThreads = 4;
  constexpr int kWrites = 200;
  const TempFolder folder;
  const auto store = open_store(folder / "db");
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&store, t] {
      for (int i = 0; i < kWrites; ++i) {
        const auto batch = store->make_batch();
        batch->put(Family::kPoints, std::to_string(t) + "/" + std::to_string(i), "p");
        batch->add(Family::kAccess, "sum", 1);
        EXPECT_OK(store->write(*batch, {.sync = i % 20 == 0}));
        if (i % 50 == 0) {
          EXPECT_OK(store->sync_wal());
        }
        const auto snapshot = store->snapshot();
        EXPECT_EQ(get(*store, Family::kPoints, std::to_string(t) + "/" + std::to_string(i),
                      snapshot.get()),
                  "p");
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(get(*store, Family::kAccess, "sum"), le64(kThreads * kWrites));
}

// ---- What goes wrong.

TEST(RocksStore, ALockedFolderIsRefusedBeforeItIsTouched) {
  const TempFolder folder;
  const auto store = open_store(folder / "db");
  ASSERT_OK(put(*store, Family::kMeta, "a", "1"));
  const auto second = try_open(folder / "db");
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().code, ErrorCode::kFailedPrecondition);
  EXPECT_EQ(second.error().reason, "locked");
  EXPECT_NE(second.error().message.find(folder / "db"), std::string::npos);
  ASSERT_OK(put(*store, Family::kMeta, "b", "2"));
}

TEST(RocksStore, AStoreOfANewerProgramIsRefused) {
  const TempFolder folder;
  {
    rocksdb::Options options;
    options.create_if_missing = true;
    rocksdb::DB* opened = nullptr;
    ASSERT_TRUE(rocksdb::DB::Open(options, folder / "db", &opened).ok());
    const std::unique_ptr<rocksdb::DB> db(opened);
    rocksdb::ColumnFamilyHandle* handle = nullptr;
    ASSERT_TRUE(db->CreateColumnFamily({}, "dreams", &handle).ok());
    ASSERT_TRUE(db->DestroyColumnFamilyHandle(handle).ok());
  }
  const auto opened = try_open(folder / "db");
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().code, ErrorCode::kFailedPrecondition);
  EXPECT_EQ(opened.error().reason, "store_version");
  EXPECT_NE(opened.error().message.find("\"dreams\""), std::string::npos);
}

TEST(RocksStore, OptionsOutOfRangeAreRefused) {
  const TempFolder folder;
  const auto refusal = [&](auto&& change) {
    RocksStoreOptions options{.path = folder / "db", .file_system = posix_file_system()};
    change(options);
    const auto opened = open_rocks_store(options);
    if (opened.ok()) return std::string();
    EXPECT_EQ(opened.error().code, ErrorCode::kInvalidArgument);
    return opened.error().message;
  };
  EXPECT_NE(refusal([](auto& o) { o.background_threads = 0; }).find("background_threads is 0"),
            std::string::npos);
  EXPECT_NE(refusal([](auto& o) { o.background_threads = 17; }).find("1 to 16"), std::string::npos);
  EXPECT_NE(refusal([](auto& o) { o.memtable_bytes_max = 0; }).find("memtable_bytes_max is 0"),
            std::string::npos);
  EXPECT_NE(refusal([](auto& o) { o.wal_bytes_max = 1; }).find("wal_bytes_max is 1"),
            std::string::npos);
  EXPECT_EQ(refusal([](auto& o) { o.block_cache_bytes = 0; }), "");
}

TEST(RocksStore, ADamagedTableIsNamed) {
  const TempFolder folder;
  const QuietLog quiet;
  std::string table;
  {
    const auto store = open_store(folder / "db");
    Rng rng(3);
    const auto batch = store->make_batch();
    for (int i = 0; i < 500; ++i) {
      batch->put(Family::kPoints, std::to_string(1000 + i), random_bytes(rng, 500));
    }
    ASSERT_OK(store->write(*batch, {}));
    ASSERT_OK(store->flush());
    for (const std::string& file : files_of(folder / "db", ".sst")) {
      if (std::filesystem::file_size(file) > 200'000) table = file;
    }
    ASSERT_NE(table, "");
  }
  flip_byte(table, 40'000);
  const auto store = open_store(folder / "db");
  ASSERT_NE(store, nullptr);
  const auto found = content(*store);
  ASSERT_FALSE(found.ok());
  EXPECT_EQ(found.error().code, ErrorCode::kCorruption);
  EXPECT_EQ(found.error().reason, "storage_damaged");
  EXPECT_NE(found.error().message.find(std::filesystem::path(table).filename().string()),
            std::string::npos)
      << found.error().message;
}

TEST(RocksStore, ADamagedBlobFileIsNamed) {
  const TempFolder folder;
  const QuietLog quiet;
  {
    const auto store = open_store(folder / "db");
    Rng rng(3);
    ASSERT_OK(put(*store, Family::kLog, "a", random_bytes(rng, 50'000)));
    ASSERT_OK(store->flush());
  }
  const auto blobs = files_of(folder / "db", ".blob");
  ASSERT_EQ(blobs.size(), 1U);
  flip_byte(blobs[0], 25'000);
  const auto store = open_store(folder / "db");
  ASSERT_NE(store, nullptr);
  const auto found = store->get(Family::kLog, "a", nullptr);
  ASSERT_FALSE(found.ok());
  EXPECT_EQ(found.error().code, ErrorCode::kCorruption);
  EXPECT_NE(found.error().message.find(std::filesystem::path(blobs[0]).filename().string()),
            std::string::npos)
      << found.error().message;
}

TEST(RocksStore, AMissingTableStopsTheOpen) {
  const TempFolder folder;
  const QuietLog quiet;
  {
    const auto store = open_store(folder / "db");
    ASSERT_OK(put(*store, Family::kPoints, "a", "1"));
    ASSERT_OK(store->flush());
  }
  const auto tables = files_of(folder / "db", ".sst");
  ASSERT_FALSE(tables.empty());
  std::filesystem::remove(tables[0]);
  const auto opened = try_open(folder / "db");
  ASSERT_FALSE(opened.ok());
  EXPECT_NE(opened.error().message.find(std::filesystem::path(tables[0]).filename().string()),
            std::string::npos)
      << opened.error().message;
}

TEST(RocksStore, AManifestDamagedInTheMiddleStopsTheOpen) {
  const TempFolder folder;
  const QuietLog quiet;
  {
    const auto store = open_store(folder / "db");
    ASSERT_OK(put(*store, Family::kPoints, "a", "1"));
    ASSERT_OK(store->flush());
    ASSERT_OK(put(*store, Family::kPoints, "b", "2"));
  }
  std::string manifest;
  for (const auto& entry : std::filesystem::directory_iterator(folder / "db")) {
    if (entry.path().filename().string().starts_with("MANIFEST-")) manifest = entry.path().string();
  }
  const std::uintmax_t size = std::filesystem::file_size(manifest);
  flip_byte(manifest, size / 2);
  const auto opened = try_open(folder / "db");
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().code, ErrorCode::kCorruption);
  EXPECT_EQ(opened.error().reason, "manifest_damaged");
  EXPECT_NE(opened.error().message.find("MANIFEST-"), std::string::npos);
  flip_byte(manifest, size / 2);
  // A cut end too, since a later write vouches for the whole of it.
  std::filesystem::resize_file(manifest, size - 1);
  const auto cut = try_open(folder / "db");
  ASSERT_FALSE(cut.ok());
  EXPECT_EQ(cut.error().reason, "manifest_damaged");
}

TEST(RocksStore, AFullDiskIsSaidAndResumedFrom) {
  const TempFolder folder;
  const QuietLog quiet;
  std::filesystem::create_directories(folder / "db");
  for (const bool short_write : {false, true}) {
    for (const int writes_before : {0, 1, 5}) {
      SCOPED_TRACE("short " + std::to_string(short_write) + ", after " +
                   std::to_string(writes_before));
      const std::string path =
          folder / ("db/" + std::to_string(short_write) + std::to_string(writes_before));
      std::filesystem::create_directories(path);
      FaultFileSystem faults(posix_file_system(), path);
      auto store = open_store(path + "/s", faults);
      ASSERT_NE(store, nullptr);
      const auto counted = [&](int i) { return "k" + std::to_string(i); };
      for (int i = 0; i < writes_before; ++i) {
        ASSERT_OK(put(*store, Family::kPoints, counted(i), "v"));
      }
      if (writes_before == 5) {
        ASSERT_OK(store->flush());
      }
      faults.inject({.point = FaultPoint::kAppend,
                     .kind = FaultKind::kDiskFull,
                     .path_part = ".log",
                     .count = kFaultForever,
                     .short_write = short_write});
      for (int attempt = 0; attempt < 2; ++attempt) {
        const auto batch = store->make_batch();
        batch->put(Family::kPoints, "half", "1");
        batch->put(Family::kVectors, "half", "2");
        const Status full = store->write(*batch, {});
        ASSERT_FALSE(full.ok());
        EXPECT_EQ(full.error().code, ErrorCode::kResourceExhausted);
        EXPECT_EQ(full.error().reason, "disk_full");
      }
      EXPECT_GE(faults.faults_fired(), 1U);
      EXPECT_EQ(get(*store, Family::kPoints, "half"), "");
      EXPECT_EQ(get(*store, Family::kVectors, "half"), "");
      faults.clear_faults();
      ASSERT_OK(store->resume());
      ASSERT_OK(put(*store, Family::kPoints, "after", "3"));
      ASSERT_OK(put(*store, Family::kPoints, "after2", "4"));
      store.reset();
      store = open_store(path + "/s", faults);
      ASSERT_NE(store, nullptr);
      for (int i = 0; i < writes_before; ++i) {
        EXPECT_EQ(get(*store, Family::kPoints, counted(i)), "v");
      }
      EXPECT_EQ(get(*store, Family::kPoints, "after"), "3");
      EXPECT_EQ(get(*store, Family::kPoints, "after2"), "4");
      EXPECT_EQ(get(*store, Family::kPoints, "half"), "");
      EXPECT_EQ(get(*store, Family::kVectors, "half"), "");
    }
  }
}

TEST(RocksStore, AFullDiskDuringAFlushIsResumedFrom) {
  const TempFolder folder;
  const QuietLog quiet;
  FaultFileSystem faults(posix_file_system(), folder.path());
  auto store = open_store(folder / "db", faults);
  ASSERT_NE(store, nullptr);
  ASSERT_OK(put(*store, Family::kPoints, "a", "1"));
  faults.inject({.point = FaultPoint::kAppend, .kind = FaultKind::kDiskFull, .path_part = ".sst"});
  const Status flushed = store->flush();
  ASSERT_FALSE(flushed.ok());
  EXPECT_EQ(flushed.error().reason, "disk_full");
  EXPECT_EQ(get(*store, Family::kPoints, "a"), "1");
  faults.clear_faults();
  ASSERT_OK(store->resume());
  ASSERT_OK(put(*store, Family::kPoints, "b", "2"));
  store.reset();
  store = open_store(folder / "db", faults);
  ASSERT_NE(store, nullptr);
  EXPECT_EQ(get(*store, Family::kPoints, "a") + get(*store, Family::kPoints, "b"), "12");
}

// RocksDB's own wait for a flush has no end: a file that takes no bytes stands for one that nobody
// has begun.
TEST(RocksStore, AResumeThatDoesNotComeBackIsGivenUp) {
  const TempFolder folder;
  const QuietLog quiet;
  FaultFileSystem faults(posix_file_system(), folder.path());
  auto opened = open_rocks_store({.path = folder / "db",
                                  .file_system = faults,
                                  .resume_wait = std::chrono::milliseconds(200)});
  ASSERT_OK(opened);
  std::unique_ptr<KeyValueStore> store = std::move(opened).value();
  ASSERT_OK(put(*store, Family::kPoints, "a", "1"));
  faults.inject({.point = FaultPoint::kAppend, .kind = FaultKind::kDiskFull, .path_part = ".sst"});
  ASSERT_FALSE(store->flush().ok());
  faults.clear_faults();
  faults.inject({.point = FaultPoint::kAppend,
                 .kind = FaultKind::kHold,
                 .path_part = ".sst",
                 .count = kFaultForever});
  for (const Status& status : {store->resume(), put(*store, Family::kPoints, "b", "2")}) {
    ASSERT_FALSE(status.ok());
    EXPECT_EQ(status.error().code, ErrorCode::kUnavailable);
    EXPECT_EQ(status.error().reason, "store_stopped");
  }
  EXPECT_EQ(get(*store, Family::kPoints, "a"), "1");
  faults.clear_faults();
  store.reset();
  store = open_store(folder / "db", faults);
  ASSERT_NE(store, nullptr);
  EXPECT_EQ(get(*store, Family::kPoints, "a"), "1");
  ASSERT_OK(put(*store, Family::kPoints, "b", "2"));
}

// The one place where RocksDB cannot resume: its new log failed with nothing in memory.
TEST(RocksStore, AFullDiskWithNothingInMemoryNeedsReopening) {
  const TempFolder folder;
  const QuietLog quiet;
  FaultFileSystem faults(posix_file_system(), folder.path());
  auto store = open_store(folder / "db", faults);
  ASSERT_NE(store, nullptr);
  ASSERT_OK(put(*store, Family::kPoints, "a", "1"));
  faults.inject({.point = FaultPoint::kAppend, .kind = FaultKind::kDiskFull, .path_part = ".log"});
  const Status flushed = store->flush();
  ASSERT_FALSE(flushed.ok());
  EXPECT_EQ(flushed.error().reason, "disk_full");
  faults.clear_faults();
  for (const Status& status :
       {store->resume(), put(*store, Family::kPoints, "b", "2"), store->resume(), store->flush()}) {
    ASSERT_FALSE(status.ok());
    EXPECT_EQ(status.error().code, ErrorCode::kUnavailable);
    EXPECT_NE(status.error().message.find("opened again"), std::string::npos);
  }
  EXPECT_EQ(get(*store, Family::kPoints, "a"), "1");
  store.reset();
  store = open_store(folder / "db", faults);
  ASSERT_NE(store, nullptr);
  ASSERT_OK(put(*store, Family::kPoints, "b", "2"));
  EXPECT_EQ(get(*store, Family::kPoints, "a") + get(*store, Family::kPoints, "b"), "12");
}

TEST(RocksStore, AnUnwritableDiskStopsTheStoreAndSaysSo) {
  const TempFolder folder;
  const QuietLog quiet;
  FaultFileSystem faults(posix_file_system(), folder.path());
  auto store = open_store(folder / "db", faults);
  ASSERT_NE(store, nullptr);
  ASSERT_OK(put(*store, Family::kPoints, "a", "1"));
  faults.inject({.point = FaultPoint::kSync, .kind = FaultKind::kIoError, .path_part = ".log"});
  const Status failed = put(*store, Family::kPoints, "b", "2");
  ASSERT_FALSE(failed.ok());
  EXPECT_EQ(failed.error().code, ErrorCode::kIo);
  const Status stopped = put(*store, Family::kPoints, "c", "3");
  ASSERT_FALSE(stopped.ok());
  EXPECT_EQ(stopped.error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(stopped.error().reason, "store_stopped");
  EXPECT_EQ(get(*store, Family::kPoints, "a"), "1");
  const Status resumed = store->resume();
  ASSERT_FALSE(resumed.ok());
  EXPECT_NE(resumed.error().message.find("opened again"), std::string::npos)
      << resumed.error().message;
  store.reset();
  store = open_store(folder / "db", faults);
  ASSERT_NE(store, nullptr);
  EXPECT_EQ(get(*store, Family::kPoints, "a"), "1");
  ASSERT_OK(put(*store, Family::kPoints, "d", "4"));
}

TEST(RocksStore, AFullDiskAtOpenIsSaid) {
  const TempFolder folder;
  const QuietLog quiet;
  { ASSERT_OK(put(*open_store(folder / "db"), Family::kMeta, "a", "1")); }
  FaultFileSystem faults(posix_file_system(), folder.path());
  faults.inject(
      {.point = FaultPoint::kAppend, .kind = FaultKind::kDiskFull, .count = kFaultForever});
  const auto opened = try_open(folder / "db", faults);
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().code, ErrorCode::kResourceExhausted);
  EXPECT_EQ(opened.error().reason, "disk_full");
  faults.clear_faults();
  const auto store = open_store(folder / "db", faults);
  ASSERT_NE(store, nullptr);
  EXPECT_EQ(get(*store, Family::kMeta, "a"), "1");
}

}  // namespace
}  // namespace quipu::storage
