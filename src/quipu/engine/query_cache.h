// Answers of searches that were asked before and would be the same now.
//
// An answer belongs to one moment of a collection: it is given again only while every shard has
// applied exactly what it had then and the configuration is the same, so a write makes it stale at
// once. What is kept when there is no more room is decided by how often things are asked (TinyLFU:
// Einziger, Friedman, Manes, ACM TOS 13(4), 2017): a new answer takes the place of the least
// recently used one only if it is asked more often. So a flood of queries that come once does not
// push out what many ask.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <variant>
#include <vector>

#include "quipu/base/clock.h"
#include "quipu/base/metrics.h"
#include "quipu/base/thread_annotations.h"
#include "quipu/engine.h"
#include "quipu/engine/catalogue.h"
#include "quipu/engine/shard.h"

namespace quipu::engine {

enum class AskKind : std::uint8_t { kHits, kGroups, kFacet };

// What is asked, without of whom and when. Compared whole; the hash only finds it.
struct Ask {
  AskKind kind = AskKind::kHits;
  QueryStage root;  // of a facet: its filter and limit
  std::size_t offset = 0;
  Select select;
  std::string payload_key;     // of groups and facets
  std::size_t group_size = 0;  // of groups
  friend bool operator==(const Ask&, const Ask&) = default;
};
// False for what has another answer each time, or one that other collections have a say in.
[[nodiscard]] bool is_cacheable(const Ask& ask);
[[nodiscard]] std::uint64_t hash_of(const Ask& ask);

// At what moment, of which collection: both as a read holds them.
struct AskScope {
  const std::shared_ptr<const Collection>& collection;
  std::span<const std::shared_ptr<const Moment>> moments;
};

using CachedAnswer = std::variant<SearchResult, GroupResult, std::vector<FacetValue>>;

// How often each of many things was seen lately: a count-min sketch whose counts are halved once in
// a while. Threads: one.
class FrequencySketch {
 public:
  explicit FrequencySketch(std::size_t expected_things);
  void add(std::uint64_t hash);
  [[nodiscard]] std::uint8_t count(std::uint64_t hash) const;  // at least the truth, up to 15

 private:
  static constexpr std::size_t kRows = 4;
  [[nodiscard]] std::size_t place(std::uint64_t hash, std::size_t row) const;

  std::vector<std::uint8_t> counts_;
  std::size_t mask_ = 0;
  std::size_t added_ = 0;
  std::size_t halve_after_ = 0;
};

// Threads: all functions from any.
class QueryCache {
 public:
  struct Options {
    std::size_t entries_max = 1'000;  // 0: nothing is kept
    std::uint64_t bytes_max = 64U << 20;
    std::chrono::seconds age_max{300};
  };
  QueryCache(const Options& options, Clock& clock, MetricsRegistry& metrics);

  [[nodiscard]] bool enabled() const { return options_.entries_max > 0; }
  // The answer, if it is that of this moment; null otherwise. Counts the asking.
  [[nodiscard]] std::shared_ptr<const CachedAnswer> find(const AskScope& scope, const Ask& ask,
                                                         std::uint64_t hash);
  // Keeps the answer of that moment, if it is worth its place. Call it after find().
  template <typename Answer>
  void put(const AskScope& scope, const Ask& ask, std::uint64_t hash, const Answer& answer) {
    const std::uint64_t bytes = bytes_of(ask) + bytes_of(answer);
    if (!admits(scope, ask, hash, bytes)) return;  // before the answer is copied
    keep(scope, ask, hash, std::make_shared<const CachedAnswer>(answer), bytes);
  }
  void clear();
  [[nodiscard]] QueryCacheStatus status() const;

  struct Asked {
    std::string tenant;
    std::string collection;
    Ask ask;
    std::uint64_t times = 0;
  };
  // Asked at least twice, most often first.
  [[nodiscard]] std::vector<Asked> most_asked(std::size_t count) const;

  [[nodiscard]] static std::uint64_t bytes_of(const Ask& ask);
  [[nodiscard]] static std::uint64_t bytes_of(const SearchResult& answer);
  [[nodiscard]] static std::uint64_t bytes_of(const GroupResult& answer);
  [[nodiscard]] static std::uint64_t bytes_of(const std::vector<FacetValue>& answer);

 private:
  struct Entry {
    std::uint64_t key = 0;  // of the ask and the collection
    std::uint32_t collection_id = 0;
    Ask ask;
    std::weak_ptr<const Collection> collection;  // as it was configured
    std::vector<Seq> applied;                    // by shard
    std::chrono::steady_clock::time_point made;
    std::shared_ptr<const CachedAnswer> answer;
    std::uint64_t bytes = 0;
    std::uint64_t asked = 0;
  };
  using Entries = std::list<Entry>;  // most recently used first

  [[nodiscard]] bool admits(const AskScope& scope, const Ask& ask, std::uint64_t hash,
                            std::uint64_t bytes);
  void keep(const AskScope& scope, const Ask& ask, std::uint64_t hash,
            std::shared_ptr<const CachedAnswer> answer, std::uint64_t bytes);
  [[nodiscard]] Entries::iterator find_entry(std::uint64_t key, std::uint32_t collection_id,
                                             const Ask& ask) REQUIRES(mutex_);
  void erase(Entries::iterator entry) REQUIRES(mutex_);

  const Options options_;
  Clock& clock_;
  Counter& hit_counter_;
  Counter& miss_counter_;
  Counter& stale_counter_;
  Counter& eviction_counter_;
  mutable Mutex mutex_;
  Entries entries_ GUARDED_BY(mutex_);
  std::unordered_multimap<std::uint64_t, Entries::iterator> places_ GUARDED_BY(mutex_);
  FrequencySketch frequencies_ GUARDED_BY(mutex_);
  QueryCacheStatus status_ GUARDED_BY(mutex_);
};

}  // namespace quipu::engine
