#include "quipu/base/checkpoint_file.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <map>

#include "quipu/base/bytes.h"
#include "quipu/base/checkpoint_format.h"
#include "quipu/base/fault_file_system.h"
#include "quipu/base/test_support.h"

namespace quipu {
namespace {

using Sections = std::vector<std::pair<std::string, std::string>>;

Status write_sections(FileSystem& fs, const std::string& path, std::uint32_t version,
                      const Sections& sections) {
  QUIPU_TRY(const std::unique_ptr<CheckpointWriter> writer,
            CheckpointWriter::create(fs, path, "test", version));
  for (const auto& [name, content] : sections) {
    QUIPU_TRY_OK(writer->begin_section(name));
    QUIPU_TRY_OK(writer->append(as_byte_span(content)));
  }
  return writer->finish();
}

// What a reader makes of the file: "ok", or the code of the refusal.
std::string verdict(FileSystem& fs, const std::string& path) {
  const auto file = CheckpointFile::open(fs, path, "test");
  if (!file.ok()) return std::string(error_code_name(file.error().code));
  const Status verified = file.value()->verify();
  return verified.ok() ? "ok" : std::string(error_code_name(verified.error().code));
}

class Checkpoint : public testing::Test {
 protected:
  void put(const std::string& bytes) {
    ASSERT_EQ(why_not(write_file_atomically(fs, path, bytes)), "");
  }
  std::string bytes() { return read_file(fs, path, 1 << 24).value(); }

  FileSystem& fs = posix_file_system();
  TempDir dir{TempDir::Place::kMemory};
  const std::string path = dir.file("view");
};

TEST_F(Checkpoint, GivesBackWhatWasWritten) {
  const std::vector<std::uint32_t> numbers = {1, 2, 3, 0xFFFFFFFF};
  const std::string large(1'000'003, 'L');
  {
    auto writer = CheckpointWriter::create(fs, path, "test", 7).value();
    ASSERT_TRUE(writer->begin_section("numbers").ok());
    ASSERT_TRUE(writer->append_array(std::span<const std::uint32_t>(numbers)).ok());
    ASSERT_TRUE(writer->begin_section("empty").ok());
    ASSERT_TRUE(writer->begin_section("large").ok());
    for (std::size_t at = 0; at < large.size(); at += 1000) {
      ASSERT_TRUE(writer->append(as_byte_span(std::string_view(large).substr(at, 1000))).ok());
    }
    ASSERT_TRUE(writer->begin_section("one").ok());
    ASSERT_TRUE(writer->append(as_byte_span("x")).ok());
    EXPECT_FALSE(fs.exists(path));
    ASSERT_EQ(why_not(writer->finish()), "");
    EXPECT_EQ(writer->bytes_written(), fs.file_size(path).value());
  }
  EXPECT_EQ(fs.list(dir.path()).value(), (std::vector<std::string>{"view"}));
  const auto file = CheckpointFile::open(fs, path, "test").value();
  EXPECT_EQ(file->version(), 7U);
  const std::span<std::uint32_t> read = file->array<std::uint32_t>("numbers").value();
  EXPECT_TRUE(std::equal(read.begin(), read.end(), numbers.begin(), numbers.end()));
  EXPECT_TRUE(file->section("empty").value().empty());
  EXPECT_EQ(as_text(file->section("large").value()), large);
  EXPECT_EQ(as_text(file->section("one").value()), "x");
  for (const std::string_view name : {"numbers", "large", "one"}) {
    const auto address = reinterpret_cast<std::uintptr_t>(file->section(name).value().data());
    EXPECT_EQ(address % 4096, 0U);
  }
  EXPECT_EQ(file->section("absent").error().code, ErrorCode::kCorruption);
  EXPECT_EQ(file->array<std::uint32_t>("one").error().code, ErrorCode::kCorruption);
  EXPECT_NE(file->array<std::uint32_t>("one").error().message.find(path), std::string::npos);
  EXPECT_EQ(why_not(file->verify()), "");
}

TEST_F(Checkpoint, VerifyLooksAtTheDiskAndNotAtTheMapping) {
  ASSERT_TRUE(write_sections(fs, path, 1, {{"a", "content"}}).ok());
  const auto file = CheckpointFile::open(fs, path, "test").value();
  file->section("a").value()[0] = std::byte{'X'};
  EXPECT_EQ(as_text(file->section("a").value()), "Xontent");
  EXPECT_EQ(why_not(file->verify()), "");
  // Another file under the same name is not this one's business.
  ASSERT_TRUE(write_sections(fs, path, 2, {{"a", "another"}}).ok());
  EXPECT_EQ(why_not(file->verify()), "");
  EXPECT_EQ(file->version(), 1U);
}

TEST_F(Checkpoint, AFileWithoutSectionsIsValid) {
  ASSERT_TRUE(write_sections(fs, path, 0, {}).ok());
  EXPECT_EQ(verdict(fs, path), "ok");
}

TEST_F(Checkpoint, KindsAndVersionsAreTold) {
  ASSERT_TRUE(write_sections(fs, path, 1, {{"a", "x"}}).ok());
  const auto other = CheckpointFile::open(fs, path, "dense");
  ASSERT_FALSE(other.ok());
  EXPECT_EQ(other.error().code, ErrorCode::kFailedPrecondition);
  EXPECT_EQ(other.error().reason, "checkpoint_kind");
  EXPECT_NE(other.error().message.find("\"test\""), std::string::npos);
  EXPECT_EQ(CheckpointFile::open(fs, dir.file("none"), "test").error().code, ErrorCode::kNotFound);
  std::string newer = bytes();
  newer[8] = 2;
  std::string crc;
  ByteWriter(crc).u32(crc32c(newer.substr(0, 32)));
  newer.replace(32, 4, crc);
  put(newer);
  const auto refused = CheckpointFile::open(fs, path, "test");
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, ErrorCode::kFailedPrecondition);
  EXPECT_EQ(refused.error().reason, "checkpoint_kind");
  EXPECT_NE(refused.error().message.find("version 2"), std::string::npos);
}

TEST_F(Checkpoint, AnyChangedBitIsFound) {
  ASSERT_TRUE(write_sections(fs, path, 1, {{"a", "some content"}, {"b", "more"}}).ok());
  const std::string good = bytes();
  Rng rng(test_seed());
  std::vector<std::size_t> places;
  // Every byte of what has meaning, and some of the padding.
  for (std::size_t at = 0; at < good.size(); ++at) {
    const bool padding = (at >= 64 && at < 4096) || (at >= 4108 && at < 8192);
    if (!padding || rng.below(40) == 0) places.push_back(at);
  }
  ASSERT_GT(places.size(), 250U);
  for (const std::size_t at : places) {
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ (1U << rng.below(8)));
    put(bad);
    ASSERT_NE(verdict(fs, path), "ok") << "byte " << at;
  }
}

