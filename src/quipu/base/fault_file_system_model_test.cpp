// Goal: after any history and any kind of power cut, the directory holds what was synced, and of
// the rest only what such a cut may leave.
// Method: random operations on few names in two directories, against a twin that keeps whole
// contents and one list of all changes, and works out what may survive by trying every case.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <map>
#include <set>

#include "quipu/base/fault_file_system.h"
#include "quipu/base/test_support.h"

namespace quipu {
namespace {

constexpr std::size_t kSector = 512;
constexpr std::size_t kDirectories = 2;

using Names = std::map<std::string, ino_t>;
using Tree = std::array<Names, kDirectories>;

struct TwinFile {
  std::string synced;
  std::string present;
  std::size_t floor = 0;  // the smallest size since the last sync
};

// One change: in which directory which name goes away, and which comes.
struct Edit {
  std::size_t directory = 0;
  std::string removed;
  std::string added;
  ino_t file = 0;
};
// One operation: one edit, or the two of a rename between directories.
using Operation = std::vector<Edit>;

bool touches(const Operation& operation, std::size_t directory) {
  return std::any_of(operation.begin(), operation.end(),
                     [&](const Edit& edit) { return edit.directory == directory; });
}

// All operations that must survive when the first `kept[d]` of each directory d do: with an
// operation goes everything before it in each directory that it touches.
std::vector<bool> closure(const std::vector<Operation>& operations,
                          const std::array<std::size_t, kDirectories>& kept) {
  std::vector<bool> in(operations.size(), false);
  for (std::size_t directory = 0; directory < kDirectories; ++directory) {
    std::size_t seen = 0;
    for (std::size_t index = 0; index < operations.size(); ++index) {
      if (touches(operations[index], directory) && seen++ < kept[directory]) in[index] = true;
    }
  }
  for (bool grown = true; grown;) {
    grown = false;
    for (std::size_t later = 0; later < operations.size(); ++later) {
      for (std::size_t earlier = 0; in[later] && earlier < later; ++earlier) {
        for (std::size_t directory = 0; directory < kDirectories && !in[earlier]; ++directory) {
          if (!touches(operations[later], directory)) continue;
          if (!touches(operations[earlier], directory)) continue;
          in[earlier] = true;
          grown = true;
        }
      }
    }
  }
  return in;
}

class Twin {
 public:
  void apply(Operation operation) {
    edit(present, operation);
    pending.push_back(std::move(operation));
  }
  void sync_directory(std::size_t directory) {
    std::array<std::size_t, kDirectories> kept{};
    kept[directory] = pending.size();
    synced = survivors(kept);
    const std::vector<bool> in = closure(pending, kept);
    std::vector<Operation> rest;
    for (std::size_t index = 0; index < pending.size(); ++index) {
      if (!in[index]) rest.push_back(pending[index]);
    }
    pending = std::move(rest);
  }
  [[nodiscard]] Tree survivors(const std::array<std::size_t, kDirectories>& kept) const {
    Tree tree = synced;
    const std::vector<bool> in = closure(pending, kept);
    for (std::size_t index = 0; index < pending.size(); ++index) {
      if (in[index]) edit(tree, pending[index]);
    }
    return tree;
  }
  // Whether a power cut may leave these names.
  [[nodiscard]] bool may_leave(const Tree& tree) const {
    for (std::size_t first = 0; first <= pending.size(); ++first) {
      for (std::size_t second = 0; second <= pending.size(); ++second) {
        if (survivors({first, second}) == tree) return true;
      }
    }
    return false;
  }

  Tree synced;
  Tree present;
  std::vector<Operation> pending;
  std::map<ino_t, TwinFile> files;

 private:
  static void edit(Tree& tree, const Operation& operation) {
    for (const Edit& change : operation) {
      Names& names = tree[change.directory];
      if (!change.removed.empty()) names.erase(change.removed);
      if (!change.added.empty()) names[change.added] = change.file;
    }
  }
};

// What the random cuts did over all rounds: a test of the crash, not of the program.
struct Seen {
  int lost_names = 0;
  int kept_unsynced_names = 0;
  int torn_files = 0;  // neither all nor nothing of the unsynced bytes
  int holes = 0;       // an earlier sector dropped, a later one kept
  int garbage = 0;
  int undone_truncations = 0;
};

class Round {
 public:
  Round(Rng& rng, Seen& seen) : rng_(rng), seen_(seen) {
    for (std::size_t directory = 0; directory < kDirectories; ++directory) {
      EXPECT_TRUE(real_.create_directories(place(directory)).ok());
    }
    faults_ = std::make_unique<FaultFileSystem>(real_, root_);
  }

