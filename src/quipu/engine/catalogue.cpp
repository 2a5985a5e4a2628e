#include "quipu/engine/catalogue.h"

#include <algorithm>
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
constexpr std::string_view kDropped = "dropped/";  // a shard, or shard.vector
constexpr std::string_view kHidden = "hidden/";    // a collection's id

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

CatalogueChange no_change(const CatalogueCounters& counters) {
  CatalogueChange change;
  change.counters = counters;
  return change;
}

std::optional<Error> refuse_alias(const Catalogue& catalogue, const std::string& tenant,
                                  const std::string& name) {
  const auto target = catalogue.alias_target(tenant, name);
  if (!target) return std::nullopt;
  return Error{ErrorCode::kAlreadyExists,
               format("'{}' is an alias of the collection '{}'; a collection cannot have its name",
                      name, *target),
               "alias_exists"};
}

std::optional<Error> refuse_one_more(const Catalogue& catalogue) {
  if (catalogue.size() + catalogue.all_hidden().size() < limits::kCollectionsMax) {
    return std::nullopt;
  }
  return Error{ErrorCode::kResourceExhausted,
               format("there are {} collections, which is the limit", limits::kCollectionsMax),
               "too_many_collections"};
}

// A record with numbers for everything that has one.
template <typename Op>
CollectionRecord fresh_record(const Op& op, CollectionConfig config, std::int64_t time_us,
                              CatalogueCounters& counters) {
  CollectionRecord record;
  record.id = CollectionId(counters.next_collection++);
  record.tenant = op.tenant;
  record.name = op.name;
  record.config = std::move(config);
  record.created_us = time_us;
  number_views(record);
  for (std::uint32_t i = 0; i < record.config.shard_count; ++i) {
    record.shards.emplace_back(counters.next_shard++);
  }
  return record;
}

CatalogueChange judge_create(const Catalogue& catalogue, const CatalogueCounters& counters,
                             const storage::CreateCollectionOp& op, CollectionConfig config,
                             std::int64_t time_us) {
  CatalogueChange change = no_change(counters);
  if (catalogue.find_own(op.tenant, op.name).ok()) {
    change.refused =
        Error{ErrorCode::kAlreadyExists, format("the collection '{}' exists already", op.name),
              "collection_exists"};
  }
  if (!change.refused) change.refused = refuse_alias(catalogue, op.tenant, op.name);
  if (!change.refused) change.refused = refuse_one_more(catalogue);
  if (change.refused) return change;
  change.put = fresh_record(op, std::move(config), time_us, change.counters);
  return change;
}

CatalogueChange judge_begin_recovery(const Catalogue& catalogue, const CatalogueCounters& counters,
                                     const storage::BeginRecoveryOp& op, CollectionConfig config,
                                     std::int64_t time_us) {
  CatalogueChange change = no_change(counters);
  change.refused = refuse_alias(catalogue, op.tenant, op.name);
  if (!change.refused) change.refused = refuse_one_more(catalogue);
  if (change.refused) return change;
  change.hidden = fresh_record(op, std::move(config), time_us, change.counters);
  return change;
}

CatalogueChange judge_end_recovery(const Catalogue& catalogue, const CatalogueCounters& counters,
                                   const storage::EndRecoveryOp& op) {
  CatalogueChange change = no_change(counters);
  const std::shared_ptr<const Collection> hidden = catalogue.hidden(CollectionId(op.collection));
  if (hidden == nullptr) {
    change.refused =
        Error{ErrorCode::kNotFound,
              format("there is no recovery of the collection with number {}", op.collection),
              "recovery_not_found"};
    return change;
  }
  const CollectionRecord& record = hidden->record;
  if (op.keep) {
    // An alias may have taken the name since the recovery began.
    change.refused = refuse_alias(catalogue, record.tenant, record.name);
    if (change.refused) return change;
    change.put = record;
    const auto replaced = catalogue.find_own(record.tenant, record.name);
    if (replaced.ok()) change.dropped = replaced.value()->record;
  }
  change.ended = record;
  return change;
}