TEST_F(Checkpoint, AnyOtherSizeIsRefused) {
  ASSERT_TRUE(write_sections(fs, path, 1, {{"a", "some content"}}).ok());
  const std::string good = bytes();
  Rng rng(test_seed());
  for (int round = 0; round < 100; ++round) {
    put(good.substr(0, rng.below(good.size())));
    ASSERT_EQ(verdict(fs, path), "corruption");
    put(good + std::string(1 + rng.below(200), '\0'));
    ASSERT_EQ(verdict(fs, path), "corruption");
  }
  put("");
  EXPECT_EQ(verdict(fs, path), "corruption");
}

// A table that somebody signed with a right checksum all the same.
struct Forgery {
  std::string_view what;
  void (*change)(std::vector<detail::CheckpointSection>& sections,
                 detail::CheckpointTrailer& trailer);
  std::string_view refusal;
};

TEST_F(Checkpoint, ForgedTablesAreRefused) {
  const std::vector<Forgery> forgeries = {
      {"nothing", [](auto&, auto&) {}, ""},
      {"offset", [](auto& s, auto&) { s[1].offset += 4096; }, "out of place"},
      {"overlap", [](auto& s, auto&) { s[1].offset = s[0].offset; }, "out of place"},
      {"unaligned", [](auto& s, auto&) { s[1].offset += 8; }, "out of place"},
      {"huge size", [](auto& s, auto&) { s[1].size = ~std::uint64_t{0}; }, "out of place"},
      {"wrapping", [](auto& s, auto&) { s[1].size = 0 - s[1].offset; }, "out of place"},
      {"small size",
       [](auto& s, auto&) {
         s[0].size = 0;
         s[1].offset = 4096;
       },
       "out of place"},
      {"twice", [](auto& s, auto&) { s[1].name = s[0].name; }, "two sections"},
      {"name", [](auto& s, auto&) { s[1].name = "a b"; }, "malformed"},
      {"count", [](auto&, auto& t) { t.section_count = 1; }, "malformed"},
      {"many", [](auto&, auto& t) { t.section_count = 0xFFFFFFFF; }, "malformed"},
      {"table", [](auto&, auto& t) { t.table_offset = ~std::uint64_t{0} - 100; }, "malformed"},
      {"table sum", [](auto&, auto& t) { t.table_crc ^= 1; }, "checksum"},
  };
  ASSERT_TRUE(write_sections(fs, path, 1, {{"a", "some"}, {"b", "content"}}).ok());
  const std::string good = bytes();
  const std::size_t table = good.size() - detail::kTrailerSize - 2 * detail::kEntrySize;
  const std::vector<detail::CheckpointSection> sections = {
      {.name = "a", .offset = 4096, .size = 4, .crc = crc32c("some")},
      {.name = "b", .offset = 8192, .size = 7, .crc = crc32c("content")}};
  for (const Forgery& forgery : forgeries) {
    std::vector<detail::CheckpointSection> forged = sections;
    detail::CheckpointTrailer trailer{.table_offset = table, .section_count = 2, .table_crc = 0};
    forgery.change(forged, trailer);
    const std::string encoded = detail::encode_table(forged);
    trailer.table_crc ^= crc32c(encoded);
    put(good.substr(0, table) + encoded + detail::encode_trailer(trailer));
    const auto opened = CheckpointFile::open(fs, path, "test");
    EXPECT_EQ(opened.ok(), forgery.refusal.empty()) << forgery.what;
    if (opened.ok()) continue;
    EXPECT_EQ(opened.error().code, ErrorCode::kCorruption) << forgery.what;
    EXPECT_NE(opened.error().message.find(forgery.refusal), std::string::npos)
        << forgery.what << ": " << opened.error().message;
    EXPECT_NE(opened.error().message.find(path), std::string::npos);
  }
}

