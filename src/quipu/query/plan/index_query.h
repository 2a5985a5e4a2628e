// Predicates of filters as questions to payload indexes.
#pragma once

#include <memory>
#include <optional>

#include "quipu/filter.h"
#include "quipu/index/payload/payload_index.h"
#include "quipu/text/analysis/analyzer.h"

namespace quipu::query {

// A payload index, as of one moment, and for a text index the analyzer that its terms are made
// with. Borrowed.
struct IndexedField {
  const index::PayloadIndex* index = nullptr;
  const index::PayloadIndex::Moment* moment = nullptr;
  const text::Analyzer* analyzer = nullptr;
};

struct IndexQuery {
  index::PayloadQuery query;
  std::unique_ptr<const index::GeoRegion> region;  // what the query points to, if it is of an area
};

// The question that this index answers as a CompiledFilter would; none when it cannot. The
// predicate was checked (check_filter()).
[[nodiscard]] std::optional<IndexQuery> index_query(const FieldPredicate& predicate,
                                                    const IndexedField& field);

}  // namespace quipu::query
