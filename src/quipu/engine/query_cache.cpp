#include "quipu/engine/query_cache.h"

#include <algorithm>
#include <bit>
#include <type_traits>
#include <utility>

#include "quipu/base/hash.h"
#include "quipu/engine/query_inputs.h"

namespace quipu::engine {
namespace {

// One answer may take this part of all room.
constexpr std::uint64_t kAnswerShareMax = 8;
constexpr std::uint8_t kCountMax = 15;
// The frequencies remember about this many askings for each entry that there is room for.
constexpr std::size_t kRememberedPerEntry = 32;

// Folds the parts of an ask into one number. Some parts are left out: asks that differ only there
// share a number, and are told apart by comparing them.
class AskHasher {
 public:
  void number(std::uint64_t value) {
    hash_ = (hash_ ^ value) * 0x9e3779b97f4a7c15ULL;
    hash_ ^= hash_ >> 29;
  }
  void bytes(std::string_view value) { number(hash_bytes(value)); }
  template <typename T>
  void values(const std::vector<T>& value) {
    bytes({reinterpret_cast<const char*>(value.data()), value.size() * sizeof(T)});
  }
  void real(double value) { number(std::bit_cast<std::uint64_t>(value)); }

  void stage(const QueryStage& stage) {
    number(stage.limit);
    bytes(stage.using_name);
    number(stage.params.ef + (stage.params.exact ? 1ULL << 40 : 0));
    if (stage.score_threshold) real(static_cast<double>(*stage.score_threshold));
    if (stage.filter) filter(*stage.filter);
    if (stage.query) query(*stage.query);
    number(stage.prefetch.size());
    for (const QueryStage& prefetch : stage.prefetch) this->stage(prefetch);
  }
  [[nodiscard]] std::uint64_t hash() const { return hash_; }

 private:
  void input(const VectorInput& input) {
    number(input.index());
    std::visit(
        [this](const auto& value) {
          using Value = std::decay_t<decltype(value)>;
          if constexpr (std::is_same_v<Value, std::vector<float>>) {
            values(value);
          } else if constexpr (std::is_same_v<Value, PointId>) {
            number(stable_hash(value));
          } else if constexpr (std::is_same_v<Value, TextInput>) {
            bytes(value.text);
          } else if constexpr (std::is_same_v<Value, SparseValues>) {
            values(value.indices);
            values(value.values);
          } else {
            values(value.values);
          }
        },
        input);
  }
  void query(const StageQuery& query) {
    number(query.index());
    for_each_input(query, [this](const VectorInput& value) { input(value); });
    if (const auto* words = std::get_if<WordsQuery>(&query)) bytes(words->text);
    if (const auto* rerank = std::get_if<RerankQuery>(&query)) bytes(rerank->text);
    if (const auto* order = std::get_if<OrderByQuery>(&query)) bytes(order->key);
    if (const auto* fusion = std::get_if<FusionQuery>(&query)) {
      number(static_cast<std::uint64_t>(fusion->kind));
      values(fusion->weights);
    }
  }
  void filter(const Filter& filter) {
    for (const auto* part : {&filter.must, &filter.should, &filter.must_not}) {
      number(part->size());
      for (const FilterCondition& each : *part) condition(each);
    }
  }
  void condition(const FilterCondition& condition) {
    number(condition.is.index());
    if (const auto* field = std::get_if<FieldCondition>(&condition.is)) {
      bytes(field->key);
      predicate(field->predicate);
    } else if (const auto* ids = std::get_if<HasIdCondition>(&condition.is)) {
      for (const PointId& id : ids->ids) number(stable_hash(id));
    } else if (const auto* inner = std::get_if<Filter>(&condition.is)) {
      filter(*inner);
    } else if (const auto* nested = std::get_if<NestedCondition>(&condition.is)) {
      filter(nested->filter);
    }
  }
  void predicate(const FieldPredicate& predicate) {
    number(predicate.index());
    if (const auto* match = std::get_if<MatchValue>(&predicate)) {
      if (const auto* text = std::get_if<std::string>(&match->value)) bytes(*text);
      if (const auto* value = std::get_if<std::int64_t>(&match->value)) {
        number(static_cast<std::uint64_t>(*value));
      }
    } else if (const auto* any = std::get_if<MatchAny>(&predicate)) {
      if (const auto* texts = std::get_if<std::vector<std::string>>(&any->values)) {
        for (const std::string& text : *texts) bytes(text);
      } else {
        values(std::get<std::vector<std::int64_t>>(any->values));
      }
    } else if (const auto* range = std::get_if<NumberRange>(&predicate)) {
      for (const auto& bound : {range->lt, range->gt, range->lte, range->gte}) {
        real(bound.value_or(0));
      }
    } else if (const auto* text = std::get_if<MatchText>(&predicate)) {
      bytes(text->query);
    }
  }