Result<CatalogueChange> judge_update(const Catalogue& catalogue, const CatalogueCounters& counters,
                                     const storage::UpdateCollectionOp& op) {
  CatalogueChange change = no_change(counters);
  QUIPU_TRY(const CollectionPatch patch, decode_collection_patch(op.patch));
  const auto found = catalogue.find_own(op.tenant, op.name);
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

CatalogueChange judge_vectors(const Catalogue& catalogue, const CatalogueCounters& counters,
                              const storage::ChangeVectorsOp& op) {
  CatalogueChange change = no_change(counters);
  const auto found = catalogue.find_own(op.tenant, op.name);
  if (!found.ok()) {
    change.refused = found.error();
    return change;
  }
  CollectionRecord record = found.value()->record;
  auto changed = apply_vector_changes(record.config, op.changes, record.next_vector_id);
  if (!changed.ok()) {
    change.refused = changed.error();
    return change;
  }
  for (const VectorConfig& before : record.config.vectors) {
    const auto same = [&before](const VectorConfig& after) { return after.id == before.id; };
    const auto& after = changed.value().vectors;
    if (std::none_of(after.begin(), after.end(), same)) change.dropped_vectors.push_back(before.id);
  }
  record.config = std::move(changed).value();
  change.put = std::move(record);
  change.vectors_changed = true;
  return change;
}

CatalogueChange judge_drop(const Catalogue& catalogue, const CatalogueCounters& counters,
                           const storage::DropCollectionOp& op) {
  CatalogueChange change = no_change(counters);
  const auto found = catalogue.find_own(op.tenant, op.name);
  if (!found.ok()) {
    change.refused = found.error();
    return change;
  }
  change.dropped = found.value()->record;
  change.aliases.tenant = op.tenant;
  for (Alias& alias : catalogue.aliases(op.tenant)) {
    if (alias.collection == op.name) change.aliases.targets[std::move(alias.name)] = {};
  }
  return change;
}

std::string hidden_key(CollectionId id) {
  return storage::counter_key(kSystemShard, format("{}{}", kHidden, id.value()));
}

// Errors: kCorruption.
Result<DroppedSpace> read_dropped_space(std::string_view text) {
  DroppedSpace space;
  std::uint32_t shard = 0;
  const char* const end = text.data() + text.size();
  auto parsed = std::from_chars(text.data(), end, shard);
  bool good = parsed.ec == std::errc();
  space.shard = ShardId(shard);
  if (good && parsed.ptr != end) {
    std::uint16_t vector = 0;
    good = *parsed.ptr == '.';
    if (good) parsed = std::from_chars(parsed.ptr + 1, end, vector);
    good = good && parsed.ec == std::errc() && parsed.ptr == end;
    space.vector = vector;
  }
  if (good) return space;
  return Error{ErrorCode::kCorruption, "the key of a dropped space does not decode",
               "damaged_record"};
}

}  // namespace

