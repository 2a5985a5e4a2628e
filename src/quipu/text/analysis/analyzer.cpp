#include "quipu/text/analysis/analyzer.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <functional>
#include <utility>

#include "quipu/text/analysis/analyzer_check.h"
#include "quipu/text/analysis/analyzer_state.h"
#include "quipu/text/analysis/dictionary_breaker.h"
#include "quipu/text/analysis/lossy_utf8.h"
#include "quipu/text/analysis/tables.h"
#include "quipu/text/analysis/word_breaker.h"

namespace quipu::text {
namespace analysis {
namespace {

// A longer word of ASCII has more characters than any configuration keeps.
constexpr std::size_t kAsciiWordMax = 2048;

constexpr bool is_letter(char c) noexcept {
  return static_cast<unsigned char>((c | 0x20) - 'a') < 26;
}
constexpr bool is_digit(char c) noexcept { return static_cast<unsigned char>(c - '0') < 10; }
constexpr bool is_ascii(char c) noexcept { return static_cast<unsigned char>(c) < 0x80; }

// What a byte says about words that may begin with it.
enum class Start : std::uint8_t { kNever, kYes, kLook };
constexpr std::array<Start, 256> kStarts = [] {
  std::array<Start, 256> out = {};
  for (std::size_t byte = 0; byte < 256; ++byte) {
    const auto c = static_cast<char>(byte);
    out[byte] = !is_ascii(c)                  ? Start::kLook
                : is_letter(c) || is_digit(c) ? Start::kYes
                                              : Start::kNever;
  }
  return out;
}();

// Whether UAX #29 keeps the three together (WB6, 7, 11, 12), for ASCII.
constexpr bool joins(char before, char middle, char after) noexcept {
  if (middle != '\'' && middle != '.' && middle != ':' && middle != ',' && middle != ';') {
    return false;
  }
  if (is_letter(before)) return middle != ',' && middle != ';' && is_letter(after);
  return middle != ':' && is_digit(before) && is_digit(after);
}

// The language that the letters are of: the stemmer's, or that of the only list of stop words.
std::string_view language_of(const AnalyzerConfig& config) noexcept {
  if (!config.stemmer.empty()) return config.stemmer;
  return config.stop_word_languages.size() == 1 ? std::string_view(config.stop_word_languages[0])
                                                : std::string_view();
}

// One analysis: walks over the text and hands each word's term on.
class Walk {
 public:
  Walk(const AnalyzerState& state, std::string_view text, TermSink& sink, AnalyzeFor use)
      : state_(state), text_(text), sink_(sink), use_(use) {}

  void words();
  void between_blanks();

 private:
  // The bytes of a word, or of its term.
  struct Span {
    std::size_t begin;
    std::size_t end;
  };

  // Each is false when the sink wants no more.
  bool take(Span word);
  bool take_folded(TermFolder::Folded folded, Span word);
  bool take_beginnings(std::string_view term, Span word);
  bool take_dictionary_run(Span run);
  bool emit(std::string_view term, Span word);

  // The kind of the character there, and where the next one begins.
  [[nodiscard]] std::pair<const CharKind*, std::size_t> kind_at(std::size_t at) const noexcept;
  [[nodiscard]] std::size_t next_word(std::size_t at) const noexcept;
  [[nodiscard]] std::size_t dictionary_run_end(std::size_t begin) const noexcept;
  [[nodiscard]] Span without_connectors(Span word) const noexcept;
  [[nodiscard]] bool copy_ascii_word(std::size_t begin, std::size_t& end) noexcept;

