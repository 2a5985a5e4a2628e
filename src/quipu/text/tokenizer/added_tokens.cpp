#include "quipu/text/tokenizer/added_tokens.h"

#include <algorithm>
#include <cstring>
#include <unordered_map>
#include <utility>

#include "quipu/text/unicode/unicode_data.h"
#include "quipu/text/unicode/utf8.h"

namespace quipu::text {
namespace {

constexpr std::size_t kAddedTokensMax = 100'000;

// The start of the character that ends before `at`; `at` is not 0.
std::size_t char_before(std::string_view text, std::size_t at) {
  do {
    --at;
  } while (at > 0 && is_utf8_continuation(text[at]));
  return at;
}

bool ends_with(std::string_view text, std::size_t at, CharFlag flag) {
  if (at == 0) return false;
  const std::size_t before = char_before(text, at);
  return UnicodeData::instance().has(decode_utf8(text.data() + before).value, flag);
}

bool starts_with(std::string_view text, std::size_t at, CharFlag flag) {
  if (at >= text.size()) return false;
  return UnicodeData::instance().has(decode_utf8(text.data() + at).value, flag);
}

Result<std::string> normalized_form(std::string_view content, const Normalizer& normalizer) {
  AlignedText chars;
  decode_aligned(content, 0, chars);
  NormalizerScratch scratch;
  QUIPU_TRY_OK(normalizer.normalize(0, scratch, chars));
  std::string out;
  for (const AlignedChar& c : chars) append_utf8(out, c.value);
  return out;
}

struct AddedEntry {
  AddedTokenFinder::Token token;
  bool normalized = false;
};

Result<AddedEntry> read_added_entry(const JsonPart& part) {
  QUIPU_TRY_OK(part.check_fields(
      {"id", "content", "single_word", "lstrip", "rstrip", "normalized", "special"}));
  AddedEntry entry;
  QUIPU_TRY(const std::string_view content, part.read_string("content", ""));
  if (find_invalid_utf8(content) != std::string_view::npos) return part.invalid("content", "UTF-8");
  entry.token.content = std::string(content);
  QUIPU_TRY(entry.token.single_word, part.read_bool("single_word", false));
  QUIPU_TRY(entry.token.strip_left, part.read_bool("lstrip", false));
  QUIPU_TRY(entry.token.strip_right, part.read_bool("rstrip", false));
  QUIPU_TRY(const bool special, part.read_bool("special", false));
  QUIPU_TRY(entry.normalized, part.read_bool("normalized", !special));
  return entry;
}

}  // namespace

Result<AddedTokenFinder> AddedTokenFinder::build(std::vector<Token> tokens) {
  AddedTokenFinder finder;
  std::vector<DoubleArray::Entry> entries;
  entries.reserve(tokens.size());
  for (const Token& token : tokens) {
    entries.emplace_back(token.content, static_cast<std::uint32_t>(entries.size()));
    finder.first_bytes_[static_cast<unsigned char>(token.content[0])] = true;
  }
  QUIPU_TRY(finder.contents_, DoubleArray::build(std::move(entries)));
  if (std::count(finder.first_bytes_.begin(), finder.first_bytes_.end(), true) == 1) {
    finder.only_first_byte_ = static_cast<unsigned char>(tokens[0].content[0]);
  }
  finder.tokens_ = std::move(tokens);
  return finder;
}

void AddedTokenFinder::find(std::string_view text, std::vector<Found>& found) const {
  found.clear();
  if (tokens_.empty()) return;
  std::size_t kept_end = 0;  // of the last token found
  for (std::size_t at = 0; at < text.size();) {
    if (only_first_byte_ >= 0) {
      const void* next = std::memchr(text.data() + at, only_first_byte_, text.size() - at);
      if (next == nullptr) return;
      at = static_cast<std::size_t>(static_cast<const char*>(next) - text.data());
    } else if (!first_bytes_[static_cast<unsigned char>(text[at])]) {
      ++at;
      continue;
    }
    const DoubleArray::Match match = contents_.longest_match(DoubleArray::root(), text.substr(at));
    if (match.size == 0) {
      ++at;
      continue;
    }
    const Token& token = tokens_[match.value];
    std::size_t begin = at;
    std::size_t end = at + match.size;
    at = end;
    if (token.single_word &&
        (ends_with(text, begin, kCharWord) || starts_with(text, end, kCharWord))) {
      continue;  // Part of a word; its bytes are not looked at again.
    }
    if (token.strip_left) {
      while (begin > kept_end && ends_with(text, begin, kCharSpace)) {
        begin = char_before(text, begin);
      }
      begin = std::max(begin, kept_end);
    }
    if (token.strip_right) {
      while (starts_with(text, end, kCharSpace)) end += decode_utf8(text.data() + end).size;
    }
    found.push_back({begin, end, token.id});
    kept_end = end;
  }
}

Result<AddedTokens> AddedTokens::read(const JsonPart& parent, const TokenModel& model,
                                      const Normalizer& normalizer) {
  AddedTokens out;
  if (!parent.find("added_tokens").has_value()) return out;
  std::vector<AddedEntry> entries;
  std::unordered_map<std::string, std::size_t> places;  // in entries
  std::uint32_t next_id = model.vocabulary().size();
  const auto visit = [&](const JsonPart& part) -> Status {
    QUIPU_TRY(AddedEntry entry, read_added_entry(part));
    if (entry.token.content.empty()) return ok_status();
    QUIPU_TRY(const std::uint64_t id, part.read_number("id", UINT64_MAX));
    const auto [place, is_new] = places.emplace(entry.token.content, entries.size());
    if (is_new) {
      const std::optional<std::uint32_t> known = model.vocabulary().find(entry.token.content);
      // Tokens that the vocabulary lacks follow it, in the file's order.
      entry.token.id = known.has_value() ? *known : next_id++;
      entries.push_back(entry);
    } else {  // The last of several counts.
      entry.token.id = entries[place->second].token.id;
      entries[place->second] = entry;
    }
    if (id == entry.token.id) return ok_status();
    return part.invalid("id", std::to_string(entry.token.id) + ", which the vocabulary gives '" +
                                  entry.token.content + "'");
  };
  Status status = parent.for_each("added_tokens", kAddedTokensMax, visit);
  QUIPU_TRY_OK(std::move(status));
  std::vector<AddedTokenFinder::Token> raw;
  std::vector<AddedTokenFinder::Token> normalized;
  for (AddedEntry& entry : entries) {
    out.ids.emplace_back(entry.token.content, entry.token.id);
    out.ids_end = std::max(out.ids_end, entry.token.id + 1);
    if (entry.normalized) {
      QUIPU_TRY(entry.token.content, normalized_form(entry.token.content, normalizer));
    }
    // One that becomes empty can never be found.
    if (entry.token.content.empty()) continue;
    (entry.normalized ? normalized : raw).push_back(std::move(entry.token));
  }
  QUIPU_TRY(out.raw, AddedTokenFinder::build(std::move(raw)));
  QUIPU_TRY(out.normalized, AddedTokenFinder::build(std::move(normalized)));
  return out;
}

std::string AddedTokens::token(std::uint32_t id) const {
  for (const auto& [content, own] : ids) {
    if (own == id) return content;
  }
  return "";
}

}  // namespace quipu::text
