#include "quipu/storage/rocksdb/log_check.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "quipu/storage/rocksdb/log_scan.h"
#include "quipu/storage/rocksdb/store_test_support.h"

namespace quipu::storage {
namespace {

std::string read_bytes(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream content;
  content << file.rdbuf();
  return content.str();
}

void write_bytes(const std::string& path, std::string_view bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

std::string newest_wal(const std::string& path) {
  std::string newest;
  for (const auto& entry : std::filesystem::directory_iterator(path)) {
    const std::string name = entry.path().string();
    if (name.ends_with(".log") && name > newest) newest = name;
  }
  return newest;
}

// A store as a kill leaves it, with `count` batches that each put one key, and what its log holds.
struct Killed {
  std::string path;
  std::string wal;
  std::string bytes;
};

std::string key_of(std::size_t i) { return "k" + std::to_string(1000 + i); }

Killed make_killed(const TempFolder& folder, const std::vector<std::string>& values, bool sync) {
  const auto store = open_store(folder / "live");
  for (std::size_t i = 0; i < values.size(); ++i) {
    EXPECT_OK(put(*store, Family::kPoints, key_of(i), values[i], sync));
  }
  Killed killed{.path = folder / "killed", .wal = {}, .bytes = {}};
  std::filesystem::copy(folder / "live", killed.path, std::filesystem::copy_options::recursive);
  killed.wal = newest_wal(killed.path);
  killed.bytes = read_bytes(killed.wal);
  return killed;
}

// How many of the batches are there, if they are the first ones; fails the test otherwise.
std::size_t prefix_length(KeyValueStore& store, const std::vector<std::string>& values) {
  std::size_t count = 0;
  while (count < values.size() && get(store, Family::kPoints, key_of(count)) == values[count])
    ++count;
  for (std::size_t i = count; i < values.size(); ++i) {
    EXPECT_EQ(get(store, Family::kPoints, key_of(i)), "") << "batch " << i << " beyond " << count;
  }
  return count;
}

// Opens a copy whose log holds `bytes`. The length of the prefix, or nothing where it is refused.
std::optional<std::size_t> open_with(const Killed& killed, std::string_view bytes,
                                     const std::vector<std::string>& values,
                                     std::string* refusal = nullptr) {
  const std::string copy = killed.path + "-copy";
  std::filesystem::remove_all(copy);
  std::filesystem::copy(killed.path, copy, std::filesystem::copy_options::recursive);
  write_bytes(newest_wal(copy), bytes);
  auto opened = try_open(copy);
  if (opened.ok()) return prefix_length(*opened.value(), values);
  EXPECT_EQ(opened.error().code, ErrorCode::kCorruption) << opened.error().message;
  EXPECT_NE(
      opened.error().message.find(std::filesystem::path(newest_wal(copy)).filename().string()),
      std::string::npos)
      << opened.error().message;
  if (refusal != nullptr) *refusal = opened.error().message;
  return std::nullopt;
}

std::vector<std::string> small_values(std::size_t count) {
  std::vector<std::string> values(count);
  for (std::size_t i = 0; i < count; ++i) values[i] = "value " + std::to_string(i);
  return values;
}

// ---- The framing, as RocksDB writes it.

// Records that end at each distance from a block's end that matters, and records of many blocks.
TEST(LogScan, ReadsEveryRecordThatRocksdbWrites) {
  Rng rng(test_seed());
  const TempFolder folder;
  std::vector<std::string> values;
  std::size_t offset = 0;
  for (int i = 0; i < 200; ++i) {
    // About what the record takes beside its value; the rest wobbles around the block's end.
    const std::size_t to_end = 32'768 - offset % 32'768;
    std::size_t size = rng.below(3000);
    if (rng.below(2) == 0 && to_end > 100) size = to_end - 90 + rng.below(30);
    if (rng.below(20) == 0) size = 32'768 * (1 + rng.below(4)) + rng.below(100);
    values.push_back(random_bytes(rng, size));
    offset += size + 75;
  }
  const Killed killed = make_killed(folder, values, false);
  std::size_t count = 0;
  std::uint64_t next_seq = 0;
  const LogScan scan = scan_log(killed.bytes, [&](const LogRecord& record) {
    EXPECT_EQ(record.head.size(), kLogHeadBytes);
    const std::uint64_t seq = from_le64(std::string(record.head.substr(0, 8)));
    if (count != 0) {
      EXPECT_EQ(seq, next_seq);
    }
    next_seq = seq + 1;
    EXPECT_TRUE(find_log_mark(record.tail).has_value());
    ++count;
    return true;
  });
  EXPECT_FALSE(scan.damaged);
  EXPECT_EQ(scan.good_bytes, killed.bytes.size());
  EXPECT_EQ(count, values.size() + 1);  // The trace is one.
  // The search finds the same fragments from any place on.
  std::size_t begun = 0;
  search_fragments(killed.bytes, 0, [&](const LogRecord& fragment) {
    // A record's first fragment may hold no byte of it, where a block had room for its header only:
    // then the head is empty, yet it is there.
    if (fragment.head.data() != nullptr) ++begun;
  });
  EXPECT_EQ(begun, count);
}

TEST(LogScan, EmptyAndZeroFiles) {
  const auto none = [](const LogRecord&) { return true; };
  EXPECT_FALSE(scan_log("", none).damaged);
  const LogScan zeros = scan_log(std::string(100, '\0'), none);
  EXPECT_TRUE(zeros.damaged);
  EXPECT_EQ(zeros.good_bytes, 0U);
}

TEST(LogMark, RoundTripsAtTheEndOfABatch) {
  const LogMark mark{.durable_seq = 7, .floor_seq = 5, .manifest = {.number = 3, .bytes = 900}};
  const std::string payload = encode_log_mark(mark);
  const std::string tail =
      "batch" + std::string("\3") + static_cast<char>(payload.size()) + payload;
  const auto found = find_log_mark(tail);
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->durable_seq, 7U);
  EXPECT_EQ(found->floor_seq, 5U);
  EXPECT_EQ(found->manifest, mark.manifest);
  EXPECT_FALSE(find_log_mark(tail + "x").has_value());
  EXPECT_FALSE(find_log_mark(payload).has_value());
}

// ---- What is cut and what is refused.

TEST(LogCheck, ACutAnywhereLeavesAPrefix) {
  const QuietLog quiet;
  const TempFolder folder;
  const auto values = small_values(6);
  const Killed killed = make_killed(folder, values, true);
  Rng rng(test_seed());
  std::size_t last = 0;
  for (std::size_t size = rng.below(20); size <= killed.bytes.size(); size += 1 + rng.below(30)) {
    const auto count = open_with(killed, std::string_view(killed.bytes).substr(0, size), values);
    ASSERT_TRUE(count.has_value()) << "cut to " << size;
    ASSERT_GE(*count, last);
    last = *count;
  }
  EXPECT_EQ(open_with(killed, killed.bytes, values), values.size());
}

// A flipped byte loses nothing in silence: only the last batch, to which nothing after it
// testifies, may be taken for one that was being written.
TEST(LogCheck, AFlippedByteInSyncedWritesIsRefusedByName) {
  const QuietLog quiet;
  const TempFolder folder;
  const auto values = small_values(6);
  const Killed killed = make_killed(folder, values, true);
  Rng rng(test_seed());
  const std::size_t last_begins = killed.bytes.rfind("k1005") - 30;
  int refused = 0;
  int cut = 0;
  for (std::size_t place = rng.below(5); place < killed.bytes.size(); place += 1 + rng.below(7)) {
    std::string bytes = killed.bytes;
    bytes[place] = static_cast<char>(bytes[place] ^ static_cast<char>(1 + rng.below(255)));
    const auto count = open_with(killed, bytes, values);
    if (!count) {
      ++refused;
      continue;
    }
    ++cut;
    ASSERT_EQ(*count, values.size() - 1) << "byte " << place;
    ASSERT_GE(place, last_begins) << "byte " << place;
  }
  EXPECT_GT(refused, 50);
  EXPECT_GT(cut, 3);
}

TEST(LogCheck, AHoleInUnsyncedWritesIsCutThere) {
  const QuietLog quiet;
  const TempFolder folder;
  Rng rng(test_seed());
  std::vector<std::string> values(20);
  for (std::string& value : values) value = random_bytes(rng, 300);
  const Killed killed = make_killed(folder, values, false);
  for (std::size_t sector = 0; sector * 512 < killed.bytes.size(); ++sector) {
    std::string bytes = killed.bytes;
    const std::size_t size = std::min<std::size_t>(512, bytes.size() - sector * 512);
    bytes.replace(sector * 512, size, random_bytes(rng, size));
    const auto count = open_with(killed, bytes, values);
    ASSERT_TRUE(count.has_value()) << "sector " << sector;
    ASSERT_LT(*count, values.size());
    // All before the hole is there: each batch takes less than 400 bytes.
    ASSERT_GE((*count + 2) * 400, sector * 512);
  }
}

TEST(LogCheck, TheSameHoleInSyncedWritesIsRefused) {
  const QuietLog quiet;
  const TempFolder folder;
  Rng rng(test_seed());
  std::vector<std::string> values(20);
  for (std::string& value : values) value = random_bytes(rng, 300);
  const Killed killed = make_killed(folder, values, true);
  for (std::size_t sector = 0; (sector + 2) * 512 < killed.bytes.size(); sector += 2) {
    std::string bytes = killed.bytes;
    bytes.replace(sector * 512, 512, std::string(512, '\0'));
    std::string refusal;
    ASSERT_FALSE(open_with(killed, bytes, values, &refusal).has_value()) << "sector " << sector;
    EXPECT_NE(refusal.find("was durable"), std::string::npos) << refusal;
    EXPECT_NE(refusal.find("--recover-to-point"), std::string::npos) << refusal;
  }
}

TEST(LogCheck, RecoverToPointTakesWhatComesBeforeTheDamage) {
  const QuietLog quiet;
  const TempFolder folder;
  const auto values = small_values(6);
  const Killed killed = make_killed(folder, values, true);
  std::string bytes = killed.bytes;
  bytes[bytes.find("k1003")] = 'X';
  ASSERT_FALSE(open_with(killed, bytes, values).has_value());
  write_bytes(killed.wal, bytes);
  {
    auto opened = open_rocks_store(
        {.path = killed.path, .file_system = posix_file_system(), .recover_to_point = true});
    ASSERT_OK(opened);
    EXPECT_EQ(prefix_length(*opened.value(), values), 3U);
    ASSERT_OK(put(*opened.value(), Family::kPoints, "after", "1"));
  }
  // From then on it opens as usual.
  const auto store = open_store(killed.path);
  ASSERT_NE(store, nullptr);
  EXPECT_EQ(prefix_length(*store, values), 3U);
  EXPECT_EQ(get(*store, Family::kPoints, "after"), "1");
}

// After an orderly close even the end of the last log is known to be whole.
TEST(LogCheck, ACutAfterAnOrderlyCloseIsRefused) {
  const QuietLog quiet;
  const TempFolder folder;
  { ASSERT_OK(put(*open_store(folder / "db"), Family::kPoints, "a", "1")); }
  const std::string wal = newest_wal(folder / "db");
  const std::string whole = read_bytes(wal);
  for (const std::size_t cut : {std::size_t{1}, std::size_t{20}}) {
    write_bytes(wal, std::string_view(whole).substr(0, whole.size() - cut));
    const auto refused = try_open(folder / "db");
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.error().reason, "wal_damaged");
    EXPECT_NE(refused.error().message.find("orderly close"), std::string::npos);
  }
  // A note that is damaged itself counts as none.
  write_bytes(folder / "db/SYNCED", "nonsense");
  EXPECT_NE(open_store(folder / "db"), nullptr);
}

// Opened and killed again and again, a folder has several logs. A hole in an earlier one is damage.
TEST(LogCheck, AnEarlierLogMayNotEndEarly) {
  const QuietLog quiet;
  const TempFolder folder;
  { ASSERT_OK(put(*open_store(folder / "db"), Family::kPoints, "a", "1")); }
  const std::string first = newest_wal(folder / "db");
  { ASSERT_OK(put(*open_store(folder / "db"), Family::kPoints, "b", "2")); }
  ASSERT_NE(newest_wal(folder / "db"), first);
  const std::string whole = read_bytes(first);
  write_bytes(first, std::string_view(whole).substr(0, whole.size() - 3));
  const auto refused = try_open(folder / "db");
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().reason, "wal_damaged");
  EXPECT_NE(refused.error().message.find(std::filesystem::path(first).filename().string()),
            std::string::npos);
  write_bytes(first, whole);
  const auto store = open_store(folder / "db");
  ASSERT_NE(store, nullptr);
  EXPECT_EQ(get(*store, Family::kPoints, "a") + get(*store, Family::kPoints, "b"), "12");
}

TEST(LogCheck, ManyOpeningsDoNotPileUpLogs) {
  const TempFolder folder;
  for (int i = 0; i < 20; ++i) {
    ASSERT_OK(put(*open_store(folder / "db"), Family::kPoints, std::to_string(i), "v"));
  }
  std::size_t logs = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder / "db")) {
    logs += entry.path().string().ends_with(".log") ? 1 : 0;
  }
  EXPECT_LE(logs, 6U);
  const auto store = open_store(folder / "db");
  for (int i = 0; i < 20; ++i) EXPECT_EQ(get(*store, Family::kPoints, std::to_string(i)), "v");
}

TEST(LogCheck, ADamagedCurrentFileIsNamed) {
  const TempFolder folder;
  { ASSERT_OK(put(*open_store(folder / "db"), Family::kPoints, "a", "1")); }
  write_bytes(folder / "db/CURRENT", "nonsense\n");
  const auto opened = try_open(folder / "db");
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().reason, "manifest_damaged");
  EXPECT_NE(opened.error().message.find("CURRENT"), std::string::npos);
}

}  // namespace
}  // namespace quipu::storage
