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

  // Committer, and open().
  void put(std::shared_ptr<const Collection> collection);
  // With its aliases.
  void remove(std::string_view tenant, std::string_view name);
  // All at once for those who look up.
  void edit_aliases(const AliasEdits& edits);

 private:
  using Key = std::pair<std::string, std::string>;
  mutable std::shared_mutex mutex_;
  std::map<Key, std::shared_ptr<const Collection>, std::less<>> collections_;
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
  std::optional<CollectionRecord> dropped;
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

// The meta key that remembers a dropped shard until its space was given back.
[[nodiscard]] std::string dropped_shard_key(ShardId shard);
// The system shard, whose log holds the operations above.
inline constexpr ShardId kSystemShard{0};

// Reads what open() needs.
struct LoadedCatalogue {
  std::vector<CollectionRecord> collections;
  std::vector<ShardId> dropped_shards;  // space not yet given back
  std::vector<AliasEdits> aliases;
  CatalogueCounters counters;
};
[[nodiscard]] Result<LoadedCatalogue> load_catalogue(KeyValueStore& kv);

}  // namespace quipu::engine