  const AnalyzerState& state_;
  const std::string_view text_;
  TermSink& sink_;
  const AnalyzeFor use_;
  std::uint32_t word_count_ = 0;
  char term_[kTermBytesMax];
};

std::pair<const CharKind*, std::size_t> Walk::kind_at(std::size_t at) const noexcept {
  const DecodedChar c = decode_lossy(text_.data() + at, text_.data() + text_.size());
  return {&char_kind(c.value), at + c.size};
}

// The first character from `at` on that makes a word. Between it and what is before it there is a
// boundary or a connector, which is in no term: so its word begins here.
std::size_t Walk::next_word(std::size_t at) const noexcept {
  while (at < text_.size()) {
    const Start start = kStarts[static_cast<unsigned char>(text_[at])];
    if (start == Start::kYes) return at;
    if (start == Start::kNever) {
      ++at;
      continue;
    }
    const auto [kind, next] = kind_at(at);
    if ((kind->flags & kCharTerm) != 0) return at;
    at = next;
  }
  return at;
}

// Folds the word that begins there into term_ when it and what bounds it are ASCII, and says where
// it ends: word_end() for nine words of ten in English, without decoding.
bool Walk::copy_ascii_word(std::size_t begin, std::size_t& end) noexcept {
  const std::size_t limit = std::min(text_.size(), begin + kAsciiWordMax);
  const char* const p = text_.data();
  std::size_t at = begin;
  for (;;) {
    char c = 0;
    while (at < limit && (c = state_.ascii[static_cast<unsigned char>(p[at])]) != 0) {
      term_[at - begin] = c;
      ++at;
    }
    if (at == text_.size()) break;
    // A word that is too long, or a letter that becomes one beyond ASCII.
    if (at == limit || !is_ascii(p[at]) || is_letter(p[at])) return false;
    if (at + 1 == text_.size()) break;
    if (!is_ascii(p[at + 1])) return false;
    if (!joins(p[at - 1], p[at], p[at + 1])) break;
    term_[at - begin] = p[at];
    ++at;
  }
  end = at;
  return true;
}

// Connectors (underscores, narrow no-break spaces) hold words together, and mean nothing at an end.
Walk::Span Walk::without_connectors(Span word) const noexcept {
  std::size_t end = word.end;
  for (std::size_t at = word.end; at > word.begin;) {
    --at;
    while (at > word.begin && is_utf8_continuation(text_[at])) --at;
    const WordClass found = kind_at(at).first->word_class;
    if (found == WordClass::kExtendNumLet) {
      end = at;
    } else if (found != WordClass::kExtend && found != WordClass::kFormat &&
               found != WordClass::kZwj) {
      break;
    }
  }
  return {word.begin, end};
}

std::size_t Walk::dictionary_run_end(std::size_t begin) const noexcept {
  std::size_t end = begin;
  do {
    end = word_end(text_, end);
  } while (end < text_.size() && (kind_at(end).first->flags & kCharDictionary) != 0);
  return end;
}

void Walk::words() {
  const bool dictionaries = state_.config.tokenizer == WordTokenizer::kMultilingual;
  for (std::size_t at = next_word(0); at < text_.size(); at = next_word(at)) {
    std::size_t end = 0;
    if (is_ascii(text_[at]) && copy_ascii_word(at, end)) {
      std::size_t size = end - at;
      while (term_[size - 1] == '_') --size;
      if (!take_folded({size, true}, {at, at + size})) return;
    } else if (dictionaries && (kind_at(at).first->flags & kCharDictionary) != 0) {
      end = dictionary_run_end(at);
      if (!take_dictionary_run({at, end})) return;
    } else {
      end = word_end(text_, at);
      if (!take(without_connectors({at, end}))) return;
    }
    at = end;
  }
}

void Walk::between_blanks() {
  std::size_t begin = 0;  // of the word
  for (std::size_t at = 0; at < text_.size();) {
    const auto [kind, next] = kind_at(at);
    if ((kind->flags & kCharBlank) != 0) {
      if (begin < at && !take({begin, at})) return;
      begin = next;
    }
    at = next;
  }
  if (begin < text_.size()) take({begin, text_.size()});
}

bool Walk::take_dictionary_run(Span run) {
  bool more = true;
  std::size_t begin = run.begin;
  const auto visit = [&](std::size_t size) {
    const std::size_t end = run.begin + size;
    const std::size_t at = next_word(begin);  // past punctuation, which is a piece of its own
    if (at < end) more = take(without_connectors({at, end}));
    begin = end;
    return more;
  };
  for_each_dictionary_word(text_.substr(run.begin, run.end - run.begin), std::cref(visit));
  return more;
}

bool Walk::take(Span word) {
  return take_folded(state_.folder.fold(text_.substr(word.begin, word.end - word.begin), term_),
                     word);
}

bool Walk::take_folded(TermFolder::Folded folded, Span word) {
  ++word_count_;
  const AnalyzerConfig& config = state_.config;
  const bool prefix = config.tokenizer == WordTokenizer::kPrefix;
  if (!folded.complete && !prefix) return true;
  std::string_view term = state_.cut({term_, folded.size});
  if (!(prefix && use_ == AnalyzeFor::kQuery) && state_.stop_words.contains(term)) return true;
  if (state_.stemmer.has_value() && folded.complete) {
    if (term.data() != term_) std::memmove(term_, term.data(), term.size());
    term = {term_, state_.stemmer->stem(term_, term.size())};
  }
  if (term.empty()) return true;
  if (prefix) return take_beginnings(term, word);
  if (term.size() > config.max_token_len || config.min_token_len > 1) {
    const std::size_t length = count_chars(term.data(), term.size());
    if (length < config.min_token_len || length > config.max_token_len) return true;
  }
  return emit(term, word);
}

bool Walk::take_beginnings(std::string_view term, Span word) {
  const AnalyzerConfig& config = state_.config;
  std::size_t length = 0;
  std::size_t last = 0;  // bytes of the longest beginning that is allowed
  for (std::size_t at = 0; at < term.size() && length < config.max_token_len;) {
    ++at;
    while (at < term.size() && is_utf8_continuation(term[at])) ++at;
    if (++length < config.min_token_len) continue;
    last = at;
    if (use_ == AnalyzeFor::kIndex && !emit(term.substr(0, at), word)) return false;
  }
  return use_ == AnalyzeFor::kIndex || last == 0 || emit(term.substr(0, last), word);
}

bool Walk::emit(std::string_view term, Span word) {
  return sink_.add({.text = term,
                    .position = word_count_ - 1,
                    .begin = static_cast<std::uint32_t>(word.begin),
                    .end = static_cast<std::uint32_t>(word.end)});
}

}  // namespace

AnalyzerState::AnalyzerState(AnalyzerConfig given)
    : config(std::move(given)),
      tailoring(tailoring_of(language_of(config))),
      folder({.case_folding = config.lowercase,
              .ascii_folding = config.ascii_folding,
              .turkic = tailoring.turkic,
              .romanian = tailoring.romanian}) {
  if (!config.stemmer.empty()) stemmer = Stemmer::find(config.stemmer);
  cuts_at_apostrophe = !tailoring.elisions.empty() || tailoring.endings_after_apostrophe;
  for (int byte = 0; byte < 128; ++byte) {
    const auto c = static_cast<char>(byte);
    if (!is_letter(c) && !is_digit(c) && c != '_') continue;
    if (c == 'I' && tailoring.turkic && config.lowercase) continue;
    const bool lowers = config.lowercase && c >= 'A' && c <= 'Z';
    ascii[byte] = lowers ? static_cast<char>(c | 0x20) : c;
  }
  char term[kTermBytesMax];
  const auto add = [&](std::string_view word) {
    stop_words.add(cut({term, folder.fold(word, term).size}));
  };
  for (const std::string& word : config.stop_words) add(word);
  for (const std::string& language : config.stop_word_languages) {
    std::string_view words = stop_words_of(language).value_or("");
    while (!words.empty()) {
      const std::size_t size = std::min(words.find(' '), words.size());
      add(words.substr(0, size));
      words.remove_prefix(std::min(size + 1, words.size()));
    }
  }
}

}  // namespace analysis

bool TermList::add(const Term& term) {
  entries_.push_back({bytes_.size(), static_cast<std::uint32_t>(term.text.size()), term.position,
                      term.begin, term.end});
  bytes_ += term.text;
  return true;
}

void TermList::clear() noexcept {
  bytes_.clear();
  entries_.clear();
}

Term TermList::operator[](std::size_t index) const noexcept {
  const Entry& entry = entries_[index];
  return {.text = std::string_view(bytes_).substr(entry.offset, entry.size),
          .position = entry.position,
          .begin = entry.begin,
          .end = entry.end};
}

Analyzer::Analyzer(std::unique_ptr<const analysis::AnalyzerState> state)
    : state_(std::move(state)) {}
Analyzer::~Analyzer() = default;

const AnalyzerConfig& Analyzer::config() const noexcept { return state_->config; }

Result<std::unique_ptr<Analyzer>> Analyzer::create(const AnalyzerConfig& config) {
  QUIPU_TRY_OK(analysis::check_analyzer(config, "analyzer"));
  if (config.tokenizer == WordTokenizer::kMultilingual) {
    QUIPU_TRY_OK(analysis::check_dictionaries());
  }
  auto state = std::make_unique<const analysis::AnalyzerState>(analysis::canonical(config));
  return std::unique_ptr<Analyzer>(new Analyzer(std::move(state)));
}

void Analyzer::analyze(std::string_view text, TermSink& sink, AnalyzeFor use) const {
  analysis::Walk walk(*state_, text.substr(0, UINT32_MAX), sink, use);
  if (state_->config.tokenizer == WordTokenizer::kWhitespace) {
    walk.between_blanks();
  } else {
    walk.words();
  }
}

}  // namespace quipu::text