TEST_F(Checkpoint, TheWriterRefusesMisuse) {
  const auto code = [](const Status& status) { return status.error().code; };
  EXPECT_EQ(CheckpointWriter::create(fs, path, "", 1).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(CheckpointWriter::create(fs, path, std::string(16, 'k'), 1).error().code,
            ErrorCode::kInvalidArgument);
  EXPECT_EQ(CheckpointWriter::create(fs, dir.file("no/where"), "k", 1).error().code,
            ErrorCode::kNotFound);
  auto writer = CheckpointWriter::create(fs, path, std::string(15, 'k'), 1).value();
  EXPECT_EQ(code(writer->append(as_byte_span("x"))), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code(writer->begin_section("")), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code(writer->begin_section("a b")), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code(writer->begin_section(std::string(32, 'n'))), ErrorCode::kInvalidArgument);
  EXPECT_TRUE(writer->begin_section(std::string(31, 'n')).ok());
  EXPECT_EQ(code(writer->begin_section(std::string(31, 'n'))), ErrorCode::kInvalidArgument);
  EXPECT_TRUE(writer->finish().ok());
  EXPECT_EQ(code(writer->finish()), ErrorCode::kFailedPrecondition);
  EXPECT_EQ(code(writer->append(as_byte_span("x"))), ErrorCode::kFailedPrecondition);
  EXPECT_EQ(code(writer->begin_section("late")), ErrorCode::kFailedPrecondition);
}

TEST_F(Checkpoint, AnUnfinishedWriterLeavesNothing) {
  ASSERT_TRUE(write_sections(fs, path, 1, {{"a", "old"}}).ok());
  {
    auto writer = CheckpointWriter::create(fs, path, "test", 2).value();
    ASSERT_TRUE(writer->begin_section("a").ok());
    EXPECT_EQ(fs.list(dir.path()).value().size(), 2U);
  }
  EXPECT_EQ(fs.list(dir.path()).value(), (std::vector<std::string>{"view"}));
  EXPECT_EQ(CheckpointFile::open(fs, path, "test").value()->version(), 1U);
}

TEST_F(Checkpoint, AFailedWriteIsRememberedAndTheOldFileStays) {
  ASSERT_TRUE(write_sections(fs, path, 1, {{"a", "old"}}).ok());
  for (const FaultPoint point : {FaultPoint::kAppend, FaultPoint::kSync, FaultPoint::kRename}) {
    FaultFileSystem faults(fs, dir.path());
    faults.inject({.point = point, .kind = FaultKind::kDiskFull, .path_part = "view"});
    auto writer = CheckpointWriter::create(faults, path, "test", 2).value();
    ASSERT_TRUE(writer->begin_section("a").ok());
    const Status first = writer->finish();
    ASSERT_FALSE(first.ok());
    EXPECT_EQ(first.error().reason, "disk_full");
    EXPECT_EQ(faults.faults_fired(), 1U);
    EXPECT_EQ(writer->begin_section("b").error().reason, "disk_full");
    EXPECT_EQ(writer->finish().error().reason, "disk_full");
    writer.reset();
    EXPECT_EQ(fs.list(dir.path()).value(), (std::vector<std::string>{"view"}));
    EXPECT_EQ(CheckpointFile::open(fs, path, "test").value()->version(), 1U);
  }
}

// After a power cut at any moment of writing, the path shows the old checkpoint or the new, whole.
// Returns how many of the cuts left anything else.
int broken_after_cuts(bool ignore_syncs, std::uint64_t seed) {
  int broken = 0;
  Rng rng(seed);
  const std::string content(5000, 'c');
  for (std::uint64_t moment = 1; moment < 30; ++moment) {
    TempDir dir(TempDir::Place::kMemory);
    const std::string path = dir.file("view");
    EXPECT_TRUE(write_sections(posix_file_system(), path, 1, {{"a", "old"}}).ok());
    FaultFileSystem faults(posix_file_system(), dir.path());
    faults.ignore_syncs(ignore_syncs);
    faults.crash_after(moment);
    const bool written = write_sections(faults, path, 2, {{"a", content}, {"b", "x"}}).ok();
    faults.crash();
    const CrashMode mode = moment % 2 == 0 ? CrashMode::kReorder : CrashMode::kPrefix;
    EXPECT_EQ(why_not(faults.materialise(rng, mode)), "");
    if (verdict(posix_file_system(), path) != "ok") {
      ++broken;
      continue;
    }
    const auto file = CheckpointFile::open(posix_file_system(), path, "test").value();
    if (written && file->version() != 2) ++broken;
  }
  return broken;
}

TEST(CheckpointCrash, OldOrNewAfterAnyPowerCut) {
  const std::uint64_t seed = test_seed();
  EXPECT_EQ(broken_after_cuts(false, seed), 0);
  // The control: without syncs the same cuts must do damage.
  EXPECT_GT(broken_after_cuts(true, seed), 0);
}

TEST(CheckpointGolden, VersionOneIsReadForEver) {
  const std::string golden = std::string(QUIPU_SOURCE_DIR) + "/tests/golden/checkpoint_v1.bin";
  FileSystem& fs = posix_file_system();
  TempDir dir;
  const Sections sections = {{"meta", "{\"points\":3}"},
                             {"slots", std::string("\x01\x00\x00\x00\x02\x00\x00\x00", 8)},
                             {"empty", ""},
                             {"rows", std::string(5000, 'r')}};
  const std::string made = dir.file("made");
  ASSERT_EQ(why_not(write_sections(fs, made, 3, sections)), "");
  if (std::getenv("QUIPU_WRITE_GOLDEN") != nullptr) {
    ASSERT_EQ(why_not(write_file_atomically(fs, golden, read_file(fs, made, 1 << 20).value())), "");
  }
  const auto file = CheckpointFile::open(fs, golden, "test");
  ASSERT_EQ(why_not(file), "");
  EXPECT_EQ(file.value()->version(), 3U);
  EXPECT_EQ(why_not(file.value()->verify()), "");
  for (const auto& [name, content] : sections) {
    EXPECT_EQ(as_text(file.value()->section(name).value()), content);
  }
  // While the version is 1, what is written is what was written.
  EXPECT_EQ(read_file(fs, made, 1 << 20).value(), read_file(fs, golden, 1 << 20).value());
}

}  // namespace
}  // namespace quipu
