#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "quipu/base/quote.h"
#include "quipu/text/analysis/analyzer.h"
#include "quipu/text/analysis/analyzer_check.h"
#include "quipu/text/analysis/stemmer.h"
#include "quipu/text/analysis/stop_words.h"

namespace quipu::text {
namespace {

constexpr std::pair<std::string_view, WordTokenizer> kTokenizers[] = {
    {"word", WordTokenizer::kWord},
    {"whitespace", WordTokenizer::kWhitespace},
    {"prefix", WordTokenizer::kPrefix},
    {"multilingual", WordTokenizer::kMultilingual}};

// ISO 639 codes of the languages that have a stemmer or stop words.
constexpr std::pair<std::string_view, std::string_view> kCodes[] = {
    {"ar", "arabic"},     {"ca", "catalan"},  {"da", "danish"},     {"de", "german"},
    {"el", "greek"},      {"en", "english"},  {"es", "spanish"},    {"eu", "basque"},
    {"fi", "finnish"},    {"fr", "french"},   {"ga", "irish"},      {"hi", "hindi"},
    {"hu", "hungarian"},  {"hy", "armenian"}, {"id", "indonesian"}, {"it", "italian"},
    {"lt", "lithuanian"}, {"ne", "nepali"},   {"nl", "dutch"},      {"no", "norwegian"},
    {"pt", "portuguese"}, {"ro", "romanian"}, {"ru", "russian"},    {"sr", "serbian"},
    {"sv", "swedish"},    {"ta", "tamil"},    {"tr", "turkish"},    {"yi", "yiddish"}};

std::string_view full_name(std::string_view language) noexcept {
  for (const auto& [code, name] : kCodes) {
    if (code == language) return name;
  }
  return language;
}

std::string list_of(const std::vector<std::string_view>& names) {
  std::string out;
  for (const std::string_view name : names) {
    if (!out.empty()) out += ", ";
    out += name;
  }
  return out;
}

Error invalid(const std::string& message) {
  return Error{ErrorCode::kInvalidArgument, message, "invalid_analyzer"};
}
Error wrong_kind(const std::string& member, JsonView json, std::string_view expected) {
  return invalid("'" + member + "' must be " + std::string(expected) + ", and is " +
                 std::string(json_kind_name(json.kind())));
}

bool has(const std::vector<std::string_view>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

void sort_unique(std::vector<std::string>& words) {
  std::sort(words.begin(), words.end());
  words.erase(std::unique(words.begin(), words.end()), words.end());
}

std::vector<std::string_view> languages_with_any() {
  std::vector<std::string_view> out = stemmer_languages();
  for (const std::string_view name : stop_word_languages()) {
    if (!has(out, name)) out.push_back(name);
  }
  std::sort(out.begin(), out.end());
  return out;
}

// What the language brings; without any when it brings nothing.
bool set_language(std::string_view language, AnalyzerConfig& config) {
  const std::string_view name = full_name(language);
  if (!has(languages_with_any(), name)) return false;
  if (has(stemmer_languages(), name)) config.stemmer = name;
  if (has(stop_word_languages(), name)) config.stop_word_languages = {std::string(name)};
  return true;
}

Error unknown_language(const std::string& member, std::string_view language,
                       const std::vector<std::string_view>& known) {
  return invalid("'" + member + "' is " + in_quotes(language) + "; there are: " + list_of(known));
}

Status check_lengths(const AnalyzerConfig& config, const std::string& at) {
  const bool prefix = config.tokenizer == WordTokenizer::kPrefix;
  const std::uint32_t limit = prefix ? kPrefixLenMax : kTokenLenMax;
  if (config.max_token_len < 1 || config.max_token_len > limit) {
    return invalid("'" + at + "max_token_len' is " + std::to_string(config.max_token_len) +
                   "; it must be from 1 to " + std::to_string(limit) +
                   (prefix ? " for the tokenizer \"prefix\"" : ""));
  }
  if (config.min_token_len > config.max_token_len) {
    return invalid("'" + at + "min_token_len' is " + std::to_string(config.min_token_len) +
                   "; it must be at most max_token_len, which is " +
                   std::to_string(config.max_token_len));
  }
  return ok_status();
}

// Reads members one by one; the first error stays.
class Reader {
 public:
  Reader(JsonView json, std::string_view field) : json_(json), field_(field) {}

  [[nodiscard]] std::optional<JsonView> member(std::string_view name) const {
    const std::optional<JsonView> found = json_.find(name);
    return found.has_value() && found->is_null() ? std::nullopt : found;
  }
  [[nodiscard]] std::string name_of(std::string_view member) const {
    return field_ + "." + std::string(member);
  }

  Status check_known(std::initializer_list<std::string_view> known,
                     std::initializer_list<std::string_view> others) const {
    std::optional<std::string> unknown;
    json_.for_each_member([&](std::string_view name, JsonView) {
      const bool is_known = std::find(known.begin(), known.end(), name) != known.end() ||
                            std::find(others.begin(), others.end(), name) != others.end();
      if (!is_known) unknown = name;
      return is_known;
    });
    if (!unknown.has_value()) return ok_status();
    return invalid("'" + field_ + "' has an unknown member " + in_quotes(*unknown) +
                   "; there are: " + list_of(known));
  }

  Status read_bool(std::string_view name, bool& into) const {
    const std::optional<JsonView> found = member(name);
    if (!found.has_value()) return ok_status();
    const std::optional<bool> value = found->as_bool();
    if (!value.has_value()) return wrong_kind(name_of(name), *found, "true or false");
    into = *value;
    return ok_status();
  }
  Status read_length(std::string_view name, std::uint32_t& into) const {
    const std::optional<JsonView> found = member(name);
    if (!found.has_value()) return ok_status();
    const std::optional<std::uint64_t> value = found->as_uint64();
    if (!value.has_value() || *value > UINT32_MAX) {
      return invalid("'" + name_of(name) + "' is " + found->to_string() +
                     "; it must be a whole number from 0 to " + std::to_string(kTokenLenMax));
    }
    into = static_cast<std::uint32_t>(*value);
    return ok_status();
  }
  Status read_string(std::string_view name, std::string_view& into) const {
    const std::optional<JsonView> found = member(name);
    if (!found.has_value()) return ok_status();
    const std::optional<std::string_view> value = found->as_string();
    if (!value.has_value()) return wrong_kind(name_of(name), *found, "a string");
    into = *value;
    return ok_status();
  }
  Status read_strings(std::string_view name, std::vector<std::string>& into) const {
    const std::optional<JsonView> found = member(name);
    if (!found.has_value()) return ok_status();
    if (!found->is_array()) return wrong_kind(name_of(name), *found, "an array of strings");
    Status status = ok_status();
    found->for_each_element([&](JsonView element) {
      const std::optional<std::string_view> value = element.as_string();
      if (!value.has_value()) {
        status = wrong_kind(name_of(name) + "[" + std::to_string(into.size()) + "]", element,
                            "a string");
        return false;
      }
      into.emplace_back(*value);
      return true;
    });
    return status;
  }

 private:
  JsonView json_;
  std::string field_;
};

Status read_tokenizer(const Reader& reader, AnalyzerConfig& config) {
  std::string_view name = "word";
  QUIPU_TRY_OK(reader.read_string("tokenizer", name));
  for (const auto& [known, tokenizer] : kTokenizers) {
    if (known != name) continue;
    config.tokenizer = tokenizer;
    return ok_status();
  }
  return invalid("'" + reader.name_of("tokenizer") + "' is " + in_quotes(name) +
                 "; it must be word, whitespace, prefix or multilingual");
}

Status read_stemmer(const Reader& reader, AnalyzerConfig& config) {
  const std::optional<JsonView> found = reader.member("stemmer");
  if (!found.has_value()) return ok_status();
  if (const std::optional<std::string_view> language = found->as_string()) {
    config.stemmer = full_name(*language);
    return ok_status();
  }
  if (!found->is_object()) {
    return wrong_kind(reader.name_of("stemmer"), *found, "a language or an object");
  }
  const Reader parts(*found, reader.name_of("stemmer"));
  std::string_view type;
  QUIPU_TRY_OK(parts.read_string("type", type));
  if (type == "none") {
    config.stemmer.clear();
    return parts.check_known({"type"}, {});
  }
  if (type != "snowball") {
    return invalid("'" + parts.name_of("type") + "' is " + in_quotes(type) +
                   "; it must be snowball or none");
  }
  QUIPU_TRY_OK(parts.check_known({"type", "language"}, {}));
  std::string_view language;
  QUIPU_TRY_OK(parts.read_string("language", language));
  if (language.empty()) {
    return invalid("'" + parts.name_of("language") +
                   "' is missing; there are: " + list_of(stemmer_languages()));
  }
  config.stemmer = full_name(language);
  return ok_status();
}

Status read_stop_words(const Reader& reader, AnalyzerConfig& config) {
  const std::optional<JsonView> found = reader.member("stopwords");
  if (!found.has_value()) return ok_status();
  config.stop_word_languages.clear();
  if (const std::optional<std::string_view> language = found->as_string()) {
    config.stop_word_languages.emplace_back(full_name(*language));
    return ok_status();
  }
  if (!found->is_object()) {
    return wrong_kind(reader.name_of("stopwords"), *found, "a language or an object");
  }
  const Reader parts(*found, reader.name_of("stopwords"));
  QUIPU_TRY_OK(parts.check_known({"languages", "custom"}, {}));
  QUIPU_TRY_OK(parts.read_strings("languages", config.stop_word_languages));
  for (std::string& language : config.stop_word_languages) language = full_name(language);
  return parts.read_strings("custom", config.stop_words);
}

}  // namespace

std::vector<std::string_view> stemmer_languages() { return analysis::Stemmer::languages(); }
std::vector<std::string_view> stop_word_languages() { return analysis::stop_word_languages(); }

Status analysis::check_analyzer(const AnalyzerConfig& config, std::string_view field) {
  const std::string at = std::string(field) + ".";
  if (!config.stemmer.empty() && !has(stemmer_languages(), config.stemmer)) {
    return unknown_language(at + "stemmer", config.stemmer, stemmer_languages());
  }
  for (const std::string& language : config.stop_word_languages) {
    if (!has(stop_word_languages(), language)) {
      return unknown_language(at + "stopwords", language, stop_word_languages());
    }
  }
  if (config.stop_words.size() > kStopWordsMax) {
    return invalid("'" + at + "stopwords.custom' has " + std::to_string(config.stop_words.size()) +
                   " words; the limit is " + std::to_string(kStopWordsMax));
  }
  for (const std::string& word : config.stop_words) {
    if (word.size() > kStopWordBytesMax) {
      return invalid("'" + at + "stopwords.custom' has a word of " + std::to_string(word.size()) +
                     " bytes, " + in_quotes(word) + "; the limit is " +
                     std::to_string(kStopWordBytesMax));
    }
  }
  return check_lengths(config, at);
}

AnalyzerConfig analysis::canonical(AnalyzerConfig config) {
  sort_unique(config.stop_word_languages);
  sort_unique(config.stop_words);
  // A term has a character.
  config.min_token_len = std::max<std::uint32_t>(config.min_token_len, 1);
  return config;
}

Result<AnalyzerConfig> analyzer_for_language(std::string_view language) {
  AnalyzerConfig config;
  if (!set_language(language, config)) {
    return unknown_language("language", language, languages_with_any());
  }
  return config;
}

Result<AnalyzerConfig> parse_analyzer(JsonView json, std::string_view field,
                                      std::initializer_list<std::string_view> others) {
  if (!json.is_object()) return wrong_kind(std::string(field), json, "an object");
  const Reader reader(json, field);
  QUIPU_TRY_OK(reader.check_known({"tokenizer", "lowercase", "ascii_folding", "stemmer",
                                   "stopwords", "language", "min_token_len", "max_token_len"},
                                  others));
  AnalyzerConfig config;
  QUIPU_TRY_OK(read_tokenizer(reader, config));
  QUIPU_TRY_OK(reader.read_bool("lowercase", config.lowercase));
  QUIPU_TRY_OK(reader.read_bool("ascii_folding", config.ascii_folding));
  std::string_view language = "none";
  QUIPU_TRY_OK(reader.read_string("language", language));
  if (language != "none" && !set_language(language, config)) {
    return unknown_language(reader.name_of("language"), language, languages_with_any());
  }
  QUIPU_TRY_OK(read_stemmer(reader, config));
  QUIPU_TRY_OK(read_stop_words(reader, config));
  QUIPU_TRY_OK(reader.read_length("min_token_len", config.min_token_len));
  QUIPU_TRY_OK(reader.read_length("max_token_len", config.max_token_len));
  QUIPU_TRY_OK(analysis::check_analyzer(config, field));
  return analysis::canonical(std::move(config));
}

void write_analyzer(JsonWriter& writer, const AnalyzerConfig& given) {
  const AnalyzerConfig config = analysis::canonical(given);
  writer.begin_object();
  for (const auto& [name, tokenizer] : kTokenizers) {
    if (tokenizer == config.tokenizer) writer.key("tokenizer").value(name);
  }
  writer.key("lowercase").value(config.lowercase);
  writer.key("ascii_folding").value(config.ascii_folding);
  writer.key("min_token_len").value(config.min_token_len);
  writer.key("max_token_len").value(config.max_token_len);
  if (!config.stemmer.empty()) {
    writer.key("stemmer").begin_object();
    writer.key("type").value("snowball").key("language").value(config.stemmer);
    writer.end_object();
  }
  if (!config.stop_word_languages.empty() || !config.stop_words.empty()) {
    writer.key("stopwords").begin_object().key("languages").begin_array();
    for (const std::string& name : config.stop_word_languages) writer.value(name);
    writer.end_array().key("custom").begin_array();
    for (const std::string& word : config.stop_words) writer.value(word);
    writer.end_array().end_object();
  }
  writer.end_object();
}

}  // namespace quipu::text
