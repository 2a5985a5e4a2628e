#include "quipu/text/tokenizer/charsmap.h"

#include <algorithm>
#include <cstring>

#include "quipu/text/unicode/graphemes.h"
#include "quipu/text/unicode/utf8.h"

namespace quipu::text {
namespace {

// Longer clusters are replaced character by character.
constexpr std::size_t kClusterBytesMax = 5;

std::optional<std::string> decode_base64(std::string_view text) {
  const auto value_of = [](char c) {
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
  };
  if (text.size() % 4 != 0) return std::nullopt;
  std::string out;
  out.reserve(text.size() / 4 * 3);
  for (std::size_t at = 0; at < text.size(); at += 4) {
    const bool last = at + 4 == text.size();
    const int padding = !last ? 0 : text[at + 3] != '=' ? 0 : text[at + 2] == '=' ? 2 : 1;
    std::uint32_t bits = 0;
    for (std::size_t i = 0; i < 4; ++i) {
      const bool padded = i >= 4U - static_cast<std::size_t>(padding);
      const int value = padded ? 0 : value_of(text[at + i]);
      if (value < 0) return std::nullopt;
      bits = (bits << 6) | static_cast<std::uint32_t>(value);
    }
    for (int i = 0; i < 3 - padding; ++i) out += static_cast<char>((bits >> (16 - 8 * i)) & 0xFF);
  }
  return out;
}

// A unit of the trie, as darts-clone packs it.
std::uint32_t offset_of(std::uint32_t unit) { return (unit >> 10) << ((unit & (1U << 9)) >> 6); }
std::uint32_t label_of(std::uint32_t unit) { return unit & ((1U << 31) | 0xFF); }
bool has_leaf(std::uint32_t unit) { return ((unit >> 8) & 1) != 0; }

void add_replacement(std::u32string_view to, std::size_t replaced,
                     std::vector<CharChange>& changes) {
  for (const char32_t c : to) changes.push_back({c, 0});
  if (to.size() > replaced) {
    for (std::size_t i = replaced; i < to.size(); ++i) {
      changes[changes.size() - 1 - (i - replaced)].change = 1;
    }
  } else if (to.size() < replaced && !changes.empty()) {
    // At the text's beginning nothing is there to note the removal, and the reference forgets it.
    changes.back().change -= static_cast<std::int32_t>(replaced - to.size());
  }
}

}  // namespace

void apply_changes(std::span<const CharChange> changes, std::uint32_t base, AlignedText& text) {
  AlignedText out;
  out.reserve(changes.size());
  std::size_t next = 0;
  for (const CharChange& change : changes) {
    const bool is_new = change.change > 0 || next >= text.size();
    if (!is_new) {
      out.push_back({change.value, text[next].begin, text[next].end});
      next += 1 + static_cast<std::size_t>(-change.change);
    } else if (next == 0) {
      out.push_back({change.value, base, base});
    } else {
      const AlignedChar& last = text[std::min(next, text.size()) - 1];
      out.push_back({change.value, last.begin, last.end});
    }
  }
  text.swap(out);
}

Result<Charsmap> Charsmap::read(std::string_view base64) {
  const Error bad{ErrorCode::kInvalidArgument,
                  "the base64 of a sentencepiece charsmap: a trie and its replacements"};
  const std::optional<std::string> bytes = decode_base64(base64);
  std::uint32_t trie_size = 0;
  if (!bytes.has_value() || bytes->size() < 4) return bad;
  std::memcpy(&trie_size, bytes->data(), 4);
  if (trie_size < 4 || trie_size > bytes->size() - 4) return bad;
  Charsmap map;
  const std::size_t units = trie_size / 4;
  map.trie_.resize(units);
  std::memcpy(map.trie_.data(), bytes->data() + 4, units * 4);
  const std::string_view text = std::string_view(*bytes).substr(4 + units * 4);
  if (find_invalid_utf8(text) != std::string_view::npos) return bad;
  for (std::size_t at = 0; at < text.size();) {
    const DecodedChar c = decode_utf8(text.data() + at);
    map.char_at_.resize(at + c.size, static_cast<std::uint32_t>(map.replacements_.size()));
    map.replacements_ += c.value;
    at += c.size;
  }
  map.replacements_ += U'\0';
  for (char c = 0; static_cast<unsigned char>(c) < 128; ++c) {
    map.kept_[static_cast<unsigned char>(c)] = !map.find_bytes({&c, 1}).has_value();
    if (c == 127) break;
  }
  return map;
}

std::optional<std::u32string_view> Charsmap::find_bytes(std::string_view bytes) const {
  std::uint32_t node = 0;
  std::uint32_t unit = trie_[0];
  node ^= offset_of(unit);
  for (const char byte : bytes) {
    const auto label = static_cast<unsigned char>(byte);
    if (label == 0) break;
    node ^= label;
    if (node >= trie_.size()) return std::nullopt;
    unit = trie_[node];
    if (label_of(unit) != label) return std::nullopt;
    node ^= offset_of(unit);
    if (!has_leaf(unit)) continue;
    if (node >= trie_.size()) return std::nullopt;
    const std::uint32_t place = trie_[node] & 0x7FFFFFFF;
    if (place > char_at_.size()) return std::nullopt;
    const std::size_t begin = place == char_at_.size() ? replacements_.size() - 1 : char_at_[place];
    const std::u32string_view rest = std::u32string_view(replacements_).substr(begin);
    return rest.substr(0, rest.find(U'\0'));
  }
  return std::nullopt;
}

std::optional<std::u32string_view> Charsmap::find(std::span<const AlignedChar> chars) const {
  char bytes[4 * (kClusterBytesMax + 1)];
  std::size_t size = 0;
  for (const AlignedChar& c : chars) size += write_utf8(bytes + size, c.value);
  return find_bytes({bytes, size});
}

void Charsmap::normalize(std::uint32_t base, AlignedText& text,
                         std::vector<CharChange>& changes) const {
  const std::span<const AlignedChar> chars = text;
  changes.clear();
  bool modified = false;
  for (std::size_t at = 0; at < chars.size();) {
    const char32_t c = chars[at].value;
    // The usual: ASCII before ASCII is a cluster by itself, line ends apart.
    if (c < 128 && kept_[c] && c != '\r' && (at + 1 == chars.size() || chars[at + 1].value < 128)) {
      changes.push_back({c, 0});
      ++at;
      continue;
    }
    const std::size_t size = grapheme_size(chars.subspan(at));
    const std::span<const AlignedChar> cluster = chars.subspan(at, size);
    at += size;
    std::size_t bytes = 0;
    for (std::size_t i = 0; i < size && bytes <= kClusterBytesMax; ++i) {
      bytes += utf8_size(cluster[i].value);
    }
    if (size > 1 && bytes <= kClusterBytesMax) {
      if (const std::optional<std::u32string_view> to = find(cluster)) {
        modified = true;
        add_replacement(*to, size, changes);
        continue;
      }
    }
    for (std::size_t i = 0; i < size; ++i) {
      if (const std::optional<std::u32string_view> to = find(cluster.subspan(i, 1))) {
        modified = true;
        add_replacement(*to, 1, changes);
      } else {
        changes.push_back({cluster[i].value, 0});
      }
    }
  }
  if (modified) apply_changes(changes, base, text);
}

}  // namespace quipu::text
