// Goal: what is written is read again, frame by frame; whatever is changed, cut or added is
// refused. The engine's test does the same with a collection's content.
#include "quipu/storage/snapshot/snapshot_file.h"

#include <gtest/gtest.h>

#include <fstream>
#include <string>
#include <vector>

#include "quipu/base/rng.h"
#include "quipu/base/test_support.h"

namespace quipu::storage {
namespace {

std::string drawn_content(Rng& rng, std::size_t size) {
  // Half of it packs well, half of it not at all.
  std::string content(size, 'a');
  for (std::size_t i = 0; i < size / 2; ++i) content[i] = static_cast<char>(rng.next());
  return content;
}

// "" when all of the file is good, else its error.
std::string snapshot_verdict(const std::string& path, std::vector<std::string>& contents) {
  contents.clear();
  auto reader = SnapshotReader::open(posix_file_system(), path);
  if (!reader.ok()) return reader.error().message;
  while (true) {
    auto frame = reader.value()->next();
    if (!frame.ok()) return frame.error().message;
    if (!frame.value()) return "";
    contents.emplace_back(frame.value()->content);
    if (frame.value()->kind == SnapshotFrameKind::kPoints) reader.value()->count_points(3);
  }
}

TEST(SnapshotFile, FramesComeBackAsTheyWere) {
  Rng rng(test_seed());
  const TempDir dir(TempDir::Place::kMemory);
  const std::string path = dir.file("s");
  for (int round = 0; round < 20; ++round) {
    std::vector<std::string> wanted = {drawn_content(rng, rng.below(300))};
    auto file = posix_file_system().open_writable(path, OpenMode::kTruncate);
    ASSERT_EQ(why_not(file), "");
    SnapshotWriter writer(*file.value());
    ASSERT_EQ(why_not(writer.description(wanted[0])), "");
    for (std::uint64_t i = rng.below(6); i > 0; --i) {
      wanted.push_back(drawn_content(rng, rng.below(100'000)));
      ASSERT_EQ(why_not(writer.points(wanted.back(), 3)), "");
    }
    ASSERT_EQ(why_not(writer.end()), "");
    ASSERT_EQ(why_not(file.value()->close()), "");
    std::vector<std::string> contents;
    ASSERT_EQ(snapshot_verdict(path, contents), "");
    ASSERT_EQ(contents.size(), wanted.size() + 1);  // and the end
    contents.pop_back();
    EXPECT_EQ(contents, wanted);
    const auto bytes = read_file(posix_file_system(), path, 1U << 30);
    ASSERT_EQ(why_not(bytes), "");
    EXPECT_EQ(sha256_hex(bytes.value()), writer.sha256());
    EXPECT_EQ(bytes.value().size(), writer.size());
  }
}

TEST(SnapshotFile, FramesInAnotherOrderAreRefused) {
  const TempDir dir(TempDir::Place::kMemory);
  const auto verdict = [&dir](const auto& write) {
    const std::string path = dir.file("s");
    auto file = posix_file_system().open_writable(path, OpenMode::kTruncate);
    EXPECT_EQ(why_not(file), "");
    SnapshotWriter writer(*file.value());
    write(writer);
    EXPECT_EQ(why_not(file.value()->close()), "");
    std::vector<std::string> contents;
    return snapshot_verdict(path, contents);
  };
  const auto ok = [](const Status& status) { EXPECT_EQ(why_not(status), ""); };
  EXPECT_NE(verdict([&](SnapshotWriter& w) { ok(w.points("p", 3)); }).find("does not begin with"),
            std::string::npos);
  EXPECT_NE(verdict([&](SnapshotWriter& w) { ok(w.end()); }).find("does not begin with"),
            std::string::npos);
  EXPECT_NE(verdict([&](SnapshotWriter& w) {
              ok(w.description("d"));
              ok(w.description("d"));
            }).find("two descriptions"),
            std::string::npos);
  EXPECT_NE(verdict([&](SnapshotWriter& w) { ok(w.description("d")); }).find("it has no end"),
            std::string::npos);
  EXPECT_NE(verdict([&](SnapshotWriter& w) {
              ok(w.description("d"));
              ok(w.points("p", 4));  // the reader counts 3
              ok(w.end());
            }).find("there were 1 with 3"),
            std::string::npos);
  EXPECT_EQ(verdict([&](SnapshotWriter& w) {
              ok(w.description(""));
              ok(w.end());
            }),
            "");
}

}  // namespace
}  // namespace quipu::storage
