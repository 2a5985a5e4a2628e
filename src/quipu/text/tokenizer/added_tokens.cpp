#include "quipu/text/tokenizer/added_tokens.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "quipu/text/tokenizer/json_fields.h"
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

std::string normalized_form(std::string_view content, const Normalizer& normalizer) {
  AlignedText chars;
  decode_aligned(content, 0, chars);
  normalizer.normalize(chars);
  std::string out;
  for (const AlignedChar& c : chars) append_utf8(out, c.value);
  return out;
}

struct TokenEntry {
  AddedTokenFinder::Token token;
  bool normalized = false;
};

Result<TokenEntry> read_token(JsonView json, const TokenModel& model, std::uint32_t& next_id) {
  QUIPU_TRY_OK(
      check_fields(json, "added_tokens",
                   {"id", "content", "single_word", "lstrip", "rstrip", "normalized", "special"}));
  TokenEntry entry;
  QUIPU_TRY(const std::string_view content, read_string(json, "content", ""));
  entry.token.content = std::string(content);
  QUIPU_TRY(const std::uint64_t id, read_number(json, "id", UINT64_MAX));
  QUIPU_TRY(entry.token.single_word, read_bool(json, "single_word", false));
  QUIPU_TRY(entry.token.strip_left, read_bool(json, "lstrip", false));
  QUIPU_TRY(entry.token.strip_right, read_bool(json, "rstrip", false));
  QUIPU_TRY(const bool special, read_bool(json, "special", false));
  QUIPU_TRY(entry.normalized, read_bool(json, "normalized", !special));
  const std::optional<std::uint32_t> known = model.token_id(content);
  // Tokens that the vocabulary lacks follow it, in the file's order.
  entry.token.id = known.has_value() ? *known : next_id++;
  if (id != entry.token.id) {
    return Error{ErrorCode::kInvalidArgument,
                 "added_tokens: '" + entry.token.content + "' has the id " + std::to_string(id) +
                     " where the vocabulary gives " + std::to_string(entry.token.id)};
  }
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

Result<AddedTokens> AddedTokens::read(JsonView json, const TokenModel& model,
                                      const Normalizer& normalizer) {
  AddedTokens out;
  std::vector<AddedTokenFinder::Token> raw;
  std::vector<AddedTokenFinder::Token> normalized;
  std::uint32_t next_id = model.vocabulary_size();
  Status status = ok_status();
  if (json.size() > kAddedTokensMax) {
    return invalid_field("added_tokens",
                         "an array of at most " + std::to_string(kAddedTokensMax) + " tokens");
  }
  json.for_each_element([&](JsonView part) {
    Result<TokenEntry> entry = read_token(part, model, next_id);
    if (!entry.ok()) {
      status = std::move(entry).error();
      return false;
    }
    TokenEntry& read = entry.value();
    out.ids.emplace_back(read.token.content, read.token.id);
    out.ids_end = std::max(out.ids_end, read.token.id + 1);
    if (read.normalized) {
      read.token.content = normalized_form(read.token.content, normalizer);
    }
    // One that is empty, or becomes so, can never be found.
    if (!read.token.content.empty()) {
      (read.normalized ? normalized : raw).push_back(std::move(read.token));
    }
    return true;
  });
  QUIPU_TRY_OK(std::move(status));
  QUIPU_TRY(out.raw, AddedTokenFinder::build(std::move(raw)));
  QUIPU_TRY(out.normalized, AddedTokenFinder::build(std::move(normalized)));
  return out;
}

std::optional<std::uint32_t> AddedTokens::find_id(std::string_view content) const {
  for (const auto& [token, id] : ids) {
    if (token == content) return id;
  }
  return std::nullopt;
}

}  // namespace quipu::text
