// Analyzers: from text to the terms that words search (BM25), text indexes and phrases are made of.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "quipu/base/json.h"
#include "quipu/result.h"

namespace quipu::text {

namespace analysis {
struct AnalyzerState;
}

enum class WordTokenizer : std::uint8_t {
  kWord,          // Unicode's default word boundaries (UAX #29)
  kWhitespace,    // what stands between white space, punctuation included
  kPrefix,        // kWord; indexes every beginning of a word, asks for the whole one
  kMultilingual,  // kWord, and dictionaries for Chinese, Japanese, Thai, Lao, Khmer and Burmese
};

// How a text becomes terms. What is equal gives equal terms for every text, as long as the library
// versions of Unicode, Snowball and ICU are.
struct AnalyzerConfig {
  WordTokenizer tokenizer = WordTokenizer::kWord;
  bool lowercase = true;       // full Unicode case folding: "Straße" and "STRASSE" are "strasse"
  bool ascii_folding = false;  // compatibility forms as plain ones, accents off: "ação" is "acao"
  std::string stemmer;         // "" or one of stemmer_languages(), such as "english"
  std::vector<std::string> stop_word_languages;  // of stop_word_languages()
  std::vector<std::string> stop_words;           // more of them, as a text would have them
  // In characters of the finished term; what is shorter or longer is dropped. For kPrefix these are
  // the lengths of the beginnings.
  std::uint32_t min_token_len = 1;
  std::uint32_t max_token_len = 64;

  friend bool operator==(const AnalyzerConfig&, const AnalyzerConfig&) = default;
};

inline constexpr std::uint32_t kTokenLenMax = 1024;
// A word of n characters has n prefixes, of n²/2 characters together.
inline constexpr std::uint32_t kPrefixLenMax = 256;
inline constexpr std::size_t kStopWordsMax = 10'000;
inline constexpr std::size_t kStopWordBytesMax = 255;

// Ascending. Stop words come from the lists that were there when Quipu was built.
[[nodiscard]] std::vector<std::string_view> stemmer_languages();
[[nodiscard]] std::vector<std::string_view> stop_word_languages();

// kWord and lower case with the language's stop words and stemmer, or with the one of them that it
// has. Takes a name ("english") or a code of ISO 639 ("en").
// Errors: kInvalidArgument naming the languages there are.
[[nodiscard]] Result<AnalyzerConfig> analyzer_for_language(std::string_view language);

// Reads the members of an analyzer from a JSON object; absent and null ones have the defaults
// above.
//   tokenizer      "word", "whitespace", "prefix", "multilingual"
//   lowercase, ascii_folding, min_token_len, max_token_len
//   stemmer        a language, or {"type": "snowball", "language": L}, or {"type": "none"}
//   stopwords      a language, or {"languages": [...], "custom": [...]}
//   language       short for the language's stemmer and stop words, where neither is given;
//                  "none" for neither of them
// So the parameters of Qdrant's text index and its BM25 are understood. Languages may be codes; in
// the result they are names, and lists are sorted, without duplicates: equal meanings are ==.
// `field` is what errors call the object; `others` are members that the caller reads itself.
// Errors: kInvalidArgument ("invalid_analyzer") naming field, value and what is allowed, also for
// an unknown member.
[[nodiscard]] Result<AnalyzerConfig> parse_analyzer(
    JsonView json, std::string_view field, std::initializer_list<std::string_view> others = {});
// Writes the object that parse_analyzer() reads to the same configuration: every member that has no
// default of "nothing", in a fixed order.
void write_analyzer(JsonWriter& writer, const AnalyzerConfig& config);

struct Term {
  std::string_view text;       // UTF-8 in normal form C; valid during TermSink::add() only
  std::uint32_t position = 0;  // the number of words before it, dropped ones included
  std::uint32_t begin = 0;     // the bytes of the original text that the word is
  std::uint32_t end = 0;
};

// Takes the terms of a text.
class TermSink {
 public:
  virtual ~TermSink() = default;
  // Terms come by ascending position. Must not call Analyzer::analyze(). False ends the analysis.
  virtual bool add(const Term& term) = 0;
};

// Keeps the terms of a text. Threads: one.
class TermList final : public TermSink {
 public:
  bool add(const Term& term) override;
  void clear() noexcept;  // keeps the memory
  [[nodiscard]] std::size_t size() const noexcept { return entries_.size(); }
  // Valid until add() or clear().
  [[nodiscard]] Term operator[](std::size_t index) const noexcept;

 private:
  struct Entry {
    std::size_t offset;
    std::uint32_t size;
    std::uint32_t position;
    std::uint32_t begin;
    std::uint32_t end;
  };
  std::string bytes_;
  std::vector<Entry> entries_;
};

enum class AnalyzeFor : std::uint8_t { kIndex, kQuery };  // they differ for kPrefix only

// Immutable. Threads: any number may analyze at once.
class Analyzer {
 public:
  // Errors: kInvalidArgument ("invalid_analyzer") naming the member, its value and what is allowed;
  // kUnavailable when kMultilingual's dictionaries cannot be opened.
  [[nodiscard]] static Result<std::unique_ptr<Analyzer>> create(const AnalyzerConfig& config);
  ~Analyzer();

  // As parse_analyzer() would give it.
  [[nodiscard]] const AnalyzerConfig& config() const noexcept;

  // Gives `sink` the terms of `text`, any bytes: those that are not UTF-8 count as U+FFFD, which is
  // in no word. Each word is folded, left out if it is a stop word, stemmed, and left out if its
  // length is not allowed; one left out leaves a gap in the positions, so that a phrase does not
  // match across it. Words keep the inner marks that UAX #29 gives them ("can't", "3.14",
  // "snake_case"), but no outer underscores; emoji are words.
  //
  // kPrefix gives, at one position, the word's beginnings of min to max characters, or for a query
  // the word itself, its first max characters when it is longer, a stop word or not: who types
  // "the" may want "theory".
  //
  // Bytes from 2^32 - 1 on are not looked at. Cost: linear; no allocation once a thread has worked,
  // but ICU's few for each run of a script without spaces. Memory: fixed, whatever the text (some
  // 60 kB of stack).
  void analyze(std::string_view text, TermSink& sink, AnalyzeFor use = AnalyzeFor::kIndex) const;

 private:
  explicit Analyzer(std::unique_ptr<const analysis::AnalyzerState> state);
  std::unique_ptr<const analysis::AnalyzerState> state_;
};

}  // namespace quipu::text
