#include "quipu/base/file_system.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <thread>

#include "quipu/base/bytes.h"
#include "quipu/base/test_support.h"

namespace quipu {
namespace {

class PosixFiles : public testing::Test {
 protected:
  std::string content(std::string_view name) {
    const Result<std::string> read = read_file(fs, dir.file(name), 1 << 20);
    return read.ok() ? read.value() : "error: " + read.error().message;
  }
  void put(std::string_view name, std::string_view text) {
    const Status written = write_file_atomically(fs, dir.file(name), text);
    ASSERT_EQ(why_not(written), "");
  }
  std::vector<std::string> names() {
    std::vector<std::string> found = fs.list(dir.path()).value();
    std::sort(found.begin(), found.end());
    return found;
  }

  FileSystem& fs = posix_file_system();
  TempDir dir;
};

TEST_F(PosixFiles, AppendsTruncatesAndContinues) {
  {
    auto file = fs.open_writable(dir.file("a"), OpenMode::kTruncate).value();
    EXPECT_TRUE(file->append(as_byte_span("hello ")).ok());
    EXPECT_TRUE(file->append(as_byte_span("world")).ok());
    EXPECT_TRUE(file->append({}).ok());
    EXPECT_EQ(file->size(), 11U);
    file->preallocate(11, 1 << 16);
    EXPECT_EQ(fs.file_size(dir.file("a")).value(), 11U);
    EXPECT_TRUE(file->truncate(5).ok());
    EXPECT_TRUE(file->append(as_byte_span("!")).ok());
    EXPECT_TRUE(file->sync().ok());
    EXPECT_TRUE(file->close().ok());
    EXPECT_TRUE(file->close().ok());
    EXPECT_EQ(file->append(as_byte_span("x")).error().code, ErrorCode::kIo);
    EXPECT_EQ(file->sync().error().code, ErrorCode::kIo);
    EXPECT_EQ(file->truncate(0).error().code, ErrorCode::kIo);
  }
  EXPECT_EQ(content("a"), "hello!");
  {
    auto file = fs.open_writable(dir.file("a"), OpenMode::kAppend).value();
    EXPECT_EQ(file->size(), 6U);
    EXPECT_TRUE(file->append(as_byte_span("?")).ok());
    EXPECT_TRUE(file->truncate(9).ok());
  }
  EXPECT_EQ(content("a"), std::string("hello!?\0\0", 9));
  { auto file = fs.open_writable(dir.file("a"), OpenMode::kTruncate).value(); }
  EXPECT_EQ(content("a"), "");
}

TEST_F(PosixFiles, FilesAndDirectoriesAreTheOwnersAlone) {
  put("a", "x");
  ASSERT_TRUE(fs.create_directories(dir.file("d/e")).ok());
  struct stat info {};
  ASSERT_EQ(::stat(dir.file("a").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 077U, 0U);
  ASSERT_EQ(::stat(dir.file("d/e").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 077U, 0U);
}

TEST_F(PosixFiles, ReadsAtOffsets) {
  put("a", "0123456789");
  auto file = fs.open_random_access(dir.file("a")).value();
  EXPECT_EQ(file->size(), 10U);
  std::byte buffer[8];
  EXPECT_EQ(file->read(3, buffer).value(), 7U);
  EXPECT_EQ(as_text({buffer, 7}), "3456789");
  EXPECT_EQ(file->read(0, {buffer, 2}).value(), 2U);
  EXPECT_EQ(as_text({buffer, 2}), "01");
  EXPECT_EQ(file->read(10, buffer).value(), 0U);
  EXPECT_EQ(file->read(1000, buffer).value(), 0U);
  EXPECT_EQ(file->read(0, {}).value(), 0U);
}

TEST_F(PosixFiles, MappingsArePrivateAndMayBeEmpty) {
  put("a", "abc");
  put("empty", "");
  auto mapped = fs.map(dir.file("a")).value();
  EXPECT_EQ(as_text(mapped->bytes()), "abc");
  mapped->bytes()[0] = std::byte{'X'};
  EXPECT_EQ(as_text(mapped->bytes()), "Xbc");
  EXPECT_EQ(content("a"), "abc");
  ASSERT_TRUE(fs.remove_file(dir.file("a")).ok());
  EXPECT_EQ(as_text(mapped->bytes()), "Xbc");
  EXPECT_TRUE(fs.map(dir.file("empty")).value()->bytes().empty());
}

TEST_F(PosixFiles, ErrorsNameThePathAndTheCause) {
  const std::string absent = dir.file("absent");
  const auto check = [&](const auto& result, ErrorCode code, const std::string& path) {
    ASSERT_FALSE(result.ok());
    EXPECT_EQ(result.error().code, code) << result.error().message;
    EXPECT_NE(result.error().message.find(path), std::string::npos) << result.error().message;
  };
  check(fs.open_random_access(absent), ErrorCode::kNotFound, absent);
  check(fs.map(absent), ErrorCode::kNotFound, absent);
  check(fs.list(absent), ErrorCode::kNotFound, absent);
  check(fs.file_size(absent), ErrorCode::kNotFound, absent);
  check(fs.modified_us(absent), ErrorCode::kNotFound, absent);
  check(fs.remove_file(absent), ErrorCode::kNotFound, absent);
  check(fs.remove_directory(absent), ErrorCode::kNotFound, absent);
  check(fs.rename(absent, dir.file("b")), ErrorCode::kNotFound, absent);
  check(fs.hard_link(absent, dir.file("b")), ErrorCode::kNotFound, absent);
  check(fs.sync_directory(absent), ErrorCode::kNotFound, absent);
  check(fs.free_bytes(absent), ErrorCode::kNotFound, absent);
  check(fs.open_writable(absent + "/x", OpenMode::kTruncate), ErrorCode::kNotFound, absent);
  check(fs.lock(absent + "/x"), ErrorCode::kNotFound, absent);
  put("file", "x");
  ASSERT_TRUE(fs.create_directories(dir.file("d")).ok());
  check(fs.create_directories(dir.file("file")), ErrorCode::kAlreadyExists, dir.file("file"));
  check(fs.create_directories(dir.file("file/x")), ErrorCode::kAlreadyExists, dir.file("file"));
  check(fs.hard_link(dir.file("file"), dir.file("d")), ErrorCode::kAlreadyExists, dir.file("d"));
  check(fs.open_random_access(dir.file("d")), ErrorCode::kIo, dir.file("d"));
  check(fs.map(dir.file("d")), ErrorCode::kIo, dir.file("d"));
  check(fs.open_writable(dir.file("d"), OpenMode::kAppend), ErrorCode::kIo, dir.file("d"));
  check(fs.sync_directory(dir.file("file")), ErrorCode::kIo, dir.file("file"));
  put("d/inside", "x");
  check(fs.remove_directory(dir.file("d")), ErrorCode::kIo, dir.file("d"));
  EXPECT_NE(fs.remove_file(absent).error().message.find("No such file"), std::string::npos);
}

TEST_F(PosixFiles, AFullDiskSaysSo) {
  if (!fs.exists("/dev/full")) GTEST_SKIP() << "this system has no /dev/full";
  auto file = fs.open_writable("/dev/full", OpenMode::kAppend).value();
  const Status written = file->append(as_byte_span("x"));
  ASSERT_FALSE(written.ok());
  EXPECT_EQ(written.error().code, ErrorCode::kResourceExhausted);
  EXPECT_EQ(written.error().reason, "disk_full");
  EXPECT_NE(written.error().message.find("/dev/full"), std::string::npos);
  EXPECT_EQ(file->size(), 0U);
}

TEST_F(PosixFiles, AFailedSyncIsNotForgotten) {
  // A pipe cannot be synced: the call fails once, and everything after it must too.
  ASSERT_EQ(::mkfifo(dir.file("pipe").c_str(), 0600), 0);
  const int reader = ::open(dir.file("pipe").c_str(), O_RDONLY | O_NONBLOCK);
  ASSERT_GE(reader, 0);
  {
    auto file = fs.open_writable(dir.file("pipe"), OpenMode::kAppend).value();
    EXPECT_EQ(file->sync().error().code, ErrorCode::kIo);
    for (const Status& later : {file->sync(), file->append(as_byte_span("x")), file->truncate(0)}) {
      ASSERT_FALSE(later.ok());
      EXPECT_NE(later.error().message.find("earlier sync failed"), std::string::npos);
    }
  }
  ::close(reader);
}

TEST_F(PosixFiles, RenamesLinksAndRemovals) {
  put("a", "A");
  put("b", "B");
  ASSERT_TRUE(fs.rename(dir.file("a"), dir.file("b")).ok());
  EXPECT_EQ(content("b"), "A");
  EXPECT_FALSE(fs.exists(dir.file("a")));
  ASSERT_TRUE(fs.hard_link(dir.file("b"), dir.file("c")).ok());
  ASSERT_TRUE(fs.remove_file(dir.file("b")).ok());
  EXPECT_EQ(content("c"), "A");
  EXPECT_EQ(names(), (std::vector<std::string>{"c"}));
  EXPECT_TRUE(fs.sync_directory(dir.path()).ok());
  EXPECT_FALSE(fs.is_directory(dir.file("c")));
  EXPECT_TRUE(fs.is_directory(dir.path()));
  EXPECT_GT(fs.free_bytes(dir.path()).value(), 0U);
}

TEST_F(PosixFiles, ModificationTimesAreMicrosecondsOfUnixTime) {
  put("a", "x");
  timespec times[2] = {{.tv_sec = 5, .tv_nsec = 0}, {.tv_sec = 1'600'000'000, .tv_nsec = 7'000}};
  ASSERT_EQ(::utimensat(AT_FDCWD, dir.file("a").c_str(), times, 0), 0);
  EXPECT_EQ(fs.modified_us(dir.file("a")).value(), 1'600'000'000'000'007);
}

TEST_F(PosixFiles, CreatesDirectoriesOnceOrTwice) {
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(why_not(fs.create_directories(dir.file("x/y//z/"))), "");
    EXPECT_TRUE(fs.is_directory(dir.file("x/y/z")));
  }
  std::vector<std::thread> threads;
  for (int index = 0; index < 4; ++index) {
    threads.emplace_back([&] { EXPECT_EQ(why_not(fs.create_directories(dir.file("p/q/r"))), ""); });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST_F(PosixFiles, OneOwnerHoldsALock) {
  const std::string path = dir.file("LOCK");
  Result<std::unique_ptr<FileLock>> first = fs.lock(path);
  ASSERT_EQ(why_not(first), "");
  const auto second = fs.lock(path);
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().code, ErrorCode::kFailedPrecondition);
  EXPECT_EQ(second.error().reason, "locked");
  EXPECT_NE(second.error().message.find("process " + std::to_string(::getpid())),
            std::string::npos);
  std::move(first).value().reset();
  EXPECT_EQ(why_not(fs.lock(path)), "");
  // The last result is destroyed already, so the lock is free again.
  EXPECT_EQ(why_not(fs.lock(path)), "");
}

TEST_F(PosixFiles, AnotherProcessHoldsALockUntilItDies) {
  const std::string path = dir.file("LOCK");
  int ready[2];
  ASSERT_EQ(::pipe(ready), 0);
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const auto held = fs.lock(path);
    const char answer = held.ok() ? 'y' : 'n';
    static_cast<void>(::write(ready[1], &answer, 1));
    ::pause();
    ::_exit(0);
  }
  char answer = 0;
  ASSERT_EQ(::read(ready[0], &answer, 1), 1);
  EXPECT_EQ(answer, 'y');
  const auto refused = fs.lock(path);
  EXPECT_FALSE(refused.ok());
  if (!refused.ok()) {
    EXPECT_EQ(refused.error().reason, "locked");
    EXPECT_NE(refused.error().message.find("process " + std::to_string(child)), std::string::npos);
  }
  ::kill(child, SIGKILL);
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
  EXPECT_EQ(why_not(fs.lock(path)), "");
  ::close(ready[0]);
  ::close(ready[1]);
}

TEST_F(PosixFiles, ReadFileKeepsItsLimit) {
  const std::string text(100'000, 'x');
  put("a", text);
  EXPECT_EQ(read_file(fs, dir.file("a"), 100'000).value(), text);
  const auto refused = read_file(fs, dir.file("a"), 99'999);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, ErrorCode::kResourceExhausted);
  EXPECT_NE(refused.error().message.find("99999"), std::string::npos);
  EXPECT_EQ(read_file(fs, dir.file("none"), 1).error().code, ErrorCode::kNotFound);
  put("empty", "");
  EXPECT_EQ(read_file(fs, dir.file("empty"), 0).value(), "");
  // Pseudo files have the size 0 and content all the same.
  if (fs.exists("/proc/self/status")) {
    EXPECT_NE(read_file(fs, "/proc/self/status", 1 << 20).value().find("Pid:"), std::string::npos);
    EXPECT_FALSE(read_file(fs, "/proc/self/status", 10).ok());
  }
}

TEST_F(PosixFiles, AtomicWritesLeaveNothingBeside) {
  put("a", "old");
  put("a", "new");
  EXPECT_EQ(content("a"), "new");
  EXPECT_EQ(names(), (std::vector<std::string>{"a"}));
  // The target is a directory: the rename fails, and what was written beside goes away again.
  ASSERT_TRUE(fs.create_directories(dir.file("d")).ok());
  EXPECT_FALSE(write_file_atomically(fs, dir.file("d"), "x").ok());
  EXPECT_EQ(names(), (std::vector<std::string>{"a", "d"}));
}

TEST_F(PosixFiles, RemoveTreeDoesNotFollowLinks) {
  ASSERT_TRUE(fs.create_directories(dir.file("t/u/v")).ok());
  put("keep", "x");
  put("t/u/file", "x");
  std::filesystem::create_symlink(dir.path(), dir.file("t/link"));
  std::filesystem::create_symlink("nowhere", dir.file("t/dangling"));
  EXPECT_EQ(why_not(remove_tree(fs, dir.file("t"))), "");
  EXPECT_EQ(why_not(remove_tree(fs, dir.file("t"))), "");
  EXPECT_EQ(why_not(remove_tree(fs, dir.file("keep/below-a-file"))).substr(0, 3), "io:");
  EXPECT_EQ(names(), (std::vector<std::string>{"keep"}));
}

TEST_F(PosixFiles, RemoveTreeHasADepthLimit) {
  std::string deep = dir.file("t");
  for (int level = 0; level < 140; ++level) deep += "/d";
  std::filesystem::create_directories(deep);
  EXPECT_NE(why_not(remove_tree(fs, dir.file("t"))).find("nested deeper"), std::string::npos);
  std::filesystem::remove_all(dir.file("t"));
}

TEST(ParentDirectory, LooksAtTheTextOnly) {
  EXPECT_EQ(parent_directory("/a/b"), "/a");
  EXPECT_EQ(parent_directory("/a/b/"), "/a");
  EXPECT_EQ(parent_directory("/a//b"), "/a");
  EXPECT_EQ(parent_directory("/a"), "/");
  EXPECT_EQ(parent_directory("/"), "/");
  EXPECT_EQ(parent_directory("a"), ".");
  EXPECT_EQ(parent_directory("a/b/c"), "a/b");
  EXPECT_EQ(parent_directory(""), "");
}

}  // namespace
}  // namespace quipu
