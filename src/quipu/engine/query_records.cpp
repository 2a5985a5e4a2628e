// The stages of a query that look at records: words, orders, formulas, ids, samples.
#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <set>
#include <utility>

#include "quipu/base/format.h"
#include "quipu/base/json.h"
#include "quipu/base/limits.h"
#include "quipu/base/rng.h"
#include "quipu/engine/indexed_values.h"
#include "quipu/engine/query_run.h"
#include "quipu/engine/records.h"
#include "quipu/query/rank/formula.h"
#include "quipu/storage/keys.h"

namespace quipu::engine {
namespace {

constexpr std::size_t kIdsPerRead = 256;
// A view that is made for one query publishes this many rows at once.
constexpr std::uint32_t kRowsPerPublish = 10'000;

// A text as a query of words: each term once, with the number of times that it comes.
std::map<std::string, double> query_terms(const text::Analyzer& analyzer, std::string_view text) {
  text::TermList list;
  analyzer.analyze(text, list, text::AnalyzeFor::kQuery);
  std::map<std::string, double> terms;
  for (std::size_t i = 0; i < list.size(); ++i) terms[std::string(list[i].text)] += 1;
  return terms;
}

// The text of a point, or the strings at a path of its payload, a line each.
Result<std::string> text_to_rerank(const PointRecord& point, const PointId& id,
                                   const std::optional<query::PayloadPath>& path) {
  if (!path) return point.text.value_or("");
  QUIPU_TRY(const JsonDocument payload, parse_payload(id, point.payload));
  std::string text;
  path->visit_elements(payload.root(), [&text](JsonView value) {
    if (const std::optional<std::string_view> line = value.as_string()) {
      if (!text.empty()) text += '\n';
      text += *line;
    }
    return true;
  });
  return text;
}

}  // namespace

Status QueryRun::visit_records(const Scope& scope, const RecordVisit& visit) {
  for (std::size_t shard = 0; shard < shard_count(); ++shard) {
    QUIPU_TRY_OK(visit_records_of(shard, scope, visit));
  }
  return ok_status();
}

Status QueryRun::visit_records_of(std::size_t shard, const Scope& scope, const RecordVisit& visit) {
  if (scope.candidates == nullptr) {
    const MatchVisitor each = [&](const PointId& id, std::string_view record) -> Result<bool> {
      if (!scope.excluded.contains(id)) QUIPU_TRY_OK(visit(shard, id, record));
      return true;
    };
    return filters_->visit(scope.chain, shard, each);
  }
  const std::vector<PointId> ids = candidates_of(scope, shard);
  const ShardId shard_id = reading_->collection->shards[shard]->id();
  for (std::size_t begin = 0; begin < ids.size(); begin += kIdsPerRead) {
    const std::size_t count = std::min(kIdsPerRead, ids.size() - begin);
    std::vector<std::string> keys;
    for (std::size_t i = 0; i < count; ++i) {
      keys.push_back(storage::point_key(shard_id, ids[begin + i]));
    }
    QUIPU_TRY(const auto records, state_.kv->multi_get(Family::kPoints, keys,
                                                       reading_->moments[shard]->snapshot.get()));
    for (std::size_t i = 0; i < count; ++i) {
      if (records[i]) QUIPU_TRY_OK(visit(shard, ids[begin + i], *records[i]));
    }
  }
  return ok_status();
}

Result<StageHits> QueryRun::by_id(const Scope& scope) {
  StageHits result;
  // Ids ascend within a shard, so its first ones are enough.
  for (std::size_t shard = 0; shard < shard_count(); ++shard) {
    std::size_t taken = 0;
    const MatchVisitor each = [&](const PointId& id, std::string_view) -> Result<bool> {
      result.hits.push_back({.id = id, .shard_index = shard});
      return ++taken < scope.limit;
    };
    QUIPU_TRY(const Matches* const matches, filters_->matches(scope.chain, shard));
    if (matches == nullptr) {
      QUIPU_TRY_OK(for_each_point(filters_->scope(shard), each));
      continue;
    }
    std::vector<PointId> ids = matches->sorted_ids();
    if (ids.size() > scope.limit) ids.resize(scope.limit);
    for (const PointId& id : ids) result.hits.push_back({.id = id, .shard_index = shard});
  }
  keep_best(result.hits, scope.limit, false);
  return result;
}

Result<StageHits> QueryRun::sample(const Scope& scope) {
  Rng rng(entropy());
  StageHits result;
  std::uint64_t seen = 0;
  // Vitter's algorithm R: each of those seen is as likely to be kept.
  const auto offer = [&](std::size_t shard, const PointId& id) {
    ++seen;
    if (result.hits.size() < scope.limit) {
      result.hits.push_back({.id = id, .shard_index = shard});
    } else if (const std::uint64_t at = rng.below(seen); at < scope.limit) {
      result.hits[at] = {.id = id, .shard_index = shard};
    }
  };
  if (scope.candidates != nullptr) {
    for (const ScoredPoint& candidate : *scope.candidates) {
      offer(candidate.shard_index, candidate.id);
    }
  } else {
    QUIPU_TRY_OK(visit_records(scope, [&](std::size_t shard, const PointId& id, std::string_view) {
      offer(shard, id);
      return ok_status();
    }));
  }
  for (std::size_t i = result.hits.size(); i > 1; --i) {
    std::swap(result.hits[i - 1], result.hits[rng.below(i)]);
  }
  return result;
}

Result<StageHits> QueryRun::by_order(const OrderByQuery& query, const Scope& scope) {
  QUIPU_TRY(const query::PayloadOrder order, query::PayloadOrder::compile(query));
  StageHits result;
  const auto keep = [&](std::size_t count) {
    const auto first = [&order](const ScoredPoint& a, const ScoredPoint& b) {
      if (*a.order != *b.order) return order.before(*a.order, *b.order);
      return a.id < b.id;
    };
    std::sort(result.hits.begin(), result.hits.end(), first);
    if (result.hits.size() > count) result.hits.resize(count);
  };
  const RecordVisit each = [&](std::size_t shard, const PointId& id,
                               std::string_view record) -> Status {
    QUIPU_TRY(const PointView point, view_point_record(record));
    QUIPU_TRY(const JsonDocument payload, parse_payload(id, point.payload));
    const std::optional<query::OrderValue> value = order.first(payload.root());
    if (!value) return ok_status();
    result.hits.push_back({.id = id, .shard_index = shard, .order = *value});
    if (result.hits.size() >= scope.limit * 2 + 64) keep(scope.limit);
    return ok_status();
  };
  for (std::size_t shard = 0; shard < shard_count(); ++shard) {
    if (scope.candidates == nullptr) {
      QUIPU_TRY(std::optional<std::vector<ScoredPoint>> walked,
                by_indexed_order(order, scope, shard));
      if (walked) {
        result.hits.insert(result.hits.end(), walked->begin(), walked->end());
        continue;
      }
    }
    QUIPU_TRY_OK(visit_records_of(shard, scope, each));
  }
  keep(scope.limit);
  return result;
}

Result<std::optional<std::vector<ScoredPoint>>> QueryRun::by_indexed_order(
    const query::PayloadOrder& order, const Scope& scope, std::size_t shard) {
  std::vector<ScoredPoint> hits;
  std::unordered_set<PointId> seen;
  // Values come in order, so a point's first one is its best; equal ones come in any order.
  const ValueVisit each = [&](const query::OrderValue& value, const PointId& id) {
    if (hits.size() >= scope.limit && *hits.back().order != value) return false;
    if (scope.excluded.contains(id) || !seen.insert(id).second) return true;
    hits.push_back({.id = id, .shard_index = shard, .order = value});
    return true;
  };
  QUIPU_TRY(const bool walked, walk_indexed(*filters_, scope.chain, shard, order, each));
  if (!walked) return std::optional<std::vector<ScoredPoint>>();
  return std::optional<std::vector<ScoredPoint>>(std::move(hits));
}

Result<StageHits> QueryRun::by_formula(const FormulaQuery& query, const Scope& scope,
                                       const std::vector<StageHits>& sources) {
  QUIPU_TRY(const query::CompiledFormula formula, query::CompiledFormula::compile(query));
  std::map<PointId, std::vector<float>> scores;
  for (std::size_t i = 0; i < sources.size(); ++i) {
    for (const ScoredPoint& hit : sources[i].hits) {
      std::vector<float>& own = scores[hit.id];
      own.resize(sources.size(), std::numeric_limits<float>::quiet_NaN());
      own[i] = hit.score;
    }
  }
  const auto& vectors = reading_->collection->record.config.vectors;
  StageHits result;
  QUIPU_TRY_OK(visit_records(
      scope, [&](std::size_t shard, const PointId& id, std::string_view record) -> Status {
        QUIPU_TRY(const PointView point, view_point_record(record));
        QUIPU_TRY(const JsonDocument payload, parse_payload(id, point.payload));
        const RecordPresence presence(vectors, point.vectors);
        const query::Record judged{.id = id, .payload = payload.root(), .vectors = &presence};
        QUIPU_TRY(const float score, formula.score(judged, scores[id]));
        result.hits.push_back({.id = id, .shard_index = shard, .score = score});
        return ok_status();
      }));
  keep_best(result.hits, scope.limit, false);
  return result;
}

Result<StageHits> QueryRun::by_rerank(const RerankQuery& query, const Scope& scope) {
  if (scope.candidates->size() > limits::kRerankCandidatesMax) {
    return Error{ErrorCode::kInvalidArgument,
                 format("the prefetches of a rerank found {} points; the limit is {}",
                        scope.candidates->size(), limits::kRerankCandidatesMax),
                 "query_too_large"};
  }
  std::optional<query::PayloadPath> path;
  if (!query.key.empty()) {
    QUIPU_TRY(path, query::PayloadPath::parse(query.key));
  }
  StageHits result;
  std::vector<std::string> texts;
  std::vector<std::size_t> having;  // the hit of each text
  QUIPU_TRY_OK(visit_records(
      scope, [&](std::size_t shard, const PointId& id, std::string_view bytes) -> Status {
        QUIPU_TRY(const PointRecord point, decode_point_record(bytes));
        QUIPU_TRY(std::string text, text_to_rerank(point, id, path));
        if (!text.empty()) {
          texts.push_back(std::move(text));
          having.push_back(result.hits.size());
        }
        result.hits.push_back({.id = id, .shard_index = shard, .score = 0});
        return ok_status();
      }));
  const auto begin = state_.clock->steady_now();
  const std::vector<std::string_view> views(texts.begin(), texts.end());
  const auto scores = state_.embedder->score(
      query.text, views, {.model = query.model, .deadline = reading_->deadline});
  for (std::size_t i = 0; i < scores.size(); ++i) {
    if (!scores[i].ok()) return scores[i].error();
    const embed::PairScore& score = scores[i].value();
    ScoredPoint& hit = result.hits[having[i]];
    hit.score = static_cast<float>(embed::relevance(score.logit));
    // Scores near 1 are equal as floats where the logits are not.
    hit.similarity = score.logit;
  }
  explain_.rerank_ms +=
      std::chrono::duration<double, std::milli>(state_.clock->steady_now() - begin).count();
  explain_.reranked += scores.size();
  std::sort(result.hits.begin(), result.hits.end(), [](const ScoredPoint& a, const ScoredPoint& b) {
    if (a.score != b.score) return a.score > b.score;
    return a.similarity != b.similarity ? a.similarity > b.similarity : a.id < b.id;
  });
  return result;
}

Result<QueryRun::WordsView> QueryRun::words_view(std::size_t words_index, std::size_t shard_index) {
  const Moment& moment = *reading_->moments[shard_index];
  const WordsConfig& wanted = reading_->collection->record.config.words[words_index];
  const Schema& schema = *moment.views->schema;
  // The moment may be of an earlier schema than the collection, or a later one.
  for (std::size_t i = 0; i < schema.words.size(); ++i) {
    if (schema.words[i].config.view_id != wanted.view_id) continue;
    if (moment.views->words[i] == nullptr) break;
    return WordsView{.index = moment.views->words[i],
                     .moment = moment.words[i],
                     .as_of = moment.applied,
                     .ids = {}};
  }
  return make_words_view(words_index, shard_index);
}

Result<QueryRun::WordsView> QueryRun::make_words_view(std::size_t words_index,
                                                      std::size_t shard_index) {
  explain_.storage_scan = true;
  const WordsField& field = reading_->collection->schema->words[words_index];
  WordsView view;
  QUIPU_TRY(view.index, index::SparseIndex::create(words_options(), state_.epochs));
  WordsReader reader;
  const MatchVisitor each = [&](const PointId& id, std::string_view bytes) -> Result<bool> {
    QUIPU_TRY(const PointRecord record, decode_point_record(bytes));
    QUIPU_TRY(const bool has_text, reader.read(field, record.text, record.payload));
    if (!has_text) return true;
    const auto slot = static_cast<std::uint32_t>(view.ids.size());
    view.ids.push_back(id);
    view.index->insert(SlotId(slot), reader.terms(), Seq(1));
    if (view.ids.size() % kRowsPerPublish == 0) view.moment = view.index->publish();
    return true;
  };
  QUIPU_TRY_OK(for_each_point(filters_->scope(shard_index), each));
  view.moment = view.index->publish();
  view.as_of = Seq(1);
  return view;
}

Result<StageHits> QueryRun::by_words(std::size_t words_index, std::string_view text, double k1,
                                     double b, const Scope& scope) {
  const WordsField& field = reading_->collection->schema->words[words_index];
  const std::map<std::string, double> asked = query_terms(*field.analyzer, text);
  std::vector<WordsView> views;
  index::SparseTotals totals;
  std::map<std::string, std::uint64_t> having;
  // First what all shards have together, so that the answer does not depend on how many there are.
  for (std::size_t shard = 0; shard < shard_count(); ++shard) {
    QUIPU_TRY(WordsView view, words_view(words_index, shard));
    const index::SparseTotals own = index::SparseIndex::totals(*view.moment);
    totals.rows += own.rows;
    totals.length += own.length;
    for (const auto& [term, count] : asked) {
      having[term] += view.index->rows_with(*view.moment, term, view.as_of);
    }
    views.push_back(std::move(view));
  }
  std::vector<index::SparseTerm> terms;
  for (const auto& [term, count] : asked) {
    terms.push_back({.key = term, .weight = count * index::idf(totals.rows, having[term])});
  }
  const double mean =
      totals.rows == 0 ? 1 : static_cast<double>(totals.length) / static_cast<double>(totals.rows);
  StageHits result;
  for (std::size_t shard = 0; shard < shard_count(); ++shard) {
    const WordsView& view = views[shard];
    const SlotMap& slots = reading_->collection->shards[shard]->slots;
    const auto id_of = [&view, &slots](SlotId slot) {
      return view.ids.empty() ? slots.id_of(slot) : view.ids[slot.value()];
    };
    std::unordered_set<PointId> candidates;
    std::optional<IdSlots> by_id;
    const index::SlotFilter* filter = nullptr;
    if (scope.candidates != nullptr) {
      const std::vector<PointId> ids = candidates_of(scope, shard);
      candidates.insert(ids.begin(), ids.end());
      filter = &by_id.emplace(candidates, id_of);
    } else {
      QUIPU_TRY(const Matches* const matches, filters_->matches(scope.chain, shard));
      // A view that was made for this query has slots of its own.
      if (matches != nullptr && view.ids.empty()) filter = matches->slots();
      if (matches != nullptr && filter == nullptr) filter = &by_id.emplace(matches->ids(), id_of);
    }
    const IdOrder by_ids(slots);
    std::vector<index::SparseHit> hits(std::min<std::size_t>(
        scope.limit, std::max<std::uint64_t>(reading_->moments[shard]->points, 1)));
    index::SparseSearchStats stats;
    QUIPU_TRY(const std::size_t count,
              view.index->search(*view.moment, terms,
                                 {.as_of = view.as_of,
                                  .bm25 = {.k1 = k1, .b = b},
                                  .length_mean = mean,
                                  .filter = filter,
                                  .ties = view.ids.empty() ? &by_ids : nullptr,
                                  .deadline = reading_->deadline,
                                  .clock = state_.clock},
                                 hits, &stats));
    explain_.postings += stats.postings;
    for (std::size_t i = 0; i < count; ++i) {
      result.hits.push_back(
          {.id = id_of(hits[i].slot), .shard_index = shard, .score = hits[i].score});
    }
  }
  keep_best(result.hits, scope.limit, false);
  return result;
}

}  // namespace quipu::engine
