// Words as an analyzer makes them: what a text index goes by, and what filters on its field mean
// wherever they are judged.
//
// Threads: immutable.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "quipu/filter.h"
#include "quipu/query/filter/text_matcher.h"
#include "quipu/result.h"
#include "quipu/text/analysis/analyzer.h"

namespace quipu::query {

struct QueryTerm {
  std::string term;
  std::uint32_t position = 0;
  friend bool operator==(const QueryTerm&, const QueryTerm&) = default;
};
// The terms of a query: for kPhrase all of them, by position; else each once, by its bytes. A query
// without terms matches nothing.
// Errors: kInvalidArgument ("filter_too_large"), over kFilterTextWordsMax terms.
[[nodiscard]] Result<std::vector<QueryTerm>> query_terms(const text::Analyzer& analyzer,
                                                         TextMatchMode mode,
                                                         std::string_view query);

// Judges texts by the same terms. A phrase matches where its terms stand at the query's distances
// from each other.
class AnalyzedTextMatcher final : public TextMatcher {
 public:
  // The analyzer outlives this and every query made with it.
  explicit AnalyzedTextMatcher(const text::Analyzer& analyzer) : analyzer_(analyzer) {}
  [[nodiscard]] Result<std::unique_ptr<TextQuery>> prepare(TextMatchMode mode,
                                                           std::string_view query) const override;

 private:
  const text::Analyzer& analyzer_;
};

}  // namespace quipu::query
