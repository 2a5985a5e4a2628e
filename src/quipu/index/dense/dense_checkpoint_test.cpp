// Goal: what is saved is what is opened; a damaged file is refused or noticed, and never read out
// of its bounds.
#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <iterator>

#include "quipu/base/checkpoint_file.h"
#include "quipu/index/dense/dense_test_support.h"

namespace quipu::index {
namespace {

constexpr DenseOptions kOptions = {
    .dim = 6, .metric = Metric::kEuclidean, .m = 4, .ef_construction = 20};
constexpr std::uint64_t kSizeMax = 64U << 20;

// Linked, tail, closed in both, and free rows.
void fill(DenseIndex& index, EpochDomain& epochs, Vectors& model, Seq& seq, std::uint32_t slots) {
  Rng rng(31);
  const auto put = [&](std::uint32_t slot) {
    seq = Seq(seq.value() + 1);
    model[slot] = random_vector(rng, kOptions.dim, kOptions.metric);
    index.insert(SlotId(slot), model[slot], seq);
  };
  const auto erase = [&](std::uint32_t slot) {
    seq = Seq(seq.value() + 1);
    ASSERT_TRUE(index.erase(SlotId(slot), seq));
    model.erase(slot);
  };
  for (std::uint32_t slot = 0; slot < slots; ++slot) put(slot);
  while (index.link(100) > 0) {
  }
  for (std::uint32_t slot = 0; slot < slots / 8; ++slot) erase(slot);
  ASSERT_EQ(index.consolidate(slots, seq), slots / 8);
  while (epochs.collect() > 0) {
  }
  for (std::uint32_t slot = slots / 8; slot < slots / 4; ++slot) erase(slot);
  for (std::uint32_t slot = slots; slot < slots + 7; ++slot) put(slot);
  erase(slots);
}

Vectors saved(const std::string& path, Seq& seq, std::uint32_t slots) {
  EpochDomain epochs;
  const auto index = make_index(kOptions, epochs);
  Vectors model;
  fill(*index, epochs, model, seq, slots);
  const auto capture = index->capture(seq);
  EXPECT_EQ(why_not(DenseIndex::save(posix_file_system(), path, *capture)), "");
  return model;
}

TEST(DenseCheckpoint, KeepsRowsTailLinksAndMoments) {
  TempDir dir;
  Seq seq;
  const Vectors model = saved(dir.file("dense"), seq, 400);
  EpochDomain epochs;
  auto opened = DenseIndex::open(posix_file_system(), dir.file("dense"), kOptions, epochs);
  ASSERT_EQ(why_not(opened), "");
  const std::unique_ptr<DenseIndex> index = std::move(opened).value();
  ASSERT_EQ(why_not(index->verify()), "");
  DenseStats stats = index->stats();
  EXPECT_EQ(stats.live_rows, model.size());
  EXPECT_EQ(stats.tail_rows, 7U);  // one of them closed, which linking will find out
  EXPECT_EQ(stats.closed_rows, 51U);
  EXPECT_EQ(stats.free_rows, 43U);
  EXPECT_GT(stats.bytes_mapped, 0U);
  Rng rng(32);
  Recall recall;
  for (int i = 0; i < 50; ++i) {
    const auto query = random_vector(rng, kOptions.dim, kOptions.metric);
    ASSERT_NO_FATAL_FAILURE(
        check_search(*index, model, query, {.as_of = seq, .ef = 20}, 5, recall));
  }
  EXPECT_GE(recall.mean(), 0.95);
  EXPECT_EQ(index->link(100), 6U);
  EXPECT_EQ(index->consolidate(100, seq), 51U);
  while (epochs.collect() > 0) {
  }
  stats = index->stats();
  EXPECT_EQ(stats.free_rows, 94U);
  EXPECT_EQ(stats.closed_rows, 0U);
}

TEST(DenseCheckpoint, ACaptureIsNotChangedByWhatComesAfterIt) {
  TempDir dir;
  EpochDomain epochs;
  const auto index = make_index(kOptions, epochs);
  Vectors model;
  Seq seq;
  fill(*index, epochs, model, seq, 300);
  const auto capture = index->capture(seq);
  // Everything is replaced, freed and written anew before the capture is saved.
  Rng rng(33);
  Seq later = seq;
  for (int round = 0; round < 3; ++round) {
    for (std::uint32_t slot = 0; slot < 310; ++slot) {
      later = Seq(later.value() + 1);
      index->insert(SlotId(slot), random_vector(rng, kOptions.dim, kOptions.metric), later);
    }
    while (index->link(100) > 0) {
    }
    index->consolidate(10'000, later);
    while (epochs.collect() > 0) {
    }
  }
  ASSERT_EQ(why_not(DenseIndex::save(posix_file_system(), dir.file("dense"), *capture)), "");
  auto opened = DenseIndex::open(posix_file_system(), dir.file("dense"), kOptions, epochs);
  ASSERT_EQ(why_not(opened), "");
  ASSERT_EQ(why_not(opened.value()->verify()), "");
  Recall recall;
  for (int i = 0; i < 40; ++i) {
    const auto query = random_vector(rng, kOptions.dim, kOptions.metric);
    ASSERT_NO_FATAL_FAILURE(
        check_search(*opened.value(), model, query, {.as_of = seq, .ef = 20}, 5, recall));
  }
  EXPECT_GE(recall.mean(), 0.95);
}

TEST(DenseCheckpoint, RowsAreReusedOnceTheCaptureHasGone) {
  EpochDomain epochs;
  const auto index = make_index(kOptions, epochs);
  Vectors model;
  Seq seq;
  fill(*index, epochs, model, seq, 100);
  auto capture = index->capture(seq);
  index->consolidate(1000, seq);
  while (epochs.collect() > 0) {
  }
  const std::size_t rows = index->stats().live_rows + index->stats().free_rows;
  // The first rows still come from what was free before the capture.
  Rng rng(34);
  for (std::uint32_t slot = 1000; slot < 1030; ++slot) {
    seq = Seq(seq.value() + 1);
    index->insert(SlotId(slot), random_vector(rng, kOptions.dim, kOptions.metric), seq);
  }
  EXPECT_GT(index->stats().live_rows + index->stats().free_rows, rows);
  const std::size_t grown = index->stats().live_rows + index->stats().free_rows;
  capture.reset();
  for (std::uint32_t slot = 2000; slot < 2010; ++slot) {
    seq = Seq(seq.value() + 1);
    index->insert(SlotId(slot), random_vector(rng, kOptions.dim, kOptions.metric), seq);
  }
  EXPECT_EQ(index->stats().live_rows + index->stats().free_rows, grown);
}

TEST(DenseCheckpoint, EmptyAndFlatIndexesComeBack) {
  TempDir dir;
  for (const bool graph : {true, false}) {
    for (const std::uint32_t rows : {0U, 20U}) {
      EpochDomain epochs;
      DenseOptions options = kOptions;
      options.graph = graph;
      const auto index = make_index(options, epochs);
      Rng rng(35);
      Vectors model;
      for (std::uint32_t slot = 0; slot < rows; ++slot) {
        model[slot] = random_vector(rng, options.dim, options.metric);
        index->insert(SlotId(slot), model[slot], Seq(slot + 1));
      }
      const std::string path = dir.file("dense");
      ASSERT_EQ(why_not(DenseIndex::save(posix_file_system(), path, *index->capture(Seq(rows)))),
                "");
      auto opened = DenseIndex::open(posix_file_system(), path, options, epochs);
      ASSERT_EQ(why_not(opened), "");
      ASSERT_EQ(why_not(opened.value()->verify()), "");
      Recall recall;
      const auto query = random_vector(rng, options.dim, options.metric);
      ASSERT_NO_FATAL_FAILURE(
          check_search(*opened.value(), model, query, {.as_of = Seq(rows)}, 5, recall));
      opened.value()->insert(SlotId(99), query, Seq(rows + 1));
      EXPECT_EQ(opened.value()->stats().live_rows, rows + 1);
    }
  }
}

TEST(DenseCheckpoint, OtherOptionsAreRefusedByName) {
  TempDir dir;
  Seq seq;
  static_cast<void>(saved(dir.file("dense"), seq, 50));
  EpochDomain epochs;
  const auto refusal = [&](const DenseOptions& options) {
    const auto opened = DenseIndex::open(posix_file_system(), dir.file("dense"), options, epochs);
    if (opened.ok()) return std::string();
    EXPECT_EQ(opened.error().code, ErrorCode::kFailedPrecondition);
    EXPECT_EQ(opened.error().reason, "checkpoint_options");
    return opened.error().message.substr(dir.file("dense").size());
  };
  DenseOptions options = kOptions;
  EXPECT_EQ(refusal(options), "");
  options.dim = 7;
  EXPECT_EQ(refusal(options), " was saved with dim 6; 7 is wanted");
  options = kOptions;
  options.metric = Metric::kDot;
  EXPECT_EQ(refusal(options), " was saved with metric 2; 1 is wanted");
  options = kOptions;
  options.graph = false;
  EXPECT_EQ(refusal(options), " was saved with graph 1; 0 is wanted");
  options = kOptions;
  options.m = 5;
  EXPECT_EQ(refusal(options), " was saved with m 4; 5 is wanted");
  options = kOptions;
  options.ef_construction = 21;
  EXPECT_EQ(refusal(options), " was saved with ef_construction 20; 21 is wanted");
  options = kOptions;
  options.seed = 1;
  EXPECT_EQ(refusal(options), " was saved with seed 20903; 1 is wanted");
  const auto missing = DenseIndex::open(posix_file_system(), dir.file("none"), kOptions, epochs);
  ASSERT_FALSE(missing.ok());
  EXPECT_EQ(missing.error().code, ErrorCode::kNotFound);
}

// Opens a damaged file and uses all of it: whatever it says, nothing may be read or written outside
// of it (the address sanitizer watches). Returns whether the damage was noticed.
bool survives(const std::string& path, Rng& rng) {
  EpochDomain epochs;
  auto opened = DenseIndex::open(posix_file_system(), path, kOptions, epochs);
  if (!opened.ok()) return true;
  const std::unique_ptr<DenseIndex> index = std::move(opened).value();
  std::vector<DenseHit> hits(20);
  SlotBitmap filter;
  for (std::uint32_t slot = 0; slot < 100; ++slot) filter.add(SlotId(slot * 2));
  const auto use = [&](Seq seq) {
    const auto query = random_vector(rng, kOptions.dim, kOptions.metric);
    for (const SlotFilter* how :
         {static_cast<const SlotFilter*>(nullptr), static_cast<const SlotFilter*>(&filter)}) {
      for (const bool exact : {false, true}) {
        const DenseSearchParams params = {.as_of = seq, .ef = 20, .exact = exact, .filter = how};
        EXPECT_EQ(why_not(index->search(query, params, hits)), "");
      }
    }
    index->insert(SlotId(static_cast<std::uint32_t>(rng.below(120))), query, seq);
    static_cast<void>(index->erase(SlotId(static_cast<std::uint32_t>(rng.below(120))), seq));
    static_cast<void>(index->link(4));
  };
  for (std::uint64_t step = 1; step <= 12; ++step) use(Seq(10'000 + step));
  const bool noticed = !index->verify().ok();
  static_cast<void>(index->consolidate(1000, Seq(20'000)));
  while (epochs.collect() > 0) {
  }
  for (std::uint64_t step = 1; step <= 12; ++step) use(Seq(20'000 + step));
  static_cast<void>(index->capture(Seq(30'000)));
  return noticed;
}

TEST(DenseCheckpoint, FlippedBitsAreNoticedAndDoNoHarm) {
  TempDir dir;
  Seq seq;
  static_cast<void>(saved(dir.file("dense"), seq, 100));
  const std::string good = read_file(posix_file_system(), dir.file("dense"), kSizeMax).value();
  Rng rng(test_seed());
  for (int round = 0; round < 250; ++round) {
    std::string bad = good;
    const std::size_t at = rng.below(bad.size());
    bad[at] = static_cast<char>(bad[at] ^ (1 << rng.below(8)));
    ASSERT_EQ(why_not(write_file_atomically(posix_file_system(), dir.file("bad"), bad)), "");
    bool noticed = false;
    ASSERT_NO_FATAL_FAILURE(noticed = survives(dir.file("bad"), rng)) << "bit in byte " << at;
    EXPECT_TRUE(noticed) << "bit in byte " << at;
  }
}

// Each array of the file in turn is filled with numbers that mean something bad, its checksum set
// right again, so that only the checks on use are left.
TEST(DenseCheckpoint, HostileContentWithRightChecksumsDoesNoHarm) {
  TempDir dir;
  Seq seq;
  static_cast<void>(saved(dir.file("dense"), seq, 100));
  Rng rng(test_seed());
  EpochDomain epochs;
  const std::vector<std::string> names = {"header", "rows",    "slots", "tail",    "closed", "free",
                                          "nodes",  "blocks0", "upper", "blocks1", "vectors"};
  for (int round = 0; round < 150; ++round) {
    auto file = CheckpointFile::open(posix_file_system(), dir.file("dense"), "dense");
    ASSERT_EQ(why_not(file), "");
    auto writer = CheckpointWriter::create(posix_file_system(), dir.file("bad"), "dense", 1);
    ASSERT_EQ(why_not(writer), "");
    const std::string& spoiled = names[rng.below(names.size())];
    for (const std::string& name : names) {
      const auto section = file.value()->section(name);
      ASSERT_EQ(why_not(section), "");
      const std::span<std::byte> bytes = section.value();
      // The mapping is private: what is written to it stays out of the good file.
      for (int i = 0; name == spoiled && bytes.size() >= 4 && i < 6; ++i) {
        const std::uint64_t words = bytes.size() / 4;
        const std::uint32_t bad[] = {
            0,          1,          0x7fffffff,
            0xfffffffe, 0xffffffff, 200,
            5,          0xf8000001, static_cast<std::uint32_t>(rng.next())};
        const std::uint32_t value = bad[rng.below(std::size(bad))];
        std::memcpy(bytes.data() + 4 * rng.below(words), &value, sizeof(value));
      }
      ASSERT_EQ(why_not(writer.value()->begin_section(name)), "");
      ASSERT_EQ(why_not(writer.value()->append(bytes)), "");
    }
    ASSERT_EQ(why_not(writer.value()->finish()), "");
    ASSERT_NO_FATAL_FAILURE(static_cast<void>(survives(dir.file("bad"), rng))) << spoiled;
  }
}

TEST(DenseCheckpoint, CutFilesAreRefused) {
  TempDir dir;
  Seq seq;
  static_cast<void>(saved(dir.file("dense"), seq, 100));
  const std::string good = read_file(posix_file_system(), dir.file("dense"), kSizeMax).value();
  EpochDomain epochs;
  for (std::size_t size = 0; size < good.size(); size += 997) {
    ASSERT_EQ(why_not(write_file_atomically(posix_file_system(), dir.file("bad"),
                                            std::string_view(good).substr(0, size))),
              "");
    EXPECT_FALSE(DenseIndex::open(posix_file_system(), dir.file("bad"), kOptions, epochs).ok())
        << size;
  }
}

// A file written by the first release, which every later one must read. Made anew, for a format
// that has never been released, by running this test with QUIPU_WRITE_GOLDEN=1.
TEST(DenseCheckpoint, ReadsTheGoldenFile) {
  const std::string golden = std::string(QUIPU_SOURCE_DIR) + "/tests/golden/dense_v1.bin";
  TempDir dir;
  Seq seq;
  const Vectors model = saved(dir.file("dense"), seq, 40);
  const std::string made = read_file(posix_file_system(), dir.file("dense"), kSizeMax).value();
  if (std::getenv("QUIPU_WRITE_GOLDEN") != nullptr) {
    ASSERT_EQ(why_not(write_file_atomically(posix_file_system(), golden, made)), "");
  }
  EpochDomain epochs;
  auto opened = DenseIndex::open(posix_file_system(), golden, kOptions, epochs);
  ASSERT_EQ(why_not(opened), "");
  ASSERT_EQ(why_not(opened.value()->verify()), "");
  Rng rng(36);
  Recall recall;
  for (int i = 0; i < 20; ++i) {
    const auto query = random_vector(rng, kOptions.dim, kOptions.metric);
    ASSERT_NO_FATAL_FAILURE(check_search(*opened.value(), model, query,
                                         {.as_of = seq, .exact = i % 2 == 0}, 5, recall));
  }
  EXPECT_GE(recall.mean(), 0.95);
}

}  // namespace
}  // namespace quipu::index
