#include "quipu/query/filter/text_matcher.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "quipu/base/limits.h"
#include "quipu/text/unicode/unicode_data.h"
#include "quipu/text/unicode/utf8.h"

namespace quipu::query {
namespace {

constexpr char32_t kCapitalSigma = 0x3A3;
constexpr char32_t kFinalSigma = 0x3C2;

// Punctuation that \w of regular expressions takes in, and the two joiners.
bool is_connector(char32_t c) {
  return c == U'_' || c == 0x203F || c == 0x2040 || c == 0x2054 || c == 0xFE33 || c == 0xFE34 ||
         (c >= 0xFE4D && c <= 0xFE4F) || c == 0xFF3F || c == 0x200C || c == 0x200D;
}

bool is_word_char(char32_t c, const text::UnicodeData& unicode) {
  if (c < 0x80) {
    return (c >= U'0' && c <= U'9') || (c >= U'a' && c <= U'z') || (c >= U'A' && c <= U'Z');
  }
  if (unicode.has(c, text::kCharWord)) return !is_connector(c);
  // Superscript, circled and fractional digits are no \w, but numbers all the same.
  const std::span<const char32_t> plain = unicode.compatibility(c);
  return !plain.empty() && plain[0] >= U'0' && plain[0] <= U'9';
}

// Walks over the words of a text, in lower case. A word longer than `bytes_max` is cut right after
// it: it still equals no word of at most that length.
class Words {
 public:
  Words(std::string_view text, std::size_t bytes_max, std::string& scratch)
      : text_(text), bytes_max_(bytes_max), word_(scratch) {}

  // Goes to the next word; false at the end.
  bool next() {
    word_.clear();
    bool inside = false;
    while (at_ < text_.size()) {
      const text::DecodedChar c = text::decode_utf8(text_.data() + at_);
      const bool word_char = is_word_char(c.value, unicode_);
      if (!word_char && inside) return true;
      at_ += c.size;
      if (!word_char) continue;
      if (word_.size() <= bytes_max_) append_lower(c.value, inside);
      inside = true;
    }
    return inside;
  }
  [[nodiscard]] std::string_view word() const { return word_; }

 private:
  void append_lower(char32_t c, bool inside) {
    if (c < 0x80) {
      word_.push_back(static_cast<char>(c >= U'A' && c <= U'Z' ? c + 32 : c));
      return;
    }
    if (c == kCapitalSigma && inside && at_word_end()) {  // the one letter with a final form
      text::append_utf8(word_, kFinalSigma);
      return;
    }
    const std::span<const char32_t> lower = unicode_.lowercase(c);
    if (lower.empty()) text::append_utf8(word_, c);
    for (const char32_t part : lower) text::append_utf8(word_, part);
  }

  [[nodiscard]] bool at_word_end() const {
    return at_ == text_.size() ||
           !is_word_char(text::decode_utf8(text_.data() + at_).value, unicode_);
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::size_t bytes_max_;
  std::string& word_;
  const text::UnicodeData& unicode_ = text::UnicodeData::instance();
};

// Kept between calls, so that matching allocates nothing; as long as the longest word of a query.
std::string& scratch_word() {
  thread_local std::string scratch;
  return scratch;
}

class AllOrAnyWords : public TextQuery {
 public:
  // `words` are distinct and in order.
  AllOrAnyWords(std::vector<std::string> words, std::size_t bytes_max, bool all)
      : words_(std::move(words)), bytes_max_(bytes_max), all_(all) {}

  [[nodiscard]] bool matches(std::string_view text) const override {
    std::array<std::uint64_t, limits::kFilterTextWordsMax / 64> seen{};
    std::size_t missing = words_.size();
    Words words(text, bytes_max_, scratch_word());
    while (missing > 0 && words.next()) {
      const auto found =
          std::lower_bound(words_.begin(), words_.end(), words.word(), std::less<>());
      if (found == words_.end() || *found != words.word()) continue;
      if (!all_) return true;
      const auto index = static_cast<std::size_t>(found - words_.begin());
      const std::uint64_t bit = std::uint64_t{1} << (index % 64);
      if ((seen[index / 64] & bit) == 0) --missing;
      seen[index / 64] |= bit;
    }
    return all_ && missing == 0 && !words_.empty();
  }

