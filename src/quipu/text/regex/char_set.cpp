#include "quipu/text/regex/char_set.h"

#include <algorithm>
#include <map>
#include <string>

#include "quipu/text/unicode/tables.h"

namespace quipu::text {
namespace {

using PropertyMap = std::map<std::string, CharSet, std::less<>>;

std::string property_key(std::string_view name) {
  std::string key;
  for (const char c : name) {
    if (c == ' ' || c == '-' || c == '_') continue;
    key += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  }
  return key;
}

CharSet read_property_ranges(std::span<const std::uint32_t> numbers) {
  std::vector<CharSet::Range> ranges;
  tables::for_each_range(numbers, [&](std::uint32_t first, std::uint32_t last) {
    ranges.push_back({first, last});
  });
  return CharSet(std::move(ranges));
}

// General categories have a group's letter first: Lu is part of L.
void add_category_groups(PropertyMap& map) {
  static constexpr std::string_view kCategories[] = {
      "lu", "ll", "lt", "lm", "lo", "mn", "mc", "me", "nd", "nl", "no", "pc", "pd", "ps", "pe",
      "pi", "pf", "po", "sm", "sc", "sk", "so", "zs", "zl", "zp", "cc", "cf", "co", "cn"};
  for (const std::string_view name : kCategories) {
    const std::string group(name.substr(0, 1));
    map[group] = map[group].united(map[std::string(name)]);
  }
  map["lc"] = map["lu"].united(map["ll"]).united(map["lt"]);
}

PropertyMap read_properties() {
  PropertyMap map;
  const std::span<const std::uint32_t> table = tables::kRegexProperties;
  for (std::size_t at = 0; at < table.size();) {
    const std::size_t name_size = table[at];
    std::string name;
    for (std::size_t i = 0; i < name_size; ++i) name += static_cast<char>(table[at + 1 + i]);
    at += 1 + name_size;
    const std::size_t count = table[at];
    map[property_key(name)] = read_property_ranges(table.subspan(at + 1, count));
    at += 1 + count;
  }
  add_category_groups(map);
  const std::pair<const char*, const char*> aliases[] = {
      {"letter", "l"},          {"mark", "m"},
      {"number", "n"},          {"punctuation", "p"},
      {"symbol", "s"},          {"separator", "z"},
      {"other", "c"},           {"uppercaseletter", "lu"},
      {"digit", "nd"},          {"decimalnumber", "nd"},
      {"alpha", "alphabetic"},  {"lower", "lowercase"},
      {"upper", "uppercase"},   {"space", "whitespace"},
      {"lowercaseletter", "ll"}};
  for (const auto& [alias, name] : aliases) map[alias] = map[name];
  map["alnum"] = map["alphabetic"].united(map["nd"]);
  map["any"] = CharSet::all();
  map["assigned"] = map["cn"].complement();
  return map;
}

}  // namespace

CharSet::CharSet(std::vector<Range> ranges) {
  std::sort(ranges.begin(), ranges.end(),
            [](const Range& a, const Range& b) { return a.first < b.first; });
  for (const Range& range : ranges) {
    if (!ranges_.empty() && range.first <= ranges_.back().last + 1) {
      ranges_.back().last = std::max(ranges_.back().last, range.last);
    } else {
      ranges_.push_back(range);
    }
  }
}

bool CharSet::contains(char32_t c) const noexcept {
  const auto after =
      std::upper_bound(ranges_.begin(), ranges_.end(), c,
                       [](char32_t value, const Range& range) { return value < range.first; });
  return after != ranges_.begin() && std::prev(after)->last >= c;
}

CharSet CharSet::complement() const {
  CharSet out;
  char32_t next = 0;
  for (const Range& range : ranges_) {
    if (range.first > next) out.ranges_.push_back({next, range.first - 1});
    next = range.last + 1;
  }
  if (next <= kLast) out.ranges_.push_back({next, kLast});
  return out;
}

CharSet CharSet::united(const CharSet& other) const {
  std::vector<Range> ranges = ranges_;
  ranges.insert(ranges.end(), other.ranges_.begin(), other.ranges_.end());
  return CharSet(std::move(ranges));
}

CharSet CharSet::intersected(const CharSet& other) const {
  return complement().united(other.complement()).complement();
}

const CharSet* find_property(std::string_view name) {
  static const PropertyMap& map = *new PropertyMap(read_properties());
  const auto found = map.find(property_key(name));
  return found == map.end() ? nullptr : &found->second;
}

}  // namespace quipu::text
