// What the tests of the store share: opening, a model to compare with, and quiet logs.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "quipu/base/key_value.h"
#include "quipu/base/log.h"
#include "quipu/storage/rocksdb/rocks_store.h"
#include "quipu/storage/test_support.h"

namespace quipu::storage {

inline constexpr std::array<Family, kFamilyCount> kAllFamilies = {
    Family::kMeta,    Family::kLog,    Family::kPoints, Family::kVectors,
    Family::kEdges,   Family::kAccess, Family::kDedup,  Family::kJobs,
    Family::kHistory, Family::kAudit,  Family::kViews};

// Tests that crash and damage on purpose would fill the output with warnings.
class QuietLog {
 public:
  QuietLog() {
    set_log_sink([](LogLevel, std::string_view, std::initializer_list<LogField>) noexcept {});
  }
  QuietLog(const QuietLog&) = delete;
  QuietLog& operator=(const QuietLog&) = delete;
  ~QuietLog() { set_log_sink(nullptr); }
};

inline Result<std::unique_ptr<KeyValueStore>> try_open(const std::string& path,
                                                       FileSystem& files = posix_file_system()) {
  return open_rocks_store({.path = path, .file_system = files, .block_cache_bytes = 4U << 20U});
}

inline std::unique_ptr<KeyValueStore> open_store(const std::string& path,
                                                 FileSystem& files = posix_file_system()) {
  auto opened = try_open(path, files);
  EXPECT_TRUE(succeeded(opened));
  return opened.ok() ? std::move(opened).value() : nullptr;
}

// The stupid twin: what a store should hold, one map for each family.
using Model = std::array<std::map<std::string, std::string>, kFamilyCount>;

inline std::map<std::string, std::string>& of(Model& model, Family family) {
  return model[static_cast<std::size_t>(family)];
}

// Everything that the store holds, as a scan finds it.
inline Result<Model> content(KeyValueStore& store, const KvSnapshot* snapshot = nullptr) {
  Model found;
  for (const Family family : kAllFamilies) {
    const auto iterator = store.iterate(family, {}, snapshot);
    for (iterator->seek(""); iterator->valid(); iterator->next()) {
      of(found, family)[std::string(iterator->key())] = std::string(iterator->value());
    }
    QUIPU_TRY_OK(iterator->status());
  }
  return found;
}

// One change of a batch, for the store and for the model.
struct Change {
  enum class Kind : std::uint8_t { kPut, kErase, kEraseRange, kAdd };
  Kind kind = Kind::kPut;
  Family family = Family::kMeta;
  std::string key;
  std::string value;  // of a put; the end of a range
  std::uint64_t amount = 0;
};

inline std::string le64(std::uint64_t value) {
  std::string bytes;
  for (int i = 0; i < 8; ++i) bytes.push_back(static_cast<char>((value >> (8 * i)) & 0xffU));
  return bytes;
}

inline std::uint64_t from_le64(const std::string& bytes) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < 8 && i < bytes.size(); ++i) {
    value |= static_cast<std::uint64_t>(static_cast<unsigned char>(bytes[i])) << (8 * i);
  }
  return value;
}

inline void carry_out(const Change& change, KvBatch& batch) {
  switch (change.kind) {
    case Change::Kind::kPut: {
      // In two parts now and then, which must make no difference.
      const std::size_t half = change.value.size() / 2;
      const std::string_view value(change.value);
      const std::array parts = {value.substr(0, half), value.substr(half)};
      if (half % 2 == 1) {
        batch.put_parts(change.family, change.key, parts);
      } else {
        batch.put(change.family, change.key, change.value);
      }
      break;
    }
    case Change::Kind::kErase: batch.erase(change.family, change.key); break;
    case Change::Kind::kEraseRange:
      batch.erase_range(change.family, change.key, change.value);
      break;
    case Change::Kind::kAdd: batch.add(change.family, change.key, change.amount); break;
  }
}

inline void carry_out(const Change& change, Model& model) {
  auto& family = of(model, change.family);
  switch (change.kind) {
    case Change::Kind::kPut: family[change.key] = change.value; break;
    case Change::Kind::kErase: family.erase(change.key); break;
    case Change::Kind::kEraseRange:
      if (change.key < change.value) {
        family.erase(family.lower_bound(change.key), family.lower_bound(change.value));
      }
      break;
    case Change::Kind::kAdd:
      family[change.key] = le64(from_le64(family[change.key]) + change.amount);
      break;
  }
}

// Few keys, so that they collide; some values long enough for blob files and several log blocks.
inline std::string random_key(Rng& rng) {
  return std::string(1, static_cast<char>('a' + rng.below(4))) + std::to_string(rng.below(12));
}

inline Change random_change(Rng& rng) {
  Change change;
  change.family = kAllFamilies[rng.below(kFamilyCount)];
  change.key = random_key(rng);
  if (change.family == Family::kAccess) {
    change.kind = rng.below(8) == 0 ? Change::Kind::kErase : Change::Kind::kAdd;
    change.amount = rng.next() >> rng.below(64);
    return change;
  }
  const std::uint64_t dice = rng.below(20);
  if (dice < 4) {
    change.kind = Change::Kind::kErase;
  } else if (dice == 4) {
    change.kind = Change::Kind::kEraseRange;
    change.value = random_key(rng);
  } else {
    change.value = random_bytes(rng, rng.below(12) == 0 ? rng.below(9000) : rng.below(40));
  }
  return change;
}

inline std::vector<Change> random_changes(Rng& rng) {
  std::vector<Change> changes(1 + rng.below(6));
  for (Change& change : changes) change = random_change(rng);
  return changes;
}

inline Status write_changes(KeyValueStore& store, const std::vector<Change>& changes, bool sync) {
  const auto batch = store.make_batch();
  for (const Change& change : changes) carry_out(change, *batch);
  return store.write(*batch, {.sync = sync});
}

inline Status put(KeyValueStore& store, Family family, std::string_view key, std::string_view value,
                  bool sync = true) {
  const auto batch = store.make_batch();
  batch->put(family, key, value);
  return store.write(*batch, {.sync = sync});
}

// The value, "" where there is none, "?" and a failed test on an error.
inline std::string get(KeyValueStore& store, Family family, std::string_view key,
                       const KvSnapshot* snapshot = nullptr) {
  auto found = store.get(family, key, snapshot);
  EXPECT_TRUE(succeeded(found));
  return found.ok() ? std::move(found).value().value_or("") : "?";
}

}  // namespace quipu::storage
