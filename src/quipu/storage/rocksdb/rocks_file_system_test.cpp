#include "quipu/storage/rocksdb/rocks_file_system.h"

#include <gtest/gtest.h>
#include <rocksdb/env.h>

#include <algorithm>
#include <typeinfo>

#include "quipu/base/fault_file_system.h"
#include "quipu/storage/rocksdb/rocks_status.h"
#include "quipu/storage/test_support.h"

namespace quipu::storage {
namespace {

using rocksdb::IOOptions;
using rocksdb::IOStatus;
using rocksdb::Slice;

constexpr rocksdb::IODebugContext* kNoDebug = nullptr;

class RocksFileSystemTest : public ::testing::Test {
 protected:
  std::string path(std::string_view name) { return folder_ / name; }
  void write(const std::string& at, std::string_view bytes) {
    std::unique_ptr<rocksdb::FSWritableFile> file;
    ASSERT_TRUE(files_.NewWritableFile(at, {}, &file, kNoDebug).ok());
    ASSERT_TRUE(file->Append(Slice(bytes.data(), bytes.size()), {}, kNoDebug).ok());
    ASSERT_TRUE(file->Close({}, kNoDebug).ok());
  }
  std::string read(const std::string& at) {
    std::unique_ptr<rocksdb::FSSequentialFile> file;
    EXPECT_TRUE(files_.NewSequentialFile(at, {}, &file, kNoDebug).ok());
    std::string all;
    char scratch[7];  // Smaller than the content: many reads.
    Slice got;
    do {
      EXPECT_TRUE(file->Read(sizeof(scratch), {}, &got, scratch, kNoDebug).ok());
      all.append(got.data(), got.size());
    } while (got.size() == sizeof(scratch));
    return all;
  }

