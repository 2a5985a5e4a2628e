#include "quipu/engine/catalogue.h"

#include <charconv>
#include <mutex>
#include <variant>

#include "quipu/base/bytes.h"
#include "quipu/base/format.h"
#include "quipu/base/limits.h"
#include "quipu/storage/keys.h"

namespace quipu::engine {
namespace {

constexpr std::string_view kNextShard = "next_shard";
constexpr std::string_view kNextCollection = "next_collection";
constexpr std::string_view kDroppedShard = "dropped/";

Error collection_not_found(std::string_view tenant, std::string_view name) {
  return Error{ErrorCode::kNotFound,
               format("there is no collection '{}' of tenant '{}'", name.substr(0, 255), tenant),
               "collection_not_found"};
}

std::string encode_counter(std::uint32_t value) {
  std::string bytes;
  ByteWriter(bytes).u32(value);
  return bytes;
}

Result<std::uint32_t> read_counter(KeyValueStore& kv, std::string_view name, std::uint32_t absent) {
  QUIPU_TRY(const std::optional<std::string> bytes,
            kv.get(Family::kMeta, storage::counter_key(kSystemShard, name), nullptr));
  if (!bytes) return absent;
  ByteReader in(*bytes);
  const std::uint32_t value = in.u32();
  if (!in.ok() || in.left() != 0) {
    return Error{ErrorCode::kCorruption, format("the counter {} does not decode", name),
                 "damaged_record"};
  }
  return value;
}

CatalogueChange judge_create(const Catalogue& catalogue, CatalogueCounters counters,
                             const storage::CreateCollectionOp& op, CollectionConfig config,
                             std::int64_t time_us) {
  CatalogueChange change{
      .refused = {}, .put = {}, .dropped = {}, .aliases = {}, .counters = counters};
  if (catalogue.find_own(op.tenant, op.name).ok()) {
    change.refused =
        Error{ErrorCode::kAlreadyExists, format("the collection '{}' exists already", op.name),
              "collection_exists"};
    return change;
  }
  if (const auto target = catalogue.alias_target(op.tenant, op.name)) {
    change.refused =
        Error{ErrorCode::kAlreadyExists,
              format("'{}' is an alias of the collection '{}'; a collection cannot have its name",
                     op.name, *target),
              "alias_exists"};
    return change;
  }
  if (catalogue.size() >= limits::kCollectionsMax) {
    change.refused =
        Error{ErrorCode::kResourceExhausted,
              format("there are {} collections, which is the limit", limits::kCollectionsMax),
              "too_many_collections"};
    return change;
  }
  CollectionRecord record;
  record.id = CollectionId(change.counters.next_collection++);
  record.tenant = op.tenant;
  record.name = op.name;
  record.config = std::move(config);
  record.created_us = time_us;
  for (WordsConfig& words : record.config.words) words.view_id = record.next_view_id++;
  for (PayloadIndexConfig& index : record.config.payload_indexes) {
    index.view_id = record.next_view_id++;
  }
  for (std::uint32_t i = 0; i < record.config.shard_count; ++i) {
    record.shards.emplace_back(change.counters.next_shard++);
  }
  change.put = std::move(record);
  return change;
}

}  // namespace

std::string dropped_shard_key(ShardId shard) {
  return storage::counter_key(kSystemShard, format("{}{}", kDroppedShard, shard.value()));
}

Result<std::size_t> Collection::vector_index(std::string_view name) const {
  std::string known;
  for (std::size_t i = 0; i < record.config.vectors.size(); ++i) {
    if (record.config.vectors[i].name == name) return i;
    known += format("{}'{}'", i == 0 ? "" : ", ", record.config.vectors[i].name);
  }
  return Error{ErrorCode::kNotFound,
               format("the collection '{}' has no vector '{}'; it has {}", record.name,
                      name.substr(0, 64), known),
               "vector_not_found"};
}

Result<std::shared_ptr<const Collection>> Catalogue::find(std::string_view tenant,
                                                          std::string_view name) const {
  const std::shared_lock lock(mutex_);
  const Key key(tenant, name);
  auto found = collections_.find(key);
  if (found == collections_.end()) {
    const auto alias = aliases_.find(key);
    if (alias != aliases_.end()) found = collections_.find(Key(tenant, alias->second));
  }
  if (found == collections_.end()) return collection_not_found(tenant, name);
  return found->second;
}

Result<std::shared_ptr<const Collection>> Catalogue::find_own(std::string_view tenant,
                                                              std::string_view name) const {
  const std::shared_lock lock(mutex_);
  const auto found = collections_.find(Key(tenant, name));
  if (found == collections_.end()) return collection_not_found(tenant, name);
  return found->second;
}

std::optional<std::string> Catalogue::alias_target(std::string_view tenant,
                                                   std::string_view alias) const {
  const std::shared_lock lock(mutex_);
  const auto found = aliases_.find(Key(tenant, alias));
  if (found == aliases_.end()) return std::nullopt;
  return found->second;
}

std::vector<Alias> Catalogue::aliases(std::string_view tenant) const {
  const std::shared_lock lock(mutex_);
  std::vector<Alias> found;
  for (auto it = aliases_.lower_bound(Key(tenant, ""));
       it != aliases_.end() && it->first.first == tenant; ++it) {
    found.push_back({.name = it->first.second, .collection = it->second});
  }
  return found;
}

std::size_t Catalogue::alias_count() const {
  const std::shared_lock lock(mutex_);
  return aliases_.size();
}

void Catalogue::edit_aliases(const AliasEdits& edits) {
  const std::unique_lock lock(mutex_);
  for (const auto& [alias, target] : edits.targets) {
    if (target) {
      aliases_[Key(edits.tenant, alias)] = *target;
    } else {
      aliases_.erase(Key(edits.tenant, alias));
    }
  }
}

std::vector<std::shared_ptr<const Collection>> Catalogue::list(std::string_view tenant) const {
  const std::shared_lock lock(mutex_);
  std::vector<std::shared_ptr<const Collection>> found;
  for (auto it = collections_.lower_bound(Key(tenant, ""));
       it != collections_.end() && it->first.first == tenant; ++it) {
    found.push_back(it->second);
  }
  return found;
}

std::vector<std::shared_ptr<const Collection>> Catalogue::all() const {
  const std::shared_lock lock(mutex_);
  std::vector<std::shared_ptr<const Collection>> found;
  found.reserve(collections_.size());
  for (const auto& [key, collection] : collections_) found.push_back(collection);
  return found;
}

std::size_t Catalogue::size() const {
  const std::shared_lock lock(mutex_);
  return collections_.size();
}

void Catalogue::put(std::shared_ptr<const Collection> collection) {
  const std::unique_lock lock(mutex_);
  Key key(collection->record.tenant, collection->record.name);
  collections_[std::move(key)] = std::move(collection);
}

void Catalogue::remove(std::string_view tenant, std::string_view name) {
  const std::unique_lock lock(mutex_);
  collections_.erase(Key(tenant, name));
  std::erase_if(aliases_, [&](const auto& alias) {
    return alias.first.first == tenant && alias.second == name;
  });
}

Result<CatalogueChange> judge_catalogue_operation(const Catalogue& catalogue,
                                                  CatalogueCounters counters,
                                                  const storage::Operation& operation) {
  if (const auto* create = std::get_if<storage::CreateCollectionOp>(&operation.body)) {
    QUIPU_TRY(CollectionConfig config, decode_collection_config(create->config));
    return judge_create(catalogue, counters, *create, std::move(config), operation.time_us);
  }
  if (const auto* aliases = std::get_if<storage::UpdateAliasesOp>(&operation.body)) {
    return judge_aliases(catalogue, counters, *aliases);
  }
  CatalogueChange change{
      .refused = {}, .put = {}, .dropped = {}, .aliases = {}, .counters = counters};
  if (const auto* update = std::get_if<storage::UpdateCollectionOp>(&operation.body)) {
    QUIPU_TRY(const CollectionPatch patch, decode_collection_patch(update->patch));
    const auto found = catalogue.find_own(update->tenant, update->name);
    if (!found.ok()) {
      change.refused = found.error();
      return change;
    }
    CollectionRecord record = found.value()->record;
    auto changed = apply_collection_patch(record.config, patch, record.next_view_id);
    if (!changed.ok()) {
      change.refused = changed.error();
      return change;
    }
    record.config = std::move(changed).value();
    change.put = std::move(record);
    return change;
  }
  if (const auto* drop = std::get_if<storage::DropCollectionOp>(&operation.body)) {
    const auto found = catalogue.find_own(drop->tenant, drop->name);
    if (!found.ok()) {
      change.refused = found.error();
      return change;
    }
    change.dropped = found.value()->record;
    change.aliases.tenant = drop->tenant;
    for (Alias& alias : catalogue.aliases(drop->tenant)) {
      if (alias.collection == drop->name) change.aliases.targets[std::move(alias.name)] = {};
    }
    return change;
  }
  return Error{ErrorCode::kInternal, "an operation on points came to the system shard"};
}

void emit_catalogue_change(const CatalogueChange& change, KvBatch& batch) {
  if (change.put) {
    batch.put(Family::kMeta, storage::catalogue_key(change.put->tenant, change.put->name),
              encode_collection_record(*change.put));
  }
  if (change.dropped) {
    batch.erase(Family::kMeta,
                storage::catalogue_key(change.dropped->tenant, change.dropped->name));
    // Remembered until maintenance has given the space back, over restarts too.
    for (const ShardId shard : change.dropped->shards) {
      batch.put(Family::kMeta, dropped_shard_key(shard), "");
    }
  }
  for (const auto& [alias, target] : change.aliases.targets) {
    const std::string key = storage::alias_key(change.aliases.tenant, alias);
    if (target) {
      batch.put(Family::kMeta, key, encode_alias_record(*target));
    } else {
      batch.erase(Family::kMeta, key);
    }
  }
  batch.put(Family::kMeta, storage::counter_key(kSystemShard, kNextShard),
            encode_counter(change.counters.next_shard));
  batch.put(Family::kMeta, storage::counter_key(kSystemShard, kNextCollection),
            encode_counter(change.counters.next_collection));
}

Result<LoadedCatalogue> load_catalogue(KeyValueStore& kv) {
  LoadedCatalogue loaded;
  const auto scan = [&kv](const storage::KeyRange& range, const auto& visit) -> Status {
    const std::unique_ptr<KvIterator> it = kv.iterate(
        Family::kMeta, {.begin = range.begin, .end = range.end, .fill_cache = true}, nullptr);
    for (it->seek(range.begin); it->valid(); it->next())
      QUIPU_TRY_OK(visit(it->key(), it->value()));
    return it->status();
  };
  QUIPU_TRY_OK(scan(storage::catalogue_range(),
                    [&loaded](std::string_view, std::string_view value) -> Status {
                      QUIPU_TRY(CollectionRecord record, decode_collection_record(value));
                      loaded.collections.push_back(std::move(record));
                      return ok_status();
                    }));
  QUIPU_TRY_OK(scan(storage::alias_range(),
                    [&loaded](std::string_view key, std::string_view value) -> Status {
                      QUIPU_TRY(storage::CatalogueKey alias, storage::decode_alias_key(key));
                      QUIPU_TRY(std::string target, decode_alias_record(value));
                      AliasEdits& edits = loaded.aliases.emplace_back();
                      edits.tenant = std::move(alias.tenant);
                      edits.targets[std::move(alias.name)] = std::move(target);
                      return ok_status();
                    }));
  const std::string dropped = storage::counter_key(kSystemShard, kDroppedShard);
  QUIPU_TRY_OK(scan({.begin = dropped, .end = storage::after_prefix(dropped)},
                    [&](std::string_view key, std::string_view) -> Status {
                      std::uint32_t id = 0;
                      const std::string_view digits = key.substr(dropped.size());
                      const auto [end, error] =
                          std::from_chars(digits.data(), digits.data() + digits.size(), id);
                      if (error != std::errc() || end != digits.data() + digits.size()) {
                        return Error{ErrorCode::kCorruption,
                                     "a dropped shard's key does not decode", "damaged_record"};
                      }
                      loaded.dropped_shards.emplace_back(id);
                      return ok_status();
                    }));
  QUIPU_TRY(loaded.counters.next_shard, read_counter(kv, kNextShard, 1));
  QUIPU_TRY(loaded.counters.next_collection, read_counter(kv, kNextCollection, 1));
  return loaded;
}

}  // namespace quipu::engine