  void step() {
    const std::size_t directory = rng_.below(kDirectories);
    const std::string name = random_name();
    const Names& names = twin_.present[directory];
    const bool there = names.count(name) > 0;
    switch (rng_.below(there ? 10 : 2)) {
      case 0:
      case 1: write(directory, name, OpenMode::kTruncate); return;
      case 2:
      case 3:
      case 4: write(directory, name, OpenMode::kAppend); return;
      case 5:
      case 6: move(directory, name); return;
      case 7:
        ASSERT_TRUE(faults_->remove_file(path(directory, name)).ok());
        twin_.apply({{.directory = directory, .removed = name, .added = {}, .file = 0}});
        return;
      case 8: link(directory, name); return;
      default:
        ASSERT_TRUE(faults_->sync_directory(place(directory)).ok());
        twin_.sync_directory(directory);
    }
  }

  void crash_and_check(CrashMode mode) {
    faults_->crash();
    const auto report = faults_->materialise(rng_, mode);
    ASSERT_EQ(why_not(report), "");
    Tree left;
    for (std::size_t directory = 0; directory < kDirectories; ++directory) {
      const auto listed = real_.list(place(directory));
      ASSERT_EQ(why_not(listed), "");
      for (const std::string& name : listed.value()) {
        left[directory][name] = inode(path(directory, name));
      }
    }
    if (mode == CrashMode::kDropUnsynced) {
      ASSERT_EQ(left, twin_.synced);
    } else {
      ASSERT_TRUE(twin_.may_leave(left));
      if (left != twin_.present) ++seen_.lost_names;
      if (left != twin_.synced) ++seen_.kept_unsynced_names;
    }
    for (std::size_t directory = 0; directory < kDirectories; ++directory) {
      for (const auto& [name, file] : left[directory]) {
        const auto content = read_file(real_, path(directory, name), 1 << 24);
        ASSERT_EQ(why_not(content), "");
        check_content(twin_.files.at(file), content.value(), mode);
      }
    }
  }

 private:
  std::string random_name() { return std::string(1, static_cast<char>('a' + rng_.below(4))); }
  [[nodiscard]] std::string place(std::size_t directory) const {
    return root_ + "/" + std::to_string(directory);
  }
  [[nodiscard]] std::string path(std::size_t directory, const std::string& name) const {
    return place(directory) + "/" + name;
  }
  static ino_t inode(const std::string& path) {
    struct stat info {};
    EXPECT_EQ(::stat(path.c_str(), &info), 0) << path;
    return info.st_ino;
  }

  void write(std::size_t directory, const std::string& name, OpenMode mode) {
    const bool there = twin_.present[directory].count(name) > 0;
    auto opened = faults_->open_writable(path(directory, name), mode);
    ASSERT_EQ(why_not(opened), "");
    WritableFile& file = *opened.value();
    const ino_t id = inode(path(directory, name));
    if (!there) {
      // The twin knows a file by its number, which the system gives again once nothing holds the
      // file any more; then its old content is of no interest.
      twin_.files[id] = {};
      twin_.apply({{.directory = directory, .removed = {}, .added = name, .file = id}});
    }
    TwinFile& twin = twin_.files[id];
    if (mode == OpenMode::kTruncate) cut(twin, 0);
    const std::uint64_t parts = rng_.below(4);
    for (std::uint64_t part = 0; part < parts; ++part) {
      std::string text(rng_.below(3 * kSector), static_cast<char>('A' + rng_.below(26)));
      ASSERT_TRUE(file.append(bytes_of(text)).ok());
      twin.present += text;
    }
    if (rng_.below(4) == 0) {
      const std::size_t size = rng_.below(twin.present.size() + 100);
      ASSERT_TRUE(file.truncate(size).ok());
      cut(twin, size);
    }
    ASSERT_EQ(file.size(), twin.present.size());
    if (rng_.below(3) == 0) {
      ASSERT_TRUE(file.sync().ok());
      twin.synced = twin.present;
      twin.floor = twin.present.size();
    }
  }