  TempFolder folder_;
  RocksFileSystem files_{posix_file_system()};
};

TEST_F(RocksFileSystemTest, WritesAndReadsBothWays) {
  const std::string at = path("a");
  write(at, "hello, quipu store");
  EXPECT_EQ(read(at), "hello, quipu store");
  std::unique_ptr<rocksdb::FSWritableFile> more;
  ASSERT_TRUE(files_.ReopenWritableFile(at, {}, &more, kNoDebug).ok());
  EXPECT_EQ(more->GetFileSize({}, kNoDebug), 18U);
  ASSERT_TRUE(more->Append("!!", {}, kNoDebug).ok());
  ASSERT_TRUE(more->Sync({}, kNoDebug).ok());
  ASSERT_TRUE(more->Truncate(19, {}, kNoDebug).ok());
  ASSERT_TRUE(more->Close({}, kNoDebug).ok());
  ASSERT_TRUE(more->Close({}, kNoDebug).ok());
  EXPECT_EQ(read(at), "hello, quipu store!");

  std::unique_ptr<rocksdb::FSRandomAccessFile> random;
  ASSERT_TRUE(files_.NewRandomAccessFile(at, {}, &random, kNoDebug).ok());
  char scratch[32];
  Slice got;
  ASSERT_TRUE(random->Read(7, 5, {}, &got, scratch, kNoDebug).ok());
  EXPECT_EQ(got.ToString(), "quipu");
  EXPECT_EQ(last_file_read(), at);
  ASSERT_TRUE(random->Read(15, 30, {}, &got, scratch, kNoDebug).ok());
  EXPECT_EQ(got.ToString(), "ore!");
  ASSERT_TRUE(random->Read(100, 5, {}, &got, scratch, kNoDebug).ok());
  EXPECT_TRUE(got.empty());

  std::unique_ptr<rocksdb::FSSequentialFile> sequential;
  ASSERT_TRUE(files_.NewSequentialFile(at, {}, &sequential, kNoDebug).ok());
  ASSERT_TRUE(sequential->Skip(7).ok());
  ASSERT_TRUE(sequential->Read(5, {}, &got, scratch, kNoDebug).ok());
  EXPECT_EQ(got.ToString(), "quipu");
  ASSERT_TRUE(sequential->Skip(1000).ok());
  ASSERT_TRUE(sequential->Read(5, {}, &got, scratch, kNoDebug).ok());
  EXPECT_TRUE(got.empty());
}

TEST_F(RocksFileSystemTest, FoldersNamesAndTimes) {
  const IOOptions none;
  ASSERT_TRUE(files_.CreateDir(path("d"), none, kNoDebug).ok());
  EXPECT_TRUE(files_.CreateDir(path("d"), none, kNoDebug).IsIOError());
  EXPECT_TRUE(files_.CreateDirIfMissing(path("d"), none, kNoDebug).ok());
  write(path("d/x"), "12345");
  ASSERT_TRUE(files_.LinkFile(path("d/x"), path("d/y"), none, kNoDebug).ok());
  ASSERT_TRUE(files_.RenameFile(path("d/x"), path("d/z"), none, kNoDebug).ok());
  std::vector<std::string> names;
  ASSERT_TRUE(files_.GetChildren(path("d"), none, &names, kNoDebug).ok());
  std::sort(names.begin(), names.end());
  EXPECT_EQ(names, (std::vector<std::string>{"y", "z"}));
  std::uint64_t number = 0;
  ASSERT_TRUE(files_.GetFileSize(path("d/z"), none, &number, kNoDebug).ok());
  EXPECT_EQ(number, 5U);
  ASSERT_TRUE(files_.GetFileModificationTime(path("d/z"), none, &number, kNoDebug).ok());
  EXPECT_GT(number, 1'600'000'000U);
  ASSERT_TRUE(files_.Truncate(path("d/z"), 2, none, kNoDebug).ok());
  EXPECT_EQ(read(path("d/y")), "12");
  ASSERT_TRUE(files_.GetFreeSpace(path("d"), none, &number, kNoDebug).ok());
  EXPECT_GT(number, 0U);
  bool is_directory = false;
  ASSERT_TRUE(files_.IsDirectory(path("d"), none, &is_directory, kNoDebug).ok());
  EXPECT_TRUE(is_directory);
  ASSERT_TRUE(files_.IsDirectory(path("d/z"), none, &is_directory, kNoDebug).ok());
  EXPECT_FALSE(is_directory);
  std::unique_ptr<rocksdb::FSDirectory> directory;
  ASSERT_TRUE(files_.NewDirectory(path("d"), none, &directory, kNoDebug).ok());
  EXPECT_TRUE(directory->Fsync(none, kNoDebug).ok());
  EXPECT_FALSE(files_.DeleteDir(path("d"), none, kNoDebug).ok());
  ASSERT_TRUE(files_.DeleteFile(path("d/y"), none, kNoDebug).ok());
  ASSERT_TRUE(files_.DeleteFile(path("d/z"), none, kNoDebug).ok());
  ASSERT_TRUE(files_.DeleteDir(path("d"), none, kNoDebug).ok());
  std::string absolute;
  ASSERT_TRUE(files_.GetAbsolutePath("x", none, &absolute, kNoDebug).ok());
  EXPECT_TRUE(absolute.starts_with('/'));
}

// RocksDB tells "not there" from other errors by these codes.
TEST_F(RocksFileSystemTest, WhatIsMissingIsSaidAsRocksdbExpects) {
  const IOOptions none;
  EXPECT_TRUE(files_.FileExists(path("no"), none, kNoDebug).IsNotFound());
  std::vector<std::string> names;
  EXPECT_TRUE(files_.GetChildren(path("no"), none, &names, kNoDebug).IsNotFound());
  std::uint64_t number = 0;
  EXPECT_TRUE(files_.GetFileSize(path("no"), none, &number, kNoDebug).IsPathNotFound());
  EXPECT_TRUE(files_.DeleteFile(path("no"), none, kNoDebug).IsPathNotFound());
  EXPECT_TRUE(files_.RenameFile(path("no"), path("to"), none, kNoDebug).IsPathNotFound());
  EXPECT_TRUE(files_.LinkFile(path("no"), path("to"), none, kNoDebug).IsPathNotFound());
  EXPECT_TRUE(files_.Truncate(path("no"), 1, none, kNoDebug).IsPathNotFound());
  EXPECT_FALSE(files_.FileExists(path("no"), none, kNoDebug).ok());
  bool is_directory = true;
  EXPECT_TRUE(files_.IsDirectory(path("no"), none, &is_directory, kNoDebug).IsPathNotFound());
  std::unique_ptr<rocksdb::FSSequentialFile> sequential;
  const IOStatus opened = files_.NewSequentialFile(path("no"), {}, &sequential, kNoDebug);
  EXPECT_TRUE(opened.IsPathNotFound());
  EXPECT_NE(opened.ToString().find(path("no")), std::string::npos);
  std::unique_ptr<rocksdb::FSRandomAccessFile> random;
  const IOStatus old_name = files_.NewRandomAccessFile(path("000007.ldb"), {}, &random, kNoDebug);
  EXPECT_TRUE(old_name.IsPathNotFound());
  EXPECT_NE(old_name.ToString().find("000007.sst"), std::string::npos);
  std::unique_ptr<rocksdb::FSDirectory> directory;
  EXPECT_TRUE(files_.NewDirectory(path("no"), none, &directory, kNoDebug).IsPathNotFound());
}

TEST_F(RocksFileSystemTest, LocksExcludeAndAreAdopted) {
  const IOOptions none;
  rocksdb::FileLock* first = nullptr;
  rocksdb::FileLock* second = nullptr;
  ASSERT_TRUE(files_.LockFile(path("LOCK"), none, &first, kNoDebug).ok());
  EXPECT_TRUE(files_.LockFile(path("LOCK"), none, &second, kNoDebug).IsIOError());
  EXPECT_EQ(second, nullptr);
  ASSERT_TRUE(files_.UnlockFile(first, none, kNoDebug).ok());

  auto taken = posix_file_system().lock(path("LOCK"));
  ASSERT_OK(taken);
  files_.adopt_lock(path("LOCK"), std::move(taken).value());
  ASSERT_TRUE(files_.LockFile(path("LOCK"), none, &first, kNoDebug).ok());
  // Given out once only.
  EXPECT_TRUE(files_.LockFile(path("LOCK"), none, &second, kNoDebug).IsIOError());
  ASSERT_TRUE(files_.UnlockFile(first, none, kNoDebug).ok());
}

TEST_F(RocksFileSystemTest, AFullDiskIsNoSpaceAndLeavesNoHalfAppend) {
  FaultFileSystem faults(posix_file_system(), folder_.path());
  RocksFileSystem files(faults);
  std::unique_ptr<rocksdb::FSWritableFile> file;
  ASSERT_TRUE(files.NewWritableFile(path("a"), {}, &file, kNoDebug).ok());
  ASSERT_TRUE(file->Append("whole", {}, kNoDebug).ok());
  faults.inject({.point = FaultPoint::kAppend,
                 .kind = FaultKind::kDiskFull,
                 .path_part = "",
                 .short_write = true});
  const IOStatus full = file->Append("half a record", {}, kNoDebug);
  EXPECT_TRUE(full.IsNoSpace()) << full.ToString();
  EXPECT_EQ(to_error(full, "write").reason, "disk_full");
  EXPECT_EQ(file->GetFileSize({}, kNoDebug), 5U);
  ASSERT_TRUE(file->Append(" again", {}, kNoDebug).ok());
  ASSERT_TRUE(file->Close({}, kNoDebug).ok());
  EXPECT_EQ(read(path("a")), "whole again");
}

TEST_F(RocksFileSystemTest, WrittenBytesAreCountedByKind) {
  write(path("000001.log"), "123");
  write(path("000002.sst"), "4567");
  write(path("000003.blob"), "89");
  write(path("MANIFEST-000004"), "0");
  EXPECT_EQ(files_.written().wal.load(), 3U);
  EXPECT_EQ(files_.written().tables.load(), 4U);
  EXPECT_EQ(files_.written().blobs.load(), 2U);
}

// Counts the syncs of one file below a RocksFileSystem.
TEST_F(RocksFileSystemTest, ALogIsSyncedBeforeItsSuccessorBegins) {
  FaultFileSystem faults(posix_file_system(), folder_.path());
  {
    RocksFileSystem files(faults);
    std::unique_ptr<rocksdb::FSWritableFile> first;
    std::unique_ptr<rocksdb::FSWritableFile> second;
    ASSERT_TRUE(files.NewWritableFile(path("000001.log"), {}, &first, kNoDebug).ok());
    ASSERT_TRUE(first->Append("first", {}, kNoDebug).ok());
    ASSERT_TRUE(files.NewWritableFile(path("000002.log"), {}, &second, kNoDebug).ok());
    ASSERT_TRUE(second->Append("second", {}, kNoDebug).ok());
    ASSERT_OK(faults.sync_directory(folder_.path()));
    faults.crash();
  }
  Rng rng(1);
  ASSERT_OK(faults.materialise(rng, CrashMode::kDropUnsynced));
  EXPECT_EQ(read(path("000001.log")), "first");
  EXPECT_EQ(read(path("000002.log")), "");
}

TEST_F(RocksFileSystemTest, SyncedManifestsAreNoted) {
  std::unique_ptr<rocksdb::FSWritableFile> file;
  ASSERT_TRUE(files_.NewWritableFile(path("MANIFEST-000012"), {}, &file, kNoDebug).ok());
  ASSERT_TRUE(file->Append("12345", {}, kNoDebug).ok());
  EXPECT_EQ(files_.synced_manifest(), (ManifestMark{.number = 0, .bytes = 0}));
  ASSERT_TRUE(file->Sync({}, kNoDebug).ok());
  EXPECT_EQ(files_.synced_manifest(), (ManifestMark{.number = 12, .bytes = 5}));
}

// Debian builds RocksDB with run-time type information, so deriving from its classes across the
// library's border keeps casts and type comparisons working.
TEST_F(RocksFileSystemTest, TypeInformationCrossesTheLibrary) {
  const auto shared = std::make_shared<RocksFileSystem>(posix_file_system());
  const std::unique_ptr<rocksdb::Env> env = rocksdb::NewCompositeEnv(shared);
  rocksdb::FileSystem* const base = env->GetFileSystem().get();
  EXPECT_EQ(dynamic_cast<RocksFileSystem*>(base), shared.get());
  EXPECT_EQ(typeid(*base), typeid(RocksFileSystem));
  EXPECT_NE(dynamic_cast<rocksdb::Customizable*>(base), nullptr);
  EXPECT_STREQ(base->Name(), "quipu");
}

TEST(RocksStatus, CodesAndReasons) {
  using rocksdb::Status;
  const auto check = [](const Status& status, ErrorCode code, std::string_view reason) {
    const Error error = to_error(status, "act");
    EXPECT_EQ(error.code, code) << status.ToString();
    EXPECT_EQ(error.stable_reason(), reason) << status.ToString();
    EXPECT_TRUE(error.message.starts_with("cannot act: ")) << error.message;
  };
  check(Status::Corruption("x"), ErrorCode::kCorruption, "storage_damaged");
  check(Status::NoSpace("x"), ErrorCode::kResourceExhausted, "disk_full");
  check(Status(Status::NoSpace("x"), Status::Severity::kHardError), ErrorCode::kResourceExhausted,
        "disk_full");
  check(Status::IOError("x"), ErrorCode::kIo, "io");
  check(Status(Status::IOError("x"), Status::Severity::kFatalError), ErrorCode::kUnavailable,
        "store_stopped");
  check(Status::Busy("x"), ErrorCode::kUnavailable, "unavailable");
  check(Status::Aborted("x"), ErrorCode::kUnavailable, "unavailable");
  check(Status::ShutdownInProgress("x"), ErrorCode::kCancelled, "cancelled");
  check(Status::TimedOut("x"), ErrorCode::kDeadlineExceeded, "deadline_exceeded");
  check(Status::NotSupported("x"), ErrorCode::kUnimplemented, "unimplemented");
  check(Status::NotFound("x"), ErrorCode::kNotFound, "not_found");
  check(Status::InvalidArgument("x"), ErrorCode::kInternal, "internal");
  EXPECT_TRUE(to_status(Status::OK(), "act").ok());
}

}  // namespace
}  // namespace quipu::storage
