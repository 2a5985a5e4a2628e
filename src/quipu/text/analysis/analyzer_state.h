// What an analyzer is made of: its configuration, ready for use.
#pragma once

#include <optional>
#include <string_view>

#include "quipu/text/analysis/analyzer.h"
#include "quipu/text/analysis/stemmer.h"
#include "quipu/text/analysis/stop_words.h"
#include "quipu/text/analysis/tailoring.h"
#include "quipu/text/analysis/term_folder.h"

namespace quipu::text::analysis {

// Immutable once made. `config` has passed check_analyzer().
struct AnalyzerState {
  explicit AnalyzerState(AnalyzerConfig given);

  [[nodiscard]] std::string_view cut(std::string_view term) const noexcept {
    return cuts_at_apostrophe ? cut_at_apostrophe(term, tailoring) : term;
  }

  AnalyzerConfig config;
  Tailoring tailoring;
  TermFolder folder;
  std::optional<Stemmer> stemmer;
  StopWordSet stop_words;
  bool cuts_at_apostrophe = false;
  // What a letter, digit or underscore of ASCII becomes; 0 for other bytes, and for a letter that
  // the language folds to one beyond ASCII.
  char ascii[256] = {};
};

}  // namespace quipu::text::analysis
