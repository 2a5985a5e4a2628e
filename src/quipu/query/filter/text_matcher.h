// Matching the words of a text with those of a query.
#pragma once

#include <memory>
#include <string_view>

#include "quipu/filter.h"
#include "quipu/result.h"

namespace quipu::query {

// A query, analysed once for any number of texts. Threads: immutable.
class TextQuery {
 public:
  virtual ~TextQuery() = default;
  // `text` is well-formed UTF-8.
  [[nodiscard]] virtual bool matches(std::string_view text) const = 0;
};

// What a word is, and which are equal: a text index implements this with its analyzer, so that a
// filter means the same with the index and without. Threads: immutable.
class TextMatcher {
 public:
  virtual ~TextMatcher() = default;
  // kAll: the text contains all words of `query`; kAny: at least one; kPhrase: all of them, one
  // after the other. A query without words matches nothing. `query` is well-formed UTF-8, borrowed
  // for the call; the result does not outlive this matcher. Errors: kInvalidArgument, for a query
  // that the matcher does not take.
  [[nodiscard]] virtual Result<std::unique_ptr<TextQuery>> prepare(
      TextMatchMode mode, std::string_view query) const = 0;
};

// For fields without a text index, as in Qdrant 1.19.1 and later: words are the longest runs of
// letters, marks and digits (of any script), compared in lower case.
// Errors of prepare(): over kFilterTextWordsMax words. Cost of matches(): O(text) steps, no
// allocation but for a thread's first calls.
[[nodiscard]] const TextMatcher& word_matcher();

// As Qdrant did before 1.19.1: kAll and kPhrase mean that the text contains the query, kAny that it
// contains one of the pieces between white space; byte for byte. The empty text is in every text.
[[nodiscard]] const TextMatcher& substring_matcher();

}  // namespace quipu::query
