// The catalogue: which collections there are, and the operations on the system shard that change
// it.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "quipu/base/key_value.h"
#include "quipu/engine/records.h"
#include "quipu/engine/shard.h"
#include "quipu/result.h"
#include "quipu/storage/operation.h"

namespace quipu::engine {

// A collection as requests see it. Immutable: a changed configuration is another object over the
// same shards, so a request keeps the one that it began with.
struct Collection {
  CollectionRecord record;
  std::shared_ptr<const Schema> schema;  // of record.config
  std::vector<std::shared_ptr<Shard>> shards;

  [[nodiscard]] Shard& shard_for(const PointId& id) const {
    return *shards[static_cast<std::size_t>(stable_hash(id) % shards.size())];
  }
  [[nodiscard]] std::size_t shard_index(const PointId& id) const {
    return static_cast<std::size_t>(stable_hash(id) % shards.size());
  }
  // The position of a named vector. Errors: kNotFound ("vector_not_found") listing those there are.
  [[nodiscard]] Result<std::size_t> vector_index(std::string_view name) const;
};

// What becomes of aliases of one tenant: the collection that each names then, or nothing.
struct AliasEdits {
  std::string tenant;
  std::map<std::string, std::optional<std::string>> targets;
};

// Threads: any number may look up while the committer changes.
class Catalogue {
 public:
  // By its own name or an alias: the one place where aliases are followed.
  // Errors: kNotFound ("collection_not_found") naming tenant and collection.
  [[nodiscard]] Result<std::shared_ptr<const Collection>> find(std::string_view tenant,
                                                               std::string_view name) const;
  // By its own name alone. Errors: as above.
  [[nodiscard]] Result<std::shared_ptr<const Collection>> find_own(std::string_view tenant,
                                                                   std::string_view name) const;
  // What the alias names; nothing when there is no such alias.
  [[nodiscard]] std::optional<std::string> alias_target(std::string_view tenant,
                                                        std::string_view alias) const;
  // By name.
  [[nodiscard]] std::vector<Alias> aliases(std::string_view tenant) const;
  [[nodiscard]] std::size_t alias_count() const;  // of all tenants
  // By name.
  [[nodiscard]] std::vector<std::shared_ptr<const Collection>> list(std::string_view tenant) const;
  [[nodiscard]] std::vector<std::shared_ptr<const Collection>> all() const;
  [[nodiscard]] std::size_t size() const;
  // Collections that are being recovered: nobody sees them under a name yet. By their ids.
  [[nodiscard]] std::shared_ptr<const Collection> hidden(CollectionId id) const;  // null: none
  [[nodiscard]] std::vector<std::shared_ptr<const Collection>> all_hidden() const;

  // Committer, and open().
  void put(std::shared_ptr<const Collection> collection);
  void put_hidden(std::shared_ptr<const Collection> collection);
  void remove_hidden(CollectionId id);
  // With its aliases.
  void remove(std::string_view tenant, std::string_view name);
  // All at once for those who look up.
  void edit_aliases(const AliasEdits& edits);

 private:
  using Key = std::pair<std::string, std::string>;
  mutable std::shared_mutex mutex_;
  std::map<Key, std::shared_ptr<const Collection>, std::less<>> collections_;
  std::map<CollectionId, std::shared_ptr<const Collection>> hidden_;
  std::map<Key, std::string, std::less<>> aliases_;  // (tenant, alias) to a collection's own name
};

// What applying an operation of the system shard decided. Pure: the same (catalogue, counters,
// operation) gives the same change.
struct CatalogueCounters {
  std::uint32_t next_shard = 1;  // 0 is the system shard
  std::uint32_t next_collection = 1;
};
struct CatalogueChange {
  std::optional<Error> refused;
  std::optional<CollectionRecord> put;
  std::optional<CollectionRecord> dropped;  // with `put`: it takes its name
  std::optional<CollectionRecord> hidden;   // a recovery has begun
  std::optional<CollectionRecord> ended;    // a recovery has ended; with `put`: it is that
  // Of the collection that is put. They change what its shards do with points, so its shards' logs
  // have the operation too.
  bool vectors_changed = false;
  std::vector<std::uint16_t> dropped_vectors;
  AliasEdits aliases;
  CatalogueCounters counters;
};
[[nodiscard]] Result<CatalogueChange> judge_catalogue_operation(
    const Catalogue& catalogue, CatalogueCounters counters, const storage::Operation& operation);
// The part of it that is about aliases (aliases.cpp).
[[nodiscard]] CatalogueChange judge_aliases(const Catalogue& catalogue, CatalogueCounters counters,
                                            const storage::UpdateAliasesOp& op);
// Adds the change to the batch.
void emit_catalogue_change(const CatalogueChange& change, KvBatch& batch);

// What is not needed any more: all of a shard, or one of its vectors.
struct DroppedSpace {
  ShardId shard;
  std::optional<std::uint16_t> vector;
  friend bool operator==(const DroppedSpace&, const DroppedSpace&) = default;
};
// The meta key that remembers it until the space was given back.
[[nodiscard]] std::string dropped_space_key(const DroppedSpace& space);
// The system shard, whose log holds the operations above.
inline constexpr ShardId kSystemShard{0};

// Reads what open() needs.
struct LoadedCatalogue {
  std::vector<CollectionRecord> collections;
  std::vector<CollectionRecord> hidden;  // of recoveries that were cut short
  std::vector<DroppedSpace> dropped;     // not yet given back
  std::vector<AliasEdits> aliases;
  CatalogueCounters counters;
};
[[nodiscard]] Result<LoadedCatalogue> load_catalogue(KeyValueStore& kv);

}  // namespace quipu::engine