  std::uint64_t hash_ = 0;
};

bool same_everywhere(const QueryStage& stage) {
  if (stage.lookup_from) return false;
  if (stage.query && std::holds_alternative<SampleQuery>(*stage.query)) return false;
  return std::ranges::all_of(stage.prefetch, same_everywhere);
}

std::uint64_t bytes_of_stage(const QueryStage& stage) {
  std::uint64_t bytes = sizeof(QueryStage) + stage.using_name.size();
  if (stage.query) {
    for_each_input(*stage.query, [&bytes](const VectorInput& input) {
      bytes += sizeof(VectorInput);
      if (const auto* dense = std::get_if<std::vector<float>>(&input)) bytes += 4 * dense->size();
      if (const auto* sparse = std::get_if<SparseValues>(&input))
        bytes += 8 * sparse->values.size();
      if (const auto* multi = std::get_if<MultiValues>(&input)) bytes += 4 * multi->values.size();
      if (const auto* text = std::get_if<TextInput>(&input)) bytes += text->text.size();
    });
  }
  // Filters are small beside answers, except for lists of ids and values: a guess for each.
  const auto conditions = [](const std::vector<FilterCondition>& list) {
    std::uint64_t sum = 0;
    for (const FilterCondition& each : list) {
      sum += sizeof(FilterCondition);
      if (const auto* ids = std::get_if<HasIdCondition>(&each.is)) sum += 24 * ids->ids.size();
      if (const auto* field = std::get_if<FieldCondition>(&each.is)) {
        const auto* any = std::get_if<MatchAny>(&field->predicate);
        if (any != nullptr) {
          sum += std::visit([](const auto& values) { return 48 * values.size(); }, any->values);
        }
      }
    }
    return sum;
  };
  if (stage.filter) {
    bytes += conditions(stage.filter->must) + conditions(stage.filter->should) +
             conditions(stage.filter->must_not);
  }
  for (const QueryStage& prefetch : stage.prefetch) bytes += bytes_of_stage(prefetch);
  return bytes;
}

std::uint64_t bytes_of_hits(const std::vector<SearchHit>& hits) {
  std::uint64_t bytes = hits.size() * sizeof(SearchHit);
  for (const SearchHit& hit : hits) {
    bytes += hit.point.payload.size() + (hit.point.text ? hit.point.text->size() : 0) +
             hit.parts.size() * sizeof(ScorePart);
    for (const NamedVector& vector : hit.point.vectors) {
      bytes += sizeof(NamedVector) + vector.name.size() + 4 * vector.values.size() +
               4 * vector.indices.size();
    }
  }
  return bytes;
}

std::vector<Seq> applied_of(const AskScope& scope) {
  std::vector<Seq> applied;
  for (const auto& moment : scope.moments) applied.push_back(moment->applied);
  return applied;
}

}  // namespace

bool is_cacheable(const Ask& ask) { return same_everywhere(ask.root); }

std::uint64_t hash_of(const Ask& ask) {
  AskHasher hasher;
  hasher.number(static_cast<std::uint64_t>(ask.kind));
  hasher.number(ask.offset);
  hasher.number((ask.select.payload ? 1U : 0U) + (ask.select.text ? 2U : 0U) +
                (ask.select.vectors ? 4U : 0U));
  hasher.bytes(ask.payload_key);
  hasher.number(ask.group_size);
  hasher.stage(ask.root);
  return hasher.hash();
}

FrequencySketch::FrequencySketch(std::size_t expected_things) {
  const std::size_t size = std::bit_ceil(std::max<std::size_t>(expected_things, 64) * 2);
  counts_.assign(size * kRows, 0);
  mask_ = size - 1;
  halve_after_ = std::max<std::size_t>(expected_things, 64);
}

std::size_t FrequencySketch::place(std::uint64_t hash, std::size_t row) const {
  // Things that share a place in one row must not share it in the others: the finalizer of
  // splitmix64, of a number for each row.
  std::uint64_t mixed = hash + (row + 1) * 0x9e3779b97f4a7c15ULL;
  mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9ULL;
  mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebULL;
  return row * (mask_ + 1) + (static_cast<std::size_t>(mixed ^ (mixed >> 31)) & mask_);
}

void FrequencySketch::add(std::uint64_t hash) {
  // Only the least counts grow ("conservative update"): the others are known to be too high.
  const std::uint8_t least = count(hash);
  if (least < kCountMax) {
    for (std::size_t row = 0; row < kRows; ++row) {
      std::uint8_t& cell = counts_[place(hash, row)];
      if (cell == least) ++cell;
    }
  }
  if (++added_ < halve_after_) return;
  added_ /= 2;
  for (std::uint8_t& cell : counts_) cell = static_cast<std::uint8_t>(cell / 2);
}

std::uint8_t FrequencySketch::count(std::uint64_t hash) const {
  std::uint8_t least = kCountMax;
  for (std::size_t row = 0; row < kRows; ++row) {
    least = std::min(least, counts_[place(hash, row)]);
  }
  return least;
}

QueryCache::QueryCache(const Options& options, Clock& clock, MetricsRegistry& metrics)
    : options_(options),
      clock_(clock),
      hit_counter_(metrics.counter("quipu_query_cache_requests_total",
                                   "Queries looked up in the query cache, by what came of it.",
                                   {{"result", "hit"}})),
      miss_counter_(metrics.counter("quipu_query_cache_requests_total",
                                    "Queries looked up in the query cache, by what came of it.",
                                    {{"result", "miss"}})),
      stale_counter_(metrics.counter("quipu_query_cache_requests_total",
                                     "Queries looked up in the query cache, by what came of it.",
                                     {{"result", "stale"}})),
      eviction_counter_(metrics.counter("quipu_query_cache_evictions_total",
                                        "Answers that made room for others.", {})),
      frequencies_(options.entries_max * kRememberedPerEntry) {}

QueryCache::Entries::iterator QueryCache::find_entry(std::uint64_t key, std::uint32_t collection_id,
                                                     const Ask& ask) {
  const auto [begin, end] = places_.equal_range(key);
  for (auto place = begin; place != end; ++place) {
    const Entry& entry = *place->second;
    if (entry.collection_id == collection_id && entry.ask == ask) return place->second;
  }
  return entries_.end();
}

void QueryCache::erase(Entries::iterator entry) {
  const auto [begin, end] = places_.equal_range(entry->key);
  for (auto place = begin; place != end; ++place) {
    if (place->second != entry) continue;
    places_.erase(place);
    break;
  }
  status_.bytes -= entry->bytes;
  entries_.erase(entry);
}

namespace {

std::uint64_t key_of(const AskScope& scope, std::uint64_t hash) {
  return hash ^ (scope.collection->record.id.value() * 0x9e3779b97f4a7c15ULL);
}

}  // namespace

std::shared_ptr<const CachedAnswer> QueryCache::find(const AskScope& scope, const Ask& ask,
                                                     std::uint64_t hash) {
  const std::uint64_t key = key_of(scope, hash);
  const auto now = clock_.steady_now();
  const MutexLock lock(mutex_);
  frequencies_.add(key);
  const auto entry = find_entry(key, scope.collection->record.id.value(), ask);
  if (entry == entries_.end()) {
    ++status_.misses;
    miss_counter_.add();
    return nullptr;
  }
  ++entry->asked;
  const std::weak_ptr<const Collection> current = scope.collection;
  const bool same_collection =
      !entry->collection.owner_before(current) && !current.owner_before(entry->collection);
  const bool same_moment = std::ranges::equal(entry->applied, scope.moments, {}, {},
                                              [](const auto& moment) { return moment->applied; });
  if (entry->answer == nullptr || !same_collection || !same_moment ||
      now - entry->made > options_.age_max) {
    // What it was is of no use; how often it is asked is.
    entry->answer = nullptr;
    ++status_.stale;
    stale_counter_.add();
    return nullptr;
  }
  ++status_.hits;
  hit_counter_.add();
  entries_.splice(entries_.begin(), entries_, entry);
  return entry->answer;
}

bool QueryCache::admits(const AskScope& scope, const Ask& ask, std::uint64_t hash,
                        std::uint64_t bytes) {
  if (bytes > options_.bytes_max / kAnswerShareMax) return false;
  const std::uint64_t key = key_of(scope, hash);
  const MutexLock lock(mutex_);
  if (find_entry(key, scope.collection->record.id.value(), ask) != entries_.end()) return true;
  if (entries_.size() < options_.entries_max && status_.bytes + bytes <= options_.bytes_max) {
    return true;
  }
  return frequencies_.count(key) > frequencies_.count(entries_.back().key);
}

void QueryCache::keep(const AskScope& scope, const Ask& ask, std::uint64_t hash,
                      std::shared_ptr<const CachedAnswer> answer, std::uint64_t bytes) {
  Entry made{.key = key_of(scope, hash),
             .collection_id = scope.collection->record.id.value(),
             .ask = ask,
             .collection = scope.collection,
             .applied = applied_of(scope),
             .made = clock_.steady_now(),
             .answer = std::move(answer),
             .bytes = bytes,
             .asked = 1};
  const MutexLock lock(mutex_);
  if (const auto old = find_entry(made.key, made.collection_id, ask); old != entries_.end()) {
    made.asked = old->asked;
    erase(old);
  }
  while (!entries_.empty() &&
         (entries_.size() >= options_.entries_max || status_.bytes + bytes > options_.bytes_max)) {
    erase(std::prev(entries_.end()));
    ++status_.evictions;
    eviction_counter_.add();
  }
  status_.bytes += bytes;
  entries_.push_front(std::move(made));
  places_.emplace(entries_.front().key, entries_.begin());
}

void QueryCache::clear() {
  const MutexLock lock(mutex_);
  entries_.clear();
  places_.clear();
  status_.bytes = 0;
}

QueryCacheStatus QueryCache::status() const {
  const MutexLock lock(mutex_);
  QueryCacheStatus status = status_;
  status.entries = entries_.size();
  return status;
}

std::vector<QueryCache::Asked> QueryCache::most_asked(std::size_t count) const {
  std::vector<Asked> asked;
  {
    const MutexLock lock(mutex_);
    for (const Entry& entry : entries_) {
      const std::shared_ptr<const Collection> collection = entry.collection.lock();
      if (collection == nullptr || entry.asked < 2) continue;
      asked.push_back({collection->record.tenant, collection->record.name, entry.ask, entry.asked});
    }
  }
  std::ranges::stable_sort(asked, std::ranges::greater(), &Asked::times);
  if (asked.size() > count) asked.resize(count);
  return asked;
}

std::uint64_t QueryCache::bytes_of(const Ask& ask) {
  std::uint64_t bytes = sizeof(Entry) + bytes_of_stage(ask.root) + ask.payload_key.size();
  for (const auto* names :
       {&ask.select.payload_include, &ask.select.payload_exclude, &ask.select.vector_names}) {
    for (const std::string& name : *names) bytes += sizeof(std::string) + name.size();
  }
  return bytes;
}

std::uint64_t QueryCache::bytes_of(const SearchResult& answer) {
  return sizeof(CachedAnswer) + bytes_of_hits(answer.hits);
}

std::uint64_t QueryCache::bytes_of(const GroupResult& answer) {
  std::uint64_t bytes = sizeof(CachedAnswer);
  for (const HitGroup& group : answer.groups) {
    bytes += sizeof(HitGroup) + bytes_of_hits(group.hits);
    if (const auto* text = std::get_if<std::string>(&group.value)) bytes += text->size();
  }
  return bytes;
}

std::uint64_t QueryCache::bytes_of(const std::vector<FacetValue>& answer) {
  std::uint64_t bytes = sizeof(CachedAnswer);
  for (const FacetValue& facet : answer) {
    bytes += sizeof(FacetValue);
    if (const auto* text = std::get_if<std::string>(&facet.value)) bytes += text->size();
  }
  return bytes;
}

}  // namespace quipu::engine