  static void cut(TwinFile& twin, std::size_t size) {
    twin.present.resize(size, '\0');
    twin.floor = std::min(twin.floor, size);
  }
  static std::span<const std::byte> bytes_of(std::string_view text) {
    return std::as_bytes(std::span(text.data(), text.size()));
  }

  void move(std::size_t directory, const std::string& name) {
    const std::size_t target = rng_.below(kDirectories);
    const std::string new_name = random_name();
    ASSERT_TRUE(faults_->rename(path(directory, name), path(target, new_name)).ok());
    const ino_t file = twin_.present[directory].at(name);
    const auto old = twin_.present[target].find(new_name);
    if (old != twin_.present[target].end() && old->second == file)
      return;  // the system does nothing
    if (target == directory) {
      twin_.apply({{.directory = directory, .removed = name, .added = new_name, .file = file}});
      return;
    }
    twin_.apply({{.directory = target, .removed = {}, .added = new_name, .file = file},
                 {.directory = directory, .removed = name, .added = {}, .file = 0}});
  }

  void link(std::size_t directory, const std::string& name) {
    const std::size_t target = rng_.below(kDirectories);
    const std::string new_name = random_name();
    const bool there = twin_.present[target].count(new_name) > 0;
    const Status linked = faults_->hard_link(path(directory, name), path(target, new_name));
    ASSERT_EQ(linked.ok(), !there);
    if (there) return;
    twin_.apply({{.directory = target,
                  .removed = {},
                  .added = new_name,
                  .file = twin_.present[directory].at(name)}});
  }

  void check_content(const TwinFile& twin, const std::string& left, CrashMode mode) {
    if (mode == CrashMode::kDropUnsynced) {
      ASSERT_EQ(left, twin.synced);
      return;
    }
    if (left == twin.synced) {
      if (twin.floor < twin.synced.size()) ++seen_.undone_truncations;
      return;
    }
    ASSERT_GE(left.size(), twin.floor);
    ASSERT_LE(left.size(), twin.present.size());
    if (left.size() < twin.present.size() && left.size() > twin.floor) ++seen_.torn_files;
    const std::string expected = twin.present.substr(0, left.size());
    if (mode == CrashMode::kPrefix) {
      ASSERT_EQ(left, expected);
      return;
    }
    ASSERT_EQ(left.substr(0, twin.floor), expected.substr(0, twin.floor));
    bool dropped = false;
    for (std::size_t begin = twin.floor; begin < left.size();) {
      const std::size_t end = std::min((begin / kSector + 1) * kSector, left.size());
      const std::string piece = left.substr(begin, end - begin);
      const bool whole = begin % kSector == 0;
      const bool zero = piece.find_first_not_of('\0') == std::string::npos;
      const bool kept = piece == expected.substr(begin, end - begin);
      ASSERT_TRUE(kept || zero || whole) << "garbage beside synced bytes";
      if (kept && dropped) ++seen_.holes;
      if (!kept && !zero) ++seen_.garbage;
      dropped = dropped || !kept;
      begin = end;
    }
  }

  Rng& rng_;
  Seen& seen_;
  FileSystem& real_ = posix_file_system();
  TempDir dir_{TempDir::Place::kMemory};
  const std::string root_ = dir_.file("root");
  std::unique_ptr<FaultFileSystem> faults_;
  Twin twin_;
};

TEST(FaultFileSystemModel, FollowsAnyHistory) {
  Rng rng(test_seed());
  Seen seen;
  constexpr CrashMode kModes[] = {CrashMode::kDropUnsynced, CrashMode::kPrefix,
                                  CrashMode::kReorder};
  for (int number = 0; number < 240; ++number) {
    Round round(rng, seen);
    const std::uint64_t steps = rng.below(30);
    for (std::uint64_t step = 0; step < steps; ++step) ASSERT_NO_FATAL_FAILURE(round.step());
    ASSERT_NO_FATAL_FAILURE(round.crash_and_check(kModes[number % 3])) << "round " << number;
  }
  EXPECT_GT(seen.lost_names, 10);
  EXPECT_GT(seen.kept_unsynced_names, 10);
  EXPECT_GT(seen.torn_files, 10);
  EXPECT_GT(seen.holes, 10);
  EXPECT_GT(seen.garbage, 10);
  EXPECT_GT(seen.undone_truncations, 0);
}

}  // namespace
}  // namespace quipu