 private:
  std::vector<std::string> words_;
  std::size_t bytes_max_;
  bool all_;
};

// By the algorithm of Knuth, Morris and Pratt over words, which never goes back in the text.
class PhraseOfWords : public TextQuery {
 public:
  PhraseOfWords(std::vector<std::string> words, std::size_t bytes_max)
      : words_(std::move(words)), bytes_max_(bytes_max), fallback_(words_.size(), 0) {
    for (std::size_t i = 1, matched = 0; i < words_.size(); ++i) {
      while (matched > 0 && words_[i] != words_[matched]) matched = fallback_[matched - 1];
      if (words_[i] == words_[matched]) ++matched;
      fallback_[i] = matched;
    }
  }

  [[nodiscard]] bool matches(std::string_view text) const override {
    if (words_.empty()) return false;
    std::size_t matched = 0;
    Words words(text, bytes_max_, scratch_word());
    while (words.next()) {
      while (matched > 0 && words.word() != words_[matched]) matched = fallback_[matched - 1];
      if (words.word() == words_[matched] && ++matched == words_.size()) return true;
    }
    return false;
  }

 private:
  std::vector<std::string> words_;
  std::size_t bytes_max_;
  // fallback_[i]: how many words the phrase begins with that also end words_[0..i], less than all.
  std::vector<std::size_t> fallback_;
};

class WordMatcher : public TextMatcher {
 public:
  [[nodiscard]] Result<std::unique_ptr<TextQuery>> prepare(TextMatchMode mode,
                                                           std::string_view query) const override {
    std::vector<std::string> words;
    std::size_t bytes_max = 0;
    std::string scratch;
    Words each(query, std::string_view::npos, scratch);
    while (each.next()) {
      if (words.size() == limits::kFilterTextWordsMax) {
        return Error{
            .code = ErrorCode::kInvalidArgument,
            .message = "has more than " + std::to_string(limits::kFilterTextWordsMax) + " words",
            .reason = "filter_too_large"};
      }
      words.emplace_back(each.word());
      bytes_max = std::max(bytes_max, words.back().size());
    }
    std::unique_ptr<TextQuery> prepared;
    if (mode == TextMatchMode::kPhrase) {
      prepared = std::make_unique<PhraseOfWords>(std::move(words), bytes_max);
    } else {
      std::sort(words.begin(), words.end());
      words.erase(std::unique(words.begin(), words.end()), words.end());
      prepared =
          std::make_unique<AllOrAnyWords>(std::move(words), bytes_max, mode == TextMatchMode::kAll);
    }
    return prepared;
  }
};

class AnyPart : public TextQuery {
 public:
  explicit AnyPart(std::vector<std::string> parts) : parts_(std::move(parts)) {}
  [[nodiscard]] bool matches(std::string_view text) const override {
    return std::any_of(parts_.begin(), parts_.end(), [text](const std::string& part) {
      return text.find(part) != std::string_view::npos;
    });
  }

 private:
  std::vector<std::string> parts_;
};

class SubstringMatcher : public TextMatcher {
 public:
  [[nodiscard]] Result<std::unique_ptr<TextQuery>> prepare(TextMatchMode mode,
                                                           std::string_view query) const override {
    std::vector<std::string> parts;
    if (mode == TextMatchMode::kAny) {
      parts = pieces(query);
    } else {
      parts.emplace_back(query);
    }
    std::unique_ptr<TextQuery> prepared = std::make_unique<AnyPart>(std::move(parts));
    return prepared;
  }

 private:
  static std::vector<std::string> pieces(std::string_view query) {
    const text::UnicodeData& unicode = text::UnicodeData::instance();
    std::vector<std::string> parts;
    bool inside = false;
    for (std::size_t at = 0; at < query.size();) {
      const text::DecodedChar c = text::decode_utf8(query.data() + at);
      const bool space = unicode.has(c.value, text::kCharSpace);
      if (!space && !inside) parts.emplace_back();
      if (!space) parts.back().append(query, at, c.size);
      inside = !space;
      at += c.size;
    }
    return parts;
  }
};

}  // namespace

const TextMatcher& word_matcher() {
  static const WordMatcher matcher;
  return matcher;
}

const TextMatcher& substring_matcher() {
  static const SubstringMatcher matcher;
  return matcher;
}

}  // namespace quipu::query
