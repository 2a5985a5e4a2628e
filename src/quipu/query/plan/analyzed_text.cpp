#include "quipu/query/plan/analyzed_text.h"

#include <algorithm>
#include <functional>
#include <memory>

#include "quipu/base/format.h"
#include "quipu/base/limits.h"

namespace quipu::query {
namespace {

class QuerySink final : public text::TermSink {
 public:
  bool add(const text::Term& term) override {
    too_many = terms.size() == limits::kFilterTextWordsMax;
    if (!too_many) terms.push_back({std::string(term.text), term.position});
    return !too_many;
  }
  std::vector<QueryTerm> terms;
  bool too_many = false;
};

// Notes which of the terms (distinct, in order) a text has.
class SeenTerms final : public text::TermSink {
 public:
  SeenTerms(const std::vector<QueryTerm>& terms, bool all)
      : terms_(terms), seen_(terms.size(), false), missing_(all ? terms.size() : 1) {}
  bool add(const text::Term& term) override {
    const auto found =
        std::lower_bound(terms_.begin(), terms_.end(), term.text,
                         [](const QueryTerm& a, std::string_view b) { return a.term < b; });
    if (found == terms_.end() || found->term != term.text) return true;
    const auto index = static_cast<std::size_t>(found - terms_.begin());
    if (!seen_[index]) --missing_;
    seen_[index] = true;
    return missing_ > 0;
  }
  [[nodiscard]] bool found() const { return missing_ == 0; }

 private:
  const std::vector<QueryTerm>& terms_;
  std::vector<bool> seen_;
  std::size_t missing_;
};

// Notes where a phrase would begin, for each of its terms that is met.
class PhraseStarts final : public text::TermSink {
 public:
  explicit PhraseStarts(const std::vector<QueryTerm>& terms)
      : terms_(terms), by_term_(terms.size()), starts_(terms.size()) {
    for (std::size_t i = 0; i < terms.size(); ++i) by_term_[i] = i;
    std::sort(by_term_.begin(), by_term_.end(),
              [&terms](std::size_t a, std::size_t b) { return terms[a].term < terms[b].term; });
  }
  bool add(const text::Term& term) override {
    auto at =
        std::lower_bound(by_term_.begin(), by_term_.end(), term.text,
                         [this](std::size_t a, std::string_view b) { return terms_[a].term < b; });
    for (; at != by_term_.end() && terms_[*at].term == term.text; ++at) {
      const std::uint32_t offset = terms_[*at].position - terms_.front().position;
      // Ascending, as positions are.
      if (term.position >= offset) starts_[*at].push_back(term.position - offset);
    }
    return true;
  }
  [[nodiscard]] bool found() const {
    return std::any_of(starts_.front().begin(), starts_.front().end(), [this](std::uint32_t start) {
      return std::all_of(starts_.begin(), starts_.end(), [start](const auto& starts) {
        return std::binary_search(starts.begin(), starts.end(), start);
      });
    });
  }

 private:
  const std::vector<QueryTerm>& terms_;
  std::vector<std::size_t> by_term_;
  std::vector<std::vector<std::uint32_t>> starts_;
};

class AnalyzedQuery final : public TextQuery {
 public:
  AnalyzedQuery(const text::Analyzer& analyzer, TextMatchMode mode, std::vector<QueryTerm> terms)
      : analyzer_(analyzer), mode_(mode), terms_(std::move(terms)) {}

  [[nodiscard]] bool matches(std::string_view text) const override {
    if (terms_.empty()) return false;
    if (mode_ == TextMatchMode::kPhrase && terms_.size() > 1) {
      PhraseStarts starts(terms_);
      analyzer_.analyze(text, starts);
      return starts.found();
    }
    SeenTerms seen(terms_, mode_ != TextMatchMode::kAny);
    analyzer_.analyze(text, seen);
    return seen.found();
  }

 private:
  const text::Analyzer& analyzer_;
  const TextMatchMode mode_;
  const std::vector<QueryTerm> terms_;
};

}  // namespace

Result<std::vector<QueryTerm>> query_terms(const text::Analyzer& analyzer, TextMatchMode mode,
                                           std::string_view query) {
  QuerySink sink;
  analyzer.analyze(query, sink, text::AnalyzeFor::kQuery);
  if (sink.too_many) {
    return Error{.code = ErrorCode::kInvalidArgument,
                 .message = format("has more than {} words", limits::kFilterTextWordsMax),
                 .reason = "filter_too_large"};
  }
  std::vector<QueryTerm> terms = std::move(sink.terms);
  if (mode == TextMatchMode::kPhrase) return terms;
  std::sort(terms.begin(), terms.end(), [](const QueryTerm& a, const QueryTerm& b) {
    return a.term != b.term ? a.term < b.term : a.position < b.position;
  });
  terms.erase(std::unique(terms.begin(), terms.end(),
                          [](const QueryTerm& a, const QueryTerm& b) { return a.term == b.term; }),
              terms.end());
  return terms;
}

Result<std::unique_ptr<TextQuery>> AnalyzedTextMatcher::prepare(TextMatchMode mode,
                                                                std::string_view query) const {
  QUIPU_TRY(std::vector<QueryTerm> terms, query_terms(analyzer_, mode, query));
  return std::unique_ptr<TextQuery>(
      std::make_unique<AnalyzedQuery>(analyzer_, mode, std::move(terms)));
}

}  // namespace quipu::query