std::string dropped_space_key(const DroppedSpace& space) {
  const std::string vector = space.vector ? format(".{}", *space.vector) : std::string();
  return storage::counter_key(kSystemShard,
                              format("{}{}{}", kDropped, space.shard.value(), vector));
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

std::shared_ptr<const Collection> Catalogue::hidden(CollectionId id) const {
  const std::shared_lock lock(mutex_);
  const auto found = hidden_.find(id);
  return found == hidden_.end() ? nullptr : found->second;
}

std::vector<std::shared_ptr<const Collection>> Catalogue::all_hidden() const {
  const std::shared_lock lock(mutex_);
  std::vector<std::shared_ptr<const Collection>> found;
  for (const auto& [id, collection] : hidden_) found.push_back(collection);
  return found;
}

void Catalogue::put_hidden(std::shared_ptr<const Collection> collection) {
  const std::unique_lock lock(mutex_);
  const CollectionId id = collection->record.id;
  hidden_[id] = std::move(collection);
}

void Catalogue::remove_hidden(CollectionId id) {
  const std::unique_lock lock(mutex_);
  hidden_.erase(id);
}

Result<CatalogueChange> judge_catalogue_operation(const Catalogue& catalogue,
                                                  CatalogueCounters counters,
                                                  const storage::Operation& operation) {
  const storage::OpBody& body = operation.body;
  if (const auto* create = std::get_if<storage::CreateCollectionOp>(&body)) {
    QUIPU_TRY(CollectionConfig config, decode_collection_config(create->config));
    return judge_create(catalogue, counters, *create, std::move(config), operation.time_us);
  }
  if (const auto* begin = std::get_if<storage::BeginRecoveryOp>(&body)) {
    QUIPU_TRY(CollectionConfig config, decode_collection_config(begin->config));
    return judge_begin_recovery(catalogue, counters, *begin, std::move(config), operation.time_us);
  }
  if (const auto* end = std::get_if<storage::EndRecoveryOp>(&body)) {
    return judge_end_recovery(catalogue, counters, *end);
  }
  if (const auto* aliases = std::get_if<storage::UpdateAliasesOp>(&body)) {
    return judge_aliases(catalogue, counters, *aliases);
  }
  if (const auto* update = std::get_if<storage::UpdateCollectionOp>(&body)) {
    return judge_update(catalogue, counters, *update);
  }
  if (const auto* vectors = std::get_if<storage::ChangeVectorsOp>(&body)) {
    return judge_vectors(catalogue, counters, *vectors);
  }
  if (const auto* drop = std::get_if<storage::DropCollectionOp>(&body)) {
    return judge_drop(catalogue, counters, *drop);
  }
  return Error{ErrorCode::kInternal, "an operation on points came to the system shard"};
}

namespace {

// Remembered until maintenance has given the space back, over restarts too.
void remember_dropped(const CollectionRecord& record, KvBatch& batch) {
  for (const ShardId shard : record.shards) {
    batch.put(Family::kMeta, dropped_space_key({.shard = shard, .vector = {}}), "");
  }
}

}  // namespace

void emit_catalogue_change(const CatalogueChange& change, KvBatch& batch) {
  if (change.hidden) {
    batch.put(Family::kMeta, hidden_key(change.hidden->id),
              encode_collection_record(*change.hidden));
  }
  if (change.ended) {
    batch.erase(Family::kMeta, hidden_key(change.ended->id));
    if (!change.put) remember_dropped(*change.ended, batch);
  }
  if (change.put) {
    batch.put(Family::kMeta, storage::catalogue_key(change.put->tenant, change.put->name),
              encode_collection_record(*change.put));
    for (const ShardId shard : change.put->shards) {
      for (const std::uint16_t vector : change.dropped_vectors) {
        batch.put(Family::kMeta, dropped_space_key({.shard = shard, .vector = vector}), "");
      }
    }
  }
  if (change.dropped) {
    if (!change.put) {
      batch.erase(Family::kMeta,
                  storage::catalogue_key(change.dropped->tenant, change.dropped->name));
    }
    remember_dropped(*change.dropped, batch);
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
  const std::string hidden = storage::counter_key(kSystemShard, kHidden);
  QUIPU_TRY_OK(scan({.begin = hidden, .end = storage::after_prefix(hidden)},
                    [&loaded](std::string_view, std::string_view value) -> Status {
                      QUIPU_TRY(CollectionRecord record, decode_collection_record(value));
                      loaded.hidden.push_back(std::move(record));
                      return ok_status();
                    }));
  const std::string dropped = storage::counter_key(kSystemShard, kDropped);
  QUIPU_TRY_OK(scan({.begin = dropped, .end = storage::after_prefix(dropped)},
                    [&](std::string_view key, std::string_view) -> Status {
                      QUIPU_TRY(const DroppedSpace space,
                                read_dropped_space(key.substr(dropped.size())));
                      loaded.dropped.push_back(space);
                      return ok_status();
                    }));
  QUIPU_TRY(loaded.counters.next_shard, read_counter(kv, kNextShard, 1));
  QUIPU_TRY(loaded.counters.next_collection, read_counter(kv, kNextCollection, 1));
  return loaded;
}

}  // namespace quipu::engine
