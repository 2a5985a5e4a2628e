// Goal: a scan finds what is there, once, in one order, and tells of what it passes over.
#include "quipu/cli/ingest/scan.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace quipu::cli {
namespace {

namespace fs = std::filesystem;

class ScanTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "quipu-scan-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    root_ = fs::canonical(pattern);
  }
  void TearDown() override {
    std::error_code ignored;
    fs::remove_all(root_, ignored);
  }
  void file(const std::string& name, std::string_view content = "x") {
    fs::create_directories((root_ / name).parent_path());
    std::ofstream(root_ / name) << content;
  }
  [[nodiscard]] std::string path(const std::string& name) const { return (root_ / name).string(); }
  fs::path root_;
};

std::vector<std::string> sources(const ScanResult& scan) {
  std::vector<std::string> names;
  for (const ScannedFile& file : scan.files) names.push_back(file.source);
  return names;
}

TEST_F(ScanTest, ListsFoldersInOrderWithoutHiddenFilesAndLinks) {
  file("b/two.txt", "22");
  file("a.txt");
  file("b/.hidden");
  file(".git/config");
  file("b/c/three.txt");
  fs::create_symlink(root_ / "a.txt", root_ / "b/link.txt");
  fs::create_directory_symlink(root_, root_ / "b/loop");
  const auto scan = scan_files({root_.string()}, root_.string());
  ASSERT_TRUE(scan.ok()) << scan.error().message;
  EXPECT_EQ(sources(scan.value()),
            (std::vector<std::string>{"a.txt", "b/c/three.txt", "b/two.txt"}));
  EXPECT_EQ(scan.value().bytes, 4U);
  ASSERT_EQ(scan.value().skipped.size(), 2U);
  EXPECT_EQ(scan.value().skipped[0].source, "b/link.txt");
  EXPECT_EQ(scan.value().skipped[0].reason, "symbolic_link");
}

TEST_F(ScanTest, TakesWhatIsNamedOutright) {
  file(".notes");
  file("a.txt");
  fs::create_symlink(root_ / "a.txt", root_ / "link.txt");
  const auto scan = scan_files({path(".notes"), path("link.txt"), path("./a.txt"), path("a.txt")},
                               root_.string());
  EXPECT_EQ(sources(scan.value()), (std::vector<std::string>{".notes", "a.txt", "link.txt"}));
}

TEST_F(ScanTest, NamesFilesAbsolutelyWithoutABase) {
  file("d/a.txt");
  EXPECT_EQ(sources(scan_files({path("d")}, "").value()),
            (std::vector<std::string>{path("d/a.txt")}));
  EXPECT_EQ(sources(scan_files({path("d/")}, path("elsewhere")).value()),
            (std::vector<std::string>{path("d/a.txt")}));
}

TEST_F(ScanTest, SaysWhatIsNotThere) {
  const auto scan = scan_files({path("missing")}, "");
  ASSERT_FALSE(scan.ok());
  EXPECT_EQ(scan.error().code, ErrorCode::kNotFound);
  EXPECT_NE(scan.error().message.find("missing"), std::string::npos);
}

TEST_F(ScanTest, PassesOverWhatIsNoFile) {
  ASSERT_EQ(::mkfifo(path("pipe").c_str(), 0600), 0);
  file("a.txt");
  const auto scan = scan_files({root_.string()}, "");
  ASSERT_EQ(scan.value().skipped.size(), 1U);
  EXPECT_EQ(scan.value().skipped[0].reason, "not_a_file");
}

}  // namespace
}  // namespace quipu::cli
